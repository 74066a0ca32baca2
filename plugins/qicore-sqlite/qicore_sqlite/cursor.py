"""Rows that are read some at a time, from wherever they come."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Sequence
from queue import SimpleQueue
from typing import Any, Final, final

from qicore_core import Failure, Result, failure, success
from qicore_sql import Statement

from .connection import columns_of, fetch, open_rows
from .errors import closed
from .lane import Jobs, Lane, Outbox
from .settings import SqliteSettings
from .writer import Pinned

__all__ = ["OwnCursor", "PinnedCursor"]

_PATIENCE: Final = 1.0  # seconds that closing waits for a fetch, before it is stopped


@final
class OwnCursor:
    """Rows of a statement on a connection and a thread of its own."""

    def __init__(self, outbox: Outbox, /) -> None:
        self._jobs: Jobs = SimpleQueue()
        self._outbox = outbox
        self._rows: sqlite3.Cursor
        self.lane = Lane("qicore-sqlite-stream", outbox, self._jobs)
        self.columns: Sequence[str] = ()
        self.is_closed = False

    async def open(
        self, settings: SqliteSettings, statement: Statement, params: Sequence[object], /
    ) -> Result[None]:
        """Open the connection and run the statement up to its first row."""

        def work(connection: sqlite3.Connection) -> Result[None]:
            opened = open_rows(statement, params, connection)
            if isinstance(opened, Failure):
                return opened
            self._rows = opened.value
            self.columns = columns_of(self._rows)
            return success()

        try:
            opened = await self.lane.open(settings, is_writer=False)
            begun: Result[None] = opened and await self._outbox.ask(self._jobs, work)
        except asyncio.CancelledError:
            self.stop()
            raise
        if isinstance(begun, Failure):
            await self.close()
        return begun

    async def fetch(self, size: int, /) -> Result[Sequence[tuple[Any, ...]]]:
        """Give the next rows."""
        if self.is_closed:
            return failure(closed("the stream is closed", "make a new one"))
        rows: Result[Sequence[tuple[Any, ...]]] = await self._outbox.ask(
            self._jobs, lambda _: fetch(self._rows, size)
        )
        return rows

    async def close(self) -> None:
        """End the thread and its connection."""
        self.stop()
        await self.lane.ended(_PATIENCE)

    def stop(self) -> None:
        """Have the thread end."""
        if not self.is_closed:
            self.is_closed = True
            self._jobs.put(None)


@final
class PinnedCursor:
    """Rows of a statement in a transaction."""

    __slots__ = ("_pinned", "_rows", "columns")

    def __init__(self, pinned: Pinned, rows: sqlite3.Cursor, /) -> None:
        self.columns = columns_of(rows)
        self._pinned = pinned
        self._rows = rows

    async def fetch(self, size: int, /) -> Result[Sequence[tuple[Any, ...]]]:
        """Give the next rows."""
        rows: Result[Sequence[tuple[Any, ...]]] = await self._pinned.ask(
            lambda _: fetch(self._rows, size)
        )
        return rows

    async def close(self) -> None:
        """Let the statement go; the transaction goes on."""

        def work(_: sqlite3.Connection) -> Result[None]:
            self._pinned.cursors.discard(self._rows)
            self._rows.close()
            return success()

        put = self._pinned.put(work)
        if put:
            await put.value.future  # cancelled, it is done all the same
