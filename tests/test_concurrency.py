"""Calls side by side, in threads, from synchronous programs: owned, bounded, awaited."""

from __future__ import annotations

import asyncio
import gc
import io
import itertools
import os
import signal
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager
from contextvars import ContextVar
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

import qicore_core
from qicore_core.attempt import do
from qicore_core.concurrency import Portal, blocking, each, gather, in_thread, run
from qicore_core.error import QiError
from qicore_core.opening import Opening
from qicore_core.result import Result, failure, success, unwrap

DOWN = QiError.unavailable("DOWN", "it is down")
WORD: ContextVar[str] = ContextVar("word", default="none")


class Calls:
    """Calls that wait until they are let go, and what became of them."""

    def __init__(self) -> None:
        self.begun: list[int] = []
        self.ended: list[int] = []
        self.cancelled: list[int] = []
        self._gates: dict[int, asyncio.Future[Result[int]]] = {}

    async def __call__(self, n: int) -> Result[int]:
        self.begun.append(n)
        try:
            return await self._gates.setdefault(n, asyncio.Future())
        except asyncio.CancelledError:
            self.cancelled.append(n)
            await turns()  # tidying up takes its time
            raise
        finally:
            self.ended.append(n)

    def answer(self, n: int, result: Result[int] | None = None) -> None:
        self._gates[n].set_result(success(n) if result is None else result)

    def crash(self, n: int, bug: Exception) -> None:
        self._gates[n].set_exception(bug)

    def assert_none_left(self) -> None:
        assert sorted(self.ended) == sorted(self.begun)
        assert len(asyncio.all_tasks()) == 1


async def turns(n: int = 5) -> None:
    for _ in range(n):
        await asyncio.sleep(0)


async def double(n: int) -> Result[int]:
    return success(2 * n)


async def refuse(_: object = None) -> Result[int]:
    return failure(DOWN)


async def forever() -> Result[int]:
    return await asyncio.Future[Result[int]]()


def in_loop(test: Callable[[], Coroutine[Any, Any, None]]) -> Callable[[], None]:
    async def bounded() -> None:
        async with asyncio.timeout(10):
            await test()

    def run_it() -> None:
        asyncio.run(bounded())
        gc.collect()  # a coroutine that nobody awaited complains here

    run_it.__name__ = test.__name__
    return run_it


# each


@in_loop
async def test_each_gives_items_with_results_as_they_finish() -> None:
    calls = Calls()
    async with each(calls, [1, 2, 3]) as answers:
        values = answers.values()
        first = asyncio.create_task(anext(values))  # type: ignore[arg-type]
        await turns()
        calls.answer(3)
        assert await first == (3, success(3))
        calls.answer(1)
        assert await anext(values) == (1, success(1))
        calls.answer(2)
        assert [pair async for pair in values] == [(2, success(2))]


@in_loop
async def test_each_has_no_answers_for_no_items() -> None:
    assert await each(double, []).collect() == success([])


@in_loop
async def test_a_failure_is_an_answer_that_ends_nothing() -> None:
    async def odd(n: int) -> Result[int]:
        return success(n) if n % 2 else failure(DOWN)

    answers = await each(odd, range(4)).collect()
    assert sorted(answers.unwrap()) == [
        (0, failure(DOWN)),
        (1, success(1)),
        (2, failure(DOWN)),
        (3, success(3)),
    ]


@in_loop
async def test_each_begins_nothing_before_it_is_entered() -> None:
    calls = Calls()
    stream = each(calls, [1])
    await turns()
    assert calls.begun == []
    await stream.close()


@in_loop
async def test_at_most_limit_calls_are_under_way_and_items_may_be_without_end() -> None:
    under_way = most = 0

    async def work(n: int) -> Result[int]:
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        await turns(1 + n % 3)
        under_way -= 1
        return success(n)

    seen = 0
    async with each(work, itertools.count(), limit=4) as answers:
        async for _ in answers:
            seen += 1
            if seen == 50:
                break
    assert most == 4


@in_loop
async def test_a_slow_reader_slows_the_calls_down() -> None:
    taken = 0

    def items() -> Iterator[int]:
        nonlocal taken
        while True:
            taken += 1
            yield taken

    async with each(double, items(), limit=3) as answers:
        values = answers.values()
        for read in range(1, 10):
            await anext(values)
            await turns()
            assert taken <= read + 3


