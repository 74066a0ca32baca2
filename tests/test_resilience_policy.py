"""A policy at work: attempts, deadlines, keys and events, the same for tasks and threads."""

from __future__ import annotations

import asyncio
import pickle
import re
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qicore_core import codes, resilience
from qicore_core.error import QiError
from qicore_core.events import CallEvent, listen
from qicore_core.resilience import (
    Bulkhead,
    CircuitBreaker,
    CircuitBreakerConfig,
    Deadline,
    Policy,
    Rate,
    RateLimiter,
    RetryPolicy,
    Runner,
)
from qicore_core.resilience.call import finish
from qicore_core.result import Failure, Result, failure, success
from qicore_core.testing import FakeClock, recorded

# Under `python -X dev` too: some calls are made for what they do to the circuit alone.
pytestmark = pytest.mark.filterwarnings("ignore:a Failure was dropped unread:ResourceWarning")

DOWN = QiError.network("DOWN", "no route to the host")
WRONG = QiError.validation("WRONG", "it is wrong")
BREAKER = CircuitBreakerConfig(failure_threshold=1)
Modes = pytest.mark.parametrize("mode", ["run", "call"])


class Service:
    """Answers as it was told, then with success; counts, and takes its time."""

    def __init__(self, clock: FakeClock, *answers: QiError | None, takes: float = 0.0) -> None:
        self.clock = clock
        self.answers: Iterator[QiError | None] = iter(answers)
        self.takes = takes
        self.calls = 0

    def ask(self, *args: object) -> Result[Any]:
        if self.takes:
            self.clock.sleep_sync(self.takes)
        return self._answer(args)

    async def ask_async(self, *args: object) -> Result[Any]:
        if self.takes:
            await self.clock.sleep(self.takes)
        return self._answer(args)

    def _answer(self, args: tuple[object, ...]) -> Result[Any]:
        self.calls += 1
        error = next(self.answers, None)
        return failure(error) if error else success(args)


def ask(mode: str, calls: Runner, service: Service, *args: object, **options: Any) -> Result[Any]:
    if mode == "call":
        return calls.call(service.ask, *args, **options)
    return asyncio.run(calls.run(service.ask_async, *args, **options))


def attach(clock: FakeClock, **parts: Any) -> Runner:
    return Policy(**parts).attach("shop", clock=clock, random=lambda: 0.5)


# retry


@Modes
def test_it_is_tried_again_until_it_succeeds(mode: str) -> None:
    clock = FakeClock()
    service = Service(clock, DOWN, DOWN)
    assert ask(mode, attach(clock, retry=3), service, 1, 2) == success((1, 2))
    assert service.calls == 3
    assert clock.slept == [0.05, 0.1]


@Modes
@pytest.mark.parametrize("breaker", [None, CircuitBreakerConfig(failure_threshold=9)])
def test_it_ends_after_so_many_attempts_and_says_so(mode: str, breaker: object) -> None:
    clock = FakeClock()
    service = Service(clock, *[DOWN] * 9)
    error = ask(mode, attach(clock, retry=4, breaker=breaker), service).unwrap_error()
    assert service.calls == 4
    assert error.code == "DOWN"
    assert error.context["attempts"] == 4
    assert error.context["elapsed"] == pytest.approx(0.05 + 0.1 + 0.2)


@Modes
@pytest.mark.parametrize(
    ("error", "options"),
    [
        (WRONG, {}),
        (DOWN, {"repeatable": False}),
        (DOWN, {"repeatable": lambda e: e.code != "DOWN"}),
    ],
    ids=["not retryable", "not repeatable", "not repeatable after this"],
)
def test_what_must_not_be_repeated_is_not(
    mode: str, error: QiError, options: dict[str, Any]
) -> None:
    clock = FakeClock()
    service = Service(clock, error)
    assert ask(mode, attach(clock, retry=3), service, **options).unwrap_error() is error
    assert service.calls == 1


@Modes
def test_a_function_may_tell_what_is_repeatable(mode: str) -> None:
    clock = FakeClock()
    service = Service(clock, DOWN)
    assert ask(mode, attach(clock, retry=3), service, repeatable=lambda e: e.code == "DOWN")
    assert service.calls == 2


@Modes
def test_without_a_policy_it_is_called_once(mode: str) -> None:
    clock = FakeClock()
    service = Service(clock, DOWN)
    assert ask(mode, attach(clock), service).unwrap_error() is DOWN
    assert ask(mode, attach(clock), service, 1) == success((1,))


