"""Fixtures that pytest finds by itself, for every project that tests with QiCore.

Every run of pytest loads this file, so it imports the rest when a fixture is asked for.
"""

from __future__ import annotations

import pytest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..events import CallEvent
    from .clock import FakeClock

__all__ = ["call_events", "events_reset", "fake_clock", "no_waiting"]


@pytest.fixture
def fake_clock() -> FakeClock:
    """Give a clock that a test moves, at 0.0 seconds."""
    from .clock import FakeClock  # late, as the module says

    return FakeClock()


@pytest.fixture
def call_events() -> Iterator[list[CallEvent]]:
    """Give the list in which every event of the test is kept."""
    from .events import recorded  # late, as the module says

    with recorded() as events:
        yield events


@pytest.fixture
def events_reset() -> Iterator[None]:
    """Forget after the test every listener it left behind."""
    from ..events import reset  # late, as the module says

    yield
    reset()


@pytest.fixture
def no_waiting() -> Iterator[None]:
    """Let nothing in the test wait on the machine's clock."""
    from .clock import instant  # late, as the module says

    with instant():
        yield
