"""A lane: one thread with one connection, and the way of a job into it and of its answer out.

The event loop puts jobs into a queue and gets the answers of many in one wake-up. Whoever waits for
a job and is cancelled goes at once; the job is stopped behind him. `interrupt` stops whatever the
connection runs at that moment, so it is called under a lock that also guards which job that is: it
never hits the next one. Between two statements of a job it hits nothing, so it is repeated until
the job has ended.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections import deque
from collections.abc import Callable, Coroutine, Iterable
from os import getpid
from queue import SimpleQueue
from threading import Event, Lock, Thread
from typing import Any, Final, TypeAlias, final

from qicore_core import Failure, Result, failure, success

from .connection import connect
from .errors import closed
from .settings import SqliteSettings

__all__ = ["Job", "Jobs", "Lane", "Outbox", "Outcome", "Work"]

Work: TypeAlias = Callable[[sqlite3.Connection], Result[Any]]
Outcome: TypeAlias = "Result[Any] | Exception | None"
"""What came of a job: its answer, a bug that it raised, or None where nobody waits for it."""

_AGAIN: Final = 0.005  # seconds between two interrupts of one job


@final
class Job:
    """Something that a thread shall do.

    Attributes:
        work: done in the thread.
        future: who waits for it, on the event loop.
        is_write: whether the writer may do it together with others.
        is_cancelled: whether nobody waits for it any more.
        lane: where it runs.
    """

    __slots__ = ("future", "is_cancelled", "is_write", "lane", "work")

    def __init__(self, work: Work, future: asyncio.Future[Any], is_write: bool = False) -> None:
        self.work = work
        self.future = future
        self.is_write = is_write
        self.is_cancelled = False
        self.lane: Lane | None = None

    def cancel(self) -> None:
        """Stop it, wherever it is."""
        self.is_cancelled = True
        if self.lane is not None:
            self.lane.interrupt(self)


Jobs: TypeAlias = "SimpleQueue[Job | None]"
"""What waits for a lane; None ends it."""


@final
class Outbox:
    """What threads have done, handed to the event loop."""

    __slots__ = ("_done", "_is_waking", "_process", "loop")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self._process = getpid()
        self._done: deque[tuple[Job, Outcome]] = deque()
        self._is_waking = False

    def post(self, done: Iterable[tuple[Job, Outcome]], /) -> None:
        """Hand over the outcomes of jobs, in one wake-up for all that wait for it."""
        self._done.extend(done)
        if not self._is_waking:
            self._is_waking = True
            try:
                self.loop.call_soon_threadsafe(self._drain)
            except RuntimeError:
                pass  # the loop was closed: nobody waits any more

    def ask(self, jobs: Jobs, work: Work, is_write: bool = False, /) -> Coroutine[Any, Any, Any]:
        """Have a job done, and wait for its answer; cancelled, stop it."""
        job = Job(work, self.loop.create_future(), is_write)
        jobs.put(job)
        return self.wait(job)

    async def wait(self, job: Job, /) -> Any:
        """Wait for the answer of a job; cancelled, stop it."""
        try:
            return await job.future
        except asyncio.CancelledError:
            job.cancel()
            raise

    def check_loop(self) -> None:
        """Refuse another event loop or process than the one that opened the database."""
        self.check_process()
        if asyncio.get_running_loop() is not self.loop:
            raise RuntimeError(
                "this database belongs to the event loop that opened it, and another one runs "
                "here: open one in each loop"
            )

    def check_process(self) -> None:
        """Refuse another process than the one that opened the database."""
        if getpid() != self._process:
            raise RuntimeError(
                "this database was opened before a fork, and its threads stayed there: "
                "open one in each process"
            )

    def _drain(self) -> None:
        self._is_waking = False  # first: what is posted from here on wakes again
        done = self._done
        while done:
            job, outcome = done.popleft()
            if job.future.done():  # whoever waited was cancelled
                _ = isinstance(outcome, Failure)  # a look, as nobody else will have one
            elif isinstance(outcome, Exception):
                job.future.set_exception(outcome)
            else:
                job.future.set_result(outcome)


class Lane:
    """A thread with a connection that does one job after the other.

    Args:
        name: of the thread.
        outbox: where answers go.
        jobs: where they come from; several readers share one.

    Attributes:
        given_up: set when no job is begun any more: closing has waited long enough.
    """

    def __init__(self, name: str, outbox: Outbox, jobs: Jobs) -> None:
        self.outbox = outbox
        self.jobs = jobs
        self.connection: sqlite3.Connection
        self._current: Job | None = None
        self._lock = Lock()
        self.given_up = Event()
        self._is_stopping = False
        self._ended = Job(_nothing, outbox.loop.create_future())
        self._opened = Job(_nothing, outbox.loop.create_future())
        self._thread = Thread(name=name, target=self._run, daemon=True)

    async def open(self, settings: SqliteSettings, /, *, is_writer: bool) -> Result[None]:
        """Start the thread, and have it open its connection."""
        self._settings = settings, is_writer
        self._thread.start()
        opened: Result[None] = await self.outbox.wait(self._opened)
        return opened

    def interrupt(self, job: Job | None = None, /) -> None:
        """Stop a job if it is the one that runs, or the one that does."""
        with self._lock:
            if self._current is None or job not in (None, self._current):
                return
            job = self._current
            self.connection.interrupt()
        self.outbox.loop.call_later(_AGAIN, self.interrupt, job)

    @property
    def is_over(self) -> bool:
        """Whether the thread has ended."""
        return self._ended.future.done()

    async def ended(self, patience: float, /) -> None:
        """Wait until the thread has ended; stop what it does when patience has run out."""
        await asyncio.wait([self._ended.future], timeout=patience)
        if not self._ended.future.done():
            self.given_up.set()
            self.interrupt()
            await asyncio.wait([self._ended.future], timeout=patience)
        if self._ended.future.done():
            self._thread.join()  # it has nothing left to do

    def join(self, patience: float, /) -> None:
        """Wait for the thread where there is no event loop any more: the interpreter ends."""
        self._thread.join(patience)
        if self._thread.is_alive():
            self.given_up.set()
            with self._lock:
                if self._current is not None:
                    self.connection.interrupt()
            self._thread.join(patience)

    def _run(self) -> None:
        opened: Result[sqlite3.Connection] | Exception
        try:
            opened = connect(self._settings[0], is_writer=self._settings[1])
        except Exception as bug:  # noqa: BLE001  # it is raised where somebody waits for the thread
            opened = bug
        if isinstance(opened, Failure | Exception):
            self.outbox.post([(self._opened, opened), (self._ended, success())])
            return
        self.connection = opened.value
        self.outbox.post([(self._opened, success())])
        while (job := self.jobs.get()) is not None:
            self.serve(job)
            if self._is_stopping:
                break
        self.connection.close()
        self.outbox.post([(self._ended, success())])

    def serve(self, job: Job, /) -> None:
        """Do a job and hand over its outcome."""
        self.outbox.post([(job, self.do(job))])

    def do(self, job: Job, /) -> Outcome:
        """Do a job, unless nobody waits for it."""
        job.lane = self  # before the look: whoever cancels from here on finds it
        self._current = job  # without the lock: only the end of a job must not cross an interrupt
        try:
            if job.is_cancelled:
                return None
            return failure(closed()) if self.given_up.is_set() else job.work(self.connection)
        except Exception as bug:  # noqa: BLE001  # it is raised where somebody waits for the job
            return bug
        finally:
            with self._lock:
                self._current = None


def _nothing(_: sqlite3.Connection) -> Result[None]:
    return failure(closed())