@given(
    attempts=st.integers(1, 6),
    timeout=st.floats(0.01, 3.0),
    takes=st.floats(0.0, 1.0),
    fails=st.integers(0, 7),
    luck=st.floats(0.0, 1.0, exclude_max=True),
    retry_after=st.none() | st.floats(0.01, 2.0),
)
def test_no_retry_passes_the_attempts_or_the_deadline_and_both_ways_agree(
    attempts: int, timeout: float, takes: float, fails: int, luck: float, retry_after: float | None
) -> None:
    error = QiError.unavailable("BUSY", "it is busy", retry_after=retry_after)
    ends = []
    for mode in ("run", "call"):
        clock = FakeClock()
        service = Service(clock, *[error] * fails, takes=takes)
        policy = Policy(retry=attempts, timeout=timeout, breaker=CircuitBreakerConfig())
        calls = policy.attach("shop", clock=clock, random=lambda: luck)
        result = ask(mode, calls, service, operation="ask")
        assert service.calls <= attempts
        in_time = clock.monotonic() < timeout
        if mode == "run":
            assert in_time or clock.monotonic() == pytest.approx(timeout)
        ends.append((in_time, service.calls, result, clock.slept))
    if ends[1][0]:  # a thread that was in time did what the task did
        assert ends[0] == ends[1]


# time


@Modes
def test_the_deadline_passed_before_it_began(mode: str) -> None:
    clock = FakeClock()
    service = Service(clock)
    with Deadline.after(0.0, clock=clock):
        error = ask(mode, attach(clock), service, operation="get").unwrap_error()
    assert service.calls == 0
    assert (error.code, error.category, error.source) == ("DEADLINE_EXCEEDED", "TIMEOUT", "shop")
    assert error.message == "shop get was not done within 0.00 s"
    assert error.hint
    assert dict(error.context) == {"attempts": 0, "elapsed": 0.0}


def test_a_call_that_hangs_is_cut_short_and_counts_as_a_failure() -> None:
    clock = FakeClock()
    calls = attach(clock, timeout=2.0, breaker=BREAKER)
    error = ask("run", calls, Service(clock, takes=60.0), key="host:80").unwrap_error()
    assert (error.code, clock.monotonic()) == ("DEADLINE_EXCEEDED", 2.0)
    assert error.message == "shop ask_async host:80 was not done within 2.00 s"
    assert dict(error.context) == {"attempts": 1, "elapsed": 2.0}
    breaker = calls.breaker_of("host:80")
    assert breaker is not None
    assert breaker.state == "OPEN"


def test_the_deadline_tells_what_failed_before() -> None:
    clock = FakeClock()
    calls = attach(clock, timeout=2.0, retry=3)
    error = ask("run", calls, Service(clock, DOWN, takes=1.5)).unwrap_error()
    assert (error.code, error.cause, error.context["attempts"]) == ("DEADLINE_EXCEEDED", DOWN, 2)


@pytest.mark.parametrize("breaker", [None, CircuitBreakerConfig()], ids=["none", "breaker"])
def test_the_ambient_deadline_cuts_short_too_and_the_smaller_holds(breaker: object) -> None:
    clock = FakeClock()
    for mine, around in ((None, 2.0), (60.0, 2.0), (2.0, 60.0), (float("inf"), 2.0)):
        began = clock.monotonic()
        with Deadline.after(around, clock=clock):
            calls = attach(clock, breaker=breaker)
            result = ask("run", calls, Service(clock, takes=99.0), timeout=mine)
        assert result.unwrap_error().code == "DEADLINE_EXCEEDED"
        assert clock.monotonic() - began == 2.0


def test_a_call_may_have_a_timeout_where_the_policy_has_none() -> None:
    clock = FakeClock()
    calls = attach(clock, breaker=CircuitBreakerConfig())
    assert not ask("run", calls, Service(clock, takes=99.0), timeout=2.0)
    assert clock.monotonic() == 2.0


@Modes
def test_the_timeout_of_a_call_replaces_that_of_the_policy(mode: str) -> None:
    clock = FakeClock()
    seen = []

    class Looks(Service):
        def _answer(self, args: tuple[object, ...]) -> Result[Any]:
            seen.append(Deadline.within())
            return super()._answer(args)

    for timeout in (None, 9.0, float("inf")):
        assert ask(mode, attach(clock, timeout=5.0), Looks(clock), timeout=timeout)
    assert seen == [5.0, 9.0, float("inf")]


