"""The cache that users hold: everything that is the same for every store.

Two roads lead to a store. A store in this process that keeps objects (`memory:`) is asked directly:
no codec, no policy, no waiting. Every other store is sent bytes, through the codec and the policy.
Both give the same answers.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import replace
from operator import index
from typing import TYPE_CHECKING, Any, Generic, final, overload

from qicore_core import Deadline, Failure, Policy, QiError, Result, Success, failure, success

from .computation import Wanted
from .freshness import Freshness
from .kept import Kept
from .refusals import unsupported
from .road import Road
from .settings import ttl_error
from .stats import CacheStats
from .store import MISSING, CountingStore, ExpiringStore, Missing
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

    __slots__ = ("_here", "_road", "_space", "_stats")

    def __init__(self, road: Road, /) -> None:
        self._road = road
        self._space = road.space
        self._stats = road.stats
        # What answers in this process: the store, or what stands before it.
        self._here = road.space or (road.near and road.near.space)

    def of(self, kind: type[W], /) -> Cache[W]:
        """Give the same cache for values of one type, dataclasses included."""
        return Cache(self._road.of(kind))

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
                return failure(self._road.unread(key, exception))
            if value is MISSING:
                if self._space is not None:
                    self._stats.misses += 1
                    error = self._road.refused(key)
                    return failure(error) if error else success(default)
            elif value.__class__ is not Kept:
                self._stats.hits += 1
                return success(value)
        found = await self._road.fetch([key], timeout, policy)
        return found if isinstance(found, Failure) else found.value.get(key, success(default))

    async def get_many(
        self, keys: Iterable[str], /, *, timeout: float | None = None, policy: Policy | None = None
    ) -> Result[dict[str, V]]:
        """Give the values of those keys that are there, in one step where the store can."""
        found = await self._road.fetch(keys, timeout, policy)
        if isinstance(found, Failure):
            return found
        return success(
            {key: one.value for key, one in found.value.items() if isinstance(one, Success)}
        )

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
            return self._road.put(key, value, ttl)
        if error := self._road.refused(key):
            return failure(error)
        return await self._road.keep({key: value}, ttl, timeout, policy, tags)

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
        return await self._road.keep(values, ttl, timeout, policy, tags)

    async def remove(
        self, key: str, /, *, timeout: float | None = None, policy: Policy | None = None
    ) -> Result[int]:
        """Forget a key; give 1, or 0 where it was not there."""
        return await self.remove_many([key], timeout=timeout, policy=policy)

    async def remove_many(
        self, keys: Iterable[str], /, *, timeout: float | None = None, policy: Policy | None = None
    ) -> Result[int]:
        """Forget several keys; give how many were there."""
        gone = self._road.listed(keys)
        if isinstance(gone, Failure):
            return gone
        return await self._road.remove(gone.value, timeout, policy)

    async def remove_tag(
        self, tag: str, /, *, timeout: float | None = None, policy: Policy | None = None
    ) -> Result[None]:
        """Forget every entry that was set with a tag, in one step, however many there are.

        They are misses from now on; `size` counts them until they end by their ttl. What is being
        computed with the tag meanwhile is not kept.
        """
        return await self._road.remove_tag(tag, timeout, policy)

    async def clear(
        self, *, timeout: float | None = None, policy: Policy | None = None
    ) -> Result[None]:
        """Forget everything in this namespace, and nothing else."""
        return await self._road.clear(timeout, policy)

    async def size(
        self, *, timeout: float | None = None, policy: Policy | None = None
    ) -> Result[int]:
        """Count the entries of this cache's namespace."""
        return await self._road.call("size", timeout, policy, self._road.store.count, self._road.ns)

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
        error = self._road.refused(key) or ttl_error(ttl)
        if error:
            return failure(error)
        store = self._road.store
        if not isinstance(store, ExpiringStore):
            return failure(unsupported("expire"))
        return await self._road.change(
            "expire", [key], timeout, policy, store.expire, self._road.ns, key, ttl
        )

    async def ttl_of(
        self, key: str, /, *, timeout: float | None = None, policy: Policy | None = None
    ) -> Result[float | Missing | None]:
        """Give the seconds that a key has left, None for no end, MISSING where there is none.

        Errors:
            CACHE_UNSUPPORTED: the store cannot.
        """
        if error := self._road.refused(key):
            return failure(error)
        store = self._road.store
        if not isinstance(store, ExpiringStore):
            return failure(unsupported("ttl_of"))
        return await self._road.call("ttl_of", timeout, policy, store.ttl_of, self._road.ns, key)

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
            CACHE_NOT_A_NUMBER: what is there is no int.
            CACHE_UNSUPPORTED: the store cannot count, or the codec does not write ints as digits.
        """
        by, seconds = index(by), self._road.seconds(ttl)  # a `by` that is no int is a bug
        if error := self._road.refused(key):
            return failure(error)
        if isinstance(seconds, QiError):
            return failure(seconds)
        if self._space is not None:
            return self._space.increment(key, by, seconds)
        road, store = self._road, self._road.store
        if not isinstance(store, CountingStore) or not road.packing.can_count():
            return failure(unsupported("increment"))
        args = (timeout, policy, store.increment, road.ns, key, by, seconds)
        return await road.change("increment", [key], *args, repeatable=False)

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
            failure_ttl: seconds to keep a Failure of the factory; None keeps none.
            freshness: whether it is renewed before it ends, or given for a while after that.
            tags: names by which `remove_tag` forgets it together with others.
            timeout: seconds for the whole, the factory included.
            policy: how to call the store, this once.

        Errors:
            CACHE_REENTRANT: the factory asks for the key it computes.
            DEADLINE_EXCEEDED: it was not there in time; whoever else waits for it goes on.
        """
        for error in (self._road.refused(key), ttl_error(ttl), ttl_error(failure_ttl)):
            if error:
                return failure(error)
        if self._here is not None:
            value: Any = MISSING
            try:
                value = self._here.get(key)
            except Exception:  # noqa: BLE001, S110  # foreign code: the value's; it is made anew
                pass
            if value is not MISSING and value.__class__ is not Kept:
                self._stats.hits += 1
                return success(value)
        wanted = listed_tags(tags) if tags else success(list[str]())
        if isinstance(wanted, Failure):
            return wanted
        road, computations = self._road, self._road.computations
        want = Wanted(key, factory, ttl, failure_ttl, freshness, wanted.value, timeout, policy)

        async def give() -> Result[V]:
            return await computations.give(road, want)

        if timeout is None and Deadline.current() is None:
            return await give()
        given = await road.deadline.run(give, operation="get_or_set", timeout=timeout)
        return computations.rescued(want, given)

    @property
    def stats(self) -> CacheStats:
        """What this cache has counted; a copy."""
        return replace(self._stats)

    async def health(self) -> Result[None]:
        """Ask the store for anything at all."""
        answer = await self._road.call(
            "health", None, None, self._road.store.read, self._road.ns, ["health"]
        )
        return answer.map(lambda _: None)

    async def close(self) -> None:
        """Close the store; every operation after that is a CACHE_NOT_CONNECTED."""
        await self._road.close()
