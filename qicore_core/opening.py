"""What doors and streaming calls return: one shape for opening, one for streaming.

Both begin nothing when they are made. Awaited, they give a Result and whoever awaits closes;
entered with `async with`, they give the thing itself (raising the QiError, for `@do` to catch) and
leaving closes it. This room must never learn what is opened.
"""

from __future__ import annotations

from .codes import STREAM_CLOSED
from .error import QiError
from .result import Failure, failure, success, unwrap

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine, Generator
    from typing import Any, Generic, Protocol, Self, TypeVar

    from .result import Result

    class Closes(Protocol):
        """Anything with an async close."""

        async def close(self) -> object: ...

    C_co = TypeVar("C_co", bound=Closes, covariant=True)
    T_co = TypeVar("T_co", covariant=True)
else:
    from .lean import Generic

    C_co = T_co = object

__all__ = ["Opening", "Stream"]


class Opening(Generic[C_co]):
    """Something that is about to be opened.

    Args:
        start: opens it; called once for each `await` or `async with`.

    Example:
        ```python
        async with open_cache("memory:") as cache: ...      # closes; raises the QiError
        opened = await open_cache("memory:")                # Result[Cache]; you close
        ```
    """

    __slots__ = ("_entered", "_opened", "_start")

    def __init__(self, start: Callable[[], Coroutine[Any, Any, Result[C_co]]], /) -> None:
        self._start = start
        self._entered = False
        self._opened: C_co | None = None

    def __await__(self) -> Generator[Any, Any, Result[C_co]]:
        return self._start().__await__()

    async def __aenter__(self) -> C_co:
        if self._entered:  # whose would be closed on leaving?
            raise RuntimeError("an Opening is entered by one block at a time: make another one")
        self._entered = True
        try:
            self._opened = unwrap(await self._start())
            return self._opened
        finally:
            self._entered = self._opened is not None

    async def __aexit__(self, kind: object, exc: BaseException | None, tb: object, /) -> None:
        opened, self._opened, self._entered = self._opened, None, False
        if opened is not None:
            await opened.close()

    if not TYPE_CHECKING:  # who has a checker is told by it

        def __getattr__(self, name: str) -> object:
            raise AttributeError(f"Opening has no {name!r}: open it by async with ... as, or await")


class Stream(Generic[T_co]):
    """Values that arrive one by one, each a Result, until the end or the first Failure.

    Entered, awaited or iterated first, it starts; it starts once. Leaving the block, `close()` and
    the end release what it stands on; one that is closed gives a Failure.

    Args:
        start: begins the stream and gives the items, an async generator as a rule; a Failure means
            it never began. A source that ends before its time says so by a Failure as its last
            item.

    Example:
        ```python
        async with llm.chat_stream("hi") as stream:
            async for delta in stream.values(): ...         # raises the QiError
        whole = await llm.chat_stream("hi").collect()       # Result[list[...]]
        ```
    """

    __slots__ = ("_closed", "_items", "_start", "_started")

    def __init__(
        self, start: Callable[[], Coroutine[Any, Any, Result[AsyncIterator[Result[T_co]]]]], /
    ) -> None:
        self._start = start
        self._items: AsyncIterator[Result[T_co]] | None = None
        self._started = False
        self._closed = False

    def __await__(self) -> Generator[Any, Any, Result[Self]]:
        return (yield from self._begin().__await__()).map(lambda _: self)

    async def __aenter__(self) -> Self:
        return unwrap(await self)

    async def __aexit__(self, kind: object, exc: BaseException | None, tb: object, /) -> None:
        await self.close()

    async def __aiter__(self) -> AsyncIterator[Result[T_co]]:
        last: Result[T_co] | None = None
        try:
            async for item in unwrap(await self._begin()):
                if isinstance(item, Failure):
                    last = item
                    break
                yield item
        except QiError as error:  # it did not begin, or its source unwraps
            last = failure(error)
        finally:
            await self.close()
        if last is not None:  # told after closing: who hears of a failure does not ask again
            yield last

    async def values(self) -> AsyncIterator[T_co]:
        """Give the values themselves; a Failure raises its QiError."""
        async for item in self:
            yield unwrap(item)

    async def collect(self) -> Result[list[T_co]]:
        """Give all values, or the Failure that ended them, and close."""
        values: list[T_co] = []
        async for item in self:
            if isinstance(item, Failure):
                return item
            values.append(item.value)
        return success(values)

    async def close(self) -> None:
        """Release what the stream stands on; once is enough, twice does no harm."""
        self._started = self._closed = True
        items, self._items = self._items, None
        if aclose := getattr(items, "aclose", None):
            await aclose()

    async def _begin(self) -> Result[AsyncIterator[Result[T_co]]]:
        if self._items is not None:
            return success(self._items)
        if not self._started:
            self._started = True
            begun = await self._start()
            if isinstance(begun, Failure):
                self._closed = True
                return begun
            self._items = begun.value
            if not self._closed:
                return begun
            await self.close()  # it was closed while it began
        said = "the stream is closed" if self._closed else "the stream is being started elsewhere"
        return failure(QiError.unsupported(STREAM_CLOSED, said, hint="make a new one"))
