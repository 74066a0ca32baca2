"""The circuit breaker against a naive model, and its leases."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from qicore_core.error import ErrorCategory, QiError
from qicore_core.events import CallEvent, listen, reset
from qicore_core.resilience import (
    CircuitBreaker,
    CircuitBreakerConfig,
    CircuitBreakerState,
    Policy,
)
from qicore_core.result import Result, failure, success
from qicore_core.testing import FakeClock

CLOSED, OPEN = CircuitBreakerState.CLOSED, CircuitBreakerState.OPEN
HALF_OPEN = CircuitBreakerState.HALF_OPEN
DOWN = QiError.network("DOWN", "no route to the host")
CALLERS_FAULT = QiError.not_found("NOT_THERE", "there is no such thing")


class BreakerLaws(RuleBasedStateMachine):
    """Keep a list of all that happened, and read from it what a breaker would do."""

    CONFIG = CircuitBreakerConfig(
        failure_threshold=4,
        failure_rate=0.6,
        minimum_calls=3,
        slow_call_seconds=1.0,
        slow_call_rate=0.9,
        window_seconds=10.0,
        timeout_seconds=5.0,
        half_open_permits=2,
        success_threshold=3,
        lease_seconds=4.0,
    )

    def __init__(self) -> None:
        super().__init__()
        self.clock = FakeClock(1000.0)
        self.breaker = CircuitBreaker(self.CONFIG, clock=self.clock)
        self.counted: list[tuple[int, bool, bool]] = []  # second, failed, slow
        self.state: CircuitBreakerState = CLOSED
        self.until = 0.0
        self.good_probes = 0
        self.leases: dict[int, float] = {}
        self.running: list[int] = []
        self.stale: set[int] = set()

    @rule(seconds=st.sampled_from([0.0, 0.3, 1.0, 2.5, 5.0, 12.0]))
    def time_passes(self, seconds: float) -> None:
        self.clock.advance(seconds)

    @rule()
    def a_call_begins(self) -> None:
        now = self.clock.monotonic()
        if self.state is OPEN and now >= self.until:
            self.state = HALF_OPEN
        self.leases = {lease: until for lease, until in self.leases.items() if until > now}
        passes = self.state is CLOSED or (self.state is HALF_OPEN and len(self.leases) < 2)
        granted = self.breaker.acquire()
        assert granted.is_success() == passes
        if granted:
            self.running.append(granted.value)
            if self.state is HALF_OPEN:
                self.leases[granted.value] = now + 4.0
        else:
            error = granted.unwrap_error()
            assert error.code == "CIRCUIT_OPEN"
            wait = None if self.state is HALF_OPEN else pytest.approx(self.until - now)
            assert error.retry_after == wait

    @rule(error=st.sampled_from([None, DOWN]), count=st.integers(1, 4))
    def calls_come_and_go(self, error: QiError | None, count: int) -> None:
        for _ in range(count):
            self.a_call_begins()
            if self.running:
                self._end(self.running.pop(), error, 0.1)

    @precondition(lambda self: self.state is OPEN)
    @rule()
    def the_pause_is_over(self) -> None:
        self.clock.advance(5.0)

    @precondition(lambda self: self.running)
    @rule(
        data=st.data(),
        error=st.sampled_from([None, DOWN, CALLERS_FAULT]),
        duration=st.sampled_from([0.1, 1.0]),
    )
    def a_call_ends(self, data: st.DataObject, error: QiError | None, duration: float) -> None:
        self._end(self._one(data), error, duration)

    def _end(self, permit: int, error: QiError | None, duration: float) -> None:
        self.breaker.record(permit, error, duration)
        now = self.clock.monotonic()
        held = self.leases.pop(permit, None)
        if permit in self.stale or error is CALLERS_FAULT:
            return
        is_bad = error is not None or duration >= 1.0
        if self.state is CLOSED:
            self.counted.append((int(now), error is not None, duration >= 1.0))
            if is_bad and self._is_too_bad(now):
                self._opens(now)
        elif held is not None and held > now:
            if is_bad:
                self._opens(now)
            else:
                self.good_probes += 1
                if self.good_probes == 3:
                    self._closes()

    @precondition(lambda self: self.running)
    @rule(data=st.data())
    def a_call_is_cancelled(self, data: st.DataObject) -> None:
        permit = self._one(data)
        self.breaker.release(permit)
        self.leases.pop(permit, None)

    @rule()
    def an_operator_closes_it(self) -> None:
        self.breaker.reset()
        self._closes()

    @invariant()
    def it_is_what_the_model_says(self) -> None:
        is_over = self.state is OPEN and self.clock.monotonic() >= self.until
        assert self.breaker.state is (HALF_OPEN if is_over else self.state)

    def _one(self, data: st.DataObject) -> int:
        index = data.draw(st.integers(0, len(self.running) - 1))
        return self.running.pop(index)

    def _is_too_bad(self, now: float) -> bool:
        window = [call for call in self.counted if call[0] > int(now) - 10]
        failed = sum(call[1] for call in window)
        slow = sum(call[2] for call in window)
        return failed >= 4 or (
            len(window) >= 3 and (failed / len(window) >= 0.6 or slow / len(window) >= 0.9)
        )

    def _opens(self, now: float) -> None:
        self.state, self.until, self.good_probes = OPEN, now + 5.0, 0
        self.stale |= set(self.running)
        self.leases.clear()
        self.counted.clear()

    def _closes(self) -> None:
        self.state = CLOSED
        self.stale |= set(self.running)
        self.leases.clear()
        self.counted.clear()


TestBreakerLaws = BreakerLaws.TestCase
TestBreakerLaws.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)


def opened(clock: FakeClock, **settings: float) -> CircuitBreaker:
    config = CircuitBreakerConfig(failure_threshold=1, timeout_seconds=5.0).replace(**settings)
    breaker = CircuitBreaker(config, name="shop", clock=clock)
    breaker.record(breaker.acquire().unwrap(), DOWN)
    assert breaker.state is OPEN
    return breaker


@pytest.mark.parametrize("permits", [1, 3])
def test_of_thirty_callers_exactly_the_permitted_probe(permits: int) -> None:
    clock = FakeClock()
    breaker = opened(clock, half_open_permits=permits)
    clock.advance(5.0)
    reached = []

    async def probe() -> Result[int]:
        reached.append(1)
        await clock.sleep(1.0)
        return success(1)

    async def storm() -> list[Result[int]]:
        calls = Policy(breaker=breaker).attach("shop", clock=clock)
        return await asyncio.gather(*[calls.run(probe) for _ in range(30)])

    results = asyncio.run(storm())
    assert len(reached) == permits
    refused = [r.error.code for r in results if not r]
    assert refused == ["CIRCUIT_OPEN"] * (30 - permits)


def test_of_many_threads_exactly_the_permitted_probe() -> None:
    clock = FakeClock()
    breaker = opened(clock, half_open_permits=3)
    clock.advance(5.0)
    start = threading.Barrier(20)
    granted = []

    def probe() -> None:
        start.wait()
        if breaker.acquire():
            granted.append(1)

    threads = [threading.Thread(target=probe) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(granted) == 3


def test_a_cancelled_probe_gives_its_lease_back() -> None:
    clock = FakeClock()
    breaker = opened(clock)
    clock.advance(5.0)
    calls = Policy(breaker=breaker).attach("shop", clock=clock)

    async def hang() -> Result[int]:
        await asyncio.Event().wait()
        raise AssertionError

    async def cancel_it() -> None:
        task = asyncio.create_task(calls.run(hang))
        await asyncio.sleep(0)
        assert not breaker.acquire()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(cancel_it())
    assert breaker.state is HALF_OPEN
    assert breaker.acquire()


def test_a_probe_that_raises_gives_its_lease_back() -> None:
    clock = FakeClock()
    breaker = opened(clock)
    clock.advance(5.0)

    def bug() -> Result[int]:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        Policy(breaker=breaker).attach("shop", clock=clock).call(bug)
    assert breaker.state is HALF_OPEN
    assert breaker.acquire()


@pytest.mark.parametrize("is_missed", [False, True])
def test_a_lost_lease_runs_out(is_missed: bool) -> None:
    clock = FakeClock()
    breaker = opened(clock, lease_seconds=7.0, success_threshold=1)
    clock.advance(5.0)
    lost = breaker.acquire().unwrap()
    clock.advance(6.9)
    assert not breaker.acquire()
    clock.advance(0.1)
    if is_missed:
        assert breaker.acquire()
    breaker.record(lost)  # too late to count
    assert breaker.state is HALF_OPEN
    assert bool(breaker.acquire()) is not is_missed


def test_a_bad_probe_opens_it_for_a_whole_pause_again() -> None:
    clock = FakeClock()
    breaker = opened(clock)
    clock.advance(5.0)
    assert breaker.state is HALF_OPEN
    breaker.record(breaker.acquire().unwrap())
    breaker.record(breaker.acquire().unwrap(), DOWN)
    assert breaker.state is OPEN
    clock.advance(4.9)
    assert breaker.state is OPEN
    clock.advance(0.1)
    breaker.record(breaker.acquire().unwrap())
    assert breaker.state is HALF_OPEN  # the good probe of before does not count
    breaker.record(breaker.acquire().unwrap())
    assert breaker.state is CLOSED


def test_what_began_before_it_opened_does_not_count_after() -> None:
    clock = FakeClock()
    breaker = CircuitBreaker(CircuitBreakerConfig(failure_threshold=1), clock=clock)
    early, late = breaker.acquire().unwrap(), breaker.acquire().unwrap()
    breaker.record(early, DOWN)
    clock.advance(30.0)
    breaker.acquire().unwrap()
    breaker.record(late)
    breaker.record(late, DOWN)
    assert breaker.state is HALF_OPEN


def test_slow_calls_open_it_at_their_share() -> None:
    config = CircuitBreakerConfig(slow_call_seconds=2.0, minimum_calls=4)
    breaker = CircuitBreaker(config, clock=FakeClock())
    for duration in (0.1, 1.9, 2.0):
        breaker.record(breaker.acquire().unwrap(), duration=duration)
    assert breaker.state is CLOSED
    breaker.record(breaker.acquire().unwrap(), duration=9.0)
    assert breaker.state is OPEN


def test_by_default_half_of_ten_calls_open_it() -> None:
    clock = FakeClock()
    breaker = CircuitBreaker(clock=clock)
    outcomes: list[QiError | None] = [None] * 100 + [DOWN] * 99
    for error in outcomes:
        breaker.record(breaker.acquire().unwrap(), error)
    assert breaker.state is CLOSED
    breaker.record(breaker.acquire().unwrap(), DOWN)
    assert breaker.state is OPEN


def test_a_threshold_alone_asks_for_no_rate() -> None:
    config = CircuitBreakerConfig(failure_threshold=11)
    assert config.failure_rate is None
    breaker = CircuitBreaker(config, clock=FakeClock())
    for _ in range(10):
        breaker.record(breaker.acquire().unwrap(), DOWN)
    assert breaker.state is CLOSED


@pytest.mark.parametrize("category", list(ErrorCategory))
def test_only_trouble_of_the_service_counts(category: ErrorCategory) -> None:
    breaker = CircuitBreaker(CircuitBreakerConfig(failure_threshold=1), clock=FakeClock())
    error = getattr(QiError, category.lower())("SOME_CODE", "some trouble")
    breaker.record(breaker.acquire().unwrap(), error)
    service = {
        "TIMEOUT", "NETWORK", "UNAVAILABLE", "EXHAUSTED", "BAD_DATA", "INTERNAL", "UNKNOWN",
    }  # fmt: skip
    assert breaker.state is (OPEN if category in service else CLOSED)


def test_a_driver_may_say_what_counts() -> None:
    config = CircuitBreakerConfig(failure_threshold=1, counted=[ErrorCategory.RATE_LIMITED])
    breaker = CircuitBreaker(config, clock=FakeClock())
    breaker.record(breaker.acquire().unwrap(), DOWN)
    assert breaker.state is CLOSED
    breaker.record(breaker.acquire().unwrap(), QiError.rate_limited("SLOW_DOWN", "too many"))
    assert breaker.state is OPEN


def test_its_failure_says_who_and_until_when() -> None:
    clock = FakeClock()
    breaker = CircuitBreaker(
        CircuitBreakerConfig(failure_threshold=1), name="http", key=("host", 443), clock=clock
    )
    breaker.record(breaker.acquire().unwrap(), DOWN)
    clock.advance(10.0)
    error = breaker.acquire().unwrap_error()
    assert (error.category, error.source, error.retry_after) == ("UNAVAILABLE", "http", 20.0)
    assert error.hint
    assert dict(error.context) == {"state": "OPEN", "key": "('host', 443)"}
    assert repr(breaker) == "<CircuitBreaker http OPEN>"


def test_those_who_listen_hear_of_every_change() -> None:
    clock = FakeClock()
    heard: list[CallEvent] = []
    stop = listen(heard.append)
    try:
        breaker = CircuitBreaker(
            CircuitBreakerConfig(failure_threshold=1, success_threshold=1),
            name="http",
            key="host",
            clock=clock,
        )
        breaker.reset()  # changes nothing
        breaker.record(breaker.acquire().unwrap(), DOWN)
        clock.advance(30.0)
        breaker.record(breaker.acquire().unwrap())
        CircuitBreaker(BreakerLaws.CONFIG).reset()
        opened(clock).reset()
    finally:
        stop()
        reset()
    assert {event.phase for event in heard} == {"breaker"}
    assert [dict(event.fields) for event in heard if event.source == "http"] == [
        {"was": "CLOSED", "state": "OPEN", "key": "host"},
        {"was": "OPEN", "state": "HALF_OPEN", "key": "host"},
        {"was": "HALF_OPEN", "state": "CLOSED", "key": "host"},
    ]
    assert [dict(event.fields) for event in heard if event.source == "shop"] == [
        {"was": "CLOSED", "state": "OPEN"},
        {"was": "OPEN", "state": "CLOSED"},
    ]


def test_a_thread_that_comes_as_it_closes_passes() -> None:
    breaker = CircuitBreaker(clock=FakeClock())
    assert breaker._probe().unwrap() == breaker.closed_permit  # closed since acquire() looked


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("failure_threshold", 0),
        ("failure_rate", 0.0),
        ("failure_rate", 1.5),
        ("minimum_calls", 0),
        ("slow_call_seconds", 0.0),
        ("slow_call_rate", -1.0),
        ("window_seconds", 0.0),
        ("timeout_seconds", 0.0),
        ("half_open_permits", 0),
        ("success_threshold", 0),
        ("lease_seconds", 0.0),
    ],
)
def test_a_setting_that_cannot_work_is_refused_by_name(name: str, value: Any) -> None:
    with pytest.raises(ValueError, match=name):
        CircuitBreakerConfig(**{name: value})


def test_states_are_texts() -> None:
    assert f"{OPEN}" == "OPEN"
    assert repr(HALF_OPEN) == "CircuitBreakerState.HALF_OPEN"


def test_a_failure_that_is_not_counted_passes_through_a_policy() -> None:
    calls = Policy(breaker=CircuitBreakerConfig(failure_threshold=1)).attach("shop")
    for _ in range(3):
        assert calls.call(lambda: failure(CALLERS_FAULT)).unwrap_error() is CALLERS_FAULT
    breaker = calls.breaker_of()
    assert breaker is not None
    assert breaker.state is CLOSED
