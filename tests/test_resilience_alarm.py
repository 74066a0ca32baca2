"""The clock that cuts calls short: as `asyncio.timeout` does, by one timer of the loop."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest

from qicore_core.resilience import SYSTEM_CLOCK
from qicore_core.resilience.alarm import AlarmTimer

SOON, LATE = 0.01, 60.0


class CountingLoop(asyncio.SelectorEventLoop):
    """A loop that counts the timers that it is asked for."""

    timers = 0

    def call_at(self, *args: Any, **kwargs: Any) -> asyncio.TimerHandle:
        self.timers += 1
        return super().call_at(*args, **kwargs)


async def forever() -> None:
    await asyncio.get_running_loop().create_future()


async def cut(seconds: float) -> bool:
    """Wait for ever, in so many seconds; tell whether that timer, and nothing else, ended it."""
    timer = SYSTEM_CLOCK.timeout(seconds)
    with pytest.raises(TimeoutError):
        async with timer:
            await forever()
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0
    return timer.expired()


@pytest.mark.parametrize("seconds", [SOON, 0.0, -1.0])
def test_what_takes_too_long_is_cut_short(seconds: float) -> None:
    assert asyncio.run(cut(seconds))


def test_what_ends_in_time_costs_the_loop_one_timer_for_all() -> None:
    async def main() -> int:
        for _ in range(100):
            async with AlarmTimer(LATE) as timer:
                await asyncio.sleep(0)
            assert not timer.expired()
        loop = asyncio.get_running_loop()
        assert isinstance(loop, CountingLoop)
        return loop.timers

    with asyncio.Runner(loop_factory=CountingLoop) as runner:
        assert runner.run(main()) == 1


def test_each_is_cut_at_its_own_time_whoever_came_first() -> None:
    order: list[str] = []

    async def wait(name: str, seconds: float) -> None:
        assert await cut(seconds)
        order.append(name)

    async def main() -> None:
        patient = asyncio.create_task(cut(LATE))
        await asyncio.gather(wait("third", 0.06), wait("first", SOON), wait("second", 0.03))
        patient.cancel()
        with pytest.raises(asyncio.CancelledError):
            await patient

    asyncio.run(main())
    assert order == ["first", "second", "third"]


def test_the_outer_one_of_two_cuts_through_the_inner() -> None:
    async def main() -> tuple[bool, bool]:
        outer, inner = AlarmTimer(SOON), AlarmTimer(LATE)

        async def nested() -> None:
            async with outer, inner:
                await forever()

        with pytest.raises(TimeoutError):
            await nested()
        return outer.expired(), inner.expired()

    assert asyncio.run(main()) == (True, False)


def test_a_bug_passes_and_so_does_a_cancellation() -> None:
    async def main() -> None:
        with pytest.raises(ZeroDivisionError):
            async with AlarmTimer(LATE):
                raise ZeroDivisionError
        waiting = asyncio.create_task(cut(LATE))
        await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting

    asyncio.run(main())


def test_a_bug_that_the_cut_brings_out_passes() -> None:
    async def main() -> None:
        timer = AlarmTimer(SOON)

        async def clumsy() -> None:
            async with timer:
                try:
                    await forever()
                finally:
                    raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            await clumsy()
        assert timer.expired()

    asyncio.run(main())


def test_who_has_left_is_not_cut_any_more() -> None:
    async def main() -> bool:
        async with AlarmTimer(SOON) as timer:
            pass
        return await cut(3 * SOON) and not timer.expired()

    assert asyncio.run(main())


def test_who_is_cancelled_in_the_moment_it_expires_is_cancelled() -> None:
    async def main() -> None:
        async def both() -> None:
            async with AlarmTimer(0.0) as timer:
                timer.expire()
                task = asyncio.current_task()
                assert task is not None
                task.cancel()
                await forever()

        with pytest.raises(asyncio.CancelledError):
            await asyncio.create_task(both())

    asyncio.run(main())


def test_many_who_wait_are_all_cut_short() -> None:
    async def main() -> list[bool]:
        return await asyncio.gather(*[cut(SOON + n * 1e-5) for n in range(500)])

    assert all(asyncio.run(main()))


def test_a_loop_that_is_left_and_taken_up_again_has_its_own_alarm() -> None:
    with asyncio.Runner() as one, asyncio.Runner() as other:
        begun = one.get_loop().create_task(cut(SOON))
        one.run(asyncio.sleep(0))
        assert other.run(cut(SOON))

        async def end() -> bool:
            return await begun

        assert one.run(end())


def test_each_thread_has_its_own_alarm() -> None:
    async def pass_by() -> int:
        async with AlarmTimer(LATE):
            await asyncio.sleep(0)
        loop = asyncio.get_running_loop()
        assert isinstance(loop, CountingLoop)
        return loop.timers

    with asyncio.Runner(loop_factory=CountingLoop) as runner:
        assert runner.run(pass_by()) == 1
        other = threading.Thread(target=asyncio.run, args=(cut(SOON),))
        other.start()
        other.join()
        assert runner.run(pass_by()) == 1
