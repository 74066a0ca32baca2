"""Write in a thread of its own, so that a slow sink does not slow the program.

What is logged goes into a deque and an event wakes the thread; a `queue.Queue` would cost ten
times as much. When the deque is full, what is new is dropped and counted, and the thread tells how
many as soon as it goes on. It is flushed at exit. This room must never learn what it writes.
"""

from __future__ import annotations

import atexit
import os
from collections import deque
from threading import Event, Lock, Thread
from weakref import WeakMethod

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, Final

__all__ = ["Background"]

_EXIT_TIMEOUT: Final = 5.0


class Background:
    """A bounded queue and the thread that empties it; the thread starts with the first item.

    Args:
        write: called with each item, in the thread; it does not raise.
        tell: called with how many were dropped since the last time.
        capacity: how many items may wait.
    """

    __slots__ = (
        "__weakref__", "_capacity", "_closed", "_lock", "_queue", "_tell", "_thread", "_told",
        "_wake", "_write", "dropped",
    )  # fmt: skip

    def __init__(
        self, write: Callable[[Any], object], tell: Callable[[int], object], capacity: int
    ) -> None:
        self._write = write
        self._tell = tell
        self._capacity = capacity
        self.dropped = 0
        self._begin()
        atexit.register(self.close, _EXIT_TIMEOUT)
        if hasattr(os, "register_at_fork"):
            begin = WeakMethod(self._begin)  # nothing unregisters there, so it must not hold us
            os.register_at_fork(after_in_child=lambda: (again := begin()) and again())

    def _begin(self) -> None:
        """Start empty: in a child of fork the thread is gone, and what waits is the parent's."""
        self._queue: deque[Any] = deque()
        self._wake = Event()
        self._lock = Lock()
        self._thread: Thread | None = None
        self._closed = False
        self._told = self.dropped

    @property
    def waiting(self) -> int:
        """How many items wait to be written."""
        return len(self._queue)

    def put(self, item: object, /) -> None:
        """Hand over an item; when too many wait it is dropped."""
        if len(self._queue) >= self._capacity:
            with self._lock:
                self.dropped += 1
            return
        self._queue.append(item)
        if not self._wake.is_set():
            self._rouse()

    def flush(self, timeout: float) -> int:
        """Wait until what was handed over before is written; give how many still wait."""
        if self._thread is None or self._closed:
            return len(self._queue)
        mark = Event()
        self._queue.append(mark)
        self._rouse()
        return 0 if mark.wait(timeout) else len(self._queue)

    def close(self, timeout: float) -> None:
        """Flush and end the thread; what comes later is written at once, by whoever brings it."""
        atexit.unregister(self.close)
        self._closed = True
        if self._thread is not None:
            self._wake.set()
            self._thread.join(timeout)
            if self._thread.is_alive():
                return  # the sink hangs; it would hang here too
        self._wake.clear()  # before the queue is emptied, as below
        self._drain()

    def _rouse(self) -> None:
        if self._closed:
            return self._drain()
        with self._lock:
            if self._thread is None:
                thread = Thread(target=self._run, name="qicore-log", daemon=True)
                try:
                    thread.start()
                except RuntimeError:  # no thread is to be had, as at the end of the program
                    return self._drain()
                self._thread = thread
        return self._wake.set()

    def _run(self) -> None:
        while not self._closed:
            self._wake.wait()
            self._wake.clear()  # before the queue is emptied: who comes later sets it again
            self._drain()

    def _drain(self) -> None:
        while True:
            try:
                item = self._queue.popleft()
            except IndexError:
                return
            if isinstance(item, Event):
                item.set()
            else:
                self._write(item)
            if self.dropped != self._told:
                dropped, self._told = self.dropped - self._told, self.dropped
                self._tell(dropped)
