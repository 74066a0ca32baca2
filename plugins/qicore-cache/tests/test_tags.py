"""Tags beyond their laws: what is asked of a store, outages, bounds, and where the words are."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Iterable, Mapping
from functools import partial
from typing import Any

import pytest

from qicore_cache import MISSING, Cache, Entry, JsonCodec, open_cache
from qicore_cache.memory import MemoryStore
from qicore_cache.settings import CacheSettings
from qicore_core import Deadline, Parts, QiError, Result, failure, success
from qicore_core.testing import FakeClock, assert_failure

DOWN = failure(QiError.unavailable("CACHE_UNAVAILABLE", "the server is down", source="cache"))


class Asked:
    """A store of bytes that says what it was asked, and is down for some of it."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.inner = MemoryStore(max_entries=1_000, max_bytes=1 << 20, now=self.clock.monotonic)
        self.asked: list[str] = []
        self.down: str = ""
        self.takes = 0.0

    async def did(self, what: str, ns: str) -> Result[Any] | None:
        self.asked.append(f"{what} {'tags' if ns else 'entries'}")
        self.clock.advance(self.takes)
        await asyncio.sleep(0)
        return DOWN if self.asked[-1] == self.down else None

    async def read(self, ns: str, keys: Iterable[str], /) -> Result[Mapping[str, bytes]]:
        down = await self.did("read", ns)
        return await self.inner.read(ns, keys) if down is None else down

    async def write(self, ns: str, entries: Mapping[str, Entry], /) -> Result[None]:
        down = await self.did("write", ns)
        return await self.inner.write(ns, entries) if down is None else down

    async def delete(self, ns: str, keys: Iterable[str] | None, /) -> Result[int]:
        down = await self.did("delete", ns)
        return await self.inner.delete(ns, keys) if down is None else down

    async def count(self, ns: str, /) -> Result[int]:
        return await self.inner.count(ns)

    async def close(self) -> None:
        """Stay."""

    def cache(self) -> Cache[Any]:
        return Cache(self, CacheSettings(), Parts(clock=self.clock))


def test_a_tag_costs_one_step_whatever_bears_it() -> None:
    async def ask() -> None:
        store = Asked()
        cache = store.cache()
        await cache.set("plain", 1)
        await cache.get("plain")
        assert store.asked == ["write entries", "read entries"], "who uses no tags pays nothing"
        store.asked.clear()
        await cache.set_many({f"k{number}": number for number in range(99)}, tags=["a", "b"])
        assert store.asked == ["read tags"] * 3 + ["write tags"] * 2 + ["write entries"], "new tags"
        store.asked.clear()
        await cache.set("another", 1, tags=["a"])
        assert store.asked == ["read tags", "write entries"]
        store.asked.clear()
        await cache.remove_tag("a")
        assert store.asked == ["delete tags"]
        assert await cache.get_many([f"k{number}" for number in range(99)]) == success({})
        assert store.asked == ["delete tags", "read entries", "read tags"]

    asyncio.run(ask())


@pytest.mark.parametrize("how", ["set", "get_or_set"])
def test_callers_who_use_a_new_tag_at_once_lose_nothing(how: str) -> None:
    async def ask() -> None:
        store = Asked()
        cache = store.cache()
        wanted = {f"k{number}": number for number in range(50)}
        for _ in range(2):
            calls: list[Awaitable[Result[Any]]] = [
                cache.set(key, value, tags=["t", key])
                if how == "set"
                else cache.get_or_set(key, partial(wanted.get, key), tags=["t", key])
                for key, value in wanted.items()
            ]
            assert all(await asyncio.gather(*calls))
            assert await cache.get_many(wanted) == success(wanted)
            assert await cache.remove_tag("k7") == success(None)
            assert await cache.get("k7", MISSING) == success(MISSING)
            assert await cache.remove_tag("t") == success(None)
            assert await cache.get_many(wanted) == success({})

    asyncio.run(ask())


