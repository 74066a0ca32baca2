"""`tiered(near, far)`: the contract, what is asked of which, outages, races, changes by others."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any

import pytest

from qicore_cache import MISSING, Cache, Entry, Freshness, JsonCodec, open_cache, tiered
from qicore_cache.conformance import CacheContract
from qicore_cache.memory import MemoryStore
from qicore_cache.settings import CacheSettings
from qicore_core import Opening, Parts, QiError, Result, failure, success
from qicore_core.testing import FakeClock, assert_failure, recorded

DOWN = failure(QiError.unavailable("CACHE_UNAVAILABLE", "the server is down", source="cache"))


class TestTiered(CacheContract):
    def parts(self) -> Parts:
        self.clock = FakeClock()
        return Parts(clock=self.clock)

    def open_in(self, namespace: str) -> Opening[Cache[Any]]:
        parts = self.parts()
        near = open_cache("memory:", parts=parts)
        far = open_cache("memory:", namespace=namespace, parts=parts, codec=JsonCodec())
        return tiered(near, far)

    async def wait(self, seconds: float) -> None:
        self.clock.advance(seconds)


class TestTieredInThisProcess(TestTiered):
    def open_in(self, namespace: str) -> Opening[Cache[Any]]:
        far = open_cache("memory:", namespace=namespace, parts=self.parts())
        return tiered(open_cache("memory:"), far)


class Far:
    """A store outside: counts what it is asked, is down when told to, and waits at a gate."""

    def __init__(self, clock: FakeClock) -> None:
        self.inner = MemoryStore(max_entries=1_000, max_bytes=1 << 20, now=clock.monotonic)
        self.asked: list[str] = []
        self.is_down = False
        self.gates: dict[str, asyncio.Event] = {}
        self.ears: dict[str, Any] = {}

    async def ask(self, what: str, answer: Callable[[], Awaitable[Result[Any]]]) -> Result[Any]:
        self.asked.append(what)
        if f"before {what}" in self.gates:
            await self.gates.pop(f"before {what}").wait()
        answered = DOWN if self.is_down else await answer()
        if what in self.gates:
            await self.gates.pop(what).wait()
        return answered

    async def read(self, ns: str, keys: Iterable[str], /) -> Result[Mapping[str, bytes]]:
        return await self.ask("read", lambda: self.inner.read(ns, keys))

    async def write(self, ns: str, entries: Mapping[str, Entry], /) -> Result[None]:
        return await self.ask("write", lambda: self.inner.write(ns, entries))

    async def delete(self, ns: str, keys: Iterable[str] | None, /) -> Result[int]:
        return await self.ask("delete", lambda: self.inner.delete(ns, keys))

    async def count(self, ns: str, /) -> Result[int]:
        return await self.ask("count", lambda: self.inner.count(ns))

    async def increment(self, ns: str, key: str, by: int, ttl: float | None, /) -> Result[int]:
        return await self.ask("increment", lambda: self.inner.increment(ns, key, by, ttl))

    async def close(self) -> None:
        self.asked.append("close")


class Tells(Far):
    """One that tells of changes, or cannot."""

    cannot = False

    async def track(self, ns: str, changed: Any, /) -> Result[None]:
        self.ears[ns] = changed
        return DOWN if self.cannot else success()


class Table:
    """Two processes with something near each, and the store behind both."""

    def __init__(self, kind: type[Far] = Far) -> None:
        self.clock = FakeClock()
        self.store = kind(self.clock)

    def far(self) -> Cache[Any]:
        return Cache(self.store, CacheSettings(), Parts(clock=self.clock))

    async def cache(self, **how: Any) -> Cache[Any]:
        near = open_cache("memory:", parts=Parts(clock=self.clock))
        return (await tiered(near, self.far(), **how)).unwrap()


def test_what_is_near_is_read_without_asking_the_far_one() -> None:
    async def ask() -> None:
        table = Table()
        ours, theirs = await table.cache(near_ttl=5.0), await table.cache(near_ttl=5.0)
        assert await ours.set("k", [1]) == success(None)
        assert await ours.get("k") == success([1])
        assert table.store.asked == ["write"]
        assert await theirs.get("k") == success([1])
        assert await theirs.get_many(["k"]) == success({"k": [1]})
        assert table.store.asked == ["write", "read"]
        await ours.set("k", [2])
        assert await theirs.get("k") == success([1]), "until near_ttl"
        table.clock.advance(5.0)
        assert await theirs.get("k") == success([2])
        table.store.asked.clear()
        await ours.set("l", 3)
        assert await theirs.get_many(["k", "l", "m"]) == success({"k": [2], "l": 3})
        assert await theirs.get_or_set("k", lambda: 9) == success([2])
        assert table.store.asked == ["write", "read"]

    asyncio.run(ask())


def test_a_brief_entry_is_near_no_longer_than_it_is_far() -> None:
    async def ask() -> None:
        table = Table()
        cache = await table.cache(near_ttl=60.0)
        await cache.set("k", 1, ttl=2.0)
        await cache.get_or_set("l", lambda: 1, ttl=2.0)
        table.clock.advance(2.0)
        assert await cache.get_many(["k", "l"]) == success({})

    asyncio.run(ask())


@pytest.mark.parametrize(
    "change",
    [
        lambda cache: cache.remove("k"),
        lambda cache: cache.remove_many(["k", "l"]),
        lambda cache: cache.clear(),
        lambda cache: cache.remove_tag("t"),
    ],
    ids=["remove", "remove_many", "clear", "remove_tag"],
)
def test_what_is_removed_is_near_no_more(change: Any) -> None:
    async def ask() -> None:
        cache = await Table().cache()
        await cache.set("k", 1, tags=["t"])
        await cache.get("k")
        assert await change(cache)
        assert await cache.get("k", MISSING) == success(MISSING)

    asyncio.run(ask())


def test_a_number_is_counted_far() -> None:
    async def ask() -> None:
        table = Table()
        ours, theirs = await table.cache(), await table.cache()
        for cache in (ours, theirs, ours):
            await cache.increment("n")
        assert await ours.get("n") == success(3)

    asyncio.run(ask())


def test_an_outage_is_answered_by_what_is_near() -> None:
    async def ask() -> None:
        table = Table()
        cache = await table.cache(near_ttl=5.0)
        await cache.set("k", 1)
        table.store.is_down = True
        assert await cache.get("k") == success(1)
        assert_failure(await cache.get("other"), code="CACHE_UNAVAILABLE")
        ran: list[int] = []
        for _ in range(3):
            assert await cache.get_or_set("new", lambda: ran.append(1) or 7) == success(7)  # type: ignore[func-returns-value]
        assert len(ran) == 1, "it is kept near alone"
        assert_failure(await cache.set("k", 2), code="CACHE_UNAVAILABLE")
        assert_failure(await cache.get("k"), code="CACHE_UNAVAILABLE")  # which of both holds?
        table.clock.advance(5.0)
        table.store.is_down = False
        assert await cache.get("new", MISSING) == success(MISSING)

    asyncio.run(ask())


def test_what_was_read_before_a_change_is_not_kept_near_after_it() -> None:
    async def ask() -> None:
        table = Table()
        ours, theirs = await table.cache(near_ttl=5.0), await table.cache()
        for change in (ours.set("k", 2), ours.remove("k")):
            await theirs.set("k", 1)
            gate = table.store.gates["read"] = asyncio.Event()
            reading = asyncio.create_task(ours.get("k"))
            await asyncio.sleep(0)
            assert await change
            gate.set()
            assert await reading == success(1)
            assert await ours.get("k") == await table.far().get("k")
            table.clock.advance(5.0)

    asyncio.run(ask())


def test_a_read_during_a_write_leaves_nothing_old_near() -> None:
    async def ask() -> None:
        table = Table()
        ours, theirs = await table.cache(), await table.cache()
        await theirs.set("k", 1)
        gate = table.store.gates["read"] = asyncio.Event()
        table.store.gates["write"] = written = asyncio.Event()
        writing = asyncio.create_task(ours.set("k", 2))
        reading = asyncio.create_task(ours.get("k"))
        await asyncio.sleep(0)
        gate.set()
        await reading
        written.set()
        assert await writing == success(None)
        assert await ours.get("k") == success(2)

    asyncio.run(ask())


def test_a_read_that_overtakes_a_write_leaves_nothing_old_near() -> None:
    async def ask() -> None:
        table = Table()
        ours, theirs = await table.cache(), await table.cache()
        await theirs.set("k", 1)
        gate = table.store.gates["before write"] = asyncio.Event()
        writing = asyncio.create_task(ours.set("k", 2))
        await asyncio.sleep(0)
        assert await ours.get("k") == success(1)
        gate.set()
        assert await writing == success(None)
        assert await ours.get("k") == success(2)

    asyncio.run(ask())


def test_a_write_that_is_cancelled_leaves_nothing_near() -> None:
    async def ask() -> None:
        table = Table()
        cache = await table.cache()
        await cache.set("k", 1)
        table.store.gates["write"] = asyncio.Event()
        writing = asyncio.create_task(cache.set("k", 2))
        await asyncio.sleep(0)
        writing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await writing
        assert await cache.get("k") == await table.far().get("k")
        near = cache._access.near
        assert near is not None
        assert near._coming == {}

    asyncio.run(ask())


def test_what_the_store_tells_is_near_no_more() -> None:
    async def ask() -> None:
        table = Table(Tells)
        cache = await table.cache(near_ttl=3600.0)
        await cache.set("k", 1, tags=["t"])
        await cache.set("l", 2)
        await table.far().set("k", 3)
        await table.far().set("l", 4)
        table.store.ears[""](["k"])
        assert await cache.get_many(["k", "l"]) == success({"k": 3, "l": 2})
        table.store.ears[""](None)
        assert await cache.get("l") == success(4)
        await table.far().set("l", 5)
        table.store.ears["\ntags"](["t"])
        assert await cache.get("l") == success(5)

    asyncio.run(ask())


def test_a_change_told_while_it_is_read_wins() -> None:
    async def ask() -> None:
        table = Table(Tells)
        cache = await table.cache()
        await table.far().set("k", 1)
        gate = table.store.gates["read"] = asyncio.Event()
        reading = asyncio.create_task(cache.get("k"))
        await asyncio.sleep(0)
        await table.far().set("k", 2)
        table.store.ears[""](["k"])
        gate.set()
        assert await reading == success(1)
        assert await cache.get("k") == success(2)

    asyncio.run(ask())


def test_a_store_that_cannot_tell_is_an_event() -> None:
    async def ask() -> None:
        table = Table(type("Mute", (Tells,), {"cannot": True}))
        with recorded("cache") as events:
            far = Cache(table.store, CacheSettings(), Parts(clock=table.clock))
            async with tiered(open_cache("memory:"), far) as cache:
                assert await cache.set("k", 1) == success(None)
        told = [event.fields["what"] for event in events if event.phase == "fallback"]
        assert told == ["not tracked", "not tracked"]

    asyncio.run(ask())


def test_a_value_that_cannot_be_copied_is_not_near() -> None:
    async def ask() -> None:
        table = Table()
        cache = await table.cache()
        near = cache._access.near
        assert near is not None
        near.put("k", (number for number in [1]), None)
        assert near.space.get("k") is MISSING

    asyncio.run(ask())


def test_what_is_stale_near_is_asked_for_far() -> None:
    async def ask() -> None:
        table, fresh = Table(), Freshness(stale_while=60.0)
        ours, theirs = await table.cache(near_ttl=60.0), await table.cache(near_ttl=60.0)
        await ours.get_or_set("k", lambda: 1, ttl=1.0, freshness=fresh)
        await theirs.get("k")
        table.clock.advance(1.0)
        await theirs.set("k", 2)
        assert await ours.get_or_set("k", lambda: 3, ttl=1.0, freshness=fresh) == success(2)

    asyncio.run(ask())


def test_closing_closes_both() -> None:
    async def ask() -> None:
        table = Table()
        near = (await open_cache("memory:")).unwrap()
        async with tiered(near, table.far()) as cache:
            users = cache.of(int)
            await users.set("k", 1)
        assert table.store.asked[-1] == "close"
        for one in (near, cache, users):
            assert_failure(await one.get("k"), code="CACHE_NOT_CONNECTED")

    asyncio.run(ask())


def test_what_does_not_open_closes_the_other() -> None:
    async def ask() -> None:
        near = (await open_cache("memory:")).unwrap()
        answer = await tiered(near, open_cache("memory:nowhere"))
        assert_failure(answer, code="CACHE_SETTINGS_INVALID")
        assert_failure(await near.get("k"), code="CACHE_NOT_CONNECTED")
        answer = await tiered(open_cache("memory:nowhere"), open_cache("memory:"))
        assert_failure(answer, code="CACHE_SETTINGS_INVALID")

    asyncio.run(ask())


def test_near_is_in_this_process() -> None:
    async def ask() -> None:
        with pytest.raises(ValueError, match="near is a cache in this process"):
            await tiered(open_cache("memory:", codec=JsonCodec()), open_cache("memory:"))
        with pytest.raises(ValueError, match="near_ttl is wrong"):
            _ = tiered(open_cache("memory:"), open_cache("memory:"), near_ttl=0.0)

    asyncio.run(ask())
