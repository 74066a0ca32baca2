"""Where a vendor's exceptions become QiErrors: one table a driver, by type, never by text.

What is in the table is expected trouble and comes back as a Failure; what is not is a bug and is
raised. "Not there" and "could not look" are two answers: a driver gives them two rows.
"""

from __future__ import annotations

from .error import ErrorCategory, QiError
from .error.qi_error import again, make_error
from .result import failure, success

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import (
        AsyncIterable,
        AsyncIterator,
        Awaitable,
        Callable,
        Coroutine,
        Mapping,
    )
    from typing import Any, ParamSpec, TypeAlias, TypeVar, overload

    from .result import Result

    T = TypeVar("T")
    P = ParamSpec("P")
    Rule: TypeAlias = tuple[str, ErrorCategory, str] | Callable[[Any], QiError | None]
else:
    from .lean import overload

__all__ = ["ErrorMap"]


class ErrorMap:
    """A table from exception types to errors; the most specific type wins, whatever the order.

    Args:
        source: the `source` of every error it makes: "cache", "http".
        rules: for each type a row (code, category, message), or a function from the exception to a
            QiError, for where a status decides; one that gives None says that this exception is no
            expected trouble.

    The exception becomes the error's cause, without its frames; its text never becomes the message.

    >>> ERRORS = ErrorMap(
    ...     "disk", {OSError: ("DISK_FAILED", ErrorCategory.UNAVAILABLE, "the disk did not answer")}
    ... )
    >>> ERRORS.call(open, "/no/such/file").unwrap_error().code
    'DISK_FAILED'
    """

    __slots__ = ("_found", "_rules", "_source")

    def __init__(self, source: str, rules: Mapping[type[Exception], Rule], /) -> None:
        for kind in rules:
            if not issubclass(kind, Exception):
                raise TypeError(
                    f"{kind.__name__} is no Exception: cancellation and exit must pass a boundary"
                )
        self._source = source
        self._rules = dict(rules)
        self._found: dict[type[BaseException], Rule | None] = {}  # a memo: what a type comes to

    def translate(self, exception: BaseException, /) -> QiError | None:
        """Give the error that an exception stands for, or None where the table does not know it.

        A QiError stands for itself.
        """
        if isinstance(exception, QiError):
            return exception
        rule = self._rule(type(exception))
        if rule is None:
            return None
        if isinstance(rule, tuple):
            code, category, message = rule
            return make_error(code, message, category, self._source, cause=exception)
        error = rule(exception)
        return error and again(
            error, source=error.source or self._source, cause=error.cause or exception
        )

    async def run(
        self, fn: Callable[P, Awaitable[T]], /, *args: P.args, **kwargs: P.kwargs
    ) -> Result[T]:
        """Await `fn(...)`: success of its value, or the Failure that its exception stands for."""
        try:
            return success(await fn(*args, **kwargs))
        except Exception as exception:  # noqa: BLE001  # foreign code: the rest is raised
            return self._failed(exception)

    def call(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Result[T]:
        """Call `fn(...)`: success of its value, or the Failure that its exception stands for."""
        try:
            return success(fn(*args, **kwargs))
        except Exception as exception:  # noqa: BLE001  # foreign code: the rest is raised
            return self._failed(exception)

    async def stream(self, items: AsyncIterable[T], /) -> AsyncIterator[Result[T]]:
        """Give each item as a success; an exception in the table is the last item, a Failure."""
        iterator = aiter(items)
        try:
            while True:
                try:
                    item = await anext(iterator)
                except StopAsyncIteration:
                    return
                except Exception as exception:  # noqa: BLE001  # foreign code: the rest is raised
                    yield self._failed(exception)
                    return
                yield success(item)
        finally:
            aclose = getattr(iterator, "aclose", None)
            if aclose is not None:
                await aclose()

    @overload  # an async def is a def too: the first match wins, as intended
    def __call__(  # type: ignore[overload-overlap]
        self, fn: Callable[P, Coroutine[Any, Any, T]], /
    ) -> Callable[P, Coroutine[Any, Any, Result[T]]]: ...
    @overload
    def __call__(self, fn: Callable[P, T], /) -> Callable[P, Result[T]]: ...
    def __call__(self, fn: Callable[..., Any], /) -> Callable[..., Any]:
        """Decorate a `def` or `async def` that raises, so that it returns a Result."""
        from functools import wraps  # late: only drivers decorate
        from inspect import isasyncgenfunction, iscoroutinefunction, isgeneratorfunction

        if isasyncgenfunction(fn) or isgeneratorfunction(fn):
            raise TypeError(f"an ErrorMap decorates no generator, {fn.__qualname__}: use stream()")

        @wraps(fn)
        async def run_async(*args: object, **kwargs: object) -> object:
            return await self.run(fn, *args, **kwargs)

        @wraps(fn)
        def run(*args: object, **kwargs: object) -> object:
            return self.call(fn, *args, **kwargs)

        return run_async if iscoroutinefunction(fn) else run

    def _failed(self, exception: Exception) -> Result[Any]:
        error = self.translate(exception)
        if error is None:
            raise exception
        return failure(error)

    def _rule(self, kind: type[BaseException]) -> Rule | None:
        if kind not in self._found:
            self._found[kind] = next(
                (self._rules[base] for base in kind.__mro__ if base in self._rules), None
            )
        return self._found[kind]