@in_loop
async def test_a_bug_passes_after_the_rest_was_cancelled_and_awaited() -> None:
    calls = Calls()
    bug = ZeroDivisionError()
    reading = asyncio.create_task(each(calls, [1, 2, 3]).collect())
    await turns()
    calls.crash(2, bug)
    with pytest.raises(ZeroDivisionError) as caught:
        await reading
    assert caught.value is bug
    assert calls.cancelled == [1, 3]
    calls.assert_none_left()


@in_loop
async def test_a_bug_before_the_first_await_passes_too() -> None:
    def work(n: int) -> Awaitable[Result[int]]:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await each(work, [1, 2]).collect()
    assert len(asyncio.all_tasks()) == 1


@in_loop
async def test_a_bug_of_the_items_passes_after_the_calls_were_cancelled() -> None:
    calls = Calls()

    def items() -> Iterator[int]:
        yield 1
        yield 2
        raise ZeroDivisionError

    async with each(calls, items(), limit=2) as answers:
        reading = asyncio.create_task(answers.collect())
        await turns()
        calls.answer(1)
        with pytest.raises(ZeroDivisionError):
            await reading
    assert calls.cancelled == [2]
    calls.assert_none_left()


@in_loop
async def test_leaving_early_cancels_and_awaits_what_is_under_way() -> None:
    calls = Calls()
    async with each(calls, [1, 2, 3]) as answers:
        reading = asyncio.create_task(anext(aiter(answers)))  # type: ignore[arg-type]
        await turns()
        calls.answer(1)
        await reading
    assert calls.cancelled == [2, 3]
    calls.assert_none_left()


@in_loop
async def test_a_reader_that_is_cancelled_twice_still_awaits_every_call() -> None:
    calls = Calls()
    reading = asyncio.create_task(each(calls, [1, 2]).collect())
    await turns()
    reading.cancel()
    await turns(3)
    reading.cancel()  # while it awaits the calls
    with pytest.raises(asyncio.CancelledError):
        await reading
    assert calls.cancelled == [1, 2]
    calls.assert_none_left()


@in_loop
async def test_a_cancellation_while_a_bug_is_on_its_way_wins() -> None:
    calls = Calls()
    reading = asyncio.create_task(each(calls, [1, 2]).collect())
    await turns()
    calls.crash(1, ZeroDivisionError())
    await turns(4)
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading
    calls.assert_none_left()


@in_loop
async def test_two_bugs_at_once_are_both_told() -> None:
    told: list[object] = []
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, context: told.append(type(context["exception"])))

    async def work(bug: type[Exception]) -> Result[int]:
        raise bug

    with pytest.raises(ZeroDivisionError):
        await each(work, [ZeroDivisionError, KeyError]).collect()
    gc.collect()
    assert told == [KeyError]


@in_loop
async def test_calls_of_each_have_the_context_of_the_reader() -> None:
    async def word(_: int) -> Result[str]:
        return success(WORD.get())

    WORD.set("hello")
    assert await each(word, [1]).collect() == success([(1, success("hello"))])


@pytest.mark.parametrize("limit", [0, -1])
def test_a_limit_below_one_is_refused(limit: int) -> None:
    with pytest.raises(ValueError, match=f"at least 1, got {limit}"):
        each(double, [1], limit=limit)
    with pytest.raises(ValueError, match=f"at least 1, got {limit}"):
        asyncio.run(gather([], limit=limit))


# gather


@in_loop
async def test_gather_gives_values_in_the_order_handed_in() -> None:
    calls = Calls()
    both = asyncio.create_task(gather(calls(1), calls(2)))
    await turns()
    calls.answer(2)
    await turns()
    calls.answer(1)
    assert await both == success([1, 2])


@in_loop
async def test_gather_takes_an_iterable_or_one_awaitable_or_nothing() -> None:
    assert await gather([double(1), double(2)]) == success([2, 4])
    assert await gather(double(n) for n in range(3)) == success([0, 2, 4])
    assert await gather(double(1)) == success([2])
    assert await gather(asyncio.ensure_future(double(1))) == success([2])
    assert await gather() == success([])
    assert await gather([], errors="all") == success([])


