"""Time that passes only when a test says so, or when everyone waits for it.

A task that sleeps on a FakeClock lets the others run until they come to rest, then time jumps to
the next moment somebody waits for. So an hour of backoff costs no time, and two tasks that sleep
side by side wake in the order in which they would.
"""

from __future__ import annotations

import asyncio
from contextlib import contextmanager

from ..resilience.clock import sleepless

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Generator
    from types import TracebackType
    from typing import Final, Self

__all__ = ["FakeClock", "instant"]

_TURNS: Final = 10  # of the loop, in which the other tasks come to rest before time jumps


class FakeClock:
    """A clock for policies, breakers and deadlines whose time is made by the test.

    Sleeping takes no time and moves the clock; a timer expires when the clock passes its moment,
    moved by a sleep or by `advance`. It is for one event loop; threads may read it and
    `sleep_sync`.

    >>> clock = FakeClock()
    >>> clock.sleep_sync(0.5)
    >>> clock.advance(1.0)
    >>> clock.monotonic(), clock.slept
    (1.5, [0.5])

    Args:
        start: what `monotonic()` says at first, in seconds.

    Attributes:
        slept: how long each sleep was asked to be, in order: what a retry waited.
    """

    __slots__ = ("slept", "_now", "_sleepers", "_timers")

    def __init__(self, start: float = 0.0, /) -> None:
        self.slept: list[float] = []
        self._now = start
        self._sleepers: list[float] = []
        self._timers: list[_Timer] = []

    def monotonic(self) -> float:
        """Give the seconds since some fixed moment."""
        return self._now

    def advance(self, seconds: float, /) -> None:
        """Let time pass; timers that it passes expire, in their order."""
        if seconds < 0:
            raise ValueError(f"time does not go back, got {seconds}")
        self._pass_to(self._now + seconds)

    async def sleep(self, seconds: float, /) -> None:
        """Wait until the clock has moved so far, moving it when nobody waits for less."""
        self.slept.append(seconds)
        wake = self._now + max(seconds, 0.0)
        self._sleepers.append(wake)
        try:
            while True:
                for _ in range(_TURNS):
                    await asyncio.sleep(0)
                if self._now >= wake:
                    return
                self._pass_to(min([*self._sleepers, *[timer.at for timer in self._timers]]))
        finally:
            self._sleepers.remove(wake)

    def sleep_sync(self, seconds: float, /) -> None:
        """Move the clock by so much and return."""
        self.slept.append(seconds)
        self.advance(max(seconds, 0.0))

    def timeout(self, seconds: float, /) -> _Timer:
        """Make a timer that cuts its block short when the clock passes so many seconds."""
        return _Timer(self, seconds)

    def _pass_to(self, moment: float) -> None:
        self._now = max(self._now, moment)
        for timer in sorted(self._timers, key=lambda one: one.at):
            if timer.at <= self._now:
                timer.expire()


class _Timer:
    """An `asyncio.timeout` that the fake clock sets off: how it cancels whom is asyncio's."""

    __slots__ = ("at", "_clock", "_seconds", "_timeout")

    at: float

    def __init__(self, clock: FakeClock, seconds: float) -> None:
        self._clock = clock
        self._seconds = seconds
        self._timeout = asyncio.timeout(None)

    async def __aenter__(self) -> Self:
        await self._timeout.__aenter__()
        self.at = self._clock._now + self._seconds
        self._clock._timers.append(self)
        if self._seconds <= 0:
            self.expire()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        tb: TracebackType | None,
        /,
    ) -> None:
        if self in self._clock._timers:
            self._clock._timers.remove(self)
        await self._timeout.__aexit__(kind, exc, tb)  # raises the TimeoutError

    def expire(self) -> None:
        """Cancel the block, once."""
        self._clock._timers.remove(self)
        self._timeout.reschedule(0.0)

    def expired(self) -> bool:
        """Tell whether this timer cut the block short."""
        return self._timeout.expired()


@contextmanager
def instant() -> Generator[None]:
    """Let nothing wait inside the block: the machine's clock then sleeps for no time.

    For programs whose policies were made without a clock; what such a clock would measure stays
    real. It is a block, not a decorator: on an `async def` it would end before the body begins.
    """
    token = sleepless.set(True)
    try:
        yield
    finally:
        sleepless.reset(token)
