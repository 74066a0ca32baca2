"""The head of an answer: read as it came, or refused.

aiohttp reads heads that leave a doubt about where the body ends, as browsers do. A client that
keeps its connections must not: what one reader takes for a body is an answer to the next.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Final

from qicore_http import Headers

__all__ = ["head_of"]

_TOKEN: Final = re.compile(rb"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_DIGITS: Final = re.compile(r"[0-9]+")


def head_of(status: int, fields: Sequence[tuple[bytes, bytes]], /) -> Headers | None:
    """Give the fields of an answer, or None where it is none or has two readings.

    Source: RFC 9112, sections 5.1 and 6.3.

    >>> head_of(200, [(b"Content-Length", b"2"), (b"content-length", b"3")]) is None
    True
    """
    if not 200 <= status <= 999:
        return None  # 101 among them: nobody asked to switch
    pairs: list[tuple[str, str]] = []
    for said, value in fields:
        name = _name_of(said)
        if name is None or b"\0" in value:
            return None
        pairs.append((name, _text(value)))
    headers = Headers(pairs)
    return headers if _is_framed(headers) else None


@lru_cache(256)  # servers say the same few names
def _name_of(said: bytes) -> str | None:
    return said.decode() if _TOKEN.fullmatch(said) else None


def _is_framed(headers: Headers) -> bool:
    """Tell whether it is plain where the body ends."""
    length, coding = headers.get("content-length"), headers.get("transfer-encoding")
    if coding is not None:
        return length is None and coding.lower() == "chunked"
    if length is None or _DIGITS.fullmatch(length):
        return True
    several = set(headers.all("content-length"))  # the same one twice is one
    return len(several) == 1 and _DIGITS.fullmatch(several.pop()) is not None


def _text(value: bytes) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value.decode("latin-1")