@pytest.mark.parametrize("down", ["read tags", "write tags", "delete tags"])
def test_tags_that_cannot_be_asked_are_an_outage(down: str) -> None:
    async def ask() -> None:
        store = Asked()
        cache = store.cache()
        await cache.set("old", 1, tags=["old"])
        store.down = down
        if down == "delete tags":
            assert_failure(await cache.remove_tag("t"), code="CACHE_UNAVAILABLE")
            assert_failure(await cache.clear(), code="CACHE_UNAVAILABLE")
            return
        assert_failure(await cache.set("k", 1, tags=["t"]), code="CACHE_UNAVAILABLE")
        assert await cache.get_or_set("k", lambda: 2, tags=["t"]) == success(2)
        assert await cache.get("k", MISSING) == success(MISSING)
        if down == "read tags":
            assert_failure(await cache.get("old"), code="CACHE_UNAVAILABLE")  # it may be removed

    asyncio.run(ask())


@pytest.mark.parametrize("codec", [None, JsonCodec()], ids=["objects", "bytes"])
def test_words_are_in_nobodys_way(codec: Any) -> None:
    async def ask() -> None:
        async with open_cache("memory:", codec=codec, namespace="n") as cache:
            assert await cache.set("t", 1, tags=["t", "t", "u"]) == success(None)
            assert await cache.size() == success(1)
            assert await cache.get_many(["t", "u"]) == success({"t": 1})
            assert await cache.remove("t") == success(1)
            await cache.set("k", [1], tags=iter(["t"]))
            assert await cache.get("k") == success([1])
            assert await cache.clear() == success(None)
            assert await cache._access.store.count("n\ntags") == success(0)
            assert await cache.size() == success(0)

    asyncio.run(ask())


@pytest.mark.parametrize("codec", [None, JsonCodec()], ids=["objects", "bytes"])
def test_failures_and_typed_values_bear_tags(codec: Any) -> None:
    error = failure(QiError.not_found("NO_SUCH_USER", "there is no such user"))

    async def ask() -> None:
        async with open_cache("memory:", codec=codec) as cache:
            for _ in range(2):
                answer = await cache.get_or_set("k", lambda: error, failure_ttl=9.0, tags=["t"])
                assert_failure(answer, code="NO_SUCH_USER")
            assert cache.stats.computed == 1
            await cache.remove_tag("t")
            assert await cache.get_or_set("k", lambda: 1, tags=["t"]) == success(1)
            assert_failure(await cache.remove_tag(""), code="INVALID_TAG")
            await cache.close()
            assert_failure(await cache.remove_tag("t"), code="CACHE_NOT_CONNECTED")

    asyncio.run(ask())


@pytest.mark.parametrize("codec", [None, JsonCodec()], ids=["objects", "bytes"])
def test_what_bears_tags_is_isolated(codec: Any) -> None:
    async def ask() -> None:
        async with open_cache("memory:", codec=codec) as cache:
            value = [1]
            await cache.set("k", value, tags=["t"])
            value.append(2)
            read: Any = (await cache.get("k")).unwrap()
            read.append(3)
            made: Any = (await cache.get_or_set("k", lambda: [9])).unwrap()
            made.append(4)
            assert await cache.get("k") == success([1])

    asyncio.run(ask())


def test_a_timeout_is_for_all_steps() -> None:
    async def ask() -> None:
        store = Asked()
        cache = store.cache()
        await cache.set("k", 1, tags=["t"])
        store.takes = 0.6
        assert_failure(await cache.set("k", 1, tags=["t"], timeout=1.0), code="DEADLINE_EXCEEDED")
        assert_failure(await cache.get("k", timeout=1.0), code="DEADLINE_EXCEEDED")
        with Deadline.after(1.0, clock=store.clock):
            assert_failure(await cache.get("k"), code="DEADLINE_EXCEEDED")
        assert await cache.get("k", timeout=1.5) == success(1)

    asyncio.run(ask())


def test_hostile_words_are_a_miss() -> None:
    async def ask() -> None:
        store = Asked()
        cache = store.cache()
        await cache.set("k", 1, tags=["t"])
        await store.inner.write("\ntags", {"t": Entry(b"\xff\x00")})
        assert await cache.get("k", MISSING) == success(MISSING)
        assert await cache.set("k", 2, tags=["t"]) == success(None)
        assert await cache.get("k") == success(2)

    asyncio.run(ask())