@in_loop
async def test_the_first_failure_cancels_the_rest() -> None:
    calls = Calls()
    answer = asyncio.create_task(gather(calls(1), calls(2), calls(3)))
    await turns()
    calls.answer(2, failure(DOWN))
    assert await answer == failure(DOWN)
    assert calls.cancelled == [1, 3]
    calls.assert_none_left()


@in_loop
async def test_what_never_began_is_closed_without_complaint() -> None:
    assert await gather([refuse(), forever(), forever()], limit=1) == failure(DOWN)
    # The third begins its task when the first is done, and is cancelled before its first step.
    assert await gather([refuse(), forever(), forever()], limit=2) == failure(DOWN)
    with pytest.raises(ZeroDivisionError):
        await gather([crash(), forever(), double(1)], limit=1)


async def crash() -> Result[int]:
    raise ZeroDivisionError


@in_loop
async def test_what_makes_its_awaitables_as_it_goes_is_not_read_past_the_failure() -> None:
    made: list[int] = []

    def lazily() -> Iterator[Awaitable[Result[int]]]:
        for n in itertools.count():
            made.append(n)
            yield refuse() if n == 3 else double(n)

    assert await gather(lazily(), limit=1) == failure(DOWN)
    assert made[-1] <= 4


@in_loop
async def test_gather_holds_its_limit() -> None:
    calls = Calls()
    answer = asyncio.create_task(gather([calls(n) for n in range(4)], limit=2))
    await turns()
    assert calls.begun == [0, 1]
    calls.answer(1)
    await turns()
    assert calls.begun == [0, 1, 2]
    answer.cancel()
    with pytest.raises(asyncio.CancelledError):
        await answer
    calls.assert_none_left()


@in_loop
async def test_with_all_no_error_is_lost_and_their_order_is_kept() -> None:
    calls = Calls()
    answer = asyncio.create_task(gather([calls(n) for n in range(3)], errors="all"))
    await turns()
    errors = [QiError.timeout("LATE", f"{n} was late") for n in range(3)]
    for n in (2, 0):
        calls.answer(n, failure(errors[n]))
        await turns()
    calls.answer(1)
    assert (await answer).unwrap_error().errors == (errors[0], errors[2])


@in_loop
async def test_tasks_handed_in_are_cancelled_with_the_rest() -> None:
    mine = asyncio.create_task(forever())
    assert await gather(mine, refuse()) == failure(DOWN)
    assert mine.cancelled()


def test_gather_knows_two_ways_to_treat_errors() -> None:
    with pytest.raises(ValueError, match="'some'"):
        asyncio.run(gather([], errors="some"))  # type: ignore[arg-type]


# in_thread


@in_loop
async def test_a_blocking_call_gives_its_value_from_another_thread() -> None:
    WORD.set("hello")

    def work(a: int, *, b: int) -> tuple[int, bool, str]:
        return a + b, threading.current_thread() is threading.main_thread(), WORD.get()

    assert await in_thread(work, 1, b=2) == (3, False, "hello")


@in_loop
async def test_what_a_blocking_call_raises_is_raised() -> None:
    with pytest.raises(ZeroDivisionError):
        await in_thread(divmod, 1, 0)


@in_loop
async def test_a_blocking_call_that_raises_stop_iteration_does_not_hang() -> None:
    nothing: Iterator[int] = iter([])
    with pytest.raises(RuntimeError, match="StopIteration"):
        await in_thread(next, nothing)


@in_loop
async def test_cancelled_the_wait_ends_and_the_thread_runs_on() -> None:
    begun, go_on, ended = threading.Event(), threading.Event(), threading.Event()

    def work() -> None:
        begun.set()
        go_on.wait(10)
        ended.set()

    waiting = asyncio.create_task(in_thread(work))
    await in_thread(begun.wait, 10)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert not ended.is_set()
    go_on.set()
    assert await in_thread(ended.wait, 10)


# blocking


class Thing:
    def __init__(self, name: str, log: list[str]) -> None:
        self.name, self.log = name, log

    async def use(self) -> Result[str]:
        return success(self.name)

    async def close(self) -> None:
        self.log.append(f"close {self.name}")
        if self.name == "bad":
            raise ZeroDivisionError


def open_thing(name: str, log: list[str]) -> Opening[Thing]:
    async def start() -> Result[Thing]:
        log.append(f"open {name}")
        return failure(DOWN) if name == "down" else success(Thing(name, log))

    return Opening(start)


