"""Write in a thread of its own, so that a slow sink does not slow the program.

What is logged goes into a SimpleQueue, whose `put` may be interrupted by itself: by a signal's
handler, by `__del__`. When the queue is full, what is new is dropped and counted, and the thread
tells how many as soon as it goes on. It is flushed at exit. This room must never learn what it
writes.
"""

from __future__ import annotations

import atexit
import os
from queue import Empty, SimpleQueue
from threading import Event, RLock, Thread

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, Final

__all__ = ["Background"]

_EXIT_TIMEOUT: Final = 5.0


class Background:
    """A bounded queue and the thread that empties it; the thread starts with the first item.

    Args:
        write: called in the thread with each item and, where some were dropped since the last time,
            with how many.
        capacity: how many items may wait.
        report: called with what passes `write` in the thread, which goes on.
    """

    __slots__ = (
        "_capacity", "_closed", "_last", "_lock", "_process", "_queue", "_report", "_thread",
        "_told", "_write", "dropped",
    )  # fmt: skip

    def __init__(
        self,
        write: Callable[[Any], object],
        capacity: int,
        report: Callable[[BaseException], object],
    ) -> None:
        self._write = write
        self._report = report
        self._capacity = capacity
        self.dropped = 0
        self._begin()
        atexit.register(self.close, _EXIT_TIMEOUT)

    def _begin(self) -> None:
        """Start empty: in a child of fork the thread is gone, and what waits is the parent's."""
        self._queue: SimpleQueue[Any] = SimpleQueue()
        self._lock = RLock()
        self._thread: Thread | None = None
        self._last = Event()  # where the thread ends
        self._closed = False
        self._told = self.dropped
        self._process = os.getpid()

    @property
    def waiting(self) -> int:
        """How many items wait to be written."""
        return self._queue.qsize()

    def put(self, item: object, /) -> None:
        """Hand over an item; when too many wait it is dropped."""
        if self._process != os.getpid():
            self._begin()
        if self._queue.qsize() >= self._capacity:
            with self._lock:
                self.dropped += 1
            return
        self._queue.put(item)
        if self._thread is None or self._closed:
            self._rouse()

    def flush(self, timeout: float) -> int:
        """Wait until what was handed over before is written; give how many still wait."""
        return 0 if self._reach(Event(), timeout) else self._queue.qsize()

    def close(self, timeout: float) -> None:
        """Flush and end the thread; what comes later is written at once, by whoever brings it."""
        atexit.unregister(self.close)
        reached = self._reach(self._last, timeout)
        self._closed = True
        if reached:  # else the sink hangs; it would hang here too
            self._drain()

    def _reach(self, mark: Event, timeout: float) -> bool:
        """Wait until the thread, where there is one, has come to a mark."""
        if self._process != os.getpid():
            self._begin()
        if self._thread is None or self._closed:
            return True
        self._queue.put(mark)
        return mark.wait(timeout)

    def _rouse(self) -> None:
        with self._lock:
            if self._thread is None and not self._closed:
                self._thread = Thread(target=self._run, name="qicore-log", daemon=True)
                try:
                    self._thread.start()
                except RuntimeError:  # no thread is to be had, as at the end of the program
                    self._thread = None
        if self._thread is None or self._closed:
            self._drain()

    def _run(self) -> None:
        while (item := self._queue.get()) is not self._last:
            try:
                self._take(item)
            except BaseException as why:  # noqa: BLE001  # a sink's: Ctrl-C strikes elsewhere
                self._report(why)
        self._last.set()

    def _drain(self) -> None:
        try:
            while True:
                self._take(self._queue.get_nowait())
        except Empty:
            return

    def _take(self, item: Any) -> None:
        if isinstance(item, Event):
            item.set()
        else:
            self._write(item)
        if self.dropped != self._told:
            dropped, self._told = self.dropped - self._told, self.dropped
            self._write(dropped)
