"""Renewed before it ends, or given a little longer: in memory and through bytes."""

from __future__ import annotations

import asyncio
from functools import partial
from math import exp
from threading import Thread
from typing import Any

import pytest

from qicore_cache import MISSING, Cache, Freshness, JsonCodec, cached, open_cache
from qicore_cache.memory import MemoryStore
from qicore_core import Deadline, Parts, QiError, Result, failure, success
from qicore_core.testing import FakeClock, assert_failure, recorded

STALE = Freshness(stale_while=60.0)
RESCUED = Freshness(stale_if_error=60.0)
DOWN = QiError.unavailable("SHOP_DOWN", "the shop is down")
GONE = QiError.not_found("NO_SUCH_USER", "there is no such user")


@pytest.fixture(name="loop")
def _loop() -> Any:
    with asyncio.Runner() as loop:
        yield loop


@pytest.fixture(name="clock")
def _clock() -> FakeClock:
    return FakeClock()


@pytest.fixture(name="cache", params=[None, JsonCodec()], ids=["objects", "bytes"])
def _cache(request: pytest.FixtureRequest, loop: asyncio.Runner, clock: FakeClock) -> Any:
    async def opened() -> Cache[Any]:
        parts = Parts(clock=clock, random=lambda: 0.5)
        return (await open_cache("memory:", codec=request.param, parts=parts)).unwrap()

    cache = loop.run(opened())
    yield cache
    loop.run(cache.close())


class Gate:
    """A factory that waits for a word, and counts."""

    def __init__(self, value: Any) -> None:
        self.may_end, self.value, self.ran = asyncio.Event(), value, 0

    async def __call__(self) -> Any:
        self.ran += 1
        await self.may_end.wait()
        if isinstance(self.value, Exception):
            raise self.value
        return self.value


async def settle() -> None:
    """Let what can run come to rest."""
    for _ in range(20):
        await asyncio.sleep(0)


async def stale(cache: Cache[Any], clock: FakeClock, freshness: Freshness, **how: Any) -> None:
    """Keep a value that was fresh for a second."""
    await cache.get_or_set("k", lambda: "old", ttl=1.0, freshness=freshness, **how)
    clock.advance(1.0)


def test_the_bounds_of_each_time(cache: Cache[Any], loop: asyncio.Runner, clock: FakeClock) -> None:
    async def ask() -> None:
        both = Freshness(stale_while=10.0, stale_if_error=20.0)
        down = failure(DOWN)
        await cache.get_or_set("k", lambda: "old", ttl=1.0, freshness=both)
        assert await cache.ttl_of("k") == success(pytest.approx(21.0))
        clock.advance(0.75)
        assert await cache.get("k") == success("old")
        clock.advance(0.5)
        assert await cache.get("k", MISSING) == await cache.get("k", MISSING) == success(MISSING)
        assert await cache.get_many(["k"]) == success({})
        assert await cache.get_or_set("k", lambda: down, freshness=both) == success("old")
        await settle()
        clock.advance(15.0)  # past stale_while
        assert await cache.get_or_set("k", lambda: down, freshness=both) == success("old")
        clock.advance(5.0)  # past both
        assert_failure(await cache.get_or_set("k", lambda: down, freshness=both), code="SHOP_DOWN")
        assert await cache.size() == success(0)

    loop.run(ask())


def test_what_the_caller_asks_for_counts_not_what_was_kept(
    cache: Cache[Any], loop: asyncio.Runner, clock: FakeClock
) -> None:
    async def ask() -> None:
        await stale(cache, clock, STALE)
        clock.advance(5.0)
        for short in (Freshness(stale_while=4.0), Freshness(stale_if_error=4.0)):
            given = await cache.get_or_set("k", lambda: failure(DOWN), freshness=short)
            assert_failure(given, code="SHOP_DOWN")
        assert await cache.get_or_set("k", lambda: "new", ttl=1.0, freshness=short) == success(
            "new"
        )

    loop.run(ask())


