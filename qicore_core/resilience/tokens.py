"""A bucket of tokens: what the retry budget is paid from and what a rate hands out."""

from __future__ import annotations

from _thread import allocate_lock  # what threading.Lock is, without the cost of threading

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import final

    from .clock import Clock
else:
    from ..lean import final

__all__ = ["TokenBucket"]


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
