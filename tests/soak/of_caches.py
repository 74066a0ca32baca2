"""Caches, each opened by its door, and what is asked of them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from random import Random
from typing import Any

from calls import Operation
from ground import GONE, KEYS, POLICY, Ground, meant, right

from qicore_cache import Cache, Freshness, open_cache, tiered
from qicore_core import Result, failure, success

FRESHNESS = Freshness(stale_while=0.5, stale_if_error=2.0, early=1.0)


@asynccontextmanager
async def memory(_: Ground) -> AsyncGenerator[list[Operation]]:
    """A cache that has to evict."""
    async with open_cache("memory:", max_entries=KEYS // 2) as cache:
        yield CacheCalls(cache).all()


@asynccontextmanager
async def redis(ground: Ground) -> AsyncGenerator[list[Operation]]:
    """A shared cache, by a policy."""
    url = f"{ground.urls['redis']}?socket_timeout=1&connect_timeout=1"
    async with open_cache(url, namespace="shared", policy=POLICY, lock_ttl=1.0) as cache:
        yield CacheCalls(cache).all()


@asynccontextmanager
async def tiers(ground: Ground) -> AsyncGenerator[list[Operation]]:
    """A shared cache behind one in memory, without a policy; changes are told."""
    url = f"{ground.urls['redis']}?socket_timeout=1&connect_timeout=1"
    near = open_cache("memory:", max_entries=KEYS // 2)
    far = open_cache(url, namespace="tiers", lock_ttl=1.0)
    async with tiered(near, far, near_ttl=0.5) as cache:
        yield CacheCalls(cache).all()


@asynccontextmanager
async def disk(ground: Ground) -> AsyncGenerator[list[Operation]]:
    """A cache in a file, that of the database as well."""
    url = f"sqlite:///{ground.folder}/soak.db?max_bytes=1048576"
    async with open_cache(url, lock_ttl=1.0) as cache:
        yield CacheCalls(cache).all()


class CacheCalls:
    """What is asked of a cache: all that it can do, over a few hundred keys."""

    def __init__(self, cache: Cache[Any]) -> None:
        self.cache = cache

    def all(self) -> list[Operation]:
        """Give it, as often as it is to be asked."""
        return [self.get, self.get_many, self.compute] * 3 + [
            self.put,
            self.put_tagged,
            self.put_many,
            self.remove,
            self.remove_tag,
            self.count,
            self.expire,
            self.clear,
        ]

    async def get(self, random: Random, timeout: float) -> Result[Any]:
        key = a_key(random)
        return right(await self.cache.get(key, timeout=timeout), (None, a_value(key)))

    async def get_many(self, random: Random, timeout: float) -> Result[Any]:
        found = await self.cache.get_many([a_key(random) for _ in range(5)], timeout=timeout)
        for key, value in found.unwrap_or({}).items():
            assert value == a_value(key)
        return found

    async def put(self, random: Random, timeout: float) -> Result[Any]:
        key = a_key(random)
        return await self.cache.set(key, a_value(key), ttl=a_ttl(random), timeout=timeout)

    async def put_tagged(self, random: Random, timeout: float) -> Result[Any]:
        key = a_key(random)
        return await self.cache.set(
            key, a_value(key), ttl=1.0, tags=[a_tag(random)], timeout=timeout
        )

    async def put_many(self, random: Random, timeout: float) -> Result[Any]:
        values = {key: a_value(key) for key in (a_key(random) for _ in range(5))}
        return await self.cache.set_many(values, ttl=a_ttl(random), timeout=timeout)

    async def compute(self, random: Random, timeout: float) -> Result[Any]:
        key, fails, takes = a_key(random), random.random() < 0.1, random.random() * 0.02

        async def factory() -> Result[Any]:
            await asyncio.sleep(takes)
            return failure(GONE) if fails else success(a_value(key))

        freshness = random.choice((None, FRESHNESS))
        tags = [a_tag(random)] if random.random() < 0.2 else []
        given = await self.cache.get_or_set(
            key, factory, ttl=a_ttl(random), freshness=freshness, tags=tags, timeout=timeout
        )
        return right(meant(given, GONE.code), (None, a_value(key)))

    async def remove(self, random: Random, timeout: float) -> Result[Any]:
        return await self.cache.remove_many([a_key(random), a_key(random)], timeout=timeout)

    async def remove_tag(self, random: Random, timeout: float) -> Result[Any]:
        return await self.cache.remove_tag(a_tag(random), timeout=timeout)

    async def count(self, random: Random, timeout: float) -> Result[Any]:
        return await self.cache.increment(f"count {random.randrange(5)}", ttl=60.0, timeout=timeout)

    async def expire(self, random: Random, timeout: float) -> Result[Any]:
        return await self.cache.expire(a_key(random), 1.0, timeout=timeout)

    async def clear(self, random: Random, timeout: float) -> Result[Any]:
        return await (self.cache.clear if random.random() < 0.1 else self.cache.size)(
            timeout=timeout
        )


def a_key(random: Random) -> str:
    """Draw a key; few are asked for often, many are rare."""
    return f"k{int(KEYS * random.random() ** 3)}"


def a_value(key: str) -> dict[str, Any]:
    """Give the one value that a key may have, so that the answer to another call is seen."""
    return {"key": key, "text": key * 20}


def a_ttl(random: Random) -> float:
    """Draw a ttl; most end while the program runs."""
    return random.choice((0.05, 0.5, 5.0))


def a_tag(random: Random) -> str:
    """Draw a tag."""
    return f"t{random.randrange(8)}"