@pytest.fixture
def threads() -> Callable[[], list[str]]:
    """Give what names the portals' threads that the test began."""
    before = threading.enumerate()

    def begun() -> list[str]:
        since = [one for one in threading.enumerate() if one not in before]
        return [one.name for one in since if one.name == "qicore-blocking"]

    return begun


def test_a_synchronous_program_calls_async_code_on_one_thread(
    threads: Callable[[], list[str]],
) -> None:
    async def where() -> tuple[str, int]:
        return threading.current_thread().name, id(asyncio.get_running_loop())

    with blocking() as call:
        assert call(double(21)) == success(42)
        assert call(where()) == call(where())
        assert call(where())[0] == "qicore-blocking"
        assert threads() == ["qicore-blocking"]
    assert threads() == []


def test_what_the_call_raises_is_raised_to_the_caller() -> None:
    with blocking() as call:
        with pytest.raises(ZeroDivisionError):
            call(crash())
        assert call(double(1)) == success(2)


def test_a_call_has_the_context_of_its_caller() -> None:
    async def word() -> str:
        await turns()
        return WORD.get()

    token = WORD.set("hello")
    try:
        with blocking() as call:
            assert call(word()) == "hello"
    finally:
        WORD.reset(token)


def test_what_was_opened_stays_usable_and_is_closed_in_reverse() -> None:
    log: list[str] = []
    with blocking() as call:
        first = call(open_thing("first", log)).unwrap()
        second = call(open_thing("second", log)).unwrap()
        assert call(open_thing("down", log)) == failure(DOWN)
        assert call(gather(second.use(), first.use())) == success(["second", "first"])
        assert log == ["open first", "open second", "open down"]
    assert log[3:] == ["close second", "close first"]


def test_a_close_that_fails_does_not_keep_the_others_open(
    threads: Callable[[], list[str]],
) -> None:
    log: list[str] = []

    def use_three() -> None:
        with blocking() as call:
            for name in ("first", "bad", "last"):
                call(open_thing(name, log)).unwrap()

    with pytest.raises(ZeroDivisionError):
        use_three()
    assert log[3:] == ["close last", "close bad", "close first"]
    assert threads() == []


def test_leaving_by_an_exception_closes_too() -> None:
    log: list[str] = []

    def use_and_fail() -> None:
        with blocking() as call:
            call(open_thing("first", log))
            raise KeyError

    with pytest.raises(KeyError):
        use_and_fail()
    assert log == ["open first", "close first"]


def test_tasks_left_over_are_cancelled_on_leaving() -> None:
    log: list[str] = []
    begun: list[asyncio.Task[None]] = []

    async def background() -> None:
        try:
            await forever()
        finally:
            log.append("cancelled")

    async def begin() -> None:
        begun.append(asyncio.create_task(background()))
        await turns()

    with blocking() as call:
        call(begin())
    assert log == ["cancelled"]


def test_any_thread_may_call() -> None:
    answers: list[Result[int]] = []
    with blocking() as call:
        workers = [
            threading.Thread(target=lambda n=n: answers.append(call(double(n)))) for n in range(8)
        ]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
    assert sorted(answer.unwrap() for answer in answers) == [0, 2, 4, 6, 8, 10, 12, 14]


def test_inside_an_event_loop_blocking_is_refused() -> None:
    async def enter() -> None:
        with blocking():
            pass

    async def call_back(call: Portal) -> None:
        call(double(1))

    with pytest.raises(RuntimeError, match="await instead"):
        asyncio.run(enter())
    with blocking() as call, pytest.raises(RuntimeError, match="await instead"):
        call(call_back(call))
    gc.collect()


def test_outside_its_block_a_portal_refuses() -> None:
    call = blocking()
    with pytest.raises(RuntimeError, match="while that is open"):
        call(double(1))
    with call:
        assert call(double(1)) == success(2)
        with pytest.raises(RuntimeError, match="entered already"), call:
            pass
    with pytest.raises(RuntimeError, match="while that is open"):
        call(double(1))
    with pytest.raises(RuntimeError, match="while that is open"):
        call(open_thing("first", []))
    gc.collect()


