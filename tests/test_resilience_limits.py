"""Bulkhead and rate: bounds that hold for tasks and for threads, in the order of coming."""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import Callable
from types import FrameType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qicore_core.resilience import Bulkhead, Deadline, Rate, RateLimiter
from qicore_core.testing import FakeClock


def test_a_bulkhead_holds_its_size_and_serves_in_order() -> None:
    clock = FakeClock()
    bulkhead = Bulkhead(2, clock=clock)
    inside, most, order = 0, 0, []

    async def visit(number: int) -> None:
        nonlocal inside, most
        (await bulkhead.acquire()).unwrap()
        inside += 1
        most = max(most, inside)
        order.append(number)
        await clock.sleep(1.0)
        inside -= 1
        bulkhead.release()

    async def main() -> None:
        await asyncio.gather(*[visit(number) for number in range(8)])

    asyncio.run(main())
    assert most == 2
    assert order == list(range(8))
    assert (bulkhead.free, bulkhead.waiting) == (2, 0)


def test_a_full_bulkhead_is_waited_for_so_long_and_no_longer() -> None:
    clock = FakeClock()
    bulkhead = Bulkhead(1, max_wait=3.0, name="db", clock=clock)

    async def main() -> None:
        await bulkhead.acquire()
        waiting = asyncio.create_task(bulkhead.acquire())
        await asyncio.sleep(0)
        clock.advance(2.9)
        await asyncio.sleep(0)
        assert not waiting.done()
        assert bulkhead.waiting == 1
        clock.advance(0.1)
        error = (await waiting).unwrap_error()
        assert (error.code, error.category, error.source) == ("BULKHEAD_FULL", "EXHAUSTED", "db")
        assert error.hint
        assert error.context["waited"] == 3.0
        assert bulkhead.waiting == 0
        bulkhead.release()
        assert await bulkhead.acquire()

    asyncio.run(main())
    assert repr(bulkhead) == "<Bulkhead to db of 1, 0 free>"


def test_the_deadline_shortens_the_wait() -> None:
    clock = FakeClock()
    bulkhead = Bulkhead(1, clock=clock)
    limiter = RateLimiter(Rate(1.0, max_wait=60.0), clock=clock)
    bulkhead.acquire_sync()
    limiter.acquire_sync()

    async def main() -> None:
        with Deadline.after(0.0, clock=clock):
            assert not await bulkhead.acquire()
            assert not bulkhead.acquire_sync()
        with Deadline.after(0.9, clock=clock):
            refused = await limiter.acquire()
            assert refused.unwrap_error().retry_after == pytest.approx(1.0)
            waiting = asyncio.create_task(bulkhead.acquire())
            await asyncio.sleep(0)
            clock.advance(0.9)
            assert not await waiting

    asyncio.run(main())


def test_a_cancelled_waiter_leaves_the_queue() -> None:
    bulkhead = Bulkhead(1)

    async def main() -> None:
        await bulkhead.acquire()
        gone, next_ = (asyncio.create_task(bulkhead.acquire()) for _ in range(2))
        await asyncio.sleep(0)
        gone.cancel()
        await asyncio.sleep(0)
        bulkhead.release()
        assert await next_
        assert bulkhead.waiting == 0

    asyncio.run(main())


def test_a_place_that_comes_with_the_cancellation_goes_on_to_the_next() -> None:
    bulkhead = Bulkhead(1)

    async def main() -> None:
        await bulkhead.acquire()
        gone, next_ = (asyncio.create_task(bulkhead.acquire()) for _ in range(2))
        await asyncio.sleep(0)
        bulkhead.release()  # handed to the first, which does not know yet
        gone.cancel()
        assert await next_
        with pytest.raises(asyncio.CancelledError):
            await gone
        bulkhead.release()

    asyncio.run(main())
    assert bulkhead.free == 1


def test_a_place_that_comes_with_the_timeout_is_kept() -> None:
    clock = FakeClock()
    bulkhead = Bulkhead(1, max_wait=1.0, clock=clock)

    async def main() -> None:
        await bulkhead.acquire()
        waiting = asyncio.create_task(bulkhead.acquire())
        await asyncio.sleep(0)
        clock.advance(1.0)
        await asyncio.sleep(0)  # the timer has cancelled the wait; the waiter has not run yet
        bulkhead.release()
        assert await waiting
        assert bulkhead.free == 0

    asyncio.run(main())


def test_a_place_that_comes_between_two_looks_is_taken() -> None:
    looks = []

    class Late(Bulkhead):  # type: ignore[misc]  # final to users; here places come free late
        def _enter(self, wake: Callable[[], object] | None = None) -> bool:
            looks.append(wake)
            return wake is not None and super()._enter(wake)

    bulkhead = Late(2)
    assert bulkhead.acquire_sync()
    assert asyncio.run(bulkhead.acquire())
    assert bulkhead.free == 0
    assert len(looks) == 4


def test_a_waiter_whose_loop_is_gone_is_passed_over() -> None:
    bulkhead = Bulkhead(1)
    bulkhead.acquire_sync()
    loop = asyncio.new_event_loop()
    loop.close()
    bulkhead._waiting[lambda: loop.call_soon_threadsafe(print)] = None  # left by a loop that died
    bulkhead.release()
    assert (bulkhead.free, bulkhead.waiting) == (1, 0)


