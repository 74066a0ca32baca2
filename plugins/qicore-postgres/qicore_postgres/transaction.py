"""A transaction: statements on one connection, which it has for itself until it ends."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, final

from qicore_core import Failure, Result, failure, success
from qicore_sql import Answer, Statement, Step
from qicore_sql.errors import closed

from .connections import Connections, answer, controlled, is_clean, living
from .cursor import PortalCursor
from .errors import ERRORS, undone

__all__ = ["PostgresTransaction", "changed_by"]


async def changed_by(connection: Any, step: Step, /) -> int:
    """Run a statement for each row of its parameters; give how many rows it changed in all."""
    statement, many = step
    return sum([(await answer(connection, statement, params, 0)).changed for params in many])


@final
class PostgresTransaction:
    """What the driver's `begin` gives."""

    __slots__ = ("_connection", "_connections", "_is_clean", "_is_over")

    def __init__(self, connection: Any, connections: Connections, /) -> None:
        self._connection = connection
        self._connections = connections
        self._is_clean = True
        self._is_over = False

    async def run(
        self, statement: Statement, params: Sequence[object], limit: int, /
    ) -> Result[Answer]:
        """Run a statement."""
        if (ended := self._ended()) is not None:
            return ended
        return await ERRORS.run(answer, self._connection, self._noted(statement), params, limit)

    async def run_many(self, steps: Sequence[Step], /) -> Result[Sequence[int]]:
        """Run statements, all or none: after one that fails there is only a rollback."""

        async def work() -> Sequence[int]:
            return [await changed_by(self._connection, step) for step in steps]

        for statement, _ in steps:
            self._noted(statement)
        if (ended := self._ended()) is not None:
            return ended
        return await ERRORS.run(work)

    async def open_cursor(
        self, statement: Statement, params: Sequence[object], /
    ) -> Result[PortalCursor]:
        """Run a statement up to its first row."""

        async def work() -> PortalCursor:
            prepared = await living(self._connection).prepare(self._noted(statement).text)
            columns = [attribute.name for attribute in prepared.get_attributes()]
            return PortalCursor(
                await prepared.cursor(*statement.arrange(params)), columns, self._ended
            )

        if (ended := self._ended()) is not None:
            return ended
        return await ERRORS.run(work)

    async def commit(self) -> Result[None]:
        """Make it all so."""
        if (ended := self._ended()) is not None:
            return ended
        done = await self._end("commit")
        if done and done.value != "COMMIT":
            return failure(undone())
        return done and success()

    async def rollback(self) -> Result[None]:
        """Make it as if nothing had been."""
        if not self._is_over:
            await self._end("rollback")  # where that fails, the server does it with the connection
        return success()

    def abandon(self) -> None:
        """Give the connection back, of which the caller is cancelled; that rolls back."""
        self._is_over = True
        self._connections.give_later(self._connection)

    async def _end(self, word: str) -> Result[str]:
        self._is_over = True
        try:
            return await ERRORS.run(controlled, self._connection, word)
        finally:
            await self._connections.give(self._connection, is_clean=self._is_clean)

    def _noted(self, statement: Statement) -> Statement:
        """Take note of a statement that leaves something in its session."""
        self._is_clean = self._is_clean and is_clean(statement)
        return statement

    def _ended(self) -> Failure | None:
        if not self._is_over:
            return None
        return failure(closed("the transaction has ended", "begin another one"))
