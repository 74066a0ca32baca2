"""The laws of stores that several processes share, for those that have locks or tell of changes."""

# ruff: noqa: S101  # a law asserts

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any

from qicore_core import success
from qicore_core.conformance import law

from ..client import Cache
from ..store import MISSING, LockingStore, TrackingStore
from .ground import CacheGround, becomes

__all__ = ["SharingLaws"]


class SharingLaws(CacheGround, abstract=True):
    """What holds where a store offers it; a store that does not keeps these laws without a step."""

    @law()
    async def a_lock_has_one_holder(self, cache: Cache[Any]) -> None:
        """A lock is had by one token until that gives it back or its ttl has passed."""
        store, ns = cache._access.store, cache._access.ns
        if not isinstance(store, LockingStore):
            return
        assert await store.lock(ns, "k", "a", 60.0) == success(1)
        assert await store.lock(ns, "k", "b", 60.0) == success(0)
        assert await store.lock(ns, "other", "b", 60.0) == success(1)
        assert await cache.get("k", MISSING) == success(MISSING)
        assert await cache.size() == success(0), "a lock is no entry"
        assert await store.unlock(ns, "k", "b") == success(0)
        assert await store.lock(ns, "k", "b", 60.0) == success(0)
        assert await store.unlock(ns, "k", "a") == success(1)
        assert await store.unlock(ns, "k", "a") == success(0)
        assert await store.lock(ns, "k", "b", 0.2) == success(1)
        await self.wait(0.25)
        assert await store.lock(ns, "k", "c", 60.0) == success(1)
        assert await store.unlock(ns, "k", "b") == success(0)
        assert await store.lock(ns, "k", "d", 60.0) == success(0)

    @law()
    async def two_caches_are_one_computation(self, cache: Cache[Any]) -> None:
        """Where the store has locks, two caches on it that miss at once compute once."""
        store, ns, ran = cache._access.store, cache._access.ns, list[int]()

        async def compute() -> int:
            ran.append(1)
            for _ in range(20):
                await asyncio.sleep(0)
            await self.wait(0.05)
            return 7

        async with self.open_in(ns) as other:
            await cache.set("seen", 1)
            is_shared = await other.get("seen") == success(1)
            if not is_shared or not isinstance(store, LockingStore):
                return
            calls = [one.get_or_set("k", compute) for one in (cache, other, cache, other)]
            assert await asyncio.gather(*calls) == [success(7)] * 4
            assert len(ran) == 1
            assert await other.get("k") == success(7)
            assert await store.lock(ns, "k", "free", 1.0) == success(1)

    @law()
    async def changes_by_others_are_told(self, cache: Cache[Any]) -> None:
        """Where the store tells of changes, it tells of what others write, remove and clear."""
        store, ns, told = cache._access.store, cache._access.ns, list[Any]()
        if not isinstance(store, TrackingStore):
            return

        def hear(keys: Iterable[str] | None) -> None:
            told.append(None if keys is None else list(keys))

        async def is_told() -> bool:
            return any(keys is None or "k" in keys for keys in told)

        async def is_all_told() -> bool:
            return None in told

        assert await store.track(ns, hear) == success(None)
        async with self.open_in(ns) as other:
            for change in (lambda: other.set("k", 1), lambda: other.remove("k")):
                await cache.get("k")
                told.clear()
                assert await change()
                await becomes(is_told, True)
            told.clear()
            await other.clear()
            await becomes(is_all_told, True)
