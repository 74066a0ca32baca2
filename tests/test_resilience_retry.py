"""The rule of retry and its budget: pure, so that every case is a line."""

from __future__ import annotations

import copy
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qicore_core.error import ErrorCategory, QiError
from qicore_core.resilience import CircuitBreakerConfig, Policy, RetryBudget, RetryPolicy
from qicore_core.resilience.limits import TokenBucket
from qicore_core.result import Result, failure, success
from qicore_core.testing import FakeClock

DOWN = QiError.network("DOWN", "no route to the host")
ERRORS = st.builds(
    lambda category, retry_after, retryable: getattr(QiError, category.lower())(
        "SOME_CODE", "some trouble", retry_after=retry_after, retryable=retryable
    ),
    st.sampled_from(list(ErrorCategory)),
    st.none() | st.floats(-1.0, 100.0),
    st.none() | st.booleans(),
)
POLICIES = st.builds(
    lambda attempts, base, more: RetryPolicy(attempts, base=base, cap=base + more),
    st.integers(1, 2000),
    st.floats(0.0, 2.0),
    st.floats(0.0, 10.0),
)


def asked(seconds: float) -> QiError:
    return QiError.rate_limited("SLOW_DOWN", "too many", retry_after=seconds)


@given(
    POLICIES,
    ERRORS,
    st.integers(1, 2500),
    st.none() | st.floats(0.0, 200.0),
    st.floats(0.0, 1.0, exclude_max=True),
)
def test_a_delay_keeps_every_bound(
    policy: RetryPolicy, error: QiError, attempt: int, remaining: float | None, luck: float
) -> None:
    delay = policy.next_delay(error, attempt, remaining, lambda: luck)
    if delay is None:
        return
    assert error.retryable
    assert attempt < policy.max_attempts
    assert remaining is None or delay < remaining
    if error.retry_after is not None and error.retry_after > 0:
        assert error.retry_after <= delay <= error.retry_after + policy.base
    elif error.category == "CONTENTION":
        assert 0.0 <= delay <= policy.base
    else:
        assert 0.0 <= delay <= min(policy.cap, policy.base * 2.0 ** min(attempt - 1, 64))


@pytest.mark.parametrize(
    ("attempt", "longest"), [(1, 0.1), (2, 0.2), (3, 0.4), (6, 3.2), (7, 5.0), (5000, 5.0)]
)
def test_the_wait_doubles_up_to_the_cap_with_full_jitter(attempt: int, longest: float) -> None:
    policy = RetryPolicy(10_000)
    assert policy.next_delay(DOWN, attempt, None, lambda: 0.0) == 0.0
    assert policy.next_delay(DOWN, attempt, None, lambda: 0.5) == pytest.approx(longest / 2)


@pytest.mark.parametrize(
    ("error", "remaining", "delay"),
    [
        (asked(3.0), 10.0, 3.05),
        (asked(60.0), 100.0, 60.05),  # past the cap, but it fits the deadline
        (asked(10.0), 10.0, None),
        (asked(3.0), None, 3.05),
        (asked(60.0), None, None),  # nobody said that there is time for it
        (asked(0.0), None, 0.05),  # in the past: as if it were not there
        (asked(-5.0), None, 0.05),
        (QiError.unavailable("CIRCUIT_OPEN", "open", retry_after=20.0), 100.0, None),
        (QiError.unavailable("CIRCUIT_OPEN", "open", retry_after=2.0), 100.0, 2.05),
        (QiError.exhausted("BULKHEAD_FULL", "full"), None, None),  # it waited already
        (QiError.rate_limited("RATE_EXCEEDED", "full", retry_after=1.0), 9.0, None),
        (QiError.contention("LOCKED", "locked"), 1.0, 0.05),
        (QiError.validation("WRONG", "wrong", retryable=True), None, 0.05),
        (QiError.validation("WRONG", "wrong"), None, None),
        (QiError.network("DOWN", "down", retryable=False), None, None),
        (DOWN, 0.05, None),
        (DOWN, 0.051, 0.05),
        (DOWN, 0.0, None),
    ],
)
def test_what_is_asked_is_waited_for_or_returned_at_once(
    error: QiError, remaining: float | None, delay: float | None
) -> None:
    got = RetryPolicy().next_delay(error, 1, remaining, lambda: 0.5)
    assert got == (None if delay is None else pytest.approx(delay))


def test_a_contention_is_tried_again_at_once_however_often() -> None:
    locked = QiError.contention("LOCKED", "locked")
    assert RetryPolicy(99).next_delay(locked, 50, None, lambda: 0.5) == 0.05


