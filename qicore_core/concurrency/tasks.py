"""Many calls at once, in tasks that are owned: `each` as they finish, `gather` all together."""

from __future__ import annotations

from itertools import chain, islice

from ..combine import accumulate, collect
from ..opening import Stream
from ..result import success

TYPE_CHECKING = False
if TYPE_CHECKING:
    from asyncio import Task
    from collections.abc import (
        AsyncGenerator,
        AsyncIterator,
        Awaitable,
        Callable,
        Collection,
        Iterable,
        Iterator,
    )
    from typing import Any, Literal, TypeVar, overload

    from ..result import Result, Success

    A = TypeVar("A")
    T = TypeVar("T")

__all__ = ["close_coroutines", "each", "gather"]


def each(
    fn: Callable[[A], Awaitable[Result[T]]], items: Iterable[A], /, *, limit: int = 16
) -> Stream[tuple[A, Result[T]]]:
    """Call a function for many items side by side; give each item and its Result as they finish.

    A Failure is an answer like any other and ends nothing. What `fn` or `items` raises is a bug: it
    passes, after the calls under way have been cancelled and awaited. Leaving the stream early ends
    them too.

    Args:
        fn: called with an item, in a task of its own that has a copy of the context variables.
        items: any number of them, also without end: one is taken when its call can start.
        limit: how many calls are under way or wait to be read, at most: a slow reader slows the
            calls down.

    Example:
        ```python
        async with each(http.get, urls, limit=16) as pages:
            async for url, page in pages.values(): ...      # page is a Result
        ```
    """
    _check_limit(limit)

    async def start() -> Result[AsyncIterator[Result[tuple[A, Result[T]]]]]:
        return success(_as_finished(fn, items, limit))

    return Stream(start)


if TYPE_CHECKING:

    @overload
    async def gather(
        awaitables: Iterable[Awaitable[Result[T]]],
        /,
        *,
        limit: int | None = None,
        errors: Literal["first", "all"] = "first",
    ) -> Result[list[T]]: ...
    @overload
    async def gather(
        *awaitables: Awaitable[Result[T]],
        limit: int | None = None,
        errors: Literal["first", "all"] = "first",
    ) -> Result[list[T]]: ...


async def gather(
    *awaitables: Any, limit: int | None = None, errors: Literal["first", "all"] = "first"
) -> Result[list[Any]]:
    """Await many Results side by side; give all values, in the order of what was handed in.

    What is not awaited in the end, because of a Failure, a bug or a cancellation, is cancelled or
    closed. Tasks and futures that were started elsewhere run already, whatever the limit.

    Args:
        awaitables: each gives a Result; or one iterable of such, read as it goes.
        limit: how many are under way at most; None starts all at once.
        errors: "first" gives the first Failure to arrive and cancels the rest; "all" waits for
            every answer and loses no error.

    Errors:
        MULTIPLE_ERRORS: with "all", at least one failed; `error.errors` has them all, in order.

    Example:
        ```python
        both = await gather(cache.get("a"), cache.get("b"))                # Result[list[...]]
        rows = await gather((load(i) for i in ids), limit=8, errors="all")
        ```
    """
    if errors not in ("first", "all"):
        raise ValueError(f'errors is "first" or "all", got {errors!r}')
    if limit is not None:
        _check_limit(limit)
    handed: Iterable[Any] = awaitables
    if len(awaitables) == 1 and not hasattr(awaitables[0], "__await__"):
        handed = awaitables[0]
    waiting = iter(handed)
    begun: list[Any] = []

    def numbers() -> Iterator[int]:
        for awaitable in waiting:
            begun.append(awaitable)
            yield len(begun) - 1

    found: dict[int, Result[Any]] = {}
    answers = _as_finished(begun.__getitem__, numbers(), limit)
    try:
        async for answer in answers:
            number, result = answer.value
            if errors == "first" and not result:
                return result
            found[number] = result
    finally:
        try:
            await answers.aclose()
        finally:  # what makes its items as they are asked for has no others
            close_coroutines(begun if waiting is handed else chain(begun, waiting))
    combine = collect if errors == "first" else accumulate
    return combine([found[number] for number in range(len(begun))])


def close_coroutines(awaitables: Iterable[Any], /) -> None:
    """Close the coroutines that nobody will await, so that Python does not complain of them."""
    from asyncio import iscoroutine  # late, as the room's docstring says

    for awaitable in awaitables:
        if iscoroutine(awaitable):
            awaitable.close()


async def _as_finished(
    fn: Callable[[A], Awaitable[Result[T]]], items: Iterable[A], limit: int | None
) -> AsyncGenerator[Success[tuple[A, Result[T]]], None]:
    """Own the tasks of `each` and `gather`.

    No TaskGroup: it would cancel the reader between two items when a call fails, and must be left
    in the task that entered it, which a generator cannot promise.
    """
    import asyncio  # late, as the room's docstring says

    source = iter(items)
    running: dict[Task[Result[T]], A] = {}
    finished: asyncio.Queue[Task[Result[T]]] = asyncio.Queue()

    async def call(item: A) -> Result[T]:
        return await fn(item)

    def refill() -> None:
        for item in islice(source, None if limit is None else limit - len(running)):
            task = asyncio.create_task(call(item))
            running[task] = item
            task.add_done_callback(finished.put_nowait)

    try:
        refill()
        while running:
            task = await finished.get()
            item, result = running.pop(task), task.result()
            refill()  # before the reader has its item, so that the calls go on while it works
            yield success((item, result))
    finally:
        await _stop(running)


async def _stop(tasks: Collection[Task[Any]]) -> None:
    """Cancel tasks and await every one, also when this wait is cancelled itself.

    Should another one have raised too, the loop's exception handler says so: nobody else can.
    """
    import asyncio  # late, as the room's docstring says

    cancelled: asyncio.CancelledError | None = None
    for task in tasks:
        if not task.done():  # cancel() would silence one that has raised
            task.cancel()
    while left := [task for task in tasks if not task.done()]:
        try:
            await asyncio.wait(left)
        except asyncio.CancelledError as again:
            cancelled = again
    if cancelled is not None:
        raise cancelled


def _check_limit(limit: int) -> None:
    if limit < 1:
        raise ValueError(f"limit must be at least 1, got {limit}")
