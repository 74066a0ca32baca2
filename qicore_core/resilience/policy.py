"""How calls are made: one frozen value for retry, breaker, timeouts, bulkhead and rate.

A policy is a description and has no state. Attached to a client or a function it becomes a
`Runner`, which has: its breaker, its budget, its rate. An instance in place of a description (a
`CircuitBreaker`, a `Bulkhead`, a `RateLimiter`) is shared by all that the policy is attached to.
"""

from __future__ import annotations

from .breaker import CircuitBreaker, CircuitBreakerConfig
from .clock import SYSTEM_CLOCK, system_random
from .limits import Bulkhead, Rate, RateLimiter
from .retry import RetryPolicy
from .runner import Runner
from .value import Value, require

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from typing import Any, Final, ParamSpec, TypeVar, final, overload

    from ..result import Result
    from .clock import Clock

    P = ParamSpec("P")
    T = TypeVar("T")
else:
    from ..lean import final, overload

__all__ = ["Policy"]

_SECONDS: Final = (float, int)
_KINDS: Final[tuple[tuple[type[Any], ...], ...]] = (  # of its parts, in their order
    (RetryPolicy, int), (CircuitBreakerConfig, CircuitBreaker), _SECONDS, _SECONDS, (int, Bulkhead),
    (Rate, RateLimiter),
)  # fmt: skip


@final
class Policy(Value):
    """How calls are made. What is not named is off; `timeout=` and `policy=` of a call come first.

    Args:
        retry: when a failed call is tried again; a number is how many attempts in all.
        breaker: when calls are stopped; a config for a circuit of its own, a CircuitBreaker to
            share one.
        timeout: seconds for the whole call: all attempts and all waiting.
        attempt_timeout: seconds for one attempt.
        bulkhead: how many calls at once, or a Bulkhead to share.
        rate: how often, or a RateLimiter to share.

    They nest in this order: deadline > [retry: budget > rate > bulkhead > breaker > attempt timeout
    > attempt].

    As a decorator, on a `def` or `async def` that returns a Result, it is attached to that
    function:

    >>> from qicore_core.result import success
    >>> @Policy(retry=5, timeout=10.0)
    ... def load(name):
    ...     return success(name.upper())
    >>> load("ada")
    Success('ADA')
    """

    retry: RetryPolicy | None = None
    breaker: CircuitBreakerConfig | CircuitBreaker | None = None
    timeout: float | None = None
    attempt_timeout: float | None = None
    bulkhead: int | Bulkhead | None = None
    rate: Rate | RateLimiter | None = None

    def __init__(
        self,
        *,
        retry: RetryPolicy | int | None = None,
        breaker: CircuitBreakerConfig | CircuitBreaker | None = None,
        timeout: float | None = None,
        attempt_timeout: float | None = None,
        bulkhead: int | Bulkhead | None = None,
        rate: Rate | RateLimiter | None = None,
    ) -> None:
        given = (retry, breaker, timeout, attempt_timeout, bulkhead, rate)
        for name, part, kinds in zip(self.__slots__, given, _KINDS, strict=True):
            if part is not None and (not isinstance(part, kinds) or isinstance(part, bool)):
                said = " or ".join([kind.__name__ for kind in kinds])
                raise TypeError(f"{name} takes {said}, got {part!r}")
        for name, seconds in (("timeout", timeout), ("attempt_timeout", attempt_timeout)):
            require(seconds is None or seconds > 0.0, f"{name} is more than 0 seconds", seconds)
        if isinstance(bulkhead, int):
            require(bulkhead >= 1, "bulkhead is how many calls at once, at least 1", bulkhead)
        if isinstance(retry, int):
            retry = RetryPolicy(retry)
        super().__init__(retry, breaker, timeout, attempt_timeout, bulkhead, rate)

    def attach(
        self,
        name: str,
        /,
        *,
        clock: Clock = SYSTEM_CLOCK,
        random: Callable[[], float] = system_random,
        max_keys: int = 1000,
    ) -> Runner:
        """Give what runs calls by this policy and holds their state.

        Args:
            name: what is called: the source of its events and of its own errors.
            clock: the time it goes by.
            random: gives numbers from 0 up to, not including, 1; they spread the retries.
            max_keys: how many keys (and other policies of single calls) have state at a time. Past
                that, one that was not called since the last look is forgotten and begins afresh.
        """
        require(max_keys >= 1, "max_keys is at least 1", max_keys)
        return Runner(self, name, clock, random, max_keys)

    @overload  # an async def is a def too: the first match wins, as intended
    def __call__(
        self, fn: Callable[P, Coroutine[Any, Any, Result[T]]], /
    ) -> Callable[P, Coroutine[Any, Any, Result[T]]]: ...
    @overload
    def __call__(self, fn: Callable[P, Result[T]], /) -> Callable[P, Result[T]]: ...
    def __call__(self, fn: Any, /) -> Any:
        """Have every call of a function made by this policy; it has state of its own."""
        from functools import partial, wraps  # late: dear, and only needed to decorate
        from inspect import isasyncgenfunction, iscoroutinefunction, isgeneratorfunction

        name = getattr(fn, "__qualname__", repr(fn))
        if isgeneratorfunction(fn) or isasyncgenfunction(fn):
            raise TypeError(f"{name} yields; a policy is for what returns a Result")
        runner, operation = self.attach(name), getattr(fn, "__name__", "")

        @wraps(fn)
        async def run(*args: object, **kwargs: object) -> Any:
            return await runner.run(partial(fn, *args, **kwargs), operation=operation)

        @wraps(fn)
        def call(*args: object, **kwargs: object) -> Any:
            return runner.call(partial(fn, *args, **kwargs), operation=operation)

        return run if iscoroutinefunction(fn) else call
