"""How much at once, and how often: a bulkhead and a rate, for tasks and for threads.

Both make callers wait, in the order in which they came, no longer than a bound and never past the
deadline; who would wait longer gets a Failure instead. Neither knows what it guards.
"""

from __future__ import annotations

from _thread import TIMEOUT_MAX, allocate_lock  # what threading has, without the cost of threading

from ..codes import BULKHEAD_FULL, RATE_EXCEEDED
from ..error import QiError
from ..result import failure, success
from .clock import SYSTEM_CLOCK
from .deadline import Deadline
from .value import Value, require

TYPE_CHECKING = False
if TYPE_CHECKING:
    from asyncio import Future
    from collections.abc import Callable
    from typing import Final, final

    from ..result import Result
    from .clock import Clock
else:
    from ..lean import final

__all__ = ["Bulkhead", "Rate", "RateLimiter", "TokenBucket"]

_MAX_WAIT: Final = 10.0
_PASSED: Final = success()


@final
class Rate(Value):
    """How often something may be done.

    Args:
        per_second: how often, over any longer time.
        burst: how often at once after a pause; 0.0 is what a second brings, at least once.
        max_wait: seconds that a caller waits for its turn at most; the deadline may make it less.
    """

    per_second: float
    burst: float = 0.0
    max_wait: float = _MAX_WAIT

    def _check(self) -> None:
        require(self.per_second > 0.0, "per_second is a positive number", self.per_second)
        self._keep(burst=self.burst or max(1.0, self.per_second))
        require(self.burst >= 1.0, "burst is at least 1", self.burst)
        require(self.max_wait >= 0.0, "max_wait is not negative", self.max_wait)


@final
class RateLimiter:
    """A rate being kept. Share one between clients that share a quota; tasks and threads may mix.

    >>> limiter = RateLimiter(Rate(1, burst=2, max_wait=0.0))
    >>> [limiter.acquire_sync().is_success() for _ in range(3)]
    [True, True, False]
    """

    __slots__ = ("name", "rate", "_clock", "_tokens")

    def __init__(self, rate: Rate, *, name: str = "", clock: Clock = SYSTEM_CLOCK) -> None:
        self.name = name
        self.rate = rate
        self._clock = clock
        self._tokens = TokenBucket(rate.burst, rate.per_second, clock)

    async def acquire(self) -> Result[float]:
        """Wait for a turn in a task.

        Returns:
            The seconds that it waited.

        Errors:
            RATE_EXCEEDED: the turn would come later than `max_wait` or the deadline; `retry_after`
                says when.
        """
        turn = self._turn()
        if turn and turn.value > 0.0:
            try:
                await self._clock.sleep(turn.value)
            except BaseException:  # cancelled: the turn goes to others
                self._tokens.give(1.0)
                raise
        return turn

    def acquire_sync(self) -> Result[float]:
        """Wait for a turn in a thread, as `acquire` does in a task."""
        turn = self._turn()
        if turn and turn.value > 0.0:
            self._clock.sleep_sync(turn.value)
        return turn

    def _turn(self) -> Result[float]:
        limit = _limit(self.rate.max_wait)
        wait = self._tokens.take(1.0, limit)
        if wait <= limit:
            return success(wait)
        error = QiError.rate_limited(
            RATE_EXCEEDED,
            f"more calls{_to(self.name)} than {self.rate.per_second:g} per second",
            retry_after=wait,
            hint="call less often, or allow a higher rate, a larger burst or a longer max_wait",
            source=self.name or None,
            waited_at_most=limit,
        )
        return failure(error)

    def __repr__(self) -> str:
        return f"<RateLimiter{_to(self.name)} {self.rate!r}>"