@Modes
def test_an_attempt_sees_its_own_deadline(mode: str) -> None:
    clock = FakeClock()
    seen = []

    class Looks(Service):
        def _answer(self, args: tuple[object, ...]) -> Result[Any]:
            seen.append(Deadline.within())
            return super()._answer(args)

    calls = attach(clock, attempt_timeout=1.0, timeout=1.25, retry=2)
    assert ask(mode, calls, Looks(clock, DOWN, takes=0.5))
    assert seen == [0.5, pytest.approx(1.25 - 0.5 - 0.05 - 0.5)]


def test_an_attempt_that_hangs_is_tried_again() -> None:
    clock = FakeClock()
    calls = attach(
        clock, attempt_timeout=1.0, retry=2, breaker=BREAKER.replace(failure_threshold=2)
    )
    error = ask("run", calls, Service(clock, takes=60.0), operation="get").unwrap_error()
    assert (error.code, error.category, error.retryable) == ("TIMEOUT_ERROR", "TIMEOUT", True)
    assert error.message == "an attempt of shop get took longer than 1 s"
    assert error.hint
    assert error.context["attempts"] == 2
    assert clock.monotonic() == 2.05
    breaker = calls.breaker_of()
    assert breaker is not None
    assert breaker.state == "OPEN"


@pytest.mark.parametrize("parts", [{"timeout": 5.0}, {"attempt_timeout": 5.0}])
def test_a_timeout_error_of_the_function_is_a_bug_of_its_own(parts: dict[str, Any]) -> None:
    async def bug() -> Result[int]:
        raise TimeoutError("not ours")

    with pytest.raises(TimeoutError, match="not ours"):
        asyncio.run(attach(FakeClock(), **parts).run(bug))


@pytest.mark.parametrize(
    "parts",
    [
        {},
        {"timeout": 5.0},
        {"attempt_timeout": 5.0},
        {"breaker": BREAKER},
        {"retry": 3, "breaker": BREAKER, "timeout": 5.0, "bulkhead": 1, "rate": Rate(9)},
    ],
    ids=["nothing", "deadline", "attempt timeout", "breaker", "all"],
)
def test_cancellation_passes_and_counts_for_nothing(parts: dict[str, Any]) -> None:
    clock = FakeClock()
    calls = attach(clock, **parts)

    async def hang(began: asyncio.Event) -> Result[int]:
        began.set()
        await asyncio.Event().wait()
        raise AssertionError

    async def main() -> None:
        began = asyncio.Event()
        task = asyncio.create_task(calls.run(hang, began))
        await began.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert task.cancelled()
        async with asyncio.timeout(10):  # a place that was not given back
            assert await calls.run(Service(clock).ask_async)

    asyncio.run(main())


def test_an_outer_timeout_is_not_taken_for_our_own() -> None:
    clock = FakeClock()
    calls = attach(clock, timeout=60.0, attempt_timeout=30.0)

    async def main() -> None:
        async with clock.timeout(1.0):
            await calls.run(Service(clock, takes=90.0).ask_async)

    with pytest.raises(TimeoutError):
        asyncio.run(main())
    assert clock.monotonic() == 1.0


# limits


@Modes
def test_a_bulkhead_and_a_rate_refuse_and_give_back(mode: str) -> None:
    clock = FakeClock()
    bulkhead = Bulkhead(1, max_wait=0.0)
    calls = attach(clock, bulkhead=bulkhead, rate=Rate(1, burst=3, max_wait=0.0))
    bulkhead.acquire_sync()
    assert ask(mode, calls, Service(clock)).unwrap_error().code == "BULKHEAD_FULL"
    bulkhead.release()
    assert ask(mode, calls, Service(clock))
    assert ask(mode, calls, Service(clock))
    assert ask(mode, calls, Service(clock)).unwrap_error().code == "RATE_EXCEEDED"
    assert bulkhead.free == 1
    assert ask(mode, attach(clock, rate=calls.policy.rate), Service(clock))
    assert ask(mode, attach(clock, bulkhead=1), Service(clock))


@Modes
def test_every_attempt_takes_a_turn_of_the_rate(mode: str) -> None:
    clock = FakeClock()
    calls = attach(clock, retry=RetryPolicy(3, base=0.0), rate=Rate(1, burst=1))
    assert ask(mode, calls, Service(clock, DOWN, DOWN))
    assert clock.monotonic() == 2.0


# keys and shared state