def test_a_budget_stops_a_storm() -> None:
    clock = FakeClock()
    made = []

    def down() -> Result[int]:
        made.append(1)
        return failure(DOWN)

    calls = Policy(retry=RetryPolicy(3, base=0.0)).attach("shop", clock=clock)
    ends = [calls.call(down).unwrap_error() for _ in range(100)]
    assert len(made) == 100 + 10  # ten retries of ten tokens, then none
    assert [error.code for error in ends].count("DOWN") == 5
    last = ends[-1]
    assert (last.code, last.category, last.retryable) == (
        "RETRY_BUDGET_EXHAUSTED",
        "EXHAUSTED",
        False,
    )
    assert last.cause == DOWN
    assert last.context["attempts"] == 1
    assert last.hint


@pytest.mark.parametrize("breaker", [None, CircuitBreakerConfig(failure_threshold=99)])
def test_a_budget_comes_back_by_time_and_by_success(breaker: CircuitBreakerConfig | None) -> None:
    clock = FakeClock()
    policy = Policy(retry=RetryPolicy(2, base=0.0), breaker=breaker)
    calls = policy.attach("shop", clock=clock)

    def code() -> str:
        return calls.call(lambda: failure(DOWN)).unwrap_error().code

    assert [code() for _ in range(11)] == ["DOWN"] * 10 + ["RETRY_BUDGET_EXHAUSTED"]
    clock.advance(10.0)
    assert [code() for _ in range(2)] == ["DOWN", "RETRY_BUDGET_EXHAUSTED"]
    for _ in range(10):
        calls.call(lambda: success(1))
    assert [code() for _ in range(2)] == ["DOWN", "RETRY_BUDGET_EXHAUSTED"]


def test_without_a_budget_there_is_no_end_of_retries() -> None:
    calls = Policy(retry=RetryPolicy(2, base=0.0, budget=None)).attach("shop", clock=FakeClock())
    assert {calls.call(lambda: failure(DOWN)).unwrap_error().code for _ in range(50)} == {"DOWN"}


@given(st.lists(st.tuples(st.floats(0.0, 3.0), st.floats(0.1, 5.0), st.floats(0.0, 2.0))))
def test_a_bucket_gives_no_more_than_flowed_in(steps: list[tuple[float, float, float]]) -> None:
    clock = FakeClock()
    bucket = TokenBucket(10.0, 2.0, clock)
    taken = 0.0
    for pause, cost, limit in steps:
        clock.advance(pause)
        wait = bucket.take(cost, limit)
        if wait <= limit:
            taken += cost
            assert taken <= 10.0 + 2.0 * (clock.monotonic() + wait) + 1e-6


def test_a_bucket_without_an_inflow_says_never() -> None:
    bucket = TokenBucket(1.0, 0.0, FakeClock())
    assert bucket.take(1.0) == 0.0
    assert bucket.take(1.0, 1e9) == float("inf")
    bucket.give(5.0)
    assert bucket.take(1.0) == 0.0
    assert bucket.take(1.0) > 0.0


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: RetryPolicy(0), "retry=None turns retries off"),
        (lambda: RetryPolicy(base=-1.0), "base"),
        (lambda: RetryPolicy(base=2.0, cap=1.0), "cap"),
        (lambda: RetryBudget(capacity=0.0), "capacity"),
        (lambda: RetryBudget(cost=101.0), "cost"),
        (lambda: RetryBudget(per_success=-1.0), "per_success"),
        (lambda: RetryBudget(per_second=-1.0), "per_second"),
    ],
)
def test_a_setting_that_cannot_work_is_refused_by_name(make: object, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        make()  # type: ignore[operator]


def test_settings_are_values() -> None:
    policy = RetryPolicy(5, cap=2.0)
    assert policy == RetryPolicy(5, cap=2.0)
    assert hash(policy) == hash(RetryPolicy(5, cap=2.0))
    assert policy != RetryPolicy(4, cap=2.0)
    assert policy != 5
    assert policy.replace(cap=5.0) == RetryPolicy(5)
    assert repr(policy) == "RetryPolicy(max_attempts=5, cap=2.0)"
    assert pickle.loads(pickle.dumps(policy)) == copy.deepcopy(policy) == policy
    with pytest.raises(AttributeError, match="replace"):
        policy.cap = 3.0  # type: ignore[misc]
    with pytest.raises(AttributeError, match="read-only"):
        del policy.cap
    with pytest.raises(ValueError, match="cap"):
        policy.replace(cap=0.0)
    with pytest.raises(TypeError, match="takes max_attempts, base, cap, budget; got"):
        policy.replace(caps=5.0)
    for make in (lambda: RetryPolicy(1, 2.0, 3.0, None, 5), lambda: RetryPolicy(1, max_attempts=1)):  # type: ignore[call-arg, misc]
        with pytest.raises(TypeError, match="takes max_attempts"):
            make()