@final
class Bulkhead:
    """So many at once and no more. Tasks of any loop and threads may share one.

    Args:
        size: how many may be inside at once.
        max_wait: seconds that a caller waits for a place at most; the deadline may make it less.
        name: what it guards, for its errors.
        clock: the time by which tasks wait; threads wait by the machine's.

    Whoever acquired releases, in a `finally`; the place goes to the one who waits longest.
    """

    __slots__ = ("max_wait", "name", "size", "_clock", "_free", "_lock", "_waiting")

    def __init__(
        self,
        size: int,
        *,
        max_wait: float = _MAX_WAIT,
        name: str = "",
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        require(size >= 1, "size is how many may be inside, at least 1", size)
        require(max_wait >= 0.0, "max_wait is a number of seconds, not negative", max_wait)
        self.name = name
        self.size = size
        self.max_wait = max_wait
        self._clock = clock
        self._free = size
        self._lock = allocate_lock()
        # How each waiter is told that a place is its own. A dict: some leave from the middle.
        self._waiting: dict[Callable[[], object], None] = {}

    @property
    def free(self) -> int:
        """How many places are free."""
        return self._free

    @property
    def waiting(self) -> int:
        """How many callers wait."""
        return len(self._waiting)

    async def acquire(self) -> Result[None]:
        """Wait for a place in a task.

        Errors:
            BULKHEAD_FULL: no place came free within `max_wait` or before the deadline.
        """
        if self._enter():
            return _PASSED
        limit = _limit(self.max_wait)
        if limit <= 0.0:
            return self._full(limit)
        from asyncio import get_running_loop  # late: synchronous programs never load asyncio

        loop = get_running_loop()
        future = loop.create_future()
        is_told = False

        def wake() -> None:
            nonlocal is_told
            loop.call_soon_threadsafe(_settle, future)
            is_told = True

        if self._enter(wake):
            return _PASSED
        timer = self._clock.timeout(limit)
        try:
            async with timer:
                await future
        except TimeoutError:  # the timer's own: nothing else in the block raises
            return self._full(limit) if self._leave(wake) else _PASSED
        except BaseException:  # cancelled; a place that came in the same moment goes on to the next
            is_handed_over = not self._leave(wake)
            if is_handed_over and (is_told or not loop.is_closed()):  # else it went on already
                self.release()
            raise
        return _PASSED

    def acquire_sync(self) -> Result[None]:
        """Wait for a place in a thread, as `acquire` does in a task."""
        if self._enter():
            return _PASSED
        limit = _limit(self.max_wait)
        if limit <= 0.0:
            return self._full(limit)
        gate = allocate_lock()
        gate.acquire()
        wake = gate.release
        if self._enter(wake):
            return _PASSED
        try:
            came = gate.acquire(timeout=min(limit, TIMEOUT_MAX))
        except BaseException:  # interrupted, as above
            if not self._leave(wake):
                self.release()
            raise
        return self._full(limit) if not came and self._leave(wake) else _PASSED

    def release(self) -> None:
        """Give the place back, to the one who waits longest if any does."""
        while True:
            with self._lock:
                wake = next(iter(self._waiting), None)
                if wake is None:
                    if self._free == self.size:
                        raise RuntimeError(f"{self!r} was released more often than acquired")
                    self._free += 1
                    return
                del self._waiting[wake]
            try:
                wake()
            except RuntimeError:  # its event loop was closed: nobody is there
                continue
            return

    def _enter(self, wake: Callable[[], object] | None = None) -> bool:
        """Take a free place, or have `wake` called with the next one."""
        with self._lock:
            if self._free:
                self._free -= 1
                return True
            if wake is not None:
                self._waiting[wake] = None
            return False

    def _leave(self, wake: Callable[[], object]) -> bool:
        """Wait no longer; False says that the place was handed over already."""
        with self._lock:
            return self._waiting.pop(wake, self) is None

    def _full(self, limit: float) -> Result[None]:
        error = QiError.exhausted(
            BULKHEAD_FULL,
            f"all {self.size} places for calls{_to(self.name)} stayed taken",
            hint="call less at once, or allow a larger bulkhead or a longer wait",
            source=self.name or None,
            waited=limit,
            waiting=len(self._waiting),
        )
        return failure(error)

    def __repr__(self) -> str:
        return f"<Bulkhead{_to(self.name)} of {self.size}, {self._free} free>"


@final
class TokenBucket:
    """Tokens that flow in at a steady pace up to a capacity; full at first. Threads may share it.

    Args:
        capacity: tokens that it holds.
        per_second: tokens that flow in; 0.0 for none.
        clock: the time by which they do.
    """

    __slots__ = ("capacity", "per_second", "_at", "_lock", "_now", "_tokens")

    def __init__(self, capacity: float, per_second: float, clock: Clock) -> None:
        self.capacity = capacity
        self.per_second = per_second
        self._now = clock.monotonic
        self._at = self._now()
        self._lock = allocate_lock()
        self._tokens = capacity

    def take(self, cost: float, limit: float = 0.0) -> float:
        """Take tokens, unless the wait for them exceeds `limit`; give the seconds to wait.

        What is taken ahead of time is owed: who comes later waits longer, so the order is that of
        asking.
        """
        with self._lock:
            now = self._now()
            self._tokens = min(self.capacity, self._tokens + (now - self._at) * self.per_second)
            self._at = now
            missing = cost - self._tokens
            if missing <= 0.0:
                wait = 0.0
            elif self.per_second > 0.0:
                wait = missing / self.per_second
            else:
                wait = float("inf")
            if wait <= limit:
                self._tokens -= cost
            return wait

    def give(self, tokens: float) -> None:
        """Put tokens back, up to the capacity."""
        if self._tokens < self.capacity:  # asked at every success: without the lock when it is full
            with self._lock:
                self._tokens = min(self.capacity, self._tokens + tokens)


def _limit(max_wait: float) -> float:
    limit = Deadline.within(max_wait)
    assert limit is not None  # noqa: S101  # max_wait is a number
    return limit


def _settle(future: Future[None]) -> None:
    if not future.done():
        future.set_result(None)


def _to(name: str) -> str:
    return f" to {name}" if name else ""
