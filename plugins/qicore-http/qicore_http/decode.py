"""Content encodings undone in bounded pieces: a small body must not become all of memory.

Clients ask for no encoding unless the caller does, so this is for servers that compress anyway.
"""

from __future__ import annotations

import zlib
from collections.abc import AsyncIterator
from typing import Final

from qicore_core import Failure, QiError, Result, failure, success

from .errors import PARSE_ERROR, RESPONSE_TOO_LARGE, UNSUPPORTED
from .transport import HttpReply

__all__ = ["decoded"]

_PIECE: Final = 64 * 1024
_HARMLESS: Final = 1024 * 1024
_GZIP_OR_ZLIB: Final = 32 + zlib.MAX_WBITS
_WINDOWS: Final = {"gzip": _GZIP_OR_ZLIB, "x-gzip": _GZIP_OR_ZLIB, "deflate": _GZIP_OR_ZLIB}


def decoded(reply: HttpReply, max_ratio: float, /) -> Result[HttpReply]:
    """Give a reply whose pieces are decoded, each of them at most 64 KiB.

    Args:
        reply: as the transport gives it.
        max_ratio: how many bytes one byte may become; asked once a body has become 1 MiB, as less
            harms nobody. The stream then ends with RESPONSE_TOO_LARGE.

    Errors:
        HTTP_UNSUPPORTED: it is encoded by something else than gzip or deflate, or more than once.
    """
    stated = reply.headers.get("content-encoding")
    if not stated:
        return success(reply)
    names = [name.strip().lower() for name in stated.split(",")]
    codings = [name for name in names if name not in ("", "identity")]
    if not codings:
        return success(reply)
    if len(codings) > 1 or codings[0] not in _WINDOWS:
        return failure(
            QiError.unsupported(
                UNSUPPORTED,
                f"the answer is encoded by {', '.join(codings)[:60]}, which is not decoded here",
                hint="ask for `accept-encoding: identity` or gzip",
                source="http",
            )
        )
    return success(HttpReply(reply.status, reply.headers, _pieces(reply, max_ratio), reply.aclose))


async def _pieces(reply: HttpReply, max_ratio: float) -> AsyncIterator[Result[bytes]]:
    inflater, is_begun, first = zlib.decompressobj(_GZIP_OR_ZLIB), False, b""
    read = made = 0
    async for piece in reply:
        if isinstance(piece, Failure):
            yield piece
            return
        rest, out = first + piece.value, b""
        read += len(piece.value)
        first = b"" if is_begun or len(rest) > 1 else rest
        if first:  # what it is, two bytes say
            continue
        while rest or len(out) == _PIECE:  # a full piece may have more behind it, without input
            if inflater.eof:  # another member, as `cat a.gz b.gz` makes
                inflater = zlib.decompressobj(_GZIP_OR_ZLIB)
            try:
                out = inflater.decompress(rest, _PIECE)
            except zlib.error:
                if is_begun:
                    yield failure(_broken("is damaged"))
                    return
                # Some send deflate without the zlib around it. Source: RFC 9110, section 8.4.1.2.
                inflater, is_begun = zlib.decompressobj(-zlib.MAX_WBITS), True
                continue
            is_begun = True
            rest = inflater.unused_data if inflater.eof else inflater.unconsumed_tail
            made += len(out)
            if made > _HARMLESS and made > max_ratio * read:
                yield failure(_swells(max_ratio))
                return
            if out:
                yield success(out)
            if inflater.eof and not rest:
                break
    if first or (is_begun and not inflater.eof):
        yield failure(_broken("ends before its end"))


def _swells(max_ratio: float) -> QiError:
    return QiError.bad_data(
        RESPONSE_TOO_LARGE,
        f"the answer's compressed body becomes more than {max_ratio:g} times as large",
        hint="if that is what the server sends, raise max_decompression_ratio",
        source="http",
    )


def _broken(how: str) -> QiError:
    return QiError.bad_data(PARSE_ERROR, f"the answer's compressed body {how}", source="http")