def test_one_task_renews_for_any_number_of_callers(
    cache: Cache[Any], loop: asyncio.Runner, clock: FakeClock
) -> None:
    async def ask() -> None:
        await stale(cache, clock, STALE)
        gate = Gate("new")
        for _ in range(3):
            calls = [cache.get_or_set("k", gate, ttl=9.0, freshness=STALE) for _ in range(5)]
            assert await asyncio.gather(*calls) == [success("old")] * 5
            await settle()
            assert len(asyncio.all_tasks()) == 2, "this one and the one that renews"
        waits = asyncio.create_task(cache.get_or_set("k", gate))  # takes no stale value
        await settle()
        gate.may_end.set()
        assert await waits == success("new")
        await settle()
        assert gate.ran == 1
        assert await cache.get("k") == success("new")

    loop.run(ask())


def test_who_takes_no_stale_value_gets_none_of_anothers_look(
    cache: Cache[Any], loop: asyncio.Runner, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def ask() -> None:
        await stale(cache, clock, STALE)
        real = cache._access.store.read

        async def slowly(*args: Any) -> Any:
            await settle()
            return await real(*args)

        monkeypatch.setattr(MemoryStore, "read", lambda _, *args: slowly(*args))
        calls = [
            cache.get_or_set("k", lambda: "new", freshness=freshness) for freshness in (STALE, None)
        ]
        assert await asyncio.gather(*calls) == [success("old"), success("new")]

    loop.run(ask())


def test_a_renewal_is_no_part_of_what_its_caller_computes(
    cache: Cache[Any], loop: asyncio.Runner, clock: FakeClock
) -> None:
    async def ask() -> None:
        await stale(cache, clock, STALE)

        async def renew() -> Any:
            return await cache.get_or_set("outer", lambda: "never")  # who does not wait for us

        async def outer() -> Any:
            assert await cache.get_or_set("k", renew, ttl=9.0, freshness=STALE) == success("old")
            await settle()
            return "outer"

        assert await cache.get_or_set("outer", outer) == success("outer")
        await settle()
        assert await cache.get("k") == success("outer")

    loop.run(ask())


def test_a_renewal_outlives_the_deadline_of_its_caller(
    cache: Cache[Any], loop: asyncio.Runner, clock: FakeClock
) -> None:
    async def ask() -> None:
        await stale(cache, clock, STALE)
        gate = Gate("new")
        with Deadline.after(5.0, clock=clock):
            assert await cache.get_or_set("k", gate, ttl=99.0, freshness=STALE) == success("old")
            await settle()
        clock.advance(6.0)
        gate.may_end.set()
        await settle()
        assert await cache.get("k") == success("new")

    loop.run(ask())


def test_a_renewal_has_the_timeout_of_its_caller(
    cache: Cache[Any], loop: asyncio.Runner, clock: FakeClock
) -> None:
    async def ask() -> None:
        await stale(cache, clock, STALE)
        gate = Gate("new")
        with recorded("cache") as events:
            await cache.get_or_set("k", gate, freshness=STALE, timeout=5.0)
            await settle()
            clock.advance(5.0)
            await settle()
        told = [event.error for event in events if event.phase == "fallback"]
        assert [error.code for error in told if error] == ["DEADLINE_EXCEEDED"]
        await cache.get_or_set("k", lambda: "newer", freshness=STALE)
        await settle()
        assert await cache.get("k") == success("newer")

    loop.run(ask())


def test_a_renewal_that_learns_there_is_no_such_value_forgets_it(
    cache: Cache[Any], loop: asyncio.Runner, clock: FakeClock
) -> None:
    async def ask() -> None:
        await stale(cache, clock, STALE)
        for error, wanted in ((DOWN, 1), (GONE, 0)):
            given = await cache.get_or_set("k", partial(failure, error), freshness=STALE)
            assert given == success("old")
            await settle()
            assert await cache.size() == success(wanted)

    loop.run(ask())


def test_a_bug_in_a_renewal_is_the_loops_to_tell(
    cache: Cache[Any], loop: asyncio.Runner, clock: FakeClock
) -> None:
    async def ask() -> None:
        told: list[Any] = []
        asyncio.get_running_loop().set_exception_handler(lambda _, said: told.append(said))
        await stale(cache, clock, STALE)
        gate = Gate(ZeroDivisionError("a bug"))
        gate.may_end.set()
        assert await cache.get_or_set("k", gate, freshness=STALE) == success("old")
        await settle()
        (said,) = told
        assert isinstance(said["exception"], ZeroDivisionError)
        assert said["message"] == "the factory of 'k' raised"

    loop.run(ask())


def test_closing_ends_what_renews(
    cache: Cache[Any], loop: asyncio.Runner, clock: FakeClock
) -> None:
    async def ask() -> None:
        await stale(cache, clock, STALE)
        before = asyncio.all_tasks()
        await cache.get_or_set("k", Gate("new"), freshness=STALE)
        await settle()
        (task,) = asyncio.all_tasks() - before
        await cache.close()
        assert task.cancelled()

    loop.run(ask())


def test_closing_ends_what_renews_in_another_thread(cache: Cache[Any], clock: FakeClock) -> None:
    begun: list[asyncio.AbstractEventLoop] = []
    ended: list[str] = []

    async def elsewhere() -> None:
        await stale(cache, clock, STALE)

        async def compute() -> str:
            begun.append(asyncio.get_running_loop())
            try:
                await asyncio.Event().wait()
            finally:
                ended.append("renewal")
            return ""

        await cache.get_or_set("k", compute, freshness=STALE)
        while not ended:  # noqa: ASYNC110  # it is another thread that tells
            await asyncio.sleep(0.001)

    async def close() -> None:
        while not begun:  # noqa: ASYNC110  # as above
            await asyncio.sleep(0.001)
        await cache.close()
        ended.append("close")

    thread = Thread(target=lambda: asyncio.run(elsewhere()))
    thread.start()
    asyncio.run(asyncio.wait_for(close(), 30.0))
    thread.join(30.0)
    assert ended == ["renewal", "close"]


def test_a_renewal_whose_loop_is_gone_is_begun_anew(
    cache: Cache[Any], clock: FakeClock, loop: asyncio.Runner
) -> None:
    async def begin() -> None:
        await stale(cache, clock, STALE)
        await cache.get_or_set("k", Gate("never"), freshness=STALE)
        await settle()

    async def again() -> None:
        assert await cache.get_or_set("k", lambda: "new", freshness=STALE) == success("old")
        await settle()
        assert await cache.get("k") == success("new")

    asyncio.run(begin())
    loop.run(again())


def test_trouble_is_answered_by_what_is_stale(
    cache: Cache[Any], loop: asyncio.Runner, clock: FakeClock
) -> None:
    async def ask() -> None:
        await stale(cache, clock, RESCUED)
        gate = Gate(failure(DOWN))
        tasks = [
            asyncio.create_task(cache.get_or_set("k", gate, freshness=RESCUED, failure_ttl=9.0))
            for _ in range(3)
        ]
        await settle()
        gate.may_end.set()
        with recorded("cache") as events:
            assert await asyncio.gather(*tasks) == [success("old")] * 3
        assert gate.ran == 1
        assert {event.fields["what"] for event in events if event.phase == "fallback"} == {
            "given stale"
        }
        assert await cache.get_or_set("k", lambda: "new", ttl=9.0) == success("new")

    loop.run(ask())


@pytest.mark.parametrize(
    ("error", "is_rescued"),
    [
        (QiError.timeout("SLOW", "too slow"), True),
        (QiError.internal("BROKEN", "a bug of theirs"), True),
        (QiError.rate_limited("TOO_MANY", "later"), True),
        (QiError.bad_data("GARBLED", "no JSON"), True),
        (QiError.permission("NOT_YOURS", "no"), False),
        (QiError.validation("WRONG", "no"), False),
        (QiError.conflict("WRONG", "no", retryable=True), True),
    ],
    ids=lambda value: getattr(value, "code", value),
)
def test_what_trouble_is(
    cache: Cache[Any], loop: asyncio.Runner, clock: FakeClock, error: QiError, is_rescued: bool
) -> None:
    async def ask() -> None:
        await stale(cache, clock, RESCUED)
        given = await cache.get_or_set("k", lambda: failure(error), freshness=RESCUED)
        assert given == (success("old") if is_rescued else failure(error))

    loop.run(ask())


def test_who_runs_out_of_time_gets_what_is_stale(
    cache: Cache[Any], loop: asyncio.Runner, clock: FakeClock
) -> None:
    async def ask() -> None:
        await stale(cache, clock, RESCUED)
        task = asyncio.create_task(
            cache.get_or_set("k", Gate("late"), freshness=RESCUED, timeout=5.0)
        )
        await settle()
        clock.advance(5.0)
        assert await task == success("old")

    loop.run(ask())


def test_a_failure_that_is_kept_is_never_stale(
    cache: Cache[Any], loop: asyncio.Runner, clock: FakeClock
) -> None:
    async def ask() -> None:
        both = Freshness(stale_while=60.0, stale_if_error=60.0)
        await cache.get_or_set("k", lambda: failure(GONE), failure_ttl=1.0, freshness=both)
        assert_failure(await cache.get("k"), code="NO_SUCH_USER")
        clock.advance(1.0)
        assert await cache.get_or_set("k", lambda: 1, freshness=both) == success(1)

    loop.run(ask())


def test_a_value_without_an_end_is_fresh_for_ever(
    cache: Cache[Any], loop: asyncio.Runner, clock: FakeClock
) -> None:
    async def ask() -> None:
        every = Freshness(stale_while=1.0, stale_if_error=1.0, early=1e9)
        for _ in range(2):
            assert await cache.get_or_set("n", lambda: 1, freshness=every) == success(1)
            clock.advance(1e6)
        assert cache.stats.computed == 1
        assert await cache.increment("n") == success(2), "it is kept plain"

    loop.run(ask())


def test_a_value_that_is_set_meanwhile_is_given(
    cache: Cache[Any], loop: asyncio.Runner, clock: FakeClock
) -> None:
    async def ask() -> None:
        await stale(cache, clock, STALE)
        await cache.set("k", "set")
        assert await cache.get_or_set("k", lambda: "new", freshness=STALE) == success("set")

    loop.run(ask())


@pytest.mark.parametrize("random", [0.0, 0.25, 0.5, 0.999], ids=str)
def test_early_follows_its_distribution(random: float) -> None:
    """It is renewed with so many seconds left or less, with a chance of exp(-left / cost)."""
    early = Freshness(early=1.0)
    for left in (0.1, 1.0, 3.0):
        assert early.is_early(left, 1.0, random) == (1.0 - random <= exp(-left))
    assert not Freshness().is_early(0.0, 1.0, random)


def test_what_was_dear_is_renewed_the_sooner(
    cache: Cache[Any], loop: asyncio.Runner, clock: FakeClock
) -> None:
    async def ask() -> None:
        early, ran = Freshness(early=1.0), list[float]()

        async def compute() -> int:
            ran.append(clock.monotonic())
            clock.advance(2.0)
            return len(ran)

        await cache.get_or_set("k", compute, ttl=10.0, freshness=early)
        clock.advance(8.0)  # 2 s left, and 2 s of cost: 0.5 is a little too much
        assert await cache.get_or_set("k", compute, ttl=10.0, freshness=early) == success(1)
        await settle()
        assert len(ran) == 1
        clock.advance(1.0)
        assert await cache.get_or_set("k", compute, ttl=10.0, freshness=early) == success(1)
        await settle()
        assert len(ran) == 2
        assert await cache.get("k") == success(2)

    loop.run(ask())


@pytest.mark.parametrize("name", ["stale_while", "stale_if_error", "early"])
@pytest.mark.parametrize("value", [-1.0, float("nan"), float("inf"), 1e11], ids=str)
def test_a_freshness_that_is_none_is_refused(name: str, value: float) -> None:
    with pytest.raises(ValueError, match=f"{name} is a number from 0.0 up to 1e"):
        Freshness(**{name: value})


def test_a_cached_function_takes_freshness_and_tags(
    cache: Cache[Any], loop: asyncio.Runner, clock: FakeClock
) -> None:
    ran: list[int] = []

    @cached(cache, ttl=1.0, freshness=STALE, tags=lambda uid: [f"user:{uid}"])
    async def load(uid: int) -> Result[int]:
        ran.append(uid)
        return success(len(ran))

    @cached(cache, tags=["all"])
    async def name(uid: int) -> Result[str]:
        ran.append(uid)
        return success(f"user {uid}")

    async def ask() -> None:
        await load(7)
        await name(7)
        clock.advance(1.0)
        assert await load(7) == success(1)
        await settle()
        assert await load(7) == success(3)
        await cache.remove_tag("user:7")
        assert await load(7) == success(4)
        await cache.remove_tag("all")
        await name(7)
        assert len(ran) == 5

    loop.run(ask())
