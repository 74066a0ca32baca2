"""A policy at work: what a client holds to make its calls, with the state that belongs to it.

A client of many hosts has one runner, and through it breaker, budget, bulkhead and rate for each
host. This room must never learn what is called.
"""

from __future__ import annotations

from _thread import allocate_lock  # what threading.Lock is, without the cost of threading

from ..events import is_listening
from ..result import Success
from .breaker import CircuitBreaker, CircuitBreakerConfig
from .call import Call, error_of, finish
from .deadline import current
from .limits import Bulkhead, Rate, RateLimiter, TokenBucket
from .retry import RetryBudget

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Hashable, Mapping
    from typing import Any, Final, TypeVar, TypeVarTuple, Unpack, final

    from ..result import Result
    from .call import Repeatable
    from .clock import Clock
    from .policy import Policy

    T = TypeVar("T")
    Ts = TypeVarTuple("Ts")
else:
    from ..lean import final

__all__ = ["Runner", "State"]

_NOTHING: Final[Mapping[Any, Any]] = {}


@final
class Runner:
    """Makes calls by a policy. Made by `policy.attach(name)`; threads and tasks may share one.

    What it knows of keys is bounded: what was not used for long is forgotten first. A policy that
    one call brings has state of its own where its parts differ, kept like a key's.

    Example:
        ```python
        calls = Policy(retry=3, timeout=5.0).attach("cache")
        found = await calls.run(store.read, namespace, keys, operation="get", timeout=timeout)
        ```

    Attributes:
        name: what is called.
        policy: the policy that holds unless a call brings its own.
    """

    __slots__ = ("clock", "name", "policy", "random", "_known", "_lock", "_max_keys", "_root")

    def __init__(
        self,
        policy: Policy,
        name: str,
        clock: Clock,
        random: Callable[[], float],
        max_keys: int,
    ) -> None:
        self.policy = policy
        self.name = name
        self.clock = clock
        self.random = random
        self._known: dict[tuple[Hashable, Policy | None], State] = {}
        self._lock = allocate_lock()
        self._max_keys = max_keys
        self._root = State(self, None, policy)

    def breaker_of(self, key: Hashable = None, /) -> CircuitBreaker | None:
        """Give the circuit breaker of a key, to look at or reset; None if the policy has none."""
        return self.find(key, None).breaker

    async def run(
        self,
        fn: Callable[[Unpack[Ts]], Awaitable[Result[T]]],
        /,
        *args: *Ts,
        key: Hashable = None,
        operation: str | None = None,
        repeatable: Repeatable = True,
        timeout: float | None = None,
        policy: Policy | None = None,
    ) -> Result[T]:
        """Await `fn(*args)` by the policy.

        Args:
            fn: gives a Result; called once for each attempt. What it raises is a bug and passes.
            args: what it is called with.
            key: whose state to use: a host, a server.
            operation: what is done, for events and errors: "get"; by default the function's name.
            repeatable: whether it may be done again after it failed; or a function that tells from
                the error, for what may be repeated only if it never arrived.
            timeout: seconds for the whole call, in place of the policy's; `inf` for no limit.
            policy: the rules for this call, in place of those attached. Where its parts are equal
                to the attached ones the state is the same; else it has its own, found again when
                the same policy comes again.

        Returns:
            The Result of the last attempt; a Failure after a retry tells `attempts` and `elapsed`.

        Errors:
            DEADLINE_EXCEEDED: the timeout, or the deadline that holds here, has passed.
            TIMEOUT_ERROR: the last attempt took longer than `attempt_timeout`.
            CIRCUIT_OPEN: the breaker refused the call.
            RETRY_BUDGET_EXHAUSTED: it failed, and so many calls do that it was not tried again.
            BULKHEAD_FULL: no place came free in time.
            RATE_EXCEEDED: its turn would have come too late.
        """
        state = self.find(key, policy)
        permit = state.shortcut() if timeout is None else 0
        if not permit:
            return await Call(state, fn, args, operation, repeatable, False).run(timeout)
        began = state.now()
        result = await fn(*args)
        state.settle(result, permit, began)
        if result.__class__ is Success:  # nearly always: the above is all that such a call costs
            return result
        return await Call(state, fn, args, operation, repeatable, False, began).go_on(result)

    def call(
        self,
        fn: Callable[[Unpack[Ts]], Result[T]],
        /,
        *args: *Ts,
        key: Hashable = None,
        operation: str | None = None,
        repeatable: Repeatable = True,
        timeout: float | None = None,
        policy: Policy | None = None,
    ) -> Result[T]:
        """Call `fn(*args)` by the policy, in a thread, as `run` does in a task.

        Nothing can cut a thread short: a timeout bounds every wait and is looked at between
        attempts, and `Deadline.within()` tells the function itself how long it has.
        """
        state = self.find(key, policy)
        permit = state.shortcut() if timeout is None else 0
        if not permit:
            return finish(Call(state, fn, args, operation, repeatable, True).run(timeout))
        began = state.now()
        result = fn(*args)
        state.settle(result, permit, began)
        if result.__class__ is Success:
            return result
        return finish(Call(state, fn, args, operation, repeatable, True, began).go_on(result))

    def find(self, key: Hashable, policy: Policy | None) -> State:
        """Give the state for a key and the policy of a single call, made when first asked for."""
        if key is None and policy is None:
            return self._root
        state = self._known.get((key, policy))
        if state is None:
            state = self._make(key, policy)
        state.was_used = True
        return state

    def _make(self, key: Hashable, policy: Policy | None) -> State:
        if policy is None:
            made = State(self, key, self.policy)
        else:
            made = State(self, key, policy, self.find(key, None).parts)
        with self._lock:
            while len(self._known) >= self._max_keys:  # one round at most: it is used meanwhile
                place = next(iter(self._known))
                state = self._known.pop(place)
                if state.was_used:
                    state.was_used = False
                    self._known[place] = state
            return self._known.setdefault((key, policy), made)  # another thread may be faster

    def __repr__(self) -> str:
        return f"<Runner {self.name} {self.policy!r}>"


