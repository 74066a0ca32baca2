"""When to stop calling a service that fails, and how to find out that it is back.

CLOSED: calls pass, and a sliding window of ten buckets of time counts how they end. When too many
fail or are slow it is OPEN: calls are refused at once, until `timeout_seconds` have gone by. Then
it is HALF_OPEN: a few calls pass as probes. Enough good ones close it, a bad one opens it again.

A probe holds a permit that is a lease: it is given back when the call ends, however it ends, and it
runs out by itself should the call never end, so that no lost call can keep a circuit half open. A
call is counted only by the permit with which it began: what began before the circuit opened says
nothing about what came after.

A pure state machine: it calls nothing, and asks the clock it was given.

Source: M. Nygard, "Release It!"; the slow calls and half-open permits of resilience4j.
"""

from __future__ import annotations

from _thread import allocate_lock  # what threading.Lock is, without the cost of threading

from ..codes import CIRCUIT_OPEN
from ..error import ErrorCategory, QiError
from ..events import CallEvent, emit, is_listening
from ..result import failure, success
from .clock import SYSTEM_CLOCK
from .value import Value, require

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection
    from typing import ClassVar, Final, TypeAlias, final

    from ..result import Result
    from .clock import Clock

    _Change: TypeAlias = "tuple[CircuitBreakerState, CircuitBreakerState]"  # it was, it is
else:
    from ..lean import final

__all__ = ["CircuitBreaker", "CircuitBreakerConfig", "CircuitBreakerState"]

_BUCKETS: Final = 10
_TROUBLES: Final = "TIMEOUT NETWORK UNAVAILABLE EXHAUSTED BAD_DATA INTERNAL UNKNOWN"
_COUNTED: Final = frozenset(map(ErrorCategory, _TROUBLES.split()))


@final
class CircuitBreakerState(str):
    """CLOSED lets calls pass, OPEN refuses them, HALF_OPEN lets a few pass as probes."""

    __slots__ = ()

    CLOSED: ClassVar[CircuitBreakerState]
    OPEN: ClassVar[CircuitBreakerState]
    HALF_OPEN: ClassVar[CircuitBreakerState]

    def __repr__(self) -> str:
        return f"CircuitBreakerState.{self!s}"


_CLOSED = CircuitBreakerState.CLOSED = CircuitBreakerState("CLOSED")
_OPEN = CircuitBreakerState.OPEN = CircuitBreakerState("OPEN")
_HALF_OPEN = CircuitBreakerState.HALF_OPEN = CircuitBreakerState("HALF_OPEN")


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

    failure_threshold: int | None = None
    failure_rate: float | None = None
    minimum_calls: int = 10
    slow_call_seconds: float | None = None
    slow_call_rate: float = 0.5
    window_seconds: float = 30.0
    timeout_seconds: float = 30.0
    half_open_permits: int = 1
    success_threshold: int = 2
    lease_seconds: float = 30.0
    counted: Collection[ErrorCategory] = _COUNTED

    def _check(self) -> None:
        for name, value in self._fields().items():
            if name.endswith("_rate"):
                require(
                    value is None or 0.0 < value <= 1.0, f"{name} is more than 0, up to 1", value
                )
            elif name.endswith("_seconds"):
                require(value is None or value > 0.0, f"{name} is a positive number", value)
            elif name != "counted":
                require(value is None or value >= 1, f"{name} is at least 1", value)
        if self.failure_threshold is self.failure_rate is None:
            self._keep(failure_rate=0.5)
        self._keep(counted=frozenset(self.counted))


