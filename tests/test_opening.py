"""Opening and Stream: what begins once, ends once, and says how it ended."""

from __future__ import annotations

import asyncio
import gc
import pickle
from collections.abc import AsyncIterator, Callable, Coroutine
from copy import copy, deepcopy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qicore_core.attempt import do
from qicore_core.error import QiError
from qicore_core.opening import Opening, Stream
from qicore_core.result import Result, failure, success, unwrap

ERROR = QiError.unavailable("DOWN", "the server is down")
CLOSED = "STREAM_CLOSED"


class Door:
    """Something that opens and closes, and knows how often."""

    def __init__(self, trouble: BaseException | None = None) -> None:
        self.opened: list[Door.Thing] = []
        self.trouble = trouble

    class Thing:
        def __init__(self) -> None:
            self.closed = 0

        async def close(self) -> None:
            await asyncio.sleep(0)
            self.closed += 1

    async def open(self) -> Result[Door.Thing]:
        await asyncio.sleep(0)
        if self.trouble is not None:
            trouble, self.trouble = self.trouble, None
            if isinstance(trouble, QiError):
                return failure(trouble)
            raise trouble
        self.opened.append(Door.Thing())
        return success(self.opened[-1])


def run(main: Callable[[], Coroutine[Any, Any, Any]]) -> Any:
    return asyncio.run(main())


class TestOpening:
    def test_begins_nothing_when_it_is_made(self) -> None:
        door = Door()
        Opening(door.open)
        assert door.opened == []

    def test_asked_before_it_is_open_it_says_how_it_is_opened(self) -> None:
        opening: Any = Opening(Door().open)
        with pytest.raises(
            AttributeError, match=r"no 'get': open it by async with ... as, or await"
        ):
            opening.get("k")
        assert not hasattr(opening, "get")
        assert getattr(opening, "get", 5) == 5

    def test_a_copy_opens_what_it_is_a_copy_of(self) -> None:
        door = Door()

        async def main() -> None:
            for one in (copy(Opening(door.open)), deepcopy(Opening(door.open))):
                async with one as thing:
                    assert isinstance(thing, Door.Thing)
            back = pickle.loads(pickle.dumps(Opening(_thing)))
            async with back as thing:
                assert thing.closed == 0
            assert thing.closed == 1

        run(main)

    def test_awaited_it_gives_a_result_and_the_caller_closes(self) -> None:
        door = Door()

        async def main() -> None:
            opening = Opening(door.open)
            assert (await opening).unwrap() is door.opened[0]
            assert await unwrap(opening) is door.opened[1]

        run(main)
        assert [thing.closed for thing in door.opened] == [0, 0]

    def test_entered_it_gives_the_thing_and_closes_it_once(self) -> None:
        door = Door()

        async def main() -> None:
            async with Opening(door.open) as thing:
                assert thing is door.opened[0]
                assert thing.closed == 0

        run(main)
        assert [thing.closed for thing in door.opened] == [1]

    def test_entered_it_raises_the_error_which_do_makes_a_failure(self) -> None:
        @do
        async def body() -> int:
            async with Opening(Door(ERROR).open):
                pytest.fail("it opened")
            return 1

        assert run(body) == failure(ERROR)
        assert run(lambda: _awaited(Opening(Door(ERROR).open))) == failure(ERROR)

    @pytest.mark.parametrize("kind", [ValueError, asyncio.CancelledError, QiError])
    def test_it_closes_whatever_leaves_the_block(self, kind: type[BaseException]) -> None:
        door = Door()

        async def main() -> None:
            async with Opening(door.open):
                raise ERROR if kind is QiError else kind()

        with pytest.raises(kind):
            run(main)
        assert [thing.closed for thing in door.opened] == [1]

    def test_a_cancelled_block_is_closed(self) -> None:
        door, inside = Door(), asyncio.Event()

        async def body() -> None:
            async with Opening(door.open):
                inside.set()
                await asyncio.Event().wait()

        async def main() -> None:
            task = asyncio.create_task(body())
            await inside.wait()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

        run(main)
        assert [thing.closed for thing in door.opened] == [1]

    def test_it_may_be_entered_again_but_not_twice_at_once(self) -> None:
        door = Door()

        async def main() -> None:
            opening = Opening(door.open)
            for _ in range(2):
                async with opening as thing:
                    with pytest.raises(RuntimeError, match="one block at a time"):
                        await opening.__aenter__()
                    assert thing.closed == 0

        run(main)
        assert [thing.closed for thing in door.opened] == [1, 1]

    @pytest.mark.parametrize("trouble", [ERROR, asyncio.CancelledError(), ValueError()], ids=repr)
    def test_it_may_be_entered_again_after_it_did_not_open(self, trouble: BaseException) -> None:
        door = Door(trouble)

        async def main() -> None:
            opening = Opening(door.open)
            with pytest.raises(type(trouble)):
                await opening.__aenter__()
            async with opening:
                pass

        run(main)
        assert [thing.closed for thing in door.opened] == [1]

    def test_leaving_what_was_never_entered_does_nothing(self) -> None:
        run(lambda: Opening(Door().open).__aexit__(None, None, None))


