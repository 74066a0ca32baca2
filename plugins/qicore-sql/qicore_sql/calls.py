"""How the driver is called: by the policy, and what is too late is a DB_TIMEOUT."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Final, TypeVar, final

from qicore_core import Deadline, Failure, Parts, Policy, QiError, Result, failure
from qicore_core.codes import DEADLINE_EXCEEDED, TIMEOUT_ERROR
from qicore_core.events import is_listening

from .errors import TIMEOUT, TRANSACTION_DOOMED, UNDONE, closed

__all__ = ["Calls", "is_undone", "surely"]

T = TypeVar("T")
_LATE: Final = frozenset((DEADLINE_EXCEEDED, TIMEOUT_ERROR))


@final
class Calls:
    """A policy at work.

    Args:
        policy: how calls are made.
        parts: where clock and random come from.

    Attributes:
        clock: the time that calls go by.
    """

    __slots__ = ("_is_closed", "_is_plain", "_runner", "clock")

    def __init__(self, policy: Policy, parts: Parts, /) -> None:
        self.clock = parts.clock
        self._runner = policy.attach("sql", clock=parts.clock, random=parts.random)
        self._is_plain = policy == Policy()
        self._is_closed = False

    def close(self) -> None:
        """Refuse every call from here on."""
        self._is_closed = True

    def perform(
        self,
        operation: str,
        fn: Callable[..., Awaitable[Result[T]]],
        repeatable: bool | Callable[[QiError], bool],
        timeout: float | None,
        policy: Policy | None,
        /,
        *args: object,
    ) -> Awaitable[Result[T]]:
        """Call `fn(*args)` by the policy, for whoever awaits it.

        Args:
            operation: what events call it; no statement is ever in one.
            fn: asks the driver.
            repeatable: whether it may be done again after it failed; `is_undone` for what may be
                where the database says that nothing was done.
            timeout: seconds for the whole.
            policy: how to make this call.
            args: what `fn` is called with.

        Errors:
            DB_CLOSED: the database was closed.
            DB_TIMEOUT: it was not done in time.
        """
        if self._is_closed:
            return _refused()
        if (
            self._is_plain
            and timeout is None
            and policy is None
            and Deadline.current() is None
            and not is_listening()
        ):
            return fn(*args)  # nothing to keep, and nobody to tell
        asked = self._runner.run(
            fn,
            *args,
            operation=operation,
            repeatable=repeatable,
            timeout=timeout,
            policy=policy,
        )
        return _in_time(operation, asked)


async def _refused() -> Result[Any]:
    return failure(closed("the database was closed", "open it again"))


async def _in_time(operation: str, asked: Awaitable[Result[T]]) -> Result[T]:
    result = await asked
    if isinstance(result, Failure) and result.error.code in _LATE:
        return failure(_too_late(operation, result.error))
    return result


def is_undone(error: QiError, /) -> bool:
    """Tell whether an error says that nothing was done, because others were in the way."""
    return error.code in UNDONE or (error.code == TRANSACTION_DOOMED and error.retryable)


async def surely(work: Coroutine[Any, Any, T], /) -> T:
    """Await something to its end, also when cancelled; the cancellation passes after it."""
    task = asyncio.ensure_future(work)
    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.shield(task)
        except asyncio.CancelledError as request:
            cancelled = request
    if cancelled is not None:
        raise cancelled
    return task.result()


def _too_late(operation: str, cause: QiError) -> QiError:
    return QiError.timeout(
        TIMEOUT,
        f"{operation} was not done in time and was stopped",
        cause=cause,
        hint="allow a longer timeout, or find out what took the time: an index, a lock",
        source="sql",
    )
