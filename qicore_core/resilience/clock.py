"""Where time comes from: an argument to all in this room, so that a test turns the hands itself.

Only `monotonic()` is ever compared; the wall clock may be set back and is not asked.
"""

from __future__ import annotations

from contextvars import ContextVar
from time import monotonic, sleep

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Final, Protocol
else:
    Protocol = object  # a protocol is for type checkers; typing costs twice the whole core

__all__ = ["Clock", "SYSTEM_CLOCK", "SystemClock", "Timer", "sleepless", "system_random"]


class Timer(Protocol):
    """Cut short what runs inside `async with`, as `asyncio.timeout` does."""

    async def __aenter__(self) -> object: ...
    async def __aexit__(self, kind: Any, exc: Any, tb: Any, /) -> bool | None:
        """Raise TimeoutError if this timer cut the block short; let any other cancellation pass."""

    def expired(self) -> bool:  # pyright: ignore[reportReturnType]  # a protocol has no body
        """Tell whether this timer, and no other, cut the block short."""


class Clock(Protocol):
    """What this room asks of time: to be read, to be waited for, and to cut a wait short."""

    def monotonic(self) -> float:  # pyright: ignore[reportReturnType]  # as above
        """Give the seconds since some fixed moment; they never go back."""

    async def sleep(self, seconds: float, /) -> None:
        """Wait in a task; cancellation passes."""

    def sleep_sync(self, seconds: float, /) -> None:
        """Wait in a thread that has no event loop."""

    def timeout(self, seconds: float, /) -> Timer:  # pyright: ignore[reportReturnType]  # as above
        """Make a timer that expires so many seconds after it is entered."""


class SystemClock:
    """The clock of the machine."""

    __slots__ = ("_timer",)
    monotonic = staticmethod(monotonic)

    def __init__(self) -> None:
        self._timer: type[Timer] | None = None

    async def sleep(self, seconds: float, /) -> None:
        """Wait in a task."""
        from asyncio import sleep  # late: synchronous programs never load asyncio

        await sleep(0.0 if sleepless.get() else seconds)

    def sleep_sync(self, seconds: float, /) -> None:
        """Wait in a thread."""
        sleep(0.0 if sleepless.get() else seconds)

    def timeout(self, seconds: float, /) -> Timer:
        """Make one of the timers that share one of the loop's."""
        timer: Any = self._timer
        if timer is None:
            from .alarm import AlarmTimer  # late, as above; and once, as this is on hot paths

            timer = self._timer = AlarmTimer
        return timer(seconds)  # type: ignore[no-any-return]  # a type of Timers

    def __repr__(self) -> str:
        return "SYSTEM_CLOCK"


SYSTEM_CLOCK: Final = SystemClock()
sleepless: Final[ContextVar[bool]] = ContextVar("qicore_sleepless", default=False)
"""Set by tests whose policies have no clock of their own: the machine's clock then never waits."""


def system_random() -> float:
    """Give a number from 0 up to, not including, 1."""
    from random import random  # late: it is asked for after the first failure

    return random()  # noqa: S311  # it spreads retries; it guards nothing