def test_each_key_has_state_of_its_own() -> None:
    clock = FakeClock()
    calls = attach(clock, breaker=BREAKER)
    ask("call", calls, Service(clock, DOWN), key="a")
    assert ask("call", calls, Service(clock), key="a").unwrap_error().context["key"] == "a"
    assert ask("call", calls, Service(clock), key="a").unwrap_error().code == "CIRCUIT_OPEN"
    assert ask("call", calls, Service(clock), key="b")
    assert ask("call", calls, Service(clock))
    breakers = [calls.breaker_of("a"), calls.breaker_of("b"), calls.breaker_of()]
    assert [breaker and breaker.state for breaker in breakers] == ["OPEN", "CLOSED", "CLOSED"]
    assert repr(calls).startswith("<Runner shop Policy(breaker=")
    assert (calls.name, attach(clock).breaker_of()) == ("shop", None)


def test_keys_are_bounded_and_those_in_use_stay() -> None:
    clock = FakeClock()
    calls = Policy(breaker=BREAKER).attach("shop", clock=clock, max_keys=3)
    for key in "abc":
        ask("call", calls, Service(clock, DOWN), key=key)
    ask("call", calls, Service(clock), key="d")  # all were used: the oldest goes
    ask("call", calls, Service(clock), key="b")  # used since
    ask("call", calls, Service(clock), key="e")  # so c goes
    assert ask("call", calls, Service(clock), key="b").unwrap_error().code == "CIRCUIT_OPEN"
    assert ask("call", calls, Service(clock), key="c")
    assert len(calls._known) == 3


def test_the_policy_of_a_call_shares_what_is_equal_and_owns_the_rest() -> None:
    clock = FakeClock()
    policy = Policy(retry=2, breaker=BREAKER, bulkhead=1, rate=Rate(9))
    calls = policy.attach("shop", clock=clock)
    root, find = calls._root, calls.find
    patient = find(None, policy.replace(timeout=9.0))
    for part in ("budget", "breaker", "bulkhead", "limiter"):
        assert getattr(patient, part) is getattr(root, part)
        assert getattr(find("a", policy.replace(timeout=9.0)), part) is getattr(
            find("a", None), part
        )
        assert getattr(find("a", None), part) is not getattr(root, part)
    other = Policy(
        retry=RetryPolicy(2, budget=None), breaker=CircuitBreakerConfig(), bulkhead=2, rate=Rate(8)
    )
    own = find(None, other)
    assert own is find(None, other.replace())
    assert own.budget is None
    for part in ("breaker", "bulkhead", "limiter"):
        assert getattr(own, part) is not getattr(root, part)


def test_the_policy_of_a_call_rules_it() -> None:
    clock = FakeClock()
    service = Service(clock, *[DOWN] * 9)
    calls = attach(clock, retry=2)
    assert ask("call", calls, service, policy=Policy()).unwrap_error() is DOWN
    assert service.calls == 1
    ask("run", calls, service, policy=Policy(retry=RetryPolicy(5, base=0.0)))
    assert service.calls == 6


def test_an_instance_is_shared_by_all_that_it_is_attached_to() -> None:
    clock = FakeClock()
    breaker, bulkhead = CircuitBreaker(BREAKER, clock=clock), Bulkhead(1)
    limiter = RateLimiter(Rate(1), clock=clock)
    policy = Policy(breaker=breaker, bulkhead=bulkhead, rate=limiter)
    for calls, key in ((policy.attach("a"), None), (policy.attach("b"), "c")):
        state = calls.find(key, None)
        assert (state.breaker, state.bulkhead, state.limiter) == (breaker, bulkhead, limiter)


def test_the_first_to_make_a_key_wins() -> None:
    calls = Policy(breaker=BREAKER).attach("shop")
    first = calls.find("a", None)
    assert calls._make("a", None) is first


# events


@Modes
@pytest.mark.parametrize("key", [None, "host"])
def test_those_who_listen_hear_attempts_retries_and_the_whole(mode: str, key: str | None) -> None:
    clock = FakeClock()
    calls = Policy(retry=3, breaker=BREAKER.replace(failure_threshold=9)).attach(
        "shop",
        clock=clock,
        random=lambda: 0.625,  # so that the sums are exact
    )
    with recorded() as events:
        ask(mode, calls, Service(clock, DOWN, takes=1.0), key=key, operation="get")
        ask(mode, calls, Service(clock, WRONG), key=key)
    more = {} if key is None else {"key": key}
    named = "ask" if mode == "call" else "ask_async"
    assert [
        (e.source, e.operation, e.phase, e.duration, e.error, dict(e.fields)) for e in events
    ] == [
        ("shop", "get", "attempt", 1.0, DOWN, {"attempt": 1, **more}),
        ("shop", "get", "retry", 1.0, DOWN, {"attempt": 1, "delay": 0.0625, **more}),
        ("shop", "get", "attempt", 1.0, None, {"attempt": 2, **more}),
        ("shop", "get", "call", 2.0625, None, {"attempts": 2, **more}),
        ("shop", named, "attempt", 0.0, WRONG, {"attempt": 1, **more}),
        ("shop", named, "call", 0.0, WRONG, {"attempts": 1, **more}),
    ]


