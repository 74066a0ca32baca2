"""Deadlines: ambient, nested, seen across await; and the clock of the machine."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qicore_core.resilience import SYSTEM_CLOCK, Deadline
from qicore_core.resilience.clock import sleepless, system_random
from qicore_core.testing import FakeClock


@given(st.lists(st.floats(-5.0, 100.0), min_size=1, max_size=5))
def test_nested_the_earliest_holds(seconds: list[float]) -> None:
    clock = FakeClock()

    def enter(rest: list[float], least: float) -> None:
        if rest:
            least = min(least, rest[0])
            with Deadline.after(rest[0], clock=clock) as deadline:
                assert Deadline.current() is deadline
                assert deadline.remaining() == max(0.0, least)
                enter(rest[1:], least)
            return
        clock.advance(200.0)
        deadline_ = Deadline.current()
        assert deadline_ is not None
        assert deadline_.expired
        assert deadline_.remaining() == 0.0

    enter(seconds, float("inf"))
    assert Deadline.current() is None


def test_a_wait_takes_the_smaller_of_its_own_and_what_remains() -> None:
    clock = FakeClock()
    assert Deadline.within() is None
    assert Deadline.within(3.0) == 3.0
    with Deadline.after(2.0, clock=clock):
        assert Deadline.within() == 2.0
        assert Deadline.within(3.0) == 2.0
        assert Deadline.within(1.0) == 1.0
        clock.advance(5.0)
        assert Deadline.within(1.0) == 0.0


def test_it_is_seen_across_await_and_in_children_and_not_outside() -> None:
    clock = FakeClock()

    async def seen() -> float | None:
        await asyncio.sleep(0)
        return Deadline.within()

    async def main() -> None:
        with Deadline.after(2.0, clock=clock):
            assert await seen() == 2.0
            child = asyncio.create_task(seen())
            assert await seen() == await child == 2.0
            with Deadline.lifted():
                assert await seen() is None
            assert await seen() == 2.0
        assert await seen() is None

    asyncio.run(main())


def test_a_deadline_is_entered_once_at_a_time() -> None:
    deadline = Deadline.after(1.0, clock=FakeClock())
    with deadline, pytest.raises(RuntimeError, match="one for each block"):
        deadline.__enter__()
    with deadline:
        assert Deadline.current() is deadline
    assert repr(deadline) == "<Deadline in 1.000 s>"


def test_what_is_no_number_is_refused() -> None:
    with pytest.raises(ValueError, match="nan"):
        Deadline.after(float("nan"))


def test_the_machines_clock_goes_on_and_waits() -> None:
    before = SYSTEM_CLOCK.monotonic()
    SYSTEM_CLOCK.sleep_sync(0.001)
    asyncio.run(SYSTEM_CLOCK.sleep(0.001))
    assert SYSTEM_CLOCK.monotonic() >= before + 0.002
    assert repr(SYSTEM_CLOCK) == "SYSTEM_CLOCK"


def test_the_machines_clock_does_not_wait_where_tests_say_so() -> None:
    token = sleepless.set(True)
    try:
        SYSTEM_CLOCK.sleep_sync(3600.0)
        asyncio.run(SYSTEM_CLOCK.sleep(3600.0))
    finally:
        sleepless.reset(token)


def test_luck_is_from_zero_to_one() -> None:
    assert all(0.0 <= system_random() < 1.0 for _ in range(100))


def test_a_generator_may_be_closed_from_another_task() -> None:
    async def numbers() -> AsyncGenerator[int, None]:
        with Deadline.after(5.0), Deadline.lifted():
            yield 1

    async def main() -> None:
        running = numbers()
        await anext(running)
        await asyncio.create_task(running.aclose())

    asyncio.run(main())