def test_a_call_under_way_as_the_portal_is_left_is_a_clear_error() -> None:
    inside = threading.Event()
    raised: list[str] = []

    async def endless() -> None:
        inside.set()
        await asyncio.Event().wait()

    def other(call: Portal) -> None:
        with pytest.raises(RuntimeError) as error:
            call(endless())
        raised.append(str(error.value))

    with blocking() as call:
        thread = threading.Thread(target=other, args=(call,))
        thread.start()
        inside.wait()
    thread.join()
    assert raised == ["the portal was left before the call had ended"]


def test_what_leaves_a_portal_and_what_calls_it_may_come_at_once() -> None:
    raised: list[str] = []

    def calls(call: Portal) -> None:
        try:
            while True:
                assert call(double(1)) == success(2)
        except RuntimeError as error:
            raised.append(str(error))

    for _ in range(10):
        with blocking() as call:
            threads = [threading.Thread(target=calls, args=(call,)) for _ in range(3)]
            for thread in threads:
                thread.start()
            call(double(1))
        for thread in threads:
            thread.join()
    gc.collect()
    said = ("the portal was left before the call", "call it inside `with blocking() as call:`")
    assert len(raised) == 30
    assert all(text.startswith(said) for text in raised)


def test_a_portal_may_be_entered_again() -> None:
    portal = blocking()
    for _ in range(2):
        with portal as call:
            assert call(double(1)) == success(2)


def interrupt() -> None:
    os.kill(os.getpid(), signal.SIGINT)


def test_ctrl_c_cancels_the_call_and_is_raised_when_it_has_ended() -> None:
    log: list[str] = []

    async def work() -> None:
        try:
            interrupt()
            await forever()
        finally:
            await turns()
            log.append("ended")

    with blocking() as call:
        with pytest.raises(KeyboardInterrupt):
            call(work())
        assert log == ["ended"]
        assert call(double(1)) == success(2)


def test_a_second_ctrl_c_does_not_wait() -> None:
    log: list[str] = []

    async def stubborn() -> None:
        try:
            interrupt()
            await forever()
        except asyncio.CancelledError:
            log.append("cancelled")
            interrupt()
            await forever()
        finally:
            log.append("ended")

    with blocking() as call:
        with pytest.raises(KeyboardInterrupt):
            call(stubborn())
        assert log == ["cancelled"]
    assert log == ["cancelled", "ended"]


def test_what_opened_in_spite_of_ctrl_c_is_closed() -> None:
    log: list[str] = []

    async def start() -> Result[Thing]:
        interrupt()
        try:
            return await asyncio.Future[Result[Thing]]()
        except asyncio.CancelledError:
            return success(Thing("late", log))

    with blocking() as call, pytest.raises(KeyboardInterrupt):
        call(Opening(start))
    assert log == ["close late"]


def test_what_opens_when_the_block_is_left_is_closed() -> None:
    log: list[str] = []

    async def start() -> Result[Thing]:
        for _ in range(2):
            try:
                interrupt()
                await forever()
            except asyncio.CancelledError:
                await turns()  # the first is of the call, the second of the block
        return success(Thing("late", log))

    with pytest.raises(KeyboardInterrupt), blocking() as call:
        call(Opening(start))
    assert log == ["close late"]


@pytest.mark.parametrize("moment", ["call", "return"])
def test_ctrl_c_may_hit_before_or_after_the_loop_hears_of_the_call(moment: str) -> None:
    log: list[str] = []

    async def work() -> None:
        try:
            await forever()
        finally:
            log.append("ended")

    def strike(frame: FrameType, event: str, _: object) -> None:
        if (frame.f_code.co_name, event) == ("call_soon_threadsafe", moment):
            sys.setprofile(None)
            raise KeyboardInterrupt

    with blocking() as call:
        sys.setprofile(strike)
        with pytest.raises(KeyboardInterrupt):
            call(work())
        assert log in ([], ["ended"])
        assert call(double(1)) == success(2)
        assert len(call(tasks())) == 1
    gc.collect()


async def tasks() -> set[asyncio.Task[Any]]:
    return asyncio.all_tasks()


@pytest.mark.parametrize("kind", [SystemExit, KeyboardInterrupt])
def test_an_exit_in_a_call_reaches_its_caller_and_the_portal_goes_on(
    kind: type[BaseException],
) -> None:
    async def leave() -> None:
        raise kind

    with blocking() as call:
        with pytest.raises(kind):
            call(leave())
        assert call(double(1)) == success(2)


