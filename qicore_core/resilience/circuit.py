"""What a circuit breaker goes by: its states and its settings."""

from __future__ import annotations

from ..error import ErrorCategory
from .value import Value, require

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import ClassVar, Final, final
else:
    from ..lean import final

__all__ = ["CLOSED", "CircuitBreakerConfig", "CircuitBreakerState", "HALF_OPEN", "OPEN"]

_COUNTED: Final = frozenset(
    (
        ErrorCategory.TIMEOUT,
        ErrorCategory.NETWORK,
        ErrorCategory.UNAVAILABLE,
        ErrorCategory.EXHAUSTED,
        ErrorCategory.BAD_DATA,
        ErrorCategory.INTERNAL,
        ErrorCategory.UNKNOWN,
    )
)


@final
class CircuitBreakerState(str):
    """CLOSED lets calls pass, OPEN refuses them, HALF_OPEN lets a few pass as probes."""

    __slots__ = ()

    CLOSED: ClassVar[CircuitBreakerState]
    OPEN: ClassVar[CircuitBreakerState]
    HALF_OPEN: ClassVar[CircuitBreakerState]

    def __repr__(self) -> str:
        return f"CircuitBreakerState.{self!s}"


CLOSED = CircuitBreakerState.CLOSED = CircuitBreakerState("CLOSED")
OPEN = CircuitBreakerState.OPEN = CircuitBreakerState("OPEN")
HALF_OPEN = CircuitBreakerState.HALF_OPEN = CircuitBreakerState("HALF_OPEN")


@final
class CircuitBreakerConfig(Value):
    """When a circuit opens, and when it closes again.

    It opens by whatever is named; if nothing is, when half of at least ten calls fail.

    Args:
        failure_threshold: opens at so many failures in the window; None for no such bound.
        failure_rate: opens at such a share of failures, from 0 to 1, among `minimum_calls`; None
            for no such bound. 0.5 if neither this nor `failure_threshold` is given.
        minimum_calls: how many calls the window must hold before a share says anything.
        slow_call_seconds: from when on a call is slow; None if none is.
        slow_call_rate: opens at such a share of slow calls among `minimum_calls`.
        window_seconds: how far back calls are counted, in steps of a tenth.
        timeout_seconds: how long it stays open before it probes.
        half_open_permits: probes at once, at most.
        success_threshold: good probes that close it.
        lease_seconds: after so long a probe that did not end no longer holds its permit.
        counted: the categories that count as failures. An error of any other (the caller's fault, a
            contention, a rate limit that a healthy service names) counts neither as a failure nor
            as a success.
    """

    __slots__ = (
        "failure_threshold", "failure_rate", "minimum_calls", "slow_call_seconds",
        "slow_call_rate", "window_seconds", "timeout_seconds", "half_open_permits",
        "success_threshold", "lease_seconds", "counted",
    )  # fmt: skip

    failure_threshold: int | None
    failure_rate: float | None
    minimum_calls: int
    slow_call_seconds: float | None
    slow_call_rate: float
    window_seconds: float
    timeout_seconds: float
    half_open_permits: int
    success_threshold: int
    lease_seconds: float
    counted: frozenset[ErrorCategory]

    def __init__(
        self,
        *,
        failure_threshold: int | None = None,
        failure_rate: float | None = None,
        minimum_calls: int = 10,
        slow_call_seconds: float | None = None,
        slow_call_rate: float = 0.5,
        window_seconds: float = 30.0,
        timeout_seconds: float = 30.0,
        half_open_permits: int = 1,
        success_threshold: int = 2,
        lease_seconds: float = 30.0,
        counted: Iterable[ErrorCategory] = _COUNTED,
    ) -> None:
        if failure_threshold is None and failure_rate is None:
            failure_rate = 0.5
        for name, share in (("failure_rate", failure_rate), ("slow_call_rate", slow_call_rate)):
            require(share is None or 0.0 < share <= 1.0, f"{name} is more than 0, up to 1", share)
        for name, number in (
            ("failure_threshold", failure_threshold),
            ("minimum_calls", minimum_calls),
            ("half_open_permits", half_open_permits),
            ("success_threshold", success_threshold),
        ):
            require(number is None or number >= 1, f"{name} is at least 1", number)
        for name, seconds in (
            ("slow_call_seconds", slow_call_seconds),
            ("window_seconds", window_seconds),
            ("timeout_seconds", timeout_seconds),
            ("lease_seconds", lease_seconds),
        ):
            require(seconds is None or seconds > 0.0, f"{name} is a positive number", seconds)
        self._keep(
            failure_threshold, failure_rate, minimum_calls, slow_call_seconds, slow_call_rate,
            window_seconds, timeout_seconds, half_open_permits, success_threshold, lease_seconds,
            frozenset(counted),
        )  # fmt: skip
