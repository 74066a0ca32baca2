"""The driver: which lane a statement goes to.

One thread writes, a few read, and each sees a whole state of the database: readers have a snapshot
(WAL), and can change nothing (`query_only`). A statement goes to a reader if it begins like a read;
one that looks like it and writes after all (`with ... insert`) is refused there before it has done
anything, and goes to the writer. In memory there is one connection, so the writer does it all.
"""

from __future__ import annotations

import asyncio
import atexit
from collections.abc import Sequence
from functools import partial
from queue import SimpleQueue
from time import monotonic
from typing import Any, Final, final

from qicore_core import Failure, Result, failure, success
from qicore_sql import Answer, Dialect, SqlCursor, Statement, Step

from .connection import execute, execute_many
from .cursor import ListCursor, OwnCursor
from .errors import closed, refused
from .lane import Jobs, Lane, Outbox, Work
from .settings import SqliteSettings
from .transaction import SqliteTransaction
from .writer import Writer

__all__ = ["SqliteDriver"]

_READS: Final = frozenset(("select", "values", "explain", "with"))
_ALONE: Final = frozenset(("pragma", "vacuum"))  # SQLite does them outside of a transaction
_EVERYTHING: Final = 2**31 - 1  # rows
_PATIENCE: Final = 5.0  # seconds that closing waits for what runs, before it is stopped
_LAST_PATIENCE: Final = 2.0  # seconds, where the interpreter ends


_DIALECT: Final = Dialect(
    placeholder="?",
    has_brackets=True,
    has_dollar_quotes=False,
    has_escapes=False,
    nests_comments=False,
)


@final
class SqliteDriver:
    """A SQLite database behind the domain's narrow protocol. Made by `SqliteDriver.open`.

    It belongs to the event loop that opened it.
    """

    def __init__(self, settings: SqliteSettings, outbox: Outbox, /) -> None:
        self._settings = settings
        self._outbox = outbox
        self._writer = Writer(outbox, settings)
        self._reads: Jobs = SimpleQueue()
        count = 0 if settings.is_in_memory else settings.readers
        self._readers = [Lane("qicore-sqlite-reader", outbox, self._reads) for _ in range(count)]
        self._cursors: set[OwnCursor] = set()
        self._is_closed = False

    @property
    def dialect(self) -> Dialect:
        """How SQLite reads statements."""
        return _DIALECT

    @classmethod
    async def open(cls, settings: SqliteSettings, /) -> Result[SqliteDriver]:
        """Open the database and start its threads; a file that is not there is made.

        Errors:
            DB_CONNECTION_FAILED: it cannot be opened.
        """
        driver = cls(settings, Outbox(asyncio.get_running_loop()))
        try:
            opened = await driver._writer.open(settings, is_writer=True)  # it makes the log
            for reader in driver._readers:
                if opened:
                    opened = await reader.open(settings, is_writer=False)
        except BaseException:
            driver._stop()
            raise
        if isinstance(opened, Failure):
            driver._stop()
            return opened
        # Threads that are daemons never keep the interpreter from its end; this keeps what was
        # asked for, and no thread is cut off in the middle of SQLite.
        atexit.register(driver._at_exit)
        return success(driver)

    async def run(
        self, statement: Statement, params: Sequence[object], limit: int, /
    ) -> Result[Answer]:
        """Run a statement in a transaction of its own."""
        answer: Result[Answer]
        work = partial(execute, statement, params, limit)
        if statement.keyword in _READS and self._readers:
            answer = await self._ask(self._reads, work)
            if not _is_write_after_all(answer):
                return answer
        wrong = refused(statement)
        if wrong is not None:
            return failure(wrong)
        is_write = statement.keyword not in _ALONE
        answer = await self._ask(self._writer.jobs, work, is_write)
        return answer

    async def run_many(self, steps: Sequence[Step], /) -> Result[Sequence[int]]:
        """Run statements in one transaction."""
        wrong = refused(*[statement for statement, _ in steps])
        if wrong is not None:
            return failure(wrong)
        answer: Result[Sequence[int]] = await self._ask(
            self._writer.jobs, partial(execute_many, steps), True
        )
        return answer

    async def open_cursor(
        self, statement: Statement, params: Sequence[object], /
    ) -> Result[SqlCursor]:
        """Run a statement on a connection of its own, which keeps its snapshot until the end.

        In memory there is no other connection: the rows are copied first.
        """
        self._outbox.check_loop()
        if self._is_closed:
            return failure(closed())
        if statement.keyword in _READS and self._readers:
            cursor = OwnCursor(self._outbox)
            self._cursors = {one for one in self._cursors if not one.lane.is_over}
            self._cursors.add(cursor)
            opened = await cursor.open(self._settings, statement, params)
            if not _is_write_after_all(opened):
                return opened if isinstance(opened, Failure) else success(cursor)
        answer = await self.run(statement, params, _EVERYTHING)
        return answer if isinstance(answer, Failure) else success(ListCursor(answer.value))

    async def begin(self) -> Result[SqliteTransaction]:
        """Begin a transaction that has the writer for itself: `begin immediate`."""
        self._outbox.check_loop()
        if self._is_closed:
            return failure(closed())
        begun = await self._writer.begin()
        return begun if isinstance(begun, Failure) else success(SqliteTransaction(begun.value))

    async def close(self) -> None:
        """Do what waits, then end the threads; what still runs after 5 seconds is stopped."""
        self._outbox.check_loop()
        was_closed, self._is_closed = self._is_closed, True
        if not was_closed:
            atexit.unregister(self._at_exit)
            for cursor in self._cursors:
                await cursor.close()
            self._stop()
        await asyncio.gather(*[lane.ended(_PATIENCE) for lane in (*self._readers, self._writer)])

    async def _ask(self, jobs: Jobs, work: Work, is_write: bool = False) -> Any:
        self._outbox.check_loop()
        if self._is_closed:
            return failure(closed())
        return await self._outbox.ask(jobs, work, is_write)

    def _stop(self) -> None:
        for _ in self._readers:
            self._reads.put(None)
        self._writer.stop()

    def _at_exit(self) -> None:
        until = monotonic() + _LAST_PATIENCE
        self._stop()
        for cursor in self._cursors:
            cursor.stop()
        for lane in (self._writer, *self._readers, *(cursor.lane for cursor in self._cursors)):
            lane.join(max(0.1, until - monotonic()))


def _is_write_after_all(answer: Result[Any]) -> bool:
    if isinstance(answer, Failure):
        return answer.error.context.get("sqlite_error") == "SQLITE_READONLY"
    return False
