"""The driver: which lane a statement goes to.

A statement goes to a reader if it begins like a read; one that looks like it and writes after all
(`with ... insert`) is refused there before it has done anything, and goes to the writer.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any, Final, final

from qicore_core import Failure, Result, failure, success
from qicore_sql import Answer, Dialect, ListCursor, Progress, SqlCursor, Statement, Step

from .backup import Backup
from .connection import execute, execute_many
from .cursor import OwnCursor
from .errors import refused
from .lanes import Lanes
from .settings import SqliteSettings
from .transaction import SqliteTransaction

__all__ = ["SqliteDriver"]

_READS: Final = frozenset(("select", "values", "explain", "with"))
_ALONE: Final = frozenset(("pragma", "vacuum"))  # SQLite does them outside of a transaction
_EVERYTHING: Final = 2**31 - 1  # rows

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

    def __init__(self, lanes: Lanes, /) -> None:
        self._lanes = lanes

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
        return (await Lanes.open(settings)).map(cls)

    async def run(
        self, statement: Statement, params: Sequence[object], limit: int, /
    ) -> Result[Answer]:
        """Run a statement in a transaction of its own."""
        answer: Result[Answer]
        work = partial(execute, statement, params, limit)
        if statement.keyword in _READS and self._lanes.has_readers:
            answer = await self._lanes.read(work)
            if not _is_write_after_all(answer):
                return answer
        wrong = refused(statement)
        if wrong is not None:
            return failure(wrong)
        answer = await self._lanes.write(work, is_alone=statement.keyword in _ALONE)
        return answer

    async def run_many(self, steps: Sequence[Step], /) -> Result[Sequence[int]]:
        """Run statements in one transaction."""
        wrong = refused(*[statement for statement, _ in steps])
        if wrong is not None:
            return failure(wrong)
        answer: Result[Sequence[int]] = await self._lanes.write(partial(execute_many, steps))
        return answer

    async def open_cursor(
        self, statement: Statement, params: Sequence[object], /
    ) -> Result[SqlCursor]:
        """Run a statement on a connection of its own, which keeps its snapshot until the end.

        In memory there is no other connection: the rows are copied first.
        """
        lanes = self._lanes
        if (is_closed := lanes.refusal()) is not None:
            return is_closed
        if statement.keyword in _READS and lanes.has_readers:
            cursor = OwnCursor(lanes.outbox)
            lanes.add(cursor)
            opened = await cursor.open(lanes.settings, statement, params)
            if not _is_write_after_all(opened):
                return opened if isinstance(opened, Failure) else success(cursor)
        answer = await self.run(statement, params, _EVERYTHING)
        return answer if isinstance(answer, Failure) else success(ListCursor(answer.value))

    async def begin(self) -> Result[SqliteTransaction]:
        """Begin a transaction that has the writer for itself: `begin immediate`."""
        if (is_closed := self._lanes.refusal()) is not None:
            return is_closed
        begun = await self._lanes.writer.begin()
        return begun if isinstance(begun, Failure) else success(SqliteTransaction(begun.value))

    async def backup(self, path: str, replace: bool, progress: Progress | None, /) -> Result[None]:
        """Copy a snapshot into a file; in memory the writer does it, and writes wait."""
        lanes = self._lanes
        if (is_closed := lanes.refusal()) is not None:
            return is_closed
        backup = Backup(lanes.outbox, path, replace, progress)
        if not lanes.settings.is_in_memory:
            lanes.add(backup)
            return await backup.run(lanes.settings)
        try:
            copied: Result[None] = await lanes.write(backup.copy, is_alone=True)
            return copied
        finally:
            backup.stop()

    async def close(self) -> None:
        """Do what waits, then end the threads; what still runs after 5 seconds is stopped."""
        await self._lanes.close()


def _is_write_after_all(answer: Result[Any]) -> bool:
    if isinstance(answer, Failure):
        return answer.error.context.get("sqlite_error") == "SQLITE_READONLY"
    return False
