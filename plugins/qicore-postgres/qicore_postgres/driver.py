"""The driver: a statement goes to a connection of the pool, a transaction keeps one."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final, TypeVar, final

from qicore_core import Failure, Result, success
from qicore_sql import Answer, Dialect, ListCursor, SqlCursor, Statement, Step

from .connections import Connections, answer, controlled, is_clean
from .errors import ERRORS
from .settings import PostgresSettings
from .transaction import PostgresTransaction, changed_by

__all__ = ["PostgresDriver"]

T = TypeVar("T")
_DIALECT: Final = Dialect()
_ROWS: Final = frozenset(("select", "values", "with", "table"))


@final
class PostgresDriver:
    """A PostgreSQL behind the domain's narrow protocol. Made by `PostgresDriver.open`.

    It belongs to the event loop that opened it.
    """

    def __init__(self, connections: Connections, settings: PostgresSettings, /) -> None:
        self._connections = connections
        self._begin = f"begin isolation level {settings.isolation}"

    @property
    def dialect(self) -> Dialect:
        """How PostgreSQL reads statements: as QiCore writes them."""
        return _DIALECT

    @classmethod
    async def open(cls, settings: PostgresSettings, /) -> Result[PostgresDriver]:
        """Connect.

        Errors:
            DB_CONNECTION_FAILED: the server cannot be reached, or does not let us in.
        """
        return (await Connections.open(settings)).map(lambda made: cls(made, settings))

    async def run(
        self, statement: Statement, params: Sequence[object], limit: int, /
    ) -> Result[Answer]:
        """Run a statement in a transaction of its own."""
        return await self._on_one(answer, statement, params, limit, clean=is_clean(statement))

    async def run_many(self, steps: Sequence[Step], /) -> Result[Sequence[int]]:
        """Run statements in one transaction."""

        async def work(connection: Any) -> Sequence[int]:
            async with connection.transaction():
                return [await changed_by(connection, step) for step in steps]

        return await self._on_one(work, clean=all(is_clean(step[0]) for step in steps))

    async def open_cursor(
        self, statement: Statement, params: Sequence[object], /
    ) -> Result[SqlCursor]:
        """Run a statement on a connection of its own, which keeps its snapshot until the end."""
        if statement.keyword not in _ROWS:
            ran = await self.run(statement, params, 0)
            return ran.map(ListCursor)
        begun = await self.begin()
        if isinstance(begun, Failure):
            return begun
        try:
            opened = await begun.value.open_cursor(statement, params)
        except asyncio.CancelledError:
            begun.value.abandon()
            raise
        if isinstance(opened, Failure):
            await begun.value.rollback()
            return opened
        opened.value.ends = begun.value
        return success(opened.value)

    async def begin(self) -> Result[PostgresTransaction]:
        """Begin a transaction on a connection of its own."""
        taken = await self._connections.take()
        if isinstance(taken, Failure):
            return taken
        connection = taken.value
        try:
            begun: Result[Any] = await ERRORS.run(controlled, connection, self._begin)
        except asyncio.CancelledError:
            self._connections.give_later(connection)
            raise
        if isinstance(begun, Failure):
            await self._connections.give(connection)
            return begun
        return success(PostgresTransaction(connection, self._connections))

    async def close(self) -> None:
        """Let what runs end, for 5 seconds; then close every connection."""
        await self._connections.close()

    async def _on_one(
        self, work: Callable[..., Awaitable[T]], /, *args: Any, clean: bool
    ) -> Result[T]:
        """Do something on a connection, and give it back."""
        taken = await self._connections.take()
        if isinstance(taken, Failure):
            return taken
        connection = taken.value
        try:
            done = await ERRORS.run(work, connection, *args)
        except BaseException:  # whoever is cancelled does not wait for the server
            self._connections.give_later(connection)
            raise
        await self._connections.give(connection, is_clean=clean)
        return done
