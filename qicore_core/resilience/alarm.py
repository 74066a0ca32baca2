"""What cuts calls short: for each event loop one timer, set to the earliest moment asked for.

Nearly every call ends in time. asyncio keeps a timer for each in a heap that it orders by comparing
in Python; one that is due before those of a transport rises to its top, and sinks again. Here a
call joins a set and leaves it, and the loop has one timer. When it rings, all who wait are looked
at: so it rings the more seldom the more they are.

Imports asyncio: the clock loads it when something is to be cut short.
"""

from __future__ import annotations

from _thread import _local  # what threading.local is
from asyncio import CancelledError, current_task, get_running_loop
from time import monotonic

TYPE_CHECKING = False
if TYPE_CHECKING:
    from asyncio import Task, TimerHandle
    from typing import Any, Final, Self, final
else:
    from ..lean import final

__all__ = ["AlarmTimer"]

_NEVER: Final = float("inf")
_LOOK: Final = 1e-6  # seconds that pass for each who waits; looking at one takes a tenth of it


@final
class _Alarm:
    """The one timer of an event loop."""

    __slots__ = ("_handle", "at", "loop", "waiting")

    def __init__(self) -> None:
        self.loop = get_running_loop()
        self.waiting: set[AlarmTimer] = set()
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


class _Here(_local):
    """The alarm of the loop that ran last in this thread."""

    alarm: _Alarm | None = None


_here: Final = _Here()


@final
class AlarmTimer:
    """Cut short what runs inside `async with`, as `asyncio.timeout` does.

    Args:
        seconds: how long it may take, from when it is entered.
    """

    __slots__ = ("_alarm", "_before", "_is_expired", "_task", "at")

    def __init__(self, seconds: float, /) -> None:
        self.at = seconds
        self._is_expired = False

    async def __aenter__(self) -> Self:
        loop, alarm = get_running_loop(), _here.alarm
        if alarm is None or alarm.loop is not loop:
            alarm = _here.alarm = _Alarm()
        self._alarm = alarm
        task: Task[Any] | None = current_task(loop)
        assert task is not None  # noqa: S101  # what waits here is one's coroutine
        self._task = task
        self._before = task.cancelling()
        now = monotonic()
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
