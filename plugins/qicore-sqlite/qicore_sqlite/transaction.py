"""A transaction: statements on the writer's thread, which it has for itself until it ends."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from functools import partial
from typing import Any, final

from qicore_core import Failure, Result, failure, success
from qicore_sql import Answer, ListCursor, SqlCursor, Statement, Step

from .connection import execute, execute_many, open_rows
from .cursor import PinnedCursor
from .errors import closed, gone, refused
from .lane import Work
from .writer import Pinned, leave

__all__ = ["SqliteTransaction"]


@final
class SqliteTransaction:
    """What the driver's `begin` gives."""

    __slots__ = ("_pinned",)

    def __init__(self, pinned: Pinned, /) -> None:
        self._pinned = pinned

    async def run(
        self, statement: Statement, params: Sequence[object], limit: int, /
    ) -> Result[Answer]:
        """Run a statement."""
        answer: Result[Answer] = await self._ask(
            [statement], partial(execute, statement, params, limit)
        )
        return answer

    async def run_many(self, steps: Sequence[Step], /) -> Result[Sequence[int]]:
        """Run statements, all or none: in a savepoint."""

        def work(connection: sqlite3.Connection) -> Result[Sequence[int]]:
            connection.execute("savepoint many")
            counts = execute_many(steps, connection)
            if connection.in_transaction:
                if isinstance(counts, Failure):
                    connection.execute("rollback to many")
                connection.execute("release many")
            return counts

        counts: Result[Sequence[int]] = await self._ask([step[0] for step in steps], work)
        return counts

    async def open_cursor(
        self, statement: Statement, params: Sequence[object], /
    ) -> Result[SqlCursor]:
        """Run a statement up to its first row."""

        def work(connection: sqlite3.Connection) -> Result[SqlCursor]:
            opened = open_rows(statement, params, connection)
            if isinstance(opened, Failure):
                return opened
            if opened.value.description is None:
                return success(ListCursor(Answer((), (), 0)))
            self._pinned.cursors.add(opened.value)
            return success(PinnedCursor(self._pinned, opened.value))

        cursor: Result[SqlCursor] = await self._ask([statement], work)
        return cursor

    async def commit(self) -> Result[None]:
        """Make it all so."""
        return await self._end("commit")

    async def rollback(self) -> Result[None]:
        """Make it as if nothing had been."""
        ended = await self._end("rollback")
        return success() if self._pinned.is_over else ended

    async def _ask(self, statements: Sequence[Statement], work: Work) -> Any:
        wrong = refused(*statements)
        if wrong is not None:
            return failure(wrong)

        def within(connection: sqlite3.Connection) -> Result[Any]:
            # Outside of the transaction each statement would be one of its own.
            return work(connection) if connection.in_transaction else failure(gone())

        return await self._pinned.ask(within)

    async def _end(self, word: str) -> Result[None]:
        def work(connection: sqlite3.Connection) -> Result[None]:
            done = leave(connection, self._pinned, word)
            self._pinned.end(closed("the transaction has ended", "begin another one"))
            return done

        put = self._pinned.put(work)
        if isinstance(put, Failure):
            return put
        done: Result[None] = await put.value.future  # cancelled, it is done all the same
        return done
