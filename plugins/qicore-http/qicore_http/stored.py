"""Where answers are kept, and how one is written as bytes.

All variants of a URL are one value under one key, so that a cache needs no more than `get` and
`set`. The key is a digest: a URL may be longer than a key, and its query may be a secret. What is
read back is data alone; what cannot be read is no entry.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from hashlib import sha256
from math import isfinite
from typing import Any, Final, Protocol, final, runtime_checkable

from qicore_core import Result

from .message import Headers, HttpResponse

__all__ = ["ResponseCache", "ResponseStore", "Stored", "digests", "key_of", "pack", "unpack"]

_VERSION: Final = 1
_MOST: Final = 1e9  # seconds; a cache takes ten times as many as a ttl
_SPACES: Final = re.compile(r"\s*,\s*")


@runtime_checkable
class ResponseStore(Protocol):
    """What a response cache stands on: any Cache, or two methods of your own.

    A key is text of at most 80 characters, a value is bytes, and what is not there is a success of
    None. A Failure is a miss: a store that is down stops no request.
    """

    def get(self, key: str, /) -> Awaitable[Result[Any]]:
        """Give the value of a key."""
        ...

    def set(self, key: str, value: Any, /, *, ttl: float | None = None) -> Awaitable[Result[Any]]:
        """Keep a value for so many seconds."""
        ...


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class ResponseCache:
    """How answers are kept. Source: RFC 9111, as a private cache.

    Attributes:
        store: where.
        heuristic: the share of an answer's age (since Last-Modified) for which it is taken as fresh
            when nothing else says so; 0 is off, and 0.1 is what browsers do.
        stale_if_error: seconds for which a stale answer is given where the server fails, unless
            the answer says otherwise.
        keep: seconds that a stale answer is kept, to be validated or given on errors.
        max_variants: how many answers of one URL are kept where `Vary` tells them apart.
        now: gives epoch seconds.
    """

    store: ResponseStore
    heuristic: float = 0.0
    stale_if_error: float = 0.0
    keep: float = 86_400.0
    max_variants: int = 8
    now: Callable[[], float] = field(default=time.time, repr=False)

    def __post_init__(self) -> None:
        if not isinstance(self.store, ResponseStore):
            got = type(self.store).__name__
            raise ValueError(f"store is an open Cache, or what has get and set, got {got}")
        for name, most in (("heuristic", 1.0), ("stale_if_error", _MOST), ("keep", _MOST)):
            if not 0.0 <= getattr(self, name) <= most:
                got = getattr(self, name)
                raise ValueError(f"{name} is a number from 0.0 up to {most:g}, got {got!r}")
        if self.max_variants < 1:
            raise ValueError(f"max_variants is at least 1, got {self.max_variants}")


@final
@dataclass(frozen=True, slots=True)
class Stored:
    """One answer as it is kept.

    Attributes:
        status: its status.
        headers: its fields, without those of the connection.
        body: decoded.
        varying: for each header that `Vary` names, the digest of what the request said.
        asked: when the request was sent, in epoch seconds.
        came: when its answer was there.
    """

    status: int
    headers: Headers
    body: bytes
    varying: tuple[tuple[str, str], ...]
    asked: float
    came: float

    def matches(self, request: Headers, /) -> bool:
        """Tell whether a request with these headers would have had the same answer."""
        return digests([name for name, _ in self.varying], request) == self.varying

    def response(self, url: str, age: float, /) -> HttpResponse:
        """Give it as the answer to a request."""
        headers = self.headers.with_fields({"age": str(int(age))})
        return HttpResponse(self.status, headers, self.body, url, from_cache=True)


def key_of(place: str, url: str, /) -> str:
    """Give the key under which the answers of a URL are kept."""
    return f"{place}:{sha256(url.encode()).hexdigest()}"


def digests(names: Iterable[str], request: Headers, /) -> tuple[tuple[str, str], ...]:
    """Give what a request says of some headers, as digests: they may be credentials."""
    said = [(name, _SPACES.sub(",", request.get(name, "\0").strip())) for name in names]
    return tuple([(name, sha256(value.encode()).hexdigest()[:32]) for name, value in said])


def pack(entries: Iterable[Stored], /) -> bytes:
    """Write entries as bytes: a line of JSON, and the bodies behind it."""
    held = list(entries)
    rows = [
        [one.status, one.headers.pairs(), one.varying, one.asked, one.came, len(one.body)]
        for one in held
    ]
    line = json.dumps([_VERSION, rows], separators=(",", ":")).encode()
    return b"\n".join([line, b"".join([one.body for one in held])])


def unpack(data: object, /) -> list[Stored]:
    """Read entries from bytes; none where there are none or they cannot be read."""
    if not isinstance(data, bytes):
        return []
    line, _, bodies = data.partition(b"\n")
    try:
        version, rows = json.loads(line)
        if version != _VERSION:
            return []
        found, at = [], 0
        for status, pairs, varying, asked, came, size in rows:
            headers = Headers([(str(name), str(value)) for name, value in pairs])
            pinned = tuple([(str(name), str(digest)) for name, digest in varying])
            body = bodies[at : at + int(size)]
            at += int(size)
            times = float(asked), float(came)
            if not all(isfinite(one) for one in times):
                return []
            found.append(Stored(int(status), headers, body, pinned, *times))
    except (ValueError, TypeError, OverflowError, RecursionError):
        return []
    return found if at == len(bodies) else []
