"""`@do` and its neighbours: what was raised is a Failure, a bug and cancellation pass."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import inspect
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qicore_core.attempt import do, from_async_try_catch, from_try_catch
from qicore_core.error import ErrorCategory, QiError
from qicore_core.result import failure, success, unwrap

ERROR = QiError.timeout("NO_ANSWER", "no answer in 5 s")
RESULTS: st.SearchStrategy[Any] = st.integers().map(success) | st.just(failure(ERROR))
STOPS = pytest.mark.parametrize("kind", [asyncio.CancelledError, KeyboardInterrupt, SystemExit])


def fails() -> int:
    raise ERROR


async def fails_async() -> int:
    raise ERROR


def raises(kind: type[BaseException]) -> Callable[[], int]:
    def body() -> int:
        raise kind

    return body


def raises_async(kind: type[BaseException]) -> Callable[[], Awaitable[int]]:
    async def body() -> int:
        raise kind

    return body


class TestDo:
    @given(RESULTS, RESULTS)
    def test_is_flat_map_written_plainly(self, a: Any, b: Any) -> None:
        @do
        def total() -> int:
            return unwrap(a) + unwrap(b)

        @do
        async def later() -> int:
            async def gives() -> Any:
                return b

            return a.unwrap() + await unwrap(gives())

        expected = a.flat_map(lambda x: b.map(lambda y: x + y))
        assert total() == expected
        assert asyncio.run(later()) == expected

    def test_an_error_raised_by_hand_is_a_failure(self) -> None:
        assert do(fails)().unwrap_error() is ERROR
        assert asyncio.run(do(fails_async)()).unwrap_error() is ERROR

    def test_arguments_go_through(self) -> None:
        @do
        def body(a: int, /, b: int = 2, *rest: int, c: int, **more: int) -> object:
            return a, b, rest, c, more

        assert body(1, 3, 4, c=5, d=6) == success((1, 3, (4,), 5, {"d": 6}))

    @pytest.mark.parametrize(
        "kind", [ValueError, asyncio.CancelledError, KeyboardInterrupt, SystemExit]
    )
    def test_a_bug_and_cancellation_pass(self, kind: type[BaseException]) -> None:
        with pytest.raises(kind):
            do(raises(kind))()
        coroutine = do(raises_async(kind))()
        with pytest.raises(kind):
            coroutine.send(None)

    def test_a_cancelled_task_is_cancelled(self) -> None:
        @do
        async def waits() -> None:
            await asyncio.Event().wait()

        async def main() -> asyncio.Task[Any]:
            task = asyncio.create_task(waits())
            await asyncio.sleep(0)
            task.cancel()
            await asyncio.wait([task])
            return task

        assert asyncio.run(main()).cancelled()

    def test_cleaning_up_is_done(self) -> None:
        seen = []

        @contextlib.contextmanager
        def block() -> Iterator[None]:
            try:
                yield
            finally:
                seen.append("left")

        @do
        def body() -> None:
            with block():
                unwrap(failure(ERROR))

        assert body() == failure(ERROR)
        assert seen == ["left"]

    def test_a_child_of_a_task_group_gives_its_failure(self) -> None:
        async def main() -> Any:
            async with asyncio.TaskGroup() as group:
                task = group.create_task(do(fails_async)())
            return task.result()

        assert asyncio.run(main()) == failure(ERROR)

    def test_a_generator_is_refused_where_it_is_decorated(self) -> None:
        def generator() -> Any:
            yield 1

        async def async_generator() -> Any:
            yield 1

        for fn in (generator, async_generator):
            with pytest.raises(TypeError, match=f"{fn.__name__} yields: make a Stream"):
                do(fn)

    def test_keeps_name_doc_and_signature(self) -> None:
        def plain(a: int, *, b: str = "x") -> float:
            """Say what it is for."""
            return 1.0

        async def later(a: int, *, b: str = "x") -> float:
            """Say what it is for."""
            return 1.0

        plain.mark = 1  # type: ignore[attr-defined]
        for fn in (plain, later):
            made: Any = do(fn)  # type: ignore[arg-type]  # one of two kinds
            assert (made.__name__, made.__doc__, made.__module__) == (
                fn.__name__,
                fn.__doc__,
                __name__,
            )
            assert made.__qualname__ == fn.__qualname__
            assert inspect.signature(made) == inspect.signature(fn)
            assert made.__wrapped__ is fn
            assert inspect.iscoroutinefunction(made) == inspect.iscoroutinefunction(fn)
        assert do(plain).mark == 1  # type: ignore[attr-defined]

    def test_a_def_that_gives_a_coroutine_is_awaited(self) -> None:
        async def adds(a: int, b: int) -> int:
            return a + unwrap(success(b))

        def decorated() -> Any:
            return fails_async()

        assert asyncio.run(do(functools.partial(adds, 1))(2)) == success(3)
        assert asyncio.run(do(decorated)()) == failure(ERROR)

    def test_a_callable_without_code_is_called(self) -> None:
        assert do(functools.partial(int, "7"))() == success(7)
        assert do(int)("7") == success(7)

    def test_methods_are_methods(self) -> None:
        class Shop:
            name = "shop"

            @do
            def sync(self) -> str:
                return self.name

            @do
            async def later(self) -> str:
                return self.name

        assert Shop().sync() == success("shop")
        assert asyncio.run(Shop().later()) == success("shop")


def both(fn: Callable[..., Any], *args: object, **options: Any) -> list[Any]:
    """Call it by `from_try_catch` and, as an async function, by the async one."""

    async def later(*args: object, **kwargs: object) -> Any:
        return fn(*args, **kwargs)

    return [
        from_try_catch(fn, *args, **options),
        asyncio.run(from_async_try_catch(later, *args, **options)),
    ]


class TestFromTryCatch:
    def test_gives_the_value(self) -> None:
        assert both(int, "11", base=2) == [success(3)] * 2

    def test_gives_what_was_raised(self) -> None:
        for result in both(raises(ValueError)):
            error = result.error
            assert (error.code, error.category) == ("UNEXPECTED_EXCEPTION", ErrorCategory.UNKNOWN)
            assert isinstance(error.cause, ValueError)
            assert "in raises.<locals>.body" in error.context["at"]

    def test_takes_a_code_and_what_to_catch(self) -> None:
        for result in both(int, "x", catch=(KeyError, ValueError), code="NOT_A_NUMBER"):
            assert result.error.code == "NOT_A_NUMBER"
        with pytest.raises(ValueError, match="invalid"):
            both(int, "x", catch=KeyError)

    def test_a_qi_error_comes_as_it_is(self) -> None:
        assert [result.error for result in both(fails, catch=KeyError)] == [ERROR] * 2

    @STOPS
    def test_cancellation_passes_whatever_is_asked(self, kind: type[BaseException]) -> None:
        with pytest.raises(kind):
            from_try_catch(raises(kind), catch=BaseException)  # type: ignore[arg-type]  # the point
        coroutine = from_async_try_catch(raises_async(kind), catch=BaseException)  # type: ignore[arg-type]  # the point
        with pytest.raises(kind):
            coroutine.send(None)
