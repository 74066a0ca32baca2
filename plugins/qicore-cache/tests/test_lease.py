"""One computation across processes: who has the lock, who waits, and who gives up waiting."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from qicore_cache import MISSING, Cache, Freshness, LockingStore, TrackingStore, open_cache
from qicore_cache.memory import MemoryStore
from qicore_cache.settings import CacheSettings
from qicore_core import (
    CircuitBreakerConfig,
    Deadline,
    Failure,
    Parts,
    Policy,
    QiError,
    Result,
    failure,
    success,
)
from qicore_core.testing import FakeClock, assert_failure

DOWN = failure(QiError.unavailable("CACHE_UNAVAILABLE", "the server is down", source="cache"))


class Locks:
    """A store of bytes with locks; "processes" are caches on it, each with a way of its own."""

    def __init__(self, clock: FakeClock) -> None:
        self.clock = clock
        self.inner = MemoryStore(max_entries=1_000, max_bytes=1 << 20, now=clock.monotonic)
        self.held: dict[str, tuple[str, float]] = {}
        self.asked: list[str] = []
        self.lock_fails: Result[int] | None = None
        self.read, self.write = self.inner.read, self.inner.write
        self.delete, self.count = self.inner.delete, self.inner.count

    async def lock(self, ns: str, key: str, token: str, ttl: float, /) -> Result[int]:
        self.asked.append("lock")
        if self.lock_fails is not None:
            return self.lock_fails
        holder, ends = self.held.get(key, ("", 0.0))
        if holder and ends > self.clock.monotonic():
            return success(0)
        self.held[key] = token, self.clock.monotonic() + ttl
        return success(1)

    async def unlock(self, ns: str, key: str, token: str, /) -> Result[int]:
        self.asked.append("unlock")
        if self.held.get(key, ("", 0.0))[0] != token:
            return success(0)
        del self.held[key]
        return success(1)

    async def close(self) -> None:
        """Stay: the other process needs it."""

    def process(self, **settings: Any) -> Cache[Any]:
        parts = Parts(clock=self.clock, random=lambda: 0.5)
        return Cache(self, CacheSettings(**settings), parts)


@pytest.fixture(name="clock")
def _clock() -> FakeClock:
    return FakeClock()


@pytest.fixture(name="store")
def _store(clock: FakeClock) -> Locks:
    return Locks(clock)


class Gate:
    """A factory that tells when it has begun and goes on when it may."""

    def __init__(self, value: Any = 1) -> None:
        self.begun, self.may_end, self.value, self.ran = asyncio.Event(), asyncio.Event(), value, 0

    async def __call__(self) -> Any:
        self.ran += 1
        self.begun.set()
        await self.may_end.wait()
        return self.value


async def settle() -> None:
    for _ in range(30):
        await asyncio.sleep(0)


def test_who_waits_gets_what_the_holder_computed(store: Locks, clock: FakeClock) -> None:
    async def ask() -> None:
        gate = Gate(7)
        first = asyncio.create_task(store.process().get_or_set("k", gate))
        await gate.begun.wait()
        second = asyncio.create_task(store.process().get_or_set("k", lambda: 8))
        while len(clock.slept) < 5:  # noqa: ASYNC110  # nothing tells
            await asyncio.sleep(0)
        gate.may_end.set()
        assert [await first, await second] == [success(7)] * 2
        assert store.held == {}
        assert clock.slept[:5] == pytest.approx([0.01, 0.02, 0.04, 0.08, 0.1])

    asyncio.run(ask())


def test_a_lock_that_is_free_was_left_with_a_value(store: Locks) -> None:
    """Between our look and our lock another process may have computed: it is looked at again."""

    async def ask() -> None:
        ours, theirs = store.process(), store.process()
        real = store.lock

        async def lock(*args: Any) -> Result[int]:
            await theirs.set("k", "theirs")
            return await real(*args)

        store.lock = lock  # type: ignore[method-assign]
        assert await ours.get_or_set("k", lambda: "ours") == success("theirs")
        assert ours.stats.computed == 0
        assert store.held == {}

    asyncio.run(ask())


def test_who_has_waited_for_as_long_as_a_lock_is_held_computes(
    store: Locks, clock: FakeClock
) -> None:
    async def ask() -> None:
        store.held["k"] = "gone", 1e9  # a process that will never give it back
        cache = store.process(lock_ttl=5.0)
        assert await cache.get_or_set("k", lambda: 8) == success(8)
        assert sum(clock.slept) == pytest.approx(5.0)
        assert max(clock.slept) <= 0.1
        assert await cache.get("k") == success(8)
        assert store.held["k"][0] == "gone"

    asyncio.run(ask())


def test_a_lock_that_ended_is_taken(store: Locks, clock: FakeClock) -> None:
    async def ask() -> None:
        store.held["k"] = "gone", clock.monotonic() + 1.0
        assert await store.process().get_or_set("k", lambda: 8) == success(8)
        assert 1.0 <= sum(clock.slept) < 1.2

    asyncio.run(ask())


def test_a_lock_that_cannot_be_asked_is_done_without(store: Locks) -> None:
    async def ask() -> None:
        breaker = Policy(retry=3, breaker=CircuitBreakerConfig(failure_threshold=1))
        for settings in ({}, {"policy": breaker}):
            store.lock_fails = DOWN
            cache = store.process(**settings)
            assert await cache.get_or_set(f"k{len(settings)}", lambda: 8) == success(8)
        assert store.asked == ["lock", "unlock", "lock"], "it may be ours; the breaker spares it"

    asyncio.run(ask())


def test_a_lock_whose_answer_was_lost_is_not_asked_again(store: Locks) -> None:
    async def ask() -> None:
        store.lock_fails = DOWN
        assert await store.process(policy=Policy(retry=3)).get_or_set("k", lambda: 8) == success(8)
        assert store.asked == ["lock", "unlock"], "the first may have taken it"

    asyncio.run(ask())


def test_none_asks_for_no_lock(store: Locks) -> None:
    async def ask() -> None:
        assert await store.process(lock_ttl=None).get_or_set("k", lambda: 8) == success(8)
        assert store.asked == []
        assert isinstance(store, LockingStore)
        assert not isinstance(store, TrackingStore)
        answer = await open_cache("memory:", lock_ttl=0.0)
        assert "lock_ttl is wrong" in assert_failure(answer).message

    asyncio.run(ask())


def test_a_hit_asks_for_no_lock(store: Locks) -> None:
    async def ask() -> None:
        cache = store.process()
        await cache.set("k", 1)
        assert await cache.get_or_set("k", lambda: 8) == success(1)
        assert store.asked == []

    asyncio.run(ask())


def test_a_failure_a_bug_and_a_cancellation_give_the_lock_back(store: Locks) -> None:
    async def ask() -> None:
        error = failure(QiError.not_found("NO_SUCH_USER", "there is no such user"))
        assert await store.process().get_or_set("k", lambda: error) == error
        assert store.held == {}
        with pytest.raises(ZeroDivisionError):
            await store.process().get_or_set("k", lambda: 1 // 0)
        assert store.held == {}
        gate = Gate()
        task = asyncio.create_task(store.process().get_or_set("k", gate))
        await gate.begun.wait()
        assert store.held != {}
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert store.held == {}

    asyncio.run(ask())


@pytest.mark.parametrize("how", ["timeout", "ambient"])
def test_who_is_out_of_time_gives_the_lock_back(store: Locks, clock: FakeClock, how: str) -> None:
    async def late(gate: Gate) -> Result[Any]:
        if how == "timeout":
            return await store.process().get_or_set("k", gate, timeout=5.0)
        with Deadline.after(5.0, clock=clock):
            return await store.process().get_or_set("k", gate)

    async def ask() -> None:
        gate = Gate()
        task = asyncio.create_task(late(gate))
        await gate.begun.wait()
        clock.advance(5.0)
        assert_failure(await task, code="DEADLINE_EXCEEDED")
        assert store.held == {}

    asyncio.run(ask())


def test_who_is_cancelled_while_it_gives_the_lock_back_still_does(store: Locks) -> None:
    """As a driver does nothing that waits for its turn when its caller has gone."""

    async def main() -> None:
        unlock, asked = store.unlock, asyncio.Event()

        async def late(ns: str, key: str, token: str, /) -> Result[int]:
            if not asked.is_set():
                asked.set()
                await asyncio.Event().wait()
            return await unlock(ns, key, token)

        store.unlock = late  # type: ignore[method-assign]
        unkept = failure(QiError.unavailable("NOT_NOW", "not now"))
        asking = asyncio.create_task(store.process().get_or_set("k", lambda: unkept))
        await asked.wait()
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        assert not store.held

    asyncio.run(main())


def test_an_unlock_that_hangs_is_left_to_the_ttl(store: Locks, clock: FakeClock) -> None:
    async def unlock(*_: Any) -> Result[int]:
        await asyncio.Event().wait()
        return success(1)

    async def ask() -> None:
        store.unlock = unlock  # type: ignore[method-assign]
        task = asyncio.create_task(store.process().get_or_set("k", lambda: 8))
        await settle()
        clock.advance(1.0)
        assert await task == success(8)

    asyncio.run(ask())


def test_two_processes_renew_once(store: Locks, clock: FakeClock) -> None:
    async def ask() -> None:
        fresh, gate = Freshness(stale_while=60.0, early=1e9), Gate("new")
        ours, theirs = store.process(), store.process()

        async def old() -> str:
            clock.advance(0.01)
            return "old"

        await ours.get_or_set("k", old, ttl=1e3, freshness=fresh)
        for early in (True, False):
            if not early:
                clock.advance(1.03e3)
            gate = Gate(f"new {early}")
            for cache in (ours, theirs):
                given = await cache.get_or_set("k", gate, ttl=1e3, freshness=fresh)
                assert given.unwrap() in ("old", "new True")
            await gate.begun.wait()
            await settle()
            gate.may_end.set()
            for _ in range(2_000):
                await asyncio.sleep(0)
            assert gate.ran == 1
            assert await theirs.get("k") == success(f"new {early}")
        await ours.close()
        await theirs.close()
        assert store.held == {}

    asyncio.run(ask())


def test_a_store_that_is_down_is_asked_for_no_lock(store: Locks) -> None:
    async def read(*_: Any) -> Any:
        return DOWN

    async def ask() -> None:
        store.read = read
        cache = store.process()
        assert await cache.get_or_set("k", lambda: 8) == success(8)
        assert store.asked == []
        answer = await cache.get("k", MISSING)
        assert isinstance(answer, Failure)

    asyncio.run(ask())
