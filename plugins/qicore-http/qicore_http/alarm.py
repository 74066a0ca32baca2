"""What cuts calls short: for each event loop one timer, set to the earliest moment asked for.

Nearly every call ends in time. asyncio keeps a timer for each in a heap that it orders by comparing
in Python; one that is due before those of the transport rises to its top, and sinks again. Here a
call joins a set and leaves it, and the loop has one timer. When it rings, all who wait are looked
at: so it rings the more seldom the more they are.
"""

from __future__ import annotations

import threading
from asyncio import CancelledError, Task, TimerHandle, current_task, get_running_loop
from time import monotonic
from typing import Any, Final, Self, final

from qicore_core.resilience import SYSTEM_CLOCK

__all__ = ["AlarmClock"]

_NEVER: Final = float("inf")
_LOOK: Final = 1e-6  # seconds that pass for each who waits; looking at one takes a tenth of it


@final
class AlarmClock(threading.local):
    """The machine's clock; in each thread it keeps the alarm of the loop that ran there last."""

    monotonic = staticmethod(monotonic)
    sleep = staticmethod(SYSTEM_CLOCK.sleep)
    sleep_sync = staticmethod(SYSTEM_CLOCK.sleep_sync)
    _alarm: _Alarm | None = None

    def timeout(self, seconds: float, /) -> _Timer:
        """Make a timer that expires so many seconds after it is entered."""
        alarm, loop = self._alarm, get_running_loop()
        if alarm is None or alarm.loop is not loop:
            alarm = self._alarm = _Alarm()
        return _Timer(alarm, seconds)


@final
class _Alarm:
    """The one timer of an event loop."""

    __slots__ = ("_handle", "at", "loop", "waiting")

    def __init__(self) -> None:
        self.loop = get_running_loop()
        self.waiting: set[_Timer] = set()
        self.at = _NEVER
        self._handle: TimerHandle | None = None

    def ring_at(self, moment: float, now: float) -> None:
        """Ring then, and no more at the moment that was set before."""
        if self._handle is not None:
            self._handle.cancel()
        self.at = moment
        self._handle = self.loop.call_later(moment - now, self._ring)

    def _ring(self) -> None:
        now = max(self.at, monotonic())  # a loop may be early by what its clock resolves
        for timer in [timer for timer in self.waiting if timer.at <= now]:
            self.waiting.remove(timer)
            timer.expire()
        self.at, self._handle = _NEVER, None
        if self.waiting:
            earliest = min([timer.at for timer in self.waiting])
            self.ring_at(max(earliest, now + len(self.waiting) * _LOOK), now)


@final
class _Timer:
    """Cut short what runs inside `async with`, as `asyncio.timeout` does."""

    __slots__ = ("_alarm", "_before", "_is_expired", "_task", "at")

    _task: Task[Any]

    def __init__(self, alarm: _Alarm, seconds: float) -> None:
        self.at = seconds
        self._alarm = alarm
        self._is_expired = False

    async def __aenter__(self) -> Self:
        alarm, now = self._alarm, monotonic()
        task = current_task(alarm.loop)
        assert task is not None  # noqa: S101  # what waits here is one's coroutine
        self._task = task
        self._before = task.cancelling()
        self.at += now
        alarm.waiting.add(self)
        if self.at < alarm.at:
            alarm.ring_at(self.at, now)
        return self

    async def __aexit__(self, kind: Any, exc: Any, tb: Any, /) -> None:
        self._alarm.waiting.discard(self)
        if self._is_expired and self._task.uncancel() <= self._before and kind is CancelledError:
            raise TimeoutError from exc

    def expire(self) -> None:
        """Cancel the block."""
        self._is_expired = True
        self._task.cancel()

    def expired(self) -> bool:
        """Tell whether this timer, and no other, cut the block short."""
        return self._is_expired
