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
from ..error import QiError
from ..events import CallEvent, emit, is_listening
from ..result import failure, success
from .circuit import CLOSED, HALF_OPEN, OPEN, CircuitBreakerConfig, CircuitBreakerState
from .clock import SYSTEM_CLOCK

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final, TypeAlias, final

    from ..result import Result
    from .clock import Clock

    _Change: TypeAlias = tuple[CircuitBreakerState, CircuitBreakerState]  # it was, it is
else:
    from ..lean import final

__all__ = ["CircuitBreaker"]

_BUCKETS: Final = 10


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
        "closed_permit", "config", "key", "name", "_bucket", "_calls", "_failures", "_granted",
        "_last", "_leases", "_lock", "_now", "_slow", "_slow_from", "_state", "_successes",
        "_until", "_width",
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
        self._state = CLOSED
        self._until = 0.0
        self._last = 0  # the last permit's number
        self._leases: dict[int, float] = {}  # of the half-open circuit: permit, when it runs out
        self._close()

    @property
    def state(self) -> CircuitBreakerState:
        """What the next call meets: OPEN has become HALF_OPEN once its time is over."""
        if self._state is OPEN and self._now() >= self._until:
            return HALF_OPEN
        return self._state

    def acquire(self) -> Result[int]:
        """Ask to call.

        Returns:
            A permit, to be handed to `record` or `release`.

        Errors:
            CIRCUIT_OPEN: the call must not be made; `retry_after` says when the circuit will be
                half open.
        """
        return self._granted or self._probe()  # closed: one permit, made once, serves all

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
                if number != self._bucket:
                    self._turn(number)
                place = number % _BUCKETS
                self._calls[place] += 1
                if is_bad:
                    self._failures[place] += error is not None
                    self._slow[place] += duration >= self._slow_from
                    if self._is_too_bad():
                        change = self._open(now)
            elif self._leases.pop(permit, now) > now:
                self._successes += 1
                if is_bad:
                    change = self._open(now)
                elif self._successes >= config.success_threshold:
                    change = self._close()
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
            if self._granted is not None:  # another thread closed it meanwhile
                return self._granted
            if self._state is OPEN and now >= self._until:
                change, self._state = (OPEN, HALF_OPEN), HALF_OPEN
            if self._state is OPEN:
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
        error = QiError.unavailable(
            CIRCUIT_OPEN,
            f"calls to {self.name or 'the service'} are refused: too many failed or were slow",
            retry_after=retry_after,
            hint="find out why it fails; calls pass again by themselves once it answers",
            source=self.name or None,
            state=str(self._state),
        )
        return error if self.key is None else error.with_context(key=str(self.key))

    def _close(self) -> _Change:
        was, self._state = self._state, CLOSED
        self._last += 1
        self.closed_permit = self._last
        self._granted: Result[int] | None = success(self.closed_permit)
        self._calls = [0] * _BUCKETS
        self._failures = [0] * _BUCKETS
        self._slow = [0] * _BUCKETS
        self._bucket = int(self._now() / self._width)
        self._leases.clear()
        return was, CLOSED

    def _open(self, now: float) -> _Change:
        was, self._state = self._state, OPEN
        self._until = now + self.config.timeout_seconds
        self.closed_permit = 0
        self._granted = None
        self._successes = 0
        self._leases.clear()
        return was, OPEN

    def _turn(self, number: int) -> None:
        """Empty the buckets between the newest and this one."""
        for passed in range(
            self._bucket + 1, self._bucket + 1 + min(_BUCKETS, number - self._bucket)
        ):
            place = passed % _BUCKETS
            self._calls[place] = self._failures[place] = self._slow[place] = 0
        self._bucket = number

    def _is_too_bad(self) -> bool:
        config = self.config
        calls, failures = sum(self._calls), sum(self._failures)
        if config.failure_threshold is not None and failures >= config.failure_threshold:
            return True
        if calls < config.minimum_calls:
            return False
        if config.failure_rate is not None and failures >= config.failure_rate * calls:
            return True
        slow = sum(self._slow)
        return slow > 0 and slow >= config.slow_call_rate * calls

    def _tell(self, change: _Change | None) -> None:
        if change is not None and change[0] is not change[1] and is_listening():
            fields = {"was": str(change[0]), "state": str(change[1])}
            if self.key is not None:
                fields["key"] = str(self.key)
            emit(CallEvent(self.name, "", "breaker", fields=fields))

    def __repr__(self) -> str:
        return f"<CircuitBreaker {self.name or 'unnamed'} {self.state}>"
