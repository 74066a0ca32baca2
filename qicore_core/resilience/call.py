"""One call on its way through its policy.

Deadline > [retry: budget > rate > bulkhead > breaker > attempt timeout > attempt]. There is one
implementation for tasks and for threads: a synchronous call is the same coroutine, which then
awaits nothing that waits and is driven to its end in one step, so that the two cannot disagree.
"""

from __future__ import annotations

from ..codes import DEADLINE_EXCEEDED, RETRY_BUDGET_EXHAUSTED, TIMEOUT_ERROR
from ..error import QiError
from ..events import CallEvent, emit, is_listening
from ..result import Failure, Success, failure
from .deadline import Deadline, current

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from typing import Any, Final, TypeAlias, TypeVar

    from ..result import Result
    from .clock import Timer
    from .runner import State

    T = TypeVar("T")
    Repeatable: TypeAlias = bool | Callable[[QiError], bool]

__all__ = ["Call", "error_of", "finish"]

_FOREVER: Final = float("inf")


class Call:
    """What is called, and how far it got."""

    __slots__ = (
        "args", "attempts", "began", "deadline", "fn", "is_blocking", "is_told", "last",
        "operation", "repeatable", "state", "timer",
    )  # fmt: skip

    def __init__(
        self,
        state: State,
        fn: Callable[..., Any],
        args: tuple[object, ...],
        operation: str | None,
        repeatable: Repeatable,
        is_blocking: bool,
        began: float | None = None,
    ) -> None:
        self.state = state
        self.fn = fn
        self.args = args
        self.operation = operation
        self.repeatable = repeatable
        self.is_blocking = is_blocking
        self.is_told = is_listening()
        self.began = state.now() if began is None else began
        self.attempts = 0
        self.last: QiError | None = None
        self.deadline: Deadline | None = None
        self.timer: Timer | None = None

    async def run(self, timeout: float | None) -> Result[Any]:
        """Make the call, in so many seconds or before the deadline that holds here, if earlier."""
        if timeout is None:
            timeout = self.state.timeout
        if timeout is None and current.get() is None:
            result = await self._tries()
        else:
            limit = _FOREVER if timeout is None else timeout
            with Deadline.after(limit, clock=self.state.clock) as deadline:
                result = await self._within(deadline)
        if self.is_told:
            self._tell("call", self.began, error_of(result), {"attempts": self.attempts})
        return result

    async def go_on(self, result: Result[Any]) -> Result[Any]:
        """Take up a call whose first attempt, by the shortcut, was no success."""
        self.attempts = 1
        return await self._tries(result)

    async def _within(self, deadline: Deadline) -> Result[Any]:
        self.deadline = deadline
        remaining = deadline.remaining()
        if remaining <= 0.0:
            return failure(self._too_late())
        if self.is_blocking or remaining == _FOREVER:  # nothing can cut a thread short
            return await self._tries()
        self.timer = timer = self.state.clock.timeout(remaining)
        try:
            async with timer:
                return await self._tries()
        except TimeoutError:
            if not timer.expired():
                raise
        return failure(self._too_late())

    async def _tries(self, result: Result[Any] | None = None) -> Result[Any]:
        state = self.state
        while True:
            if result is None:
                self.attempts += 1
                since = state.now() if self.is_told else 0.0
                result = await (self._admitted() if state.is_limited else self._guarded())
                if self.is_told:
                    self._tell("attempt", since, error_of(result), {"attempt": self.attempts})
            if not isinstance(result, Failure):
                return result
            wait = self._after(result.error)
            if isinstance(wait, QiError):
                # A Failure of its own in any case: we looked at that one, whoever called did not
                # yet, and `python -X dev` tells of those that nobody looks at.
                return failure(wait)
            if self.is_blocking:
                state.clock.sleep_sync(wait)
            else:
                await state.clock.sleep(wait)
            result = None

    async def _admitted(self) -> Result[Any]:
        """Wait for the rate, then for a place in the bulkhead."""
        bulkhead = self.state.bulkhead
        for gate in (self.state.limiter, bulkhead):
            if gate is not None:
                passed = gate.acquire_sync() if self.is_blocking else await gate.acquire()
                if isinstance(passed, Failure):
                    return passed
        try:
            return await self._guarded()
        finally:
            if bulkhead is not None:
                bulkhead.release()

    async def _guarded(self) -> Result[Any]:
        """Make an attempt if the breaker lets it pass, and take note of what came of it."""
        state = self.state
        breaker = state.breaker
        permit = breaker.closed_permit if breaker is not None else 0
        if breaker is not None and not permit:
            granted = breaker.acquire()
            if not granted:
                return granted
            permit = granted.value
        since = state.now()
        try:
            if state.attempt_timeout is not None:
                result = await self._timed()
            elif self.is_blocking:
                result = self.fn(*self.args)
            else:
                result = await self.fn(*self.args)
            state.settle(result, permit, since)
        except BaseException as end:
            if breaker is None:
                raise
            if isinstance(end, Exception) or not self._is_late():
                breaker.release(permit)  # a bug, or cancelled: no word on the service
            else:  # cut short by the deadline: a service that hangs must not look healthy
                breaker.record(permit, self._too_late(), state.now() - since)
            raise
        return result

    async def _timed(self) -> Result[Any]:
        limit, clock = self.state.attempt_timeout or 0.0, self.state.clock
        with Deadline.after(limit, clock=clock):
            if self.is_blocking:
                return self.fn(*self.args)  # type: ignore[no-any-return]  # as above
            timer = clock.timeout(limit)
            try:
                async with timer:
                    return await self.fn(*self.args)  # type: ignore[no-any-return]  # as above
            except TimeoutError:
                if not timer.expired():
                    raise
        error = QiError.timeout(
            TIMEOUT_ERROR,
            f"an attempt of {self._what()} took longer than {limit:g} s",
            hint="find out why it is slow, or allow a longer attempt_timeout",
            source=self.state.name,
            attempt=self.attempts,
        )
        return failure(error)

    def _after(self, error: QiError) -> float | QiError:
        """Say how long to wait for the next attempt, or give the error that ends the call."""
        state = self.state
        self.last = error
        wait = None
        if state.retry is not None and (
            self.repeatable if isinstance(self.repeatable, bool) else self.repeatable(error)
        ):
            remaining = None if self.deadline is None else self.deadline.remaining()
            wait = state.retry.next_delay(error, self.attempts, remaining, state.random)
        if wait is None:
            return error if self.attempts == 1 else error.with_context(self._progress())
        if state.budget is not None and state.budget.take(state.cost) > 0.0:
            return self._unpaid(error)
        if self.is_told:
            self._tell("retry", self.began, error, {"attempt": self.attempts, "delay": wait})
        return wait

    def _is_late(self) -> bool:
        if self.deadline is None:
            return False
        return self.deadline.expired or (self.timer is not None and self.timer.expired())

    def _too_late(self) -> QiError:
        return QiError.timeout(
            DEADLINE_EXCEEDED,
            f"{self._what()} was not done within {self.state.now() - self.began:.2f} s",
            cause=self.last,
            hint="allow a longer timeout, or find out what took the time",
            source=self.state.name,
        ).with_context(self._progress())

    def _unpaid(self, error: QiError) -> QiError:
        return QiError.exhausted(
            RETRY_BUDGET_EXHAUSTED,
            f"{self._what()} failed and is not tried again: too many calls fail of late",
            cause=error,
            hint="find out why they fail; retries begin again by themselves as calls succeed",
            retryable=False,  # what asks for this call would only add to the storm
            source=self.state.name,
        ).with_context(self._progress())

    def _progress(self) -> dict[str, object]:
        return {"attempts": self.attempts, "elapsed": self.state.now() - self.began}

    def _what(self) -> str:
        said = (self.state.name, self._named(), str(self.state.key or ""))
        return " ".join(dict.fromkeys([one for one in said if one]))

    def _named(self) -> str:
        return self.operation or str(getattr(self.fn, "__name__", ""))

    def _tell(
        self, phase: str, since: float, error: QiError | None, fields: dict[str, object]
    ) -> None:
        state = self.state
        if state.key is not None:
            fields["key"] = str(state.key)
        duration = state.now() - since
        emit(CallEvent(state.name, self._named(), phase, duration, error, fields))


def finish(course: Coroutine[Any, Any, T], /) -> T:
    """Drive a coroutine that awaits nothing that waits to its end."""
    try:
        course.send(None)
    except StopIteration as end:
        value: T = end.value
        return value
    course.close()
    raise RuntimeError("a synchronous call was about to wait")


def error_of(result: object) -> QiError | None:
    """Give the error of a Failure and None for a Success; anything else is a bug."""
    if isinstance(result, Failure):
        return result.error
    if isinstance(result, Success):
        return None
    close = getattr(result, "close", None)
    if hasattr(result, "cr_frame") and close is not None:
        close()  # or it would be reported as never awaited
        raise TypeError("the function is async: use `await runner.run(...)`, not `call`")
    raise TypeError(
        f"a function with a policy returns a Result, got {type(result).__name__}: "
        "return success(value), or decorate it with @do below the policy"
    )
