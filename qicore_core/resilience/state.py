"""What an attached policy has: breaker, budget, bulkhead and rate, for each key its own."""

from __future__ import annotations

from _thread import allocate_lock  # what threading.Lock is, without the cost of threading

from ..events import is_listening
from ..result import Success
from .breaker import CircuitBreaker
from .deadline import current
from .limits import Bulkhead, RateLimiter
from .tokens import TokenBucket

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Hashable
    from typing import Any, TypeAlias, TypeVar, final

    from .clock import Clock
    from .policy import Policy
    from .retry import RetryBudget

    S = TypeVar("S")
    _Place: TypeAlias = tuple[Hashable, Policy | None]  # the key, and the policy of a single call
else:
    from ..lean import final

__all__ = ["State", "States"]


@final
class State:
    """The state of one policy for one key, and the policy's fields where a call finds them at once.

    Args:
        owner: where name, clock and random source come from.
        key: which host, which server; or None.
        policy: what to have state for.
        like: whose state to share where the parts of the policies are equal.
    """

    __slots__ = (
        "attempt_timeout", "breaker", "budget", "bulkhead", "clock", "cost", "gain", "is_limited",
        "is_plain", "key", "limiter", "name", "now", "policy", "random", "retry", "timeout",
        "was_used",
    )  # fmt: skip

    def __init__(
        self, owner: States, key: Hashable, policy: Policy, like: State | None = None
    ) -> None:
        clock, name = owner.clock, owner.name
        theirs = like and like.policy
        budget = policy.retry and policy.retry.budget

        def fill(budget: RetryBudget) -> TokenBucket:
            return TokenBucket(budget.capacity, budget.per_second, clock)

        def limit(size: int) -> Bulkhead:
            return Bulkhead(size, name=name, clock=clock)

        self.name = name
        self.key = key
        self.policy: Policy = policy
        self.clock = clock
        self.now = clock.monotonic
        self.random = owner.random
        self.retry = policy.retry
        self.timeout = policy.timeout
        self.attempt_timeout = policy.attempt_timeout
        self.cost = budget.cost if budget else 0.0
        self.gain = budget.per_success if budget else 0.0
        self.budget: TokenBucket | None = _part(
            TokenBucket,
            budget,
            theirs and theirs.retry and theirs.retry.budget,
            like and like.budget,
            fill,
        )
        self.breaker: CircuitBreaker | None = _part(
            CircuitBreaker,
            policy.breaker,
            theirs and theirs.breaker,
            like and like.breaker,
            lambda config: CircuitBreaker(config, name=name, key=key, clock=clock),
        )
        self.bulkhead: Bulkhead | None = _part(
            Bulkhead, policy.bulkhead, theirs and theirs.bulkhead, like and like.bulkhead, limit
        )
        self.limiter: RateLimiter | None = _part(
            RateLimiter,
            policy.rate,
            theirs and theirs.rate,
            like and like.limiter,
            lambda rate: RateLimiter(rate, name=name, clock=clock),
        )
        self.is_limited = self.limiter is not None or self.bulkhead is not None
        self.is_plain = not self.is_limited and policy.timeout is policy.attempt_timeout is None
        self.was_used = False

    def shortcut(self) -> int:
        """Give the permit of the closed circuit if a first attempt needs to look at nothing else.

        There is then no deadline to keep, no place to give back and nobody to tell.
        """
        if self.is_plain and current.get() is None and not is_listening():
            return self.breaker.closed_permit if self.breaker is not None else 0
        return 0

    def settle(self, result: object, permit: int, began: float) -> bool:
        """Take note of a first attempt made by the shortcut; False if there is more to do."""
        if result.__class__ is not Success:
            return False
        assert self.breaker is not None  # noqa: S101  # the permit is its own
        self.breaker.record(permit, None, self.now() - began)
        if self.budget is not None:
            self.budget.give(self.gain)
        return True


def _part(
    kind: type[S], said: object, theirs: object, shared: S | None, make: Callable[[Any], S]
) -> S | None:
    """Give a part's state: the instance that was said, one shared with an equal, or a new one."""
    if said is None or isinstance(said, kind):
        return said
    return shared if shared is not None and said == theirs else make(said)


@final
class States:
    """All the state of an attached policy, bounded: what was not used for long is forgotten first.

    A policy that one call brings has state of its own where its parts differ, kept like a key's.
    """

    __slots__ = ("clock", "name", "policy", "random", "root", "_known", "_lock", "_max_keys")

    def __init__(
        self,
        policy: Policy,
        name: str,
        clock: Clock,
        random: Callable[[], float],
        max_keys: int,
    ) -> None:
        self.name = name
        self.policy = policy
        self.clock = clock
        self.random = random
        self.root = State(self, None, policy)
        self._known: dict[_Place, State] = {}
        self._lock = allocate_lock()
        self._max_keys = max_keys

    def find(self, key: Hashable, policy: Policy | None) -> State:
        """Give the state for a key and the policy of a single call, made when first asked for."""
        if key is None and policy is None:
            return self.root
        place = (key, policy)
        state = self._known.get(place)
        if state is None:
            state = self._make(place)
        state.was_used = True
        return state

    def _make(self, place: _Place) -> State:
        key, policy = place
        if policy is None:
            made = State(self, key, self.policy)
        else:
            made = State(self, key, policy, like=self.find(key, None))
        with self._lock:
            self._make_room()
            return self._known.setdefault(place, made)  # another thread may have been faster

    def _make_room(self) -> None:
        """Forget the oldest that was not used since it was last looked at: one round at most."""
        while len(self._known) >= self._max_keys:
            place = next(iter(self._known))
            state = self._known.pop(place)
            if state.was_used:
                state.was_used = False
                self._known[place] = state