# run


def test_run_gives_the_value_of_a_success_and_of_a_plain_main() -> None:
    async def plain() -> str:
        return "done"

    assert run(double(1)) == 2
    assert run(plain()) == "done"


def test_run_says_a_failure_and_exits_by_its_category(capsys: pytest.CaptureFixture[str]) -> None:
    async def main() -> Result[None]:
        return failure(
            QiError.configuration(
                "NO_KEY", "no key for https://u:hunter2@host/", hint="set password=hunter2"
            )
        )

    with pytest.raises(SystemExit) as exit_:
        run(main())
    assert exit_.value.code == 78
    said = capsys.readouterr()
    assert said.err == "error: NO_KEY: no key for https://***@host/\nhint: set password=***\n"
    assert said.out == ""


@do
async def main_that_unwraps() -> None:
    await unwrap(refuse())


async def main_that_raises() -> None:
    await unwrap(refuse())


@pytest.mark.parametrize("main", [refuse, main_that_unwraps, main_that_raises])
def test_a_failure_that_nobody_took_is_one_however_it_comes(
    main: Callable[[], Awaitable[Any]], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as exit_:
        run(main())
    assert exit_.value.code == DOWN.category.exit_code
    assert capsys.readouterr().err == "error: DOWN: it is down\n"


def test_run_lists_every_error_of_an_aggregate(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        run(gather([refuse(), refuse()], errors="all"))
    assert capsys.readouterr().err.splitlines()[1:] == ["  DOWN: it is down"] * 2


def test_run_says_an_error_once_that_is_the_only_one(capsys: pytest.CaptureFixture[str]) -> None:
    async def main(said: str | None) -> Result[None]:
        return failure(QiError.aggregate([DOWN], message=said))

    for said, below in ((None, []), ("it did not start", ["  DOWN: it is down"])):
        with pytest.raises(SystemExit):
            run(main(said))
        assert capsys.readouterr().err.splitlines()[1:] == below


def test_a_bug_keeps_its_traceback() -> None:
    with pytest.raises(ZeroDivisionError):
        run(crash())


PROGRAM = """
import asyncio, os, signal
from qicore_core.concurrency import run

async def main():
    try:
        os.kill(os.getpid(), signal.SIGINT)
        await asyncio.Future()
    finally:
        print("tidied up")

run(main())
"""


def test_ctrl_c_exits_with_130_and_no_traceback() -> None:
    program = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True)
    assert (program.returncode, program.stdout, program.stderr) == (130, "tidied up\n", "")


def test_ctrl_c_in_run_is_an_exit() -> None:
    async def main() -> None:
        interrupt()
        await forever()

    with pytest.raises(SystemExit) as exit_:
        run(main())
    assert exit_.value.code == 130


def test_importing_it_loads_no_asyncio() -> None:
    root = Path(qicore_core.__file__).parents[1]
    code = f"import sys; sys.path.insert(0, {str(root)!r}); import qicore_core.concurrency"
    code += "; print(*sys.modules)"
    child = subprocess.run([sys.executable, "-ISc", code], capture_output=True, text=True)
    assert child.stderr == ""
    unwanted = {"asyncio", "threading", "concurrent", "contextlib", "typing", "functools", "re"}
    assert unwanted & set(child.stdout.split()) == set()


# how it all fits


@asynccontextmanager
async def counted(log: list[str]) -> AsyncIterator[None]:
    log.append("in")
    try:
        yield
    finally:
        log.append("out")


def test_calls_side_by_side_under_a_portal_are_tidied_up_on_ctrl_c() -> None:
    log: list[str] = []

    async def work(n: int) -> Result[int]:
        async with counted(log):
            if n == 2:
                interrupt()
            return await forever()

    with blocking() as call, pytest.raises(KeyboardInterrupt):
        call(each(work, range(3)).collect())
    assert log == ["in"] * 3 + ["out"] * 3


def test_a_cancelled_program_exits_with_143_as_by_sigterm() -> None:
    async def main() -> None:
        task = asyncio.current_task()
        assert task is not None
        task.cancel()
        await forever()

    with pytest.raises(SystemExit) as exit_:
        run(main())
    assert exit_.value.code == 143


UNHEARD = """
import os, sys
from qicore_core.concurrency import run
from qicore_core.error import QiError
from qicore_core.result import failure, success

async def main():
    print("a line" * int(sys.argv[1]))
    if sys.argv[2] == "pipe":
        reading, writing = os.pipe()
        os.close(reading)
        os.write(writing, b"not stdout")
    return failure(QiError.network("DOWN", "it is down")) if sys.argv[2] == "fails" else success()

run(main())
"""


@pytest.mark.parametrize("buffering", ["", "1"], ids=["buffered", "unbuffered"])
@pytest.mark.parametrize("length", ["1", "9999"], ids=["short", "long"])
def test_a_reader_that_has_seen_enough_is_no_error(buffering: str, length: str) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    try:
        done = _program(buffering, writing, length, "ends")
    finally:
        os.close(writing)
    assert (done.returncode, done.stderr) == (141, "")


def test_a_failure_is_said_where_nobody_reads_stdout() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    try:
        done = _program("", writing, "1", "fails")
    finally:
        os.close(writing)
    assert (done.returncode, done.stderr) == (75, "error: DOWN: it is down\n")


def test_the_broken_pipe_of_another_is_a_bug() -> None:
    done = _program("", subprocess.DEVNULL, "1", "pipe")
    assert done.returncode == 1
    assert "BrokenPipeError" in done.stderr


def _program(buffering: str, stdout: int, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", UNHEARD, *arguments],
        env={**os.environ, "PYTHONUNBUFFERED": buffering},
        stdout=stdout,
        stderr=subprocess.PIPE,
        text=True,
        timeout=60,
    )


@pytest.mark.parametrize("stdout", ["never open", "of no file", "closed"])
def test_run_ends_where_stdout_is_no_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, stdout: str
) -> None:
    async def main() -> int:
        raise BrokenPipeError

    with (tmp_path / "closed").open("w") as closed:
        streams = {"never open": None, "of no file": io.StringIO(), "closed": closed}
    monkeypatch.setattr(sys, "stdout", streams[stdout])
    assert run(double(1)) == 2
    with pytest.raises(BrokenPipeError):
        run(main())