@final
class CircuitBreaker:
    """A circuit that opens when what it guards fails; several policies and threads may share one.

    Args:
        config: when it opens and closes.
        name: what it guards, for its errors and as the source of its events.
        key: which of several of that name: a host.
        clock: the time that it goes by.

    Attributes:
        closed_permit: the permit that serves all calls while the circuit is closed, else 0.

    A Policy uses it for you. By hand: `acquire`, then `record` with what came of it, or `release`
    if nothing did.

    >>> breaker = CircuitBreaker(CircuitBreakerConfig(failure_threshold=1))
    >>> permit = breaker.acquire().unwrap()
    >>> breaker.record(permit, QiError.network("NETWORK_ERROR", "no route to the host"))
    >>> breaker.state, breaker.acquire().unwrap_error().code
    (CircuitBreakerState.OPEN, 'CIRCUIT_OPEN')
    """

    __slots__ = (
        "closed_permit", "config", "key", "name", "_last", "_leases", "_lock", "_now", "_slow_from",
        "_state", "_successes", "_until", "_width", "_window",
    )  # fmt: skip

    def __init__(
        self,
        config: CircuitBreakerConfig | None = None,
        *,
        name: str = "",
        key: object = None,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self.config = config or CircuitBreakerConfig()
        self.name = name
        self.key = key
        self._now = clock.monotonic
        self._lock = allocate_lock()
        self._width = self.config.window_seconds / _BUCKETS
        self._slow_from = self.config.slow_call_seconds or float("inf")
        self._state = _CLOSED
        self._until = 0.0
        self._last = 0  # the last permit's number
        self._leases: dict[int, float] = {}  # of the half-open circuit: permit, when it runs out
        self._close()

    @property
    def state(self) -> CircuitBreakerState:
        """What the next call meets: OPEN has become HALF_OPEN once its time is over."""
        if self._state is _OPEN and self._now() >= self._until:
            return _HALF_OPEN
        return self._state

    def acquire(self) -> Result[int]:
        """Ask to call.

        Returns:
            A permit, to be handed to `record` or `release`.

        Errors:
            CIRCUIT_OPEN: the call must not be made; `retry_after` says when the circuit will be
                half open.
        """
        permit = self.closed_permit  # one serves all
        return success(permit) if permit else self._probe()

    def record(self, permit: int, error: QiError | None = None, duration: float = 0.0) -> None:
        """Take note of how a call ended, and in how many seconds.

        A permit that no longer holds counts for nothing.
        """
        config = self.config
        if error is not None and error.category not in config.counted:
            self.release(permit)
            return
        is_bad = error is not None or duration >= self._slow_from
        change = None
        with self._lock:
            now = self._now()
            if permit == self.closed_permit:
                number = int(now / self._width)
                bucket = self._window[number % _BUCKETS]
                if bucket[0] != number:  # what it holds is older than the window
                    bucket[:] = number, 0, 0, 0
                bucket[1] += 1
                if is_bad:
                    bucket[2] += error is not None
                    bucket[3] += duration >= self._slow_from
                    if self._is_too_bad(number):
                        change = self._open(now)
            elif self._leases.pop(permit, now) > now:
                self._successes += 1
                if is_bad:
                    change = self._open(now)
                elif self._successes >= config.success_threshold:
                    change = self._close()
        if change is not None:
            self._tell(change)

    def release(self, permit: int) -> None:
        """Give a permit back without a word on the service: the call was cancelled, or at fault."""
        if permit != self.closed_permit:
            with self._lock:
                self._leases.pop(permit, None)

    def reset(self) -> None:
        """Close the circuit and forget what was counted, as an operator may who knows better."""
        with self._lock:
            change = self._close()
        self._tell(change)

    def _probe(self) -> Result[int]:
        """Grant a lease if the circuit is half open and one is free."""
        permit, change, refused = 0, None, None
        with self._lock:
            now = self._now()
            if self.closed_permit:  # another thread closed it meanwhile
                return success(self.closed_permit)
            if self._state is _OPEN and now >= self._until:
                change, self._state = (_OPEN, _HALF_OPEN), _HALF_OPEN
            if self._state is _OPEN:
                refused = self._refusal(self._until - now)
            else:
                for lease in [lease for lease, until in self._leases.items() if until <= now]:
                    del self._leases[lease]
                if len(self._leases) >= self.config.half_open_permits:
                    refused = self._refusal(None)
                else:
                    self._last += 1
                    permit = self._last
                    self._leases[permit] = now + self.config.lease_seconds
        self._tell(change)
        return failure(refused) if refused is not None else success(permit)

    def _refusal(self, retry_after: float | None) -> QiError:
        about = (self.name or "the service") + ("" if self.key is None else f" ({self.key})")
        error = QiError.unavailable(
            CIRCUIT_OPEN,
            f"calls to {about} are refused: too many failed or were slow",
            retry_after=retry_after,
            hint="find out why it fails; calls pass again by themselves once it answers",
            source=self.name or None,
            state=str(self._state),
        )
        return error if self.key is None else error.with_context(key=str(self.key))

    def _close(self) -> _Change:
        was, self._state = self._state, _CLOSED
        self._last += 1
        self.closed_permit = self._last
        # For each bucket the number of its stretch of time, then calls, failures and slow calls.
        self._window = [[0, 0, 0, 0] for _ in range(_BUCKETS)]
        self._leases.clear()
        return was, _CLOSED

    def _open(self, now: float) -> _Change:
        was, self._state = self._state, _OPEN
        self._until = now + self.config.timeout_seconds
        self.closed_permit = 0
        self._successes = 0
        self._leases.clear()
        return was, _OPEN

    def _is_too_bad(self, newest: int) -> bool:
        config = self.config
        recent = [counts for number, *counts in self._window if number > newest - _BUCKETS]
        calls, failures, slow = map(sum, zip(*recent, strict=True))
        if config.failure_threshold is not None and failures >= config.failure_threshold:
            return True
        if calls < config.minimum_calls:
            return False
        if config.failure_rate is not None and failures >= config.failure_rate * calls:
            return True
        return slow > 0 and slow >= config.slow_call_rate * calls

    def _tell(self, change: _Change | None) -> None:
        if change is not None and change[0] is not change[1] and is_listening():
            fields = {"was": str(change[0]), "state": str(change[1])}
            if self.key is not None:
                fields["key"] = str(self.key)
            emit(CallEvent(self.name, "", "breaker", fields=fields))

    def __repr__(self) -> str:
        return f"<CircuitBreaker {self.name or 'unnamed'} {self.state}>"
