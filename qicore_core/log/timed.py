"""How long an operation took and how it went, as one record: what `Logger.timed` gives."""

from __future__ import annotations

from time import perf_counter

from ..error import QiError
from ..result import Failure
from .level import LogLevel

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType
    from typing import Any, ParamSpec, Self, TypeVar

    from .logger import Logger

    P = ParamSpec("P")
    T = TypeVar("T")

__all__ = ["Timed"]


class Timed:
    """A block that logs its duration and outcome, or a decorator that does so for each call.

    The outcome is "ok"; "failed" for a Failure and for an exception, which passes on; "cancelled"
    for what is no failure: cancellation, KeyboardInterrupt, SystemExit.
    """

    __slots__ = ("_fields", "_level", "_logger", "_operation", "_result", "_started")

    def __init__(
        self, logger: Logger, operation: str, level: LogLevel, fields: dict[str, object]
    ) -> None:
        self._logger = logger
        self._operation = operation
        self._level = level
        self._fields = fields
        self._result: object = None
        self._started = 0.0

    def result(self, result: T, /) -> T:
        """Let the outcome be that of a Result, and give it back."""
        self._result = result
        return result

    def __enter__(self) -> Self:
        self._result = None
        self._started = perf_counter()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        tb: TracebackType | None,
        /,
    ) -> None:
        level, outcome = self._level, "ok"
        error = exc
        if exc is None and isinstance(self._result, Failure):
            error = self._result.error
        if isinstance(error, Exception):
            outcome = "failed"
            loud = error.category.log_level if isinstance(error, QiError) else "error"
            level = LogLevel(loud)
        elif error is not None:
            outcome = "cancelled"
        fields = {**self._fields, "duration": perf_counter() - self._started, "outcome": outcome}
        if self._logger.is_level_enabled(level):
            self._logger._emit(level, self._operation, error, fields)

    def __call__(self, fn: Callable[P, T], /) -> Callable[P, T]:
        """Decorate a function, sync or async; the Result it returns is its outcome."""
        from functools import wraps  # late: only decorators need it
        from inspect import iscoroutinefunction

        def again() -> Timed:  # calls may overlap: each has its own
            return Timed(self._logger, self._operation, self._level, self._fields)

        @wraps(fn)
        async def run_async(*args: Any, **kwargs: Any) -> Any:
            with again() as timing:
                return timing.result(await call(*args, **kwargs))

        @wraps(fn)
        def run(*args: Any, **kwargs: Any) -> Any:
            with again() as timing:
                return timing.result(call(*args, **kwargs))

        call: Any = fn
        chosen: Any = run_async if iscoroutinefunction(fn) else run
        return chosen  # type: ignore[no-any-return]
