"""The narrow protocol: what an author of a cache driver implements, and what a store may add to it.

A store moves bytes. Namespaces, codecs, jitter, single flight, policies and events belong to
`Cache` and are the same for every store.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol, final, runtime_checkable

from qicore_core import Result

__all__ = [
    "MISSING",
    "CacheStore",
    "CountingStore",
    "DefaultTtlStore",
    "Entry",
    "ExpiringStore",
    "LockingStore",
    "Missing",
    "ObjectStore",
    "Space",
    "TrackingStore",
]


@final
class Missing:
    """The type of `MISSING`: what a cache has nothing for. Falsy."""

    __slots__ = ()

    def __bool__(self) -> bool:
        return False

    def __repr__(self) -> str:
        return "MISSING"

    def __reduce__(self) -> str:
        return "MISSING"


MISSING: Final = Missing()
"""Stands for "not there", so that a stored None is told from a miss: `get(key, MISSING)`."""


@dataclass(frozen=True, slots=True)
class Entry:
    """What a store keeps under a key.

    Attributes:
        data: the encoded value.
        ttl: the seconds to keep it; None is without end.
    """

    data: bytes
    ttl: float | None = None


class CacheStore(Protocol):
    """Where entries are kept; all of it is safe to call side by side.

    `ns` is a namespace and is not empty only where the user named one; a store keeps namespaces
    apart and never touches what is outside of them. The cache keeps the versions of tags in a
    namespace of its own beside the user's, named as no user can: with a line feed in it. What
    cannot be done is a Failure; nothing is raised but bugs and cancellation.
    """

    async def read(self, ns: str, keys: Iterable[str], /) -> Result[Mapping[str, bytes]]:
        """Give the data of those keys that are there and have not expired.

        A Failure of category CONFLICT says that something else stands there: `get_or_set` puts a
        new value in its place.
        """
        ...

    async def write(self, ns: str, entries: Mapping[str, Entry], /) -> Result[None]:
        """Keep the entries, in place of what was there."""
        ...

    async def delete(self, ns: str, keys: Iterable[str] | None, /) -> Result[int]:
        """Forget those keys and give how many were there; None is the namespace, uncounted."""
        ...

    async def count(self, ns: str, /) -> Result[int]:
        """Count what is there and has not expired."""
        ...

    async def close(self) -> None:
        """Let go of everything; twice does no harm."""


@runtime_checkable
class CountingStore(Protocol):
    """A store that can count in place, so that no step is lost between callers."""

    async def increment(self, ns: str, key: str, by: int, ttl: float | None, /) -> Result[int]:
        """Add to the number under a key, 0 where there is none, and give the sum.

        The number and the sum have 64 bits with a sign: beyond, nothing changes, and it is a
        CACHE_NOT_A_NUMBER, as it is where there is something else.
        """
        ...


@runtime_checkable
class DefaultTtlStore(Protocol):
    """A store that says how long an entry is kept where nobody else does."""

    @property
    def default_ttl(self) -> float | None:
        """The seconds, for where neither the call nor the cache names any; None is for ever."""
        ...


@runtime_checkable
class ExpiringStore(Protocol):
    """A store that can tell and set when an entry ends, without moving it."""

    async def expire(self, ns: str, key: str, ttl: float | None, /) -> Result[int]:
        """Set the seconds an entry has left, None for no end; give 1, or 0 for no entry."""
        ...

    async def ttl_of(self, ns: str, key: str, /) -> Result[float | Missing | None]:
        """Give the seconds an entry has left, None for no end, MISSING for no entry."""
        ...


@runtime_checkable
class LockingStore(Protocol):
    """A store whose callers in several processes can agree on who computes a value.

    Locks are apart from entries: neither counted nor cleared with them.
    """

    async def lock(self, ns: str, key: str, token: str, ttl: float, /) -> Result[int]:
        """Take the lock of a key for so many seconds; give 1, or 0 where another token has it."""
        ...

    async def unlock(self, ns: str, key: str, token: str, /) -> Result[int]:
        """Give the lock back; give 1, or 0 where this token has it no more, which changes none."""
        ...


@runtime_checkable
class TrackingStore(Protocol):
    """A store that tells of changes by others, so that what is kept near of it can be forgotten."""

    async def track(
        self, ns: str, changed: Callable[[Iterable[str] | None], object], /
    ) -> Result[None]:
        """Call a function, on any thread, for what changes in a namespace until the store closes.

        It gets the keys that were written, removed or have ended; None where all of them may have:
        the namespace was cleared, or the connection that tells of it was lost. The
        changes of this very store may be told too, or not.
        """
        ...


class Space(Protocol):
    """A namespace of a store in this process, which keeps objects: no codec, no waiting."""

    def get(self, key: str, /) -> Any:
        """Give the value under a key, or MISSING."""
        ...

    def put(self, key: str, value: Any, ttl: float | None, /) -> None:
        """Keep a value; one that cannot be copied is a TypeError."""

    def increment(self, key: str, by: int, ttl: float | None, /) -> Result[int]:
        """Add to the number under a key, as `CountingStore` does."""
        ...

    def drop(self, keys: Iterable[str] | None, /) -> int:
        """Forget those keys and give how many were there; None is all of them."""
        ...


@runtime_checkable
class ObjectStore(Protocol):
    """A store in this process. `Cache` uses its spaces unless it was given a codec."""

    def space(self, ns: str, copy: bool, /) -> Space:
        """Give the space of a namespace; with `copy`, changes outside are not seen inside."""
        ...