def test_a_listener_that_raises_harms_no_call() -> None:
    def broken(event: CallEvent) -> None:
        raise ZeroDivisionError

    stop = listen(broken)
    try:
        assert ask("call", attach(FakeClock(), retry=2), Service(FakeClock()))
    finally:
        stop()


# what is no Result


PLAIN: Any = lambda: 5  # noqa: E731
EITHER = pytest.mark.parametrize(
    "rules", [{"attempt_timeout": 9.0}, {"breaker": BREAKER}, {}],
    ids=["long way", "shortcut", "shortcut without a breaker"],
)  # fmt: skip


@EITHER
def test_a_function_that_gives_no_result_is_a_clear_type_error(rules: dict[str, Any]) -> None:
    async def plain() -> Any:
        return 5

    calls = attach(FakeClock(), **rules)
    with pytest.raises(TypeError, match="returns a Result, got int"):
        calls.call(PLAIN)
    with pytest.raises(TypeError, match="returns a Result, got int"):
        asyncio.run(calls.run(plain))
    with pytest.raises(TypeError, match=r"use `await runner.run"):
        calls.call(plain)  # type: ignore[arg-type]
    assert calls.call(lambda: success(1)) == success(1)


def test_a_synchronous_call_that_would_wait_is_refused() -> None:
    async def waits() -> Result[int]:
        await asyncio.sleep(0)
        raise AssertionError

    with pytest.raises(RuntimeError, match="about to wait"):
        finish(waits())


# decorator


def test_a_decorated_function_is_called_by_the_policy() -> None:
    clock = FakeClock()
    service = Service(clock, DOWN, DOWN)

    policy = Policy(retry=RetryPolicy(2, base=0.0))

    @policy
    def load(a: int, *, b: int) -> Result[Any]:
        """Load it."""
        return service.ask(a, b)

    @policy
    async def load_async(a: int, *, b: int) -> Result[Any]:
        return await service.ask_async(a, b)

    assert load(1, b=2).unwrap_error().context["attempts"] == 2
    assert asyncio.run(load_async(1, b=2)) == success((1, 2))
    assert (load.__name__, load.__doc__) == ("load", "Load it.")


def test_each_decorated_function_has_state_of_its_own() -> None:
    policy = Policy(breaker=BREAKER)

    @policy
    def first(error: QiError | None = None) -> Result[int]:
        return failure(error) if error else success(1)

    @policy
    def second() -> Result[int]:
        return success(2)

    first(DOWN)
    refused = first().unwrap_error()
    assert refused.code == "CIRCUIT_OPEN"
    assert str(refused.source).endswith("first")
    assert second() == success(2)


def test_a_name_is_said_once() -> None:
    def load() -> Result[int]:
        return success(1)

    with Deadline.after(0.0):
        error = Policy().attach("load").call(load).unwrap_error()
    assert error.message == "load was not done within 0.00 s"


def test_a_failure_that_a_policy_passes_on_is_told_if_nobody_looks() -> None:
    code = """if True:
        from qicore_core import Policy, QiError, failure
        @Policy(retry=1)
        def load():
            return failure(QiError.network("DOWN", "no route to the host"))
        def main():
            load()
        main()"""
    child = [sys.executable, "-X", "dev", "-c", code]
    said = subprocess.run(child, capture_output=True, text=True, check=True, timeout=60).stderr
    assert "a Failure was dropped unread: QiError.network('DOWN'" in said


def test_what_yields_cannot_be_decorated() -> None:
    def numbers() -> Any:
        yield 1

    async def numbers_async() -> Any:
        yield 1

    for fn in (numbers, numbers_async):
        with pytest.raises(TypeError, match="yields"):
            Policy()(fn)


# the value