def test_threads_and_tasks_share_a_bulkhead() -> None:
    bulkhead = Bulkhead(1)
    order: list[str] = []
    bulkhead.acquire_sync()

    def in_thread() -> None:
        bulkhead.acquire_sync().unwrap()
        order.append("thread")
        bulkhead.release()

    thread = threading.Thread(target=in_thread)
    thread.start()
    while not bulkhead.waiting:
        pass

    async def main() -> None:
        waiting = asyncio.create_task(bulkhead.acquire())
        await asyncio.sleep(0)
        bulkhead.release()
        (await waiting).unwrap()
        order.append("task")
        bulkhead.release()

    asyncio.run(main())
    thread.join()
    assert order == ["thread", "task"]
    assert bulkhead.free == 1


def test_a_thread_waits_no_longer_than_it_may() -> None:
    bulkhead = Bulkhead(1, max_wait=0.001)
    bulkhead.acquire_sync()
    assert bulkhead.acquire_sync().unwrap_error().code == "BULKHEAD_FULL"
    assert bulkhead.waiting == 0


@pytest.mark.parametrize("is_handed_over", [False, True])
def test_an_interrupted_thread_loses_no_place(is_handed_over: bool) -> None:
    bulkhead = Bulkhead(1, max_wait=60.0)
    bulkhead.acquire_sync()

    def interrupt(number: int, frame: FrameType | None) -> None:
        if is_handed_over:
            wake = next(iter(bulkhead._waiting))
            del bulkhead._waiting[wake]
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, interrupt)
    signal.setitimer(signal.ITIMER_REAL, 0.01)
    try:
        with pytest.raises(KeyboardInterrupt):
            bulkhead.acquire_sync()
    finally:
        signal.signal(signal.SIGALRM, before)
    assert bulkhead.waiting == 0
    assert bulkhead.free == (1 if is_handed_over else 0)


def test_a_place_is_given_back_once() -> None:
    bulkhead = Bulkhead(1)
    with pytest.raises(RuntimeError, match="more often than acquired"):
        bulkhead.release()


@given(st.floats(0.1, 50.0), st.floats(1.0, 20.0), st.lists(st.floats(0.0, 2.0), min_size=1))
def test_a_rate_is_never_exceeded(per_second: float, burst: float, pauses: list[float]) -> None:
    clock = FakeClock()
    limiter = RateLimiter(Rate(per_second, burst=burst, max_wait=1e9), clock=clock)
    for count, pause in enumerate(pauses, 1):
        clock.advance(pause)
        assert limiter.acquire_sync()
        assert count <= burst + per_second * clock.monotonic() + 1e-6


def test_a_rate_serves_in_order_and_refuses_what_would_wait_too_long() -> None:
    clock = FakeClock()
    limiter = RateLimiter(Rate(2.0, burst=1, max_wait=1.0), name="api", clock=clock)
    served = []

    async def call(number: int) -> str:
        turn = await limiter.acquire()
        served.append((number, clock.monotonic()))
        return turn.unwrap_error().code if not turn else "ok"

    async def main() -> list[str]:
        return await asyncio.gather(*[call(number) for number in range(5)])

    assert asyncio.run(main()) == ["ok", "ok", "ok", "RATE_EXCEEDED", "RATE_EXCEEDED"]
    assert served[-2:] == [(1, 0.5), (2, 1.0)]
    error = RateLimiter(Rate(1, max_wait=0.0), name="api", clock=clock)
    assert error.acquire_sync()
    refused = error.acquire_sync().unwrap_error()
    assert (refused.category, refused.source, refused.retry_after) == ("RATE_LIMITED", "api", 1.0)
    assert refused.hint
    assert repr(error) == "<RateLimiter to api Rate(per_second=1, burst=1.0, max_wait=0.0)>"


def test_a_cancelled_turn_goes_to_others() -> None:
    clock = FakeClock()
    limiter = RateLimiter(Rate(1.0, max_wait=1.0), clock=clock)

    async def main() -> None:
        await limiter.acquire()
        gone = asyncio.create_task(limiter.acquire())
        await asyncio.sleep(0)
        gone.cancel()
        with pytest.raises(asyncio.CancelledError):
            await gone
        assert await limiter.acquire()  # in 1 s, as if nobody had asked before

    asyncio.run(main())


def test_a_burst_is_what_a_second_brings_and_at_least_one() -> None:
    assert Rate(20).burst == 20
    assert Rate(0.1).burst == 1.0
    assert Rate(20).replace(burst=3) == Rate(20, burst=3)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: Rate(0), "per_second"),
        (lambda: Rate(1, burst=0.5), "burst"),
        (lambda: Rate(1, max_wait=-1.0), "max_wait"),
        (lambda: Bulkhead(0), "size"),
        (lambda: Bulkhead(1, max_wait=-1.0), "max_wait"),
    ],
)
def test_a_setting_that_cannot_work_is_refused_by_name(
    make: Callable[[], object], said: str
) -> None:
    with pytest.raises(ValueError, match=said):
        make()


@pytest.mark.parametrize("is_handed_over", [True, False], ids=["handed over", "passed on"])
def test_a_place_for_a_waiter_whose_loop_is_closed_is_given_back_once(is_handed_over: bool) -> None:
    bulkhead = Bulkhead(1)
    assert bulkhead.acquire_sync()
    waiter = bulkhead.acquire()

    async def begin() -> None:
        waiter.send(None)

    loop = asyncio.new_event_loop()
    loop.run_until_complete(begin())
    if is_handed_over:
        bulkhead.release()
        loop.close()
    else:
        loop.close()
        bulkhead.release()
        assert bulkhead.acquire_sync()
    waiter.close()
    assert bulkhead.free == (1 if is_handed_over else 0)
