"""Events reach those who listen, and nobody's listener fails a call."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from qicore_core.error import QiError
from qicore_core.events import CallEvent, emit, is_listening, listen, reset

EVENT = CallEvent("cache", "get")


@pytest.fixture(autouse=True)
def nobody_listens() -> Iterator[None]:
    reset()
    yield
    reset()


def test_an_event_reaches_all_in_their_order() -> None:
    seen: list[tuple[int, CallEvent]] = []
    listen(lambda event: seen.append((1, event)))
    listen(lambda event: seen.append((2, event)))
    emit(EVENT)
    assert seen == [(1, EVENT), (2, EVENT)]


def test_stop_ends_one_listener_and_twice_does_no_harm() -> None:
    seen: list[CallEvent] = []
    other: list[CallEvent] = []
    stop = listen(seen.append)
    listen(other.append)
    stop()
    stop()
    emit(EVENT)
    assert (seen, other) == ([], [EVENT])


def test_a_listener_that_listens_twice_is_told_twice_and_stopped_one_by_one() -> None:
    seen: list[CallEvent] = []

    def listener(event: CallEvent) -> None:
        seen.append(event)

    stop = listen(listener)
    listen(listener)
    emit(EVENT)
    assert len(seen) == 2
    stop()
    stop()
    emit(EVENT)
    assert len(seen) == 3


def test_who_emits_can_ask_whether_anyone_listens() -> None:
    assert not is_listening()
    stop = listen(print)
    assert is_listening()
    stop()
    assert not is_listening()
    listen(print)
    reset()
    assert not is_listening()


def test_a_listener_that_fails_harms_nobody() -> None:
    seen: list[CallEvent] = []

    def fails(event: CallEvent) -> None:
        raise OSError(event)

    listen(fails)
    listen(seen.append)
    emit(EVENT)
    assert seen == [EVENT]


def test_cancellation_passes_through_a_listener() -> None:
    def stops(event: CallEvent) -> None:
        raise KeyboardInterrupt(event)

    listen(stops)
    with pytest.raises(KeyboardInterrupt):
        emit(EVENT)


def test_a_listener_may_stop_itself() -> None:
    seen: list[CallEvent] = []

    def once(event: CallEvent) -> None:
        seen.append(event)
        stop()

    stop = listen(once)
    emit(EVENT)
    emit(EVENT)
    assert seen == [EVENT]


def test_an_event_says_what_happened() -> None:
    error = QiError.timeout("NO_ANSWER", "x")
    event = CallEvent("http", "get", "attempt", 0.25, error, {"attempt": 2})
    assert (event.source, event.operation, event.phase) == ("http", "get", "attempt")
    assert (event.duration, event.error, event.fields) == (0.25, error, {"attempt": 2})
    assert repr(event) == "CallEvent(http.get attempt: NO_ANSWER, 250.0 ms)"
    assert (EVENT.phase, EVENT.duration, EVENT.error, EVENT.fields) == ("call", 0.0, None, {})
    assert repr(EVENT) == "CallEvent(cache.get call: ok, 0.0 ms)"