def test_a_policy_is_a_value() -> None:
    policy = Policy(retry=3, timeout=5.0)
    assert policy == Policy(retry=RetryPolicy(3), timeout=5.0)
    assert hash(policy) == hash(Policy(retry=RetryPolicy(3), timeout=5.0))
    assert policy.replace(timeout=None) == Policy(retry=3)
    assert repr(policy) == "Policy(retry=RetryPolicy(), timeout=5.0)"
    assert pickle.loads(pickle.dumps(policy)) == policy
    with pytest.raises(AttributeError, match="replace"):
        policy.timeout = 3.0  # type: ignore[misc]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"retry": 1.5}, "retry takes RetryPolicy or int, got 1.5"),
        ({"retry": True}, "retry takes RetryPolicy or int, got True"),
        ({"breaker": 5}, "breaker takes CircuitBreakerConfig or CircuitBreaker, got 5"),
        ({"timeout": "5"}, "timeout takes float or int, got '5'"),
        ({"attempt_timeout": True}, "attempt_timeout takes float or int, got True"),
        ({"bulkhead": 1.5}, "bulkhead takes int or Bulkhead, got 1.5"),
        ({"rate": 10.5}, "rate takes Rate or RateLimiter, got 10.5"),
    ],
    ids=str,
)
def test_what_is_no_part_of_a_policy_is_refused_at_once(given: Any, said: str) -> None:
    with pytest.raises(TypeError, match=re.escape(said)):
        Policy(**given)
    with pytest.raises(TypeError, match=re.escape(said)):
        Policy().replace(**given)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: Policy(timeout=0.0), "timeout"),
        (lambda: Policy(attempt_timeout=-1.0), "attempt_timeout"),
        (lambda: Policy(bulkhead=0), "bulkhead"),
        (lambda: Policy(retry=0), "retry=None"),
        (lambda: Policy().attach("shop", max_keys=0), "max_keys"),
        (lambda: Policy(timeout=10**400), "timeout is .*got a number of 1329 bits"),
        (lambda: Policy(attempt_timeout=10**400), "attempt_timeout"),
        (lambda: RetryPolicy(base=0.0, cap=10**400), "cap"),
        (lambda: Rate(10**400), "per_second"),
        (lambda: Bulkhead(1, max_wait=10**400), "max_wait"),
        (lambda: CircuitBreakerConfig(timeout_seconds=10**400), "timeout_seconds"),
        (lambda: Policy().attach("x").call(success, timeout=10**400), "a number of 1329 bits"),
    ],
)
def test_a_setting_that_cannot_work_is_refused_by_name(
    make: Callable[[], object], said: str
) -> None:
    with pytest.raises(ValueError, match=said):
        make()


# the room


def test_every_code_of_the_room_is_its_name() -> None:
    for name in (
        "CIRCUIT_OPEN", "DEADLINE_EXCEEDED", "TIMEOUT_ERROR", "RETRY_BUDGET_EXHAUSTED",
        "BULKHEAD_FULL", "RATE_EXCEEDED",
    ):  # fmt: skip
        assert getattr(codes, name) == name


def test_the_window_is_sorted_and_whole() -> None:
    assert sorted(resilience.__all__) == resilience.__all__
    assert all(getattr(resilience, name).__doc__ for name in resilience.__all__)


def test_a_synchronous_program_loads_neither_asyncio_nor_typing() -> None:
    code = """if True:
        import sys
        from qicore_core.resilience import CircuitBreakerConfig, Policy, Rate, RetryPolicy
        from qicore_core.result import failure, success
        from qicore_core.error import QiError
        policy = Policy(retry=RetryPolicy(2, base=0.0), breaker=CircuitBreakerConfig(), timeout=9.0,
                        bulkhead=1, rate=Rate(9))
        policy.attach("x").call(lambda: success(1)).unwrap()
        print(*sys.modules)"""
    child = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    dear = {"asyncio", "typing", "dataclasses", "enum", "random", "threading", "inspect", "logging"}
    assert dear & set(child.stdout.split()) == set()


def _typed(calls: Runner, fetch: Callable[[int], Awaitable[Result[str]]]) -> None:
    """Read by type checkers alone."""

    async def typed() -> None:
        got: Result[str] = await calls.run(fetch, 1)
        assert isinstance(got, Failure)
        await calls.run(fetch, "1")  # type: ignore[arg-type]


def test_a_key_with_a_secret_in_it_is_shown_without() -> None:
    calls = Policy(breaker=BREAKER).attach("http")
    key = "https://bob:hunter2@host"
    for _ in range(2):
        refused = calls.call(lambda: failure(DOWN), key=key)
    assert refused.unwrap_error().code == "CIRCUIT_OPEN"
    assert "hunter2" not in repr(refused)