async def _thing() -> Result[Door.Thing]:
    return success(Door.Thing())


async def _awaited(awaitable: Any) -> Any:
    return await awaitable


class Source:
    """Items that a stream stands on: an async generator that counts its starts and its ends."""

    def __init__(self, *items: Any, begin: Result[Any] | None = None) -> None:
        self.items, self.begin = items, begin
        self.started = self.ended = 0

    async def start(self) -> Result[AsyncIterator[Result[Any]]]:
        await asyncio.sleep(0)
        self.started += 1
        return success(self.give()) if self.begin is None else self.begin

    async def give(self) -> AsyncIterator[Result[Any]]:
        try:
            for item in self.items:
                if isinstance(item, BaseException):
                    raise item
                yield item if item == failure(ERROR) else success(item)
        finally:
            self.ended += 1


class Bare:
    """An iterator that cannot be closed."""

    def __init__(self) -> None:
        self.left = 2

    def __aiter__(self) -> Bare:
        return self

    async def __anext__(self) -> Result[int]:
        if not self.left:
            raise StopAsyncIteration
        self.left -= 1
        return success(self.left)


async def taken(stream: Stream[Any]) -> list[Any]:
    return [item async for item in stream]


class TestStream:
    @given(st.lists(st.integers()))
    def test_gives_all_in_order_and_ends(self, values: list[int]) -> None:
        for read in (lambda s: taken(s), lambda s: s.collect()):
            source = Source(*values)
            got = run(lambda: read(Stream(source.start)))  # noqa: B023  # run at once
            assert got in ([success(value) for value in values], success(values))
            assert (source.started, source.ended) == (1, 1 if values or got else source.ended)

    def test_begins_nothing_when_it_is_made(self) -> None:
        source = Source(1)
        Stream(source.start)
        assert source.started == 0

    def test_a_failure_is_the_last_item(self) -> None:
        source = Source(1, failure(ERROR), 2)
        assert run(lambda: taken(Stream(source.start))) == [success(1), failure(ERROR)]
        assert source.ended == 1

    def test_a_source_that_unwraps_fails_as_the_last_item(self) -> None:
        source = Source(1, ERROR, 2)
        assert run(lambda: taken(Stream(source.start))) == [success(1), failure(ERROR)]
        assert source.ended == 1

    def test_a_bug_in_a_source_passes(self) -> None:
        source = Source(1, ValueError("bug"))
        with pytest.raises(ValueError, match="bug"):
            run(lambda: taken(Stream(source.start)))

    def test_collect_gives_the_failure_and_has_closed(self) -> None:
        source = Source(1, failure(ERROR), 2)

        async def main() -> None:
            gc.disable()
            try:
                assert await Stream(source.start).collect() == failure(ERROR)
                assert source.ended == 1
            finally:
                gc.enable()

        run(main)

    def test_values_are_given_to_the_end(self) -> None:
        async def main() -> list[int]:
            return [value async for value in Stream(Source(1, 2).start).values()]

        assert run(main) == [1, 2]

    def test_values_raise_the_error_and_have_closed(self) -> None:
        source, seen = Source(1, failure(ERROR)), []

        async def main() -> None:
            async for value in Stream(source.start).values():
                seen.append(value)

        with pytest.raises(QiError) as caught:
            run(main)
        assert (caught.value, seen, source.ended) == (ERROR, [1], 1)

    def test_awaited_or_entered_it_has_begun(self) -> None:
        source = Source(1)

        async def main() -> None:
            begun = await Stream(source.start)
            assert source.started == 1
            stream = begun.unwrap()
            assert await stream == success(stream)
            async with stream as entered:
                assert entered is stream
                assert await entered.collect() == success([1])

        run(main)
        assert (source.started, source.ended) == (1, 1)

    def test_one_that_does_not_begin_says_so_everywhere(self) -> None:
        async def main() -> None:
            source = Source(begin=failure(ERROR))
            assert await Stream(source.start) == failure(ERROR)
            assert await Stream(source.start).collect() == failure(ERROR)
            assert await taken(Stream(source.start)) == [failure(ERROR)]
            with pytest.raises(QiError):
                await Stream(source.start).__aenter__()
            stream = Stream(source.start)
            assert not await stream
            assert (await stream).unwrap_error().code == CLOSED

        run(main)

    @pytest.mark.parametrize("kind", [ValueError, asyncio.CancelledError])
    def test_leaving_the_block_closes(self, kind: type[BaseException]) -> None:
        source = Source(1, 2, 3)

        async def main() -> None:
            async with Stream(source.start) as stream:
                async for _ in stream.values():
                    raise kind

        with pytest.raises(kind):
            run(main)
        assert source.ended == 1

    def test_a_cancelled_reader_closes(self) -> None:
        source, reading = Source(1), asyncio.Event()

        async def give() -> AsyncIterator[Result[int]]:
            try:
                reading.set()
                await asyncio.Event().wait()
                yield success(1)
            finally:
                source.ended += 1

        async def start() -> Result[AsyncIterator[Result[int]]]:
            return success(give())

        async def main() -> None:
            task = asyncio.create_task(Stream(start).collect())
            await reading.wait()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert source.ended == 1

        run(main)

    def test_a_closed_stream_gives_a_failure(self) -> None:
        source = Source(1)

        async def main() -> None:
            stream = Stream(source.start)
            await stream.close()
            await stream.close()
            for result in (await stream, await stream.collect(), *await taken(stream)):
                assert result.unwrap_error().code == CLOSED
            assert source.started == 0

        run(main)

    def test_one_that_has_ended_is_closed(self) -> None:
        async def main() -> None:
            stream = Stream(Source(1).start)
            assert await stream.collect() == success([1])
            assert (await stream.collect()).unwrap_error().code == CLOSED

        run(main)

    def test_it_starts_once_for_all_who_ask(self) -> None:
        source = Source(1)

        async def main() -> None:
            stream = Stream(source.start)
            one, other = await asyncio.gather(_awaited(stream), _awaited(stream))
            assert one == success(stream)
            assert "started elsewhere" in other.unwrap_error().message
            await stream.close()

        run(main)
        assert source.started == 1

    def test_one_closed_while_it_starts_is_closed(self) -> None:
        entered, go = asyncio.Event(), asyncio.Event()
        source = Source(1)

        async def start() -> Result[AsyncIterator[Result[int]]]:
            entered.set()
            await go.wait()
            items = source.give()
            assert await anext(items) == success(1)
            return success(items)

        async def main() -> None:
            stream = Stream(start)
            task = asyncio.create_task(_awaited(stream))
            await entered.wait()
            await stream.close()
            go.set()
            assert (await task).unwrap_error().code == CLOSED
            assert source.ended == 1

        run(main)

    def test_a_source_that_cannot_be_closed_is_left(self) -> None:
        async def start() -> Result[AsyncIterator[Result[int]]]:
            return success(Bare())

        assert run(lambda: Stream(start).collect()) == success([1, 0])
