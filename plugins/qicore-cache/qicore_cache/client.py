"""The cache that users hold: everything that is the same for every store.

Two ways lead to a store. A store in this process that keeps objects (`memory:`) is asked directly:
no codec, no policy, no waiting. Every other store is sent bytes, through the codec and the policy.
Both give the same answers.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Generic, final, overload

from qicore_core import Failure, Parts, Policy, QiError, Result, failure, success

from .access import Access
from .computation import Wanted
from .freshness import Freshness
from .kept import Kept
from .optional import expire, increment, ttl_of
from .settings import CacheSettings, ttl_error
from .stats import CacheStats
from .store import MISSING, CacheStore, Missing
from .tags import listed_tags

if TYPE_CHECKING:
    from typing_extensions import TypeVar

    V = TypeVar("V", default=Any)
    W = TypeVar("W")
else:
    from typing import TypeVar

    V, W = TypeVar("V"), TypeVar("W")

__all__ = ["Cache"]


@final
class Cache(Generic[V]):
    """A cache of values under text keys, the same whatever keeps them. Made by `open_cache`.

    `Cache(store, settings, parts)` puts one on a store that you made yourself.

    A hit equals the miss that filled it, in value and type; a stored None is told from a miss by
    `get(key, MISSING)`. Every operation takes `timeout=`, the total in seconds, and `policy=` in
    place of the cache's own; both are for stores outside this process.

    Errors:
        INVALID_KEY, INVALID_TTL, INVALID_TAG: what was asked is wrong; the error says how.
        CODEC_ERROR: the value would not come back as it is, or what is kept cannot be read.
        CACHE_NOT_CONNECTED: the cache was closed.
        CACHE_UNAVAILABLE, CACHE_TIMEOUT, ...: the store could not do it; never an exception, never
        a miss.
    """

    __slots__ = ("_access", "_here", "_space", "_stats")

    def __init__(
        self,
        store: CacheStore,
        settings: CacheSettings | None = None,
        parts: Parts | None = None,
        /,
    ) -> None:
        self._use(Access(store, settings or CacheSettings(), parts or Parts()))

    @classmethod
    def _on(cls, access: Access) -> Cache[Any]:
        """Give a cache on a store that one is open on already."""
        cache: Cache[Any] = object.__new__(cls)
        cache._use(access)
        return cache

    def _use(self, access: Access) -> None:
        self._access = access
        self._space = access.space
        self._stats = access.stats
        self._here = access.space or (access.near and access.near.space)  # what is in this process

    def of(self, kind: type[W], /) -> Cache[W]:
        """Give the same cache for values of one type, dataclasses included.

        What is of another type is neither kept nor given: a CODEC_ERROR. Looked at is the outermost
        shape, as a type checker sees it: for `list[int]` that it is a list.
        """
        return Cache._on(self._access.of(kind))

    @overload
    async def get(
        self, key: str, /, *, timeout: float | None = None, policy: Policy | None = None
    ) -> Result[V | None]: ...
    @overload
    async def get(
        self, key: str, default: W, /, *, timeout: float | None = None, policy: Policy | None = None
    ) -> Result[V | W]: ...
    async def get(
        self,
        key: str,
        default: Any = None,
        /,
        *,
        timeout: float | None = None,
        policy: Policy | None = None,
    ) -> Result[Any]:
        """Give the value under a key, or the default where there is none."""
        if self._here is not None:
            try:
                value = self._here.get(key)
            except Exception as exception:  # noqa: BLE001  # foreign code: the value's own
                return failure(self._access.unread(key, exception))
            if value is MISSING:
                if self._space is not None and type(key) is str:
                    self._stats.misses += 1
                    named = self._access.named(key)
                    return failure(named) if isinstance(named, QiError) else success(default)
            elif value.__class__ is not Kept:
                self._stats.hits += 1
                return success(value)
        named = self._access.named(key)
        if isinstance(named, QiError):
            return failure(named)
        there = await self._access.look([named], timeout, policy)
        if isinstance(there, Failure):
            return there
        return self._access.given(there.value.get(named, MISSING), default)

    async def get_many(
        self, keys: Iterable[str], /, *, timeout: float | None = None, policy: Policy | None = None
    ) -> Result[dict[str, V]]:
        """Give the values of those keys that are there, in one step where the store can."""
        wanted = self._access.listed(keys)
        if isinstance(wanted, Failure):
            return wanted
        there = await self._access.look(wanted.value, timeout, policy)
        if isinstance(there, Failure):
            return there
        found: dict[str, V] = {}
        for key in wanted.value:
            given = self._access.given(there.value.get(key, MISSING), MISSING)
            if given and given.value is not MISSING:  # a Failure that is kept is no value
                found[key] = given.value
        return success(found)

    async def set(
        self,
        key: str,
        value: V,
        /,
        *,
        ttl: float | None = None,
        tags: Iterable[str] = (),
        timeout: float | None = None,
        policy: Policy | None = None,
    ) -> Result[None]:
        """Keep a value under a key, in place of what was there.

        Args:
            key: 1 to 1,024 printable characters.
            value: what to keep.
            ttl: seconds to keep it; None is the cache's default.
            tags: names by which `remove_tag` forgets it together with others.
            timeout: seconds for the whole.
            policy: how to call the store, this once.
        """
        if self._space is not None and not tags:
            return self._access.put(key, value, ttl)
        named = self._access.named(key)
        if isinstance(named, QiError):
            return failure(named)
        return await self._access.keep({named: value}, ttl, timeout, policy, tags)

    async def set_many(
        self,
        values: Mapping[str, V],
        /,
        *,
        ttl: float | None = None,
        tags: Iterable[str] = (),
        timeout: float | None = None,
        policy: Policy | None = None,
    ) -> Result[None]:
        """Keep several values; where one of them is refused, none is kept."""
        if not isinstance(values, Mapping):
            raise TypeError(f"values are a mapping, {{key: value}}, got {type(values).__name__}")
        return await self._access.keep(values, ttl, timeout, policy, tags)

    async def remove(
        self, key: str, /, *, timeout: float | None = None, policy: Policy | None = None
    ) -> Result[int]:
        """Forget a key; give 1, or 0 where it was not there."""
        return await self.remove_many([key], timeout=timeout, policy=policy)

    async def remove_many(
        self, keys: Iterable[str], /, *, timeout: float | None = None, policy: Policy | None = None
    ) -> Result[int]:
        """Forget several keys; give how many were there."""
        gone = self._access.listed(keys)
        if isinstance(gone, Failure):
            return gone
        return await self._access.remove(gone.value, timeout, policy)

    async def remove_tag(
        self, tag: str, /, *, timeout: float | None = None, policy: Policy | None = None
    ) -> Result[None]:
        """Forget every entry that was set with a tag, in one step, however many there are.

        They are misses from now on; `size` counts them until they end by their ttl. What is being
        computed with the tag meanwhile is not kept.
        """
        return await self._access.remove_tag(tag, timeout, policy)

    async def clear(
        self, *, timeout: float | None = None, policy: Policy | None = None
    ) -> Result[None]:
        """Forget everything in this namespace, and nothing else."""
        return await self._access.clear(timeout, policy)

    async def size(
        self, *, timeout: float | None = None, policy: Policy | None = None
    ) -> Result[int]:
        """Count the entries of this cache's namespace."""
        access = self._access
        return await access.call("size", timeout, policy, access.store.count, access.ns)

    async def expire(
        self,
        key: str,
        ttl: float | None,
        /,
        *,
        timeout: float | None = None,
        policy: Policy | None = None,
    ) -> Result[int]:
        """Set the seconds that a key has left, None for no end; give 1, or 0 where it is not there.

        Errors:
            CACHE_UNSUPPORTED: the store cannot.
        """
        return await expire(self._access, key, ttl, timeout, policy)

    async def ttl_of(
        self, key: str, /, *, timeout: float | None = None, policy: Policy | None = None
    ) -> Result[float | Missing | None]:
        """Give the seconds that a key has left, None for no end, MISSING where there is none.

        Errors:
            CACHE_UNSUPPORTED: the store cannot.
        """
        return await ttl_of(self._access, key, timeout, policy)

    async def increment(
        self,
        key: str,
        by: int = 1,
        /,
        *,
        ttl: float | None = None,
        timeout: float | None = None,
        policy: Policy | None = None,
    ) -> Result[int]:
        """Add to the number under a key, 0 where there is none, and give the sum; no step is lost.

        A call that timed out is not tried again: it may have counted.

        Args:
            key: where the number is.
            by: what to add; less than 0 counts down.
            ttl: seconds to keep a new number; one that is there keeps its own.
            timeout: seconds for the whole.
            policy: how to call the store, this once.

        Errors:
            CACHE_NOT_A_NUMBER: what is there is no int, or it or the sum is beyond 64 bits.
            CACHE_UNSUPPORTED: the store cannot count, or the codec does not write ints as digits.
        """
        return await increment(self._access, key, by, ttl, timeout, policy)

    async def get_or_set(
        self,
        key: str,
        factory: Callable[[], V | Result[V] | Awaitable[V] | Awaitable[Result[V]]],
        /,
        *,
        ttl: float | None = None,
        failure_ttl: float | None = None,
        freshness: Freshness | None = None,
        tags: Iterable[str] = (),
        timeout: float | None = None,
        policy: Policy | None = None,
    ) -> Result[V]:
        """Give the value under a key, or compute and keep it: once for any number of callers.

        Where the store is down the value is computed and not kept; the event says so.

        Args:
            key: where the value is.
            factory: computes it; `def` or `async def`, of a value or a Result. What it raises is
                raised here.
            ttl: seconds to keep the value.
            failure_ttl: seconds to keep a Failure of the factory; None keeps none. One that is
                worth a retry is not kept where a deadline held: more time might have mended it.
            freshness: whether it is renewed before it ends, or given for a while after that.
            tags: names by which `remove_tag` forgets it together with others.
            timeout: seconds for the whole, the factory included.
            policy: how to call the store, this once.

        Errors:
            CACHE_REENTRANT: the factory asks for the key it computes.
            DEADLINE_EXCEEDED: it was not there in time; whoever else waits for it goes on.
        """
        named = self._access.named(key)
        if isinstance(named, QiError):
            return failure(named)
        if error := ttl_error(ttl) or ttl_error(failure_ttl):
            return failure(error)
        if self._here is not None:
            value: Any = MISSING
            try:
                value = self._here.get(named)
            except Exception:  # noqa: BLE001, S110  # foreign code: the value's; it is made anew
                pass
            if value is not MISSING and value.__class__ is not Kept:
                self._stats.hits += 1
                return success(value)
        if not callable(factory):
            given = type(factory).__name__
            raise TypeError(f"the factory is a function: load, not load(), got {given}")
        if freshness is not None and not isinstance(freshness, Freshness):
            raise TypeError(f"freshness is a Freshness, got {type(freshness).__name__}")
        wanted = listed_tags(tags) if tags else success(list[str]())
        if isinstance(wanted, Failure):
            return wanted
        want = Wanted(named, factory, ttl, failure_ttl, freshness, wanted.value, timeout, policy)
        return await self._access.computations.give(self._access, want)

    @property
    def stats(self) -> CacheStats:
        """What this cache has counted; a copy."""
        return replace(self._stats)

    async def health(self) -> Result[None]:
        """Ask the store for anything at all."""
        access = self._access
        answer = await access.call("health", None, None, access.store.read, access.ns, ["health"])
        return answer.map(lambda _: None)

    async def close(self) -> None:
        """Close the store; every operation after that is a CACHE_NOT_CONNECTED."""
        await self._access.close()
