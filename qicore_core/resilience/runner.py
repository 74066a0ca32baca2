"""A policy at work: what a client holds to make its calls, with the state that belongs to it.

A client of many hosts has one runner, and through it breaker, budget, bulkhead and rate for each
host. This room must never learn what is called.
"""

from __future__ import annotations

from ..error.foreign import repr_of
from .call import Call, finish
from .state import States

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Hashable
    from typing import Any, Final, ParamSpec, TypeVar, TypeVarTuple, Unpack, final, overload

    from ..result import Result
    from .breaker import CircuitBreaker
    from .call import Repeatable
    from .policy import Policy

    P = ParamSpec("P")
    T = TypeVar("T")
    Ts = TypeVarTuple("Ts")
else:
    from ..lean import final, overload

__all__ = ["Runner"]

_NO_KWARGS: Final[dict[str, Any]] = {}


@final
class Runner:
    """Makes calls by a policy. Made by `policy.attach(name)`; threads and tasks may share one.

    Example:
        ```python
        calls = Policy(retry=3, timeout=5.0).attach("cache")
        found = await calls.run(store.read, namespace, keys, operation="get", timeout=timeout)
        ```
    """

    __slots__ = ("_key", "_states")

    def __init__(self, states: States, key: Hashable = None) -> None:
        self._states = states
        self._key = key

    @property
    def name(self) -> str:
        """What is called."""
        return self._states.name

    @property
    def policy(self) -> Policy:
        """The policy that holds unless a call brings its own."""
        return self._states.policy

    @property
    def breaker(self) -> CircuitBreaker | None:
        """The circuit breaker of this key, to look at or reset; None if the policy has none."""
        return self._states.find(self._key, None).breaker

    def for_key(self, key: Hashable, /) -> Runner:
        """Give the runner for one of several: a host, a server. State is found by the key."""
        return Runner(self._states, key)

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
        state = self._states.find(self._key if key is None else key, policy)
        permit = state.shortcut() if timeout is None else 0
        if permit:  # nearly always: what follows is all that such a call costs
            began = state.now()
            result = await fn(*args)
            if state.settle(result, permit, began):
                return result
            call = Call(state, fn, args, _NO_KWARGS, operation, repeatable, False)
            return await call.go_on(result, permit, began)
        call = Call(state, fn, args, _NO_KWARGS, operation, repeatable, False)
        return await call.run(state.timeout if timeout is None else timeout)

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
        state = self._states.find(self._key if key is None else key, policy)
        permit = state.shortcut() if timeout is None else 0
        if permit:
            began = state.now()
            result = fn(*args)
            if state.settle(result, permit, began):
                return result
            call = Call(state, fn, args, _NO_KWARGS, operation, repeatable, True)
            return finish(call.go_on(result, permit, began))
        call = Call(state, fn, args, _NO_KWARGS, operation, repeatable, True)
        return finish(call.run(state.timeout if timeout is None else timeout))

    @overload  # an async def is a def too: the first match wins, as intended
    def __call__(
        self, fn: Callable[P, Coroutine[Any, Any, Result[T]]], /
    ) -> Callable[P, Coroutine[Any, Any, Result[T]]]: ...
    @overload
    def __call__(self, fn: Callable[P, Result[T]], /) -> Callable[P, Result[T]]: ...
    def __call__(self, fn: Callable[..., Any], /) -> Callable[..., Any]:
        """Decorate a `def` or `async def` that returns a Result: its calls are made here."""
        from functools import wraps  # late: dear, and only needed to decorate
        from inspect import isasyncgenfunction, iscoroutinefunction, isgeneratorfunction

        if isgeneratorfunction(fn) or isasyncgenfunction(fn):
            raise TypeError(f"{fn.__qualname__} yields; a policy is for what returns a Result")
        if iscoroutinefunction(fn):

            @wraps(fn)
            async def run(*args: object, **kwargs: object) -> Any:
                state = self._states.find(self._key, None)
                return await Call(state, fn, args, kwargs, None, True, False).run(state.timeout)

            return run

        @wraps(fn)
        def call(*args: object, **kwargs: object) -> Any:
            state = self._states.find(self._key, None)
            return finish(Call(state, fn, args, kwargs, None, True, True).run(state.timeout))

        return call

    def __repr__(self) -> str:
        key = "" if self._key is None else f" {repr_of(self._key)}"
        return f"<Runner {self.name}{key} {self.policy!r}>"
