"""ErrorMap: what is in the table is a Failure, the rest is raised, cancellation never taken."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncIterator
from typing import Any

import pytest

from qicore_core.boundary import ErrorMap
from qicore_core.error import ErrorCategory, QiError
from qicore_core.result import failure, success


class VendorError(Exception):
    def __init__(self, status: int = 500) -> None:
        super().__init__(f"vendor says {status}")
        self.status = status


class GoneError(VendorError):
    pass


class LostError(GoneError):
    pass


def by_status(exception: VendorError) -> QiError | None:
    match exception.status:
        case 404:
            return QiError.not_found("THING_GONE", "the thing is gone")
        case 429:
            return QiError.rate_limited("SLOW_DOWN", "later", source="gate", cause=OSError("own"))
        case _:
            return None


TABLE = {
    OSError: ("DISK_FAILED", ErrorCategory.UNAVAILABLE, "the disk did not answer"),
    VendorError: by_status,
    GoneError: ("GONE", ErrorCategory.NOT_FOUND, "it is gone"),
}
ERRORS = ErrorMap("shop", TABLE)
STOPS = pytest.mark.parametrize("kind", [asyncio.CancelledError, KeyboardInterrupt, SystemExit])


def fails(exception: BaseException) -> int:
    raise exception


async def fails_async(exception: BaseException) -> int:
    raise exception


def both(exception: BaseException) -> list[Any]:
    return [ERRORS.call(fails, exception), asyncio.run(ERRORS.run(fails_async, exception))]


class TestTable:
    @pytest.mark.parametrize("rules", [TABLE, dict(reversed(TABLE.items()))], ids=["down", "up"])
    @pytest.mark.parametrize(
        ("exception", "code"),
        [
            (OSError("x"), "DISK_FAILED"),
            (FileNotFoundError("x"), "DISK_FAILED"),
            (VendorError(404), "THING_GONE"),
            (GoneError(429), "GONE"),
            (LostError(), "GONE"),
        ],
        ids=repr,
    )
    def test_the_most_specific_wins(self, rules: Any, exception: Exception, code: str) -> None:
        table = ErrorMap("shop", rules)
        for _ in range(2):  # the second time from memory
            error = table.translate(exception)
            assert error is not None
            assert (error.code, error.source, error.cause) == (code, "shop", exception)
            assert str(exception) not in error.message

    def test_a_function_has_the_last_word(self) -> None:
        error = ERRORS.translate(VendorError(429))
        assert error is not None
        assert (error.code, error.source, str(error.cause)) == ("SLOW_DOWN", "gate", "own")
        assert ERRORS.translate(VendorError(500)) is None

    def test_what_is_not_there_is_none(self) -> None:
        assert ERRORS.translate(ValueError()) is None
        assert ERRORS.translate(asyncio.CancelledError()) is None

    def test_a_qi_error_stands_for_itself(self) -> None:
        error = QiError.internal("CODE", "x")
        assert ERRORS.translate(error) is error

    @STOPS
    def test_cancellation_cannot_be_put_in(self, kind: Any) -> None:
        with pytest.raises(TypeError, match="must pass a boundary"):
            ErrorMap("shop", {kind: ("CODE", ErrorCategory.CANCELLED, "x")})

    def test_the_table_is_read_once(self) -> None:
        rules: Any = dict(TABLE)
        table = ErrorMap("shop", rules)
        rules.clear()
        assert table.translate(OSError()) is not None


class TestCalls:
    def test_give_the_value(self) -> None:
        async def later(value: int) -> int:
            return value

        assert ERRORS.call(int, "11", base=2) == success(3)
        assert asyncio.run(ERRORS.run(later, value=3)) == success(3)

    def test_give_a_failure_of_what_is_known(self) -> None:
        for result in both(GoneError()):
            assert result.error.code == "GONE"
            assert result.error.cause.__traceback__ is None

    @pytest.mark.parametrize("exception", [ValueError("bug"), VendorError(500)], ids=repr)
    def test_raise_what_is_unknown(self, exception: Exception) -> None:
        with pytest.raises(type(exception)) as caught:
            ERRORS.call(fails, exception)
        assert caught.value is exception
        with pytest.raises(type(exception)) as caught:
            asyncio.run(ERRORS.run(fails_async, exception))
        assert caught.value is exception

    def test_give_a_qi_error_as_it_is(self) -> None:
        error = QiError.internal("CODE", "x")
        assert [result.error for result in both(error)] == [error, error]

    @STOPS
    def test_never_take_cancellation(self, kind: type[BaseException]) -> None:
        everything = ErrorMap("s", {Exception: ("CODE", ErrorCategory.UNKNOWN, "x")})
        with pytest.raises(kind):
            everything.call(fails, kind())
        with pytest.raises(kind):
            everything.run(fails_async, kind()).send(None)

    def test_a_cancelled_call_is_cancelled(self) -> None:
        async def main() -> bool:
            task = asyncio.create_task(ERRORS.run(asyncio.Event().wait))
            await asyncio.sleep(0)
            task.cancel()
            await asyncio.wait([task])
            return task.cancelled()

        assert asyncio.run(main())


class TestDecorator:
    def test_makes_a_def_and_an_async_def_return_results(self) -> None:
        @ERRORS
        def sync(status: int, *, deep: bool = False) -> str:
            """Say what it is for."""
            if status:
                raise VendorError(status)
            return f"{deep}"

        @ERRORS
        async def later(status: int, *, deep: bool = False) -> str:
            """Say what it is for."""
            return sync(status, deep=deep).unwrap()

        assert sync(0, deep=True) == asyncio.run(later(0, deep=True)) == success("True")
        assert sync(404) == asyncio.run(later(404)) == failure(ERRORS.translate(VendorError(404)))  # type: ignore[arg-type]  # it is known
        with pytest.raises(VendorError):
            sync(500)
        for fn in (sync, later):
            assert fn.__doc__ == "Say what it is for."
            assert list(inspect.signature(fn).parameters) == ["status", "deep"]
        assert inspect.iscoroutinefunction(later)

    def test_refuses_a_generator(self) -> None:
        def generator() -> Any:
            yield 1

        async def async_generator() -> Any:
            yield 1

        for fn in (generator, async_generator):
            with pytest.raises(TypeError, match=f"{fn.__name__}: use stream"):
                ERRORS(fn)


class Numbers:
    """A source that counts to two, then raises or ends, and knows whether it was closed."""

    def __init__(self, end: BaseException | None = None) -> None:
        self.end, self.closed = end, False

    async def give(self) -> AsyncIterator[int]:
        try:
            yield 1
            yield 2
            if self.end is not None:
                raise self.end
        finally:
            self.closed = True


class Bare:
    """An iterator that cannot be closed, and has nothing."""

    def __aiter__(self) -> Bare:
        return self

    async def __anext__(self) -> int:
        raise StopAsyncIteration


async def taken(items: Any) -> list[Any]:
    return [item async for item in items]


class TestStream:
    @pytest.mark.parametrize("end", [None, GoneError()], ids=repr)
    def test_gives_each_item_and_the_failure_last(self, end: Exception | None) -> None:
        source = Numbers(end)
        got = asyncio.run(taken(ERRORS.stream(source.give())))
        last = [] if end is None else [failure(ERRORS.translate(end))]  # type: ignore[arg-type]  # it is known
        assert got == [success(1), success(2), *last]
        assert source.closed

    def test_raises_what_is_unknown(self) -> None:
        source = Numbers(ValueError("bug"))
        with pytest.raises(ValueError, match="bug"):
            asyncio.run(taken(ERRORS.stream(source.give())))

    def test_closes_its_source_when_it_is_closed(self) -> None:
        source = Numbers()

        async def main() -> None:
            stream: Any = ERRORS.stream(source.give())
            assert await anext(stream) == success(1)
            await stream.aclose()
            assert source.closed

        asyncio.run(main())

    def test_a_source_that_cannot_be_closed_is_left(self) -> None:
        assert asyncio.run(taken(ERRORS.stream(Bare()))) == []