def test_run_exits_by_category_where_stderr_was_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", None)  # as Python has it then
    with pytest.raises(SystemExit) as exit_:
        run(refuse())
    assert exit_.value.code == 69


def test_a_call_is_waited_for_in_turns_so_that_no_signal_is_slept_through(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("qicore_core.concurrency.threads._TURN", 0.001)
    with blocking() as call:
        call(asyncio.sleep(0.02))
        assert call(double(1)) == success(2)


FORKS = """
import os, signal
from qicore_core.concurrency import blocking
async def one(): return 1
class Opened:
    async def close(self): print("closed by", "the child" if os.getpid() != parent else "me")
async def opens():
    from qicore_core.result import success
    return success(Opened())
parent = os.getpid()
with blocking() as call:
    from qicore_core.opening import Opening
    call(Opening(opens))
    child = os.fork()
    if child == 0:
        signal.alarm(20)
        try: call(one())
        except RuntimeError as error: print(error, flush=True)
        with blocking() as own: print(own(one()), flush=True)
        raise SystemExit(7)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), call(one()), flush=True)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_a_portal_says_in_the_child_of_a_fork_that_its_thread_is_elsewhere() -> None:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", FORKS], capture_output=True, text=True, timeout=60
    )
    said = "the portal's thread is in the process that forked; enter one in this one"
    assert done.stdout.splitlines() == [said, "1", "7 1", "closed by me"], done.stderr


def test_a_pipe_that_nobody_reads_ends_the_program_in_silence(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    reader, writer = os.pipe()
    os.close(reader)

    async def main() -> None:
        print("unheard", flush=True)

    with os.fdopen(writer, "w") as stdout:
        monkeypatch.setattr(sys, "stdout", stdout)
        with pytest.raises(SystemExit) as ended:
            run(main())
    assert ended.value.code == 141


def test_a_portal_of_another_process_is_neither_asked_nor_closed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def one() -> int:
        return 1

    with blocking() as call:
        with monkeypatch.context() as elsewhere:
            elsewhere.setattr("qicore_core.concurrency.threads.getpid", lambda: -1)
            with pytest.raises(RuntimeError, match="in the process that forked"):
                call(asked := one())
            asked.close()
            call.__exit__(None, None, None)
        assert call(one()) == 1
