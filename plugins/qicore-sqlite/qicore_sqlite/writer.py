"""The writer: the one thread that changes the database, by group commit.

A COMMIT that reaches the disk costs the same for one write as for a hundred. So the writes that
wait when the last COMMIT is done are made in one transaction, and none is acknowledged before that
COMMIT. Nobody waits for company: under load it comes by itself.

One that fails must take no other along. As nothing was acknowledged, all may be undone and made
again: with a savepoint each, which costs more than most writes and so is not there the first time.
What ends even the whole transaction (an interrupt, `on conflict rollback`, a full disk) or makes
COMMIT fail (a deferred foreign key) has them made a last time, each in a transaction of its own, so
that each has the answer that is its own.

An interactive transaction has the thread for itself until it ends. As everyone waits for it, one
that leaves it idle for too long is rolled back.

Source: Gawlick and Kinkade, "Varieties of Concurrency Control in IMS/VS Fast Path" (group commit).
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from queue import Empty, SimpleQueue
from threading import Lock
from time import monotonic
from typing import Any, Final, final

from qicore_core import Failure, QiError, Result, failure, success
from qicore_sql.errors import LOCKED, TIMEOUT

from .errors import ERRORS, closed, gone
from .lane import Job, Jobs, Lane, Outbox, Outcome, Work
from .settings import SqliteSettings

__all__ = ["Pinned", "Writer", "leave"]

_TOGETHER: Final = 128  # writes in one transaction: past that a COMMIT is no longer the cost
_PAUSE: Final = 0.01  # seconds between two turns of waiting for a lock
_FAULTS: Final = (Failure, Exception)  # outcomes of a write that did not succeed


@final
class Pinned:
    """The writer's thread while a transaction has it.

    Attributes:
        jobs: what the transaction asks for.
        cursors: the streams that are open in it.
    """

    __slots__ = ("_lock", "_over", "cursors", "jobs", "outbox")

    def __init__(self, outbox: Outbox) -> None:
        self.outbox = outbox
        self.jobs: Jobs = SimpleQueue()
        self.cursors: set[sqlite3.Cursor] = set()
        self._lock = Lock()
        self._over: QiError | None = None

    def put(self, work: Work, /) -> Result[Job]:
        """Put a job into the transaction; a Failure says that it has ended, and how."""
        self.outbox.check_loop()
        with self._lock:  # so that no job comes after the last look at the queue
            if self._over is not None:
                return failure(self._over)
            job = Job(work, self.outbox.loop.create_future())
            self.jobs.put(job)
            return success(job)

    async def ask(self, work: Work, /) -> Any:
        """Have a job done in the transaction, and wait for its answer."""
        put = self.put(work)
        return put if isinstance(put, Failure) else await self.outbox.wait(put.value)

    def end(self, error: QiError, /) -> None:
        """Take no more jobs, and refuse those that wait."""
        with self._lock:
            self._over = self._over or error
        while not self.jobs.empty():
            late = self.jobs.get()
            if late is not None:
                self.outbox.post([(late, failure(error))])

    @property
    def is_over(self) -> bool:
        """Whether it takes no more jobs."""
        return self._over is not None


@final
class Writer(Lane):
    """The lane of all that changes the database."""

    def __init__(self, outbox: Outbox, settings: SqliteSettings) -> None:
        super().__init__("qicore-sqlite-writer", outbox, SimpleQueue())
        self._busy_timeout = settings.busy_timeout
        self._idle_timeout = settings.idle_timeout
        self._pinned: Pinned | None = None
        self._is_closing = False

    async def begin(self) -> Result[Pinned]:
        """Begin a transaction, which has the thread until it ends."""
        pinned = Pinned(self.outbox)

        def work(connection: sqlite3.Connection) -> Result[Pinned]:
            begun = _say(connection, "begin immediate")
            if isinstance(begun, Failure):
                return begun
            self._pinned = pinned
            if self._is_closing:  # after the line above: `stop` looks the other way round
                pinned.jobs.put(None)
            return success(pinned)

        job = Job(work, self.outbox.loop.create_future())
        self.jobs.put(job)
        try:
            begun: Result[Pinned] = await job.future
        except asyncio.CancelledError:
            job.is_cancelled = True
            pinned.jobs.put(None)  # it may have begun: nobody would end it
            raise
        return begun

    def stop(self) -> None:
        """Have the thread end when it has done what waits; a transaction is rolled back."""
        self._is_closing = True
        self.jobs.put(None)
        pinned = self._pinned
        if pinned is not None:
            pinned.jobs.put(None)

    def serve(self, job: Job, /) -> None:
        """Do a job: alone, with the writes behind it, or until the transaction ends."""
        if not job.is_write:
            outcome = self._patiently(lambda: self.do(job))
            self.outbox.post([(job, outcome)])
            if self._pinned is not None:
                self._serve_transaction(self._pinned)
                self._pinned = None
            return
        together, after = [job], job
        while len(together) < _TOGETHER:
            try:
                following = self.jobs.get_nowait()
            except Empty:
                break
            if following is None:
                self._is_stopping = True
                break
            if not following.is_write:
                after = following
                break
            together.append(following)
        self._write(together)
        if after is not job:
            self.serve(after)

    def _patiently(self, ask: Callable[[], Outcome]) -> Outcome:
        """Ask again while another process has the lock.

        SQLite would wait by itself, but no interrupt ends that: so it waits for one turn.
        """
        until = monotonic() + self._busy_timeout
        while True:
            outcome = ask()
            if not isinstance(outcome, Failure) or outcome.error.code != LOCKED:
                return outcome
            if monotonic() >= until or self.given_up.wait(_PAUSE):
                return outcome

    def _write(self, jobs: list[Job]) -> None:
        """Do writes together; where one fails, again with a savepoint each; else each alone."""
        done = self._commit(jobs, with_savepoints=False)
        if done is None and len(jobs) > 1:
            done = self._commit(jobs, with_savepoints=True)
        if done is None:
            done = [outcome for job in jobs for outcome in self._alone(job)]
        self.outbox.post(done)

    def _commit(
        self, jobs: list[Job], *, with_savepoints: bool
    ) -> list[tuple[Job, Outcome]] | None:
        """Do writes in one transaction; None where it was undone by the fault of one."""
        connection = self.connection
        begun = self._patiently(lambda: _say(connection, "begin immediate"))
        if isinstance(begun, Failure):
            return [(job, begun) for job in jobs]
        done: list[tuple[Job, Outcome]] = []
        for job in jobs:
            outcome = self._in_savepoint(job) if with_savepoints else self.do(job)
            is_undone = isinstance(outcome, _FAULTS) and not with_savepoints
            if is_undone or not connection.in_transaction:
                _undo(connection)
                return None
            done.append((job, outcome))
        if isinstance(_say(connection, "commit"), Failure):
            _undo(connection)
            return None
        return done

    def _alone(self, job: Job) -> list[tuple[Job, Outcome]]:
        """Do a write in a transaction of its own."""
        outcome = self._patiently(lambda: _say(self.connection, "begin immediate"))
        if not isinstance(outcome, Failure):
            outcome = self.do(job)
            if not isinstance(outcome, _FAULTS):
                committed = _say(self.connection, "commit")
                outcome = committed if isinstance(committed, Failure) else outcome
            _undo(self.connection)
        return [(job, outcome)]

    def _in_savepoint(self, job: Job) -> Outcome:
        connection = self.connection
        _say(connection, "savepoint one")
        outcome = self.do(job)
        if isinstance(outcome, _FAULTS) and connection.in_transaction:
            _say(connection, "rollback to one")
        if connection.in_transaction:
            _say(connection, "release one")
        return outcome

    def _serve_transaction(self, pinned: Pinned) -> None:
        """Do what a transaction asks for, until it ends, is idle too long, or nobody wants it."""
        over = closed("the transaction has ended", "begin another one")
        while True:
            try:
                job = pinned.jobs.get(timeout=self._idle_timeout)
            except Empty:
                over = _idle(self._idle_timeout)
                break
            if job is None:
                break
            outcome = self.do(job)
            self.outbox.post([(job, outcome)])
            if pinned.is_over:
                return
        pinned.end(over)
        leave(self.connection, pinned, "rollback")


def leave(connection: sqlite3.Connection, pinned: Pinned, word: str, /) -> Result[None]:
    """End a transaction by `commit` or `rollback`."""
    for cursor in pinned.cursors:
        cursor.close()  # one that is open would keep the snapshot
    if not connection.in_transaction:
        return success() if word == "rollback" else failure(gone())
    said = _say(connection, word)
    if isinstance(said, Failure):
        _undo(connection)
    return said


def _say(connection: sqlite3.Connection, text: str) -> Result[None]:
    try:
        connection.execute(text)
    except sqlite3.Error as exception:
        error = ERRORS.translate(exception)
        assert error is not None  # noqa: S101  # the table has every error of SQLite
        return failure(error)
    return success()


def _undo(connection: sqlite3.Connection) -> None:
    if connection.in_transaction:
        _say(connection, "rollback")


def _idle(seconds: float) -> QiError:
    return QiError.timeout(
        TIMEOUT,
        f"the transaction was idle for {seconds:g} s and was rolled back: all other writers waited",
        hint="do what takes long before or after it, use `tx` and not the database inside it, "
        "or set idle_timeout",
        source="sql",
        retryable=False,
    )