@final
class State:
    """The state of one policy for one key, and the policy's fields where a call finds them at once.

    Args:
        runner: where name, clock and random source come from.
        key: which host, which server; or None.
        policy: what to have state for.
        known: parts to share, each by what describes it.
    """

    __slots__ = (
        "attempt_timeout", "breaker", "budget", "bulkhead", "clock", "cost", "gain", "is_limited",
        "is_plain", "key", "limiter", "name", "now", "parts", "random", "retry", "timeout",
        "was_used",
    )  # fmt: skip

    budget: TokenBucket | None
    breaker: CircuitBreaker | None
    bulkhead: Bulkhead | None
    limiter: RateLimiter | None

    def __init__(
        self,
        runner: Runner,
        key: Hashable,
        policy: Policy,
        known: Mapping[Any, Any] = _NOTHING,
    ) -> None:
        self.name = runner.name
        self.key = key
        self.clock = runner.clock
        self.now = runner.clock.monotonic
        self.random = runner.random
        self.retry = policy.retry
        self.timeout = policy.timeout
        self.attempt_timeout = policy.attempt_timeout
        budget = policy.retry and policy.retry.budget
        self.cost = budget.cost if budget else 0.0
        self.gain = budget.per_success if budget else 0.0
        said = (budget, policy.breaker, policy.bulkhead, policy.rate)
        self.parts = {each: known.get(each) or self._part(each) for each in said}
        self.budget, self.breaker, self.bulkhead, self.limiter = map(self.parts.get, said)
        self.is_limited = self.limiter is not None or self.bulkhead is not None
        self.is_plain = not self.is_limited and policy.timeout is policy.attempt_timeout is None
        self.was_used = False

    def _part(self, said: object) -> Any:
        """Make what is described; an instance is there already, for all who name it."""
        name, clock = self.name, self.clock
        if isinstance(said, RetryBudget):
            return TokenBucket(said.capacity, said.per_second, clock)
        if isinstance(said, CircuitBreakerConfig):
            return CircuitBreaker(said, name=name, key=self.key, clock=clock)
        if isinstance(said, int):
            return Bulkhead(said, name=name, clock=clock)
        return RateLimiter(said, name=name, clock=clock) if isinstance(said, Rate) else said

    def shortcut(self) -> int:
        """Give the permit of the closed circuit if a first attempt needs to look at nothing else.

        Where there is no breaker, any permit does.

        There is then no deadline to keep, no place to give back and nobody to tell.
        """
        if self.is_plain and current.get() is None and not is_listening():
            return self.breaker.closed_permit if self.breaker is not None else 1
        return 0

    def settle(self, result: object, permit: int, began: float) -> None:
        """Take note of what came of an attempt."""
        error = None if result.__class__ is Success else error_of(result)
        if self.breaker is not None:
            self.breaker.record(permit, error, self.now() - began)
        if error is None and self.budget is not None:
            self.budget.give(self.gain)
