"""Whether to try again, and when: a pure rule, and the budget that keeps retries from a storm.

Full jitter spreads callers that failed together over the whole of the wait. The budget is what is
left when a service is down for all: each retry costs ten, each success brings one, so that at
length one call in ten is a retry and not three for each.

Source: "Exponential Backoff And Jitter", AWS Architecture Blog; gRPC A6, "Throttling Retry
Attempts".
"""

from __future__ import annotations

from ..codes import BULKHEAD_FULL, CIRCUIT_OPEN, RATE_EXCEEDED
from .value import Value, require

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Final, final

    from ..error import QiError
else:
    from ..lean import final

__all__ = ["RetryBudget", "RetryPolicy"]


@final
class RetryBudget(Value):
    """How many retries may be spent: a bucket of tokens, full at first.

    Args:
        capacity: tokens that the bucket holds.
        cost: tokens that a retry takes; without them the call fails and is not tried again.
        per_success: tokens that a success brings back.
        per_second: tokens that time brings back, so that a quiet client recovers too.
    """

    capacity: float = 100.0
    cost: float = 10.0
    per_success: float = 1.0
    per_second: float = 1.0

    def _check(self) -> None:
        capacity, cost = self.capacity, self.cost
        require(capacity > 0.0, "capacity is a positive number of tokens", capacity)
        require(0.0 < cost <= capacity, f"cost is more than 0, up to the capacity {capacity}", cost)
        require(self.per_success >= 0.0, "per_success is not negative", self.per_success)
        require(self.per_second >= 0.0, "per_second is not negative", self.per_second)


@final
class RetryPolicy(Value):
    """When a failed operation is tried again.

    Args:
        max_attempts: attempts in all, the first among them; 1 never retries.
        base: seconds; the wait before the second attempt is random, from 0 up to this, and doubles
            from there.
        cap: seconds that no such wait exceeds; also the longest that `retry_after` is waited for
            without a deadline.
        budget: what retries are paid from; None for as many as there are.
    """

    max_attempts: int = 3
    base: float = 0.1
    cap: float = 5.0
    budget: RetryBudget | None = RetryBudget()

    def _check(self) -> None:
        base, cap = self.base, self.cap
        require(
            self.max_attempts >= 1,
            "max_attempts counts the first one: at least 1 (retry=None turns retries off)",
            self.max_attempts,
        )
        require(base >= 0.0, "base is a number of seconds, not negative", base)
        require(cap >= base, f"cap is a number of seconds, at least the base {base}", cap)

    def next_delay(
        self,
        error: QiError,
        attempt: int,
        remaining: float | None,
        random: Callable[[], float],
        /,
    ) -> float | None:
        """Say how long to wait before the next attempt.

        Args:
            error: what the last attempt failed with.
            attempt: how many attempts were made, the first is 1.
            remaining: seconds until the deadline, or None without one.
            random: gives numbers from 0 up to, not including, 1.

        Returns:
            Seconds, or None where another attempt is of no use: the error is not retryable, there
            were enough attempts, or the wait does not end before the deadline. A contention is
            tried again within `base`. What the other side asked for by `retry_after` is waited for
            in full if it fits the deadline (without one, and for a circuit of our own that is open,
            if it is no more than `cap`), else the answer is None.
        """
        if attempt >= self.max_attempts or not error.retryable or error.code in _WAITED:
            return None
        asked = error.retry_after
        if asked is not None and asked > 0.0:
            # An open circuit is there to fail fast: callers must not pile up to their deadlines.
            if asked > self.cap and (remaining is None or error.code == CIRCUIT_OPEN):
                return None
            delay = asked + random() * self.base
        elif error.category.retry == "at_once":
            delay = random() * self.base
        else:
            delay = random() * min(self.cap, self.base * 2.0 ** min(attempt - 1, _MAX_DOUBLINGS))
        return delay if remaining is None or delay < remaining else None


_WAITED: Final = (BULKHEAD_FULL, RATE_EXCEEDED)  # these waited already, as long as they may
_MAX_DOUBLINGS: Final = 64  # past any cap, and still a float
