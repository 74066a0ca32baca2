"""The lanes of an opened database: one thread that writes, a few that read, from open to close.

Each sees a whole state of the database: readers have a snapshot (WAL), and can change nothing
(`query_only`). In memory there is one connection, so the writer does it all.
"""

from __future__ import annotations

import asyncio
import atexit
from queue import SimpleQueue
from time import monotonic
from typing import Any, Final, final

from qicore_core import Failure, Result, failure, success

from .backup import Backup
from .cursor import OwnCursor
from .errors import closed
from .lane import Jobs, Lane, Outbox, Work
from .settings import SqliteSettings
from .writer import Writer

__all__ = ["Lanes"]

_PATIENCE: Final = 5.0  # seconds that closing waits for what runs, before it is stopped
_LAST_PATIENCE: Final = 2.0  # seconds, where the interpreter ends


@final
class Lanes:
    """The threads of one database in one event loop. Made by `Lanes.open`.

    Attributes:
        settings: what was opened.
        outbox: where answers go: the event loop that opened it.
        writer: the one thread that changes it.
        cursors: the streams and backups that have a thread of their own.
    """

    def __init__(self, settings: SqliteSettings, outbox: Outbox, /) -> None:
        self.settings = settings
        self.outbox = outbox
        self.writer = Writer(outbox, settings)
        self.cursors: set[OwnCursor | Backup] = set()
        self._reads: Jobs = SimpleQueue()
        count = 0 if settings.is_in_memory else settings.readers
        self._readers = [Lane("qicore-sqlite-reader", outbox, self._reads) for _ in range(count)]
        self._is_closed = False

    @classmethod
    async def open(cls, settings: SqliteSettings, /) -> Result[Lanes]:
        """Open the database and start its threads; a file that is not there is made.

        Errors:
            DB_CONNECTION_FAILED: it cannot be opened.
        """
        lanes = cls(settings, Outbox(asyncio.get_running_loop()))
        try:
            opened = await lanes.writer.open(settings, is_writer=True)  # it makes the log
            for reader in lanes._readers:
                if opened:
                    opened = await reader.open(settings, is_writer=False)
        except BaseException:
            lanes.stop()
            raise
        if isinstance(opened, Failure):
            lanes.stop()
            return opened
        # Threads that are daemons never keep the interpreter from its end; this keeps what was
        # asked for, and no thread is cut off in the middle of SQLite.
        atexit.register(lanes._at_exit)
        return success(lanes)

    @property
    def has_readers(self) -> bool:
        """Whether anyone but the writer reads."""
        return bool(self._readers)

    def refusal(self) -> Failure | None:
        """Say that it was closed; another event loop or process than its own is a bug."""
        self.outbox.check_loop()
        return failure(closed()) if self._is_closed else None

    async def read(self, work: Work, /) -> Any:
        """Have a reader do something, or the writer where there is none."""
        refused = self.refusal()
        if refused is not None:
            return refused
        return await self.outbox.ask(self._reads if self._readers else self.writer.jobs, work)

    async def write(self, work: Work, /, *, is_alone: bool = False) -> Any:
        """Have the writer do something, with what else waits for it or outside a transaction."""
        refused = self.refusal()
        if refused is not None:
            return refused
        return await self.outbox.ask(self.writer.jobs, work, not is_alone)

    def add(self, cursor: OwnCursor | Backup, /) -> None:
        """Take note of a thread that comes and goes, so that closing ends it too."""
        self.cursors = {one for one in self.cursors if not one.lane.is_over}
        self.cursors.add(cursor)

    def stop(self) -> None:
        """Have the threads end when they have done what waits."""
        self._is_closed = True
        atexit.unregister(self._at_exit)
        for cursor in self.cursors:
            cursor.stop()
        for _ in self._readers:
            self._reads.put(None)
        self.writer.stop()

    async def close(self) -> None:
        """Do what waits, then end the threads; what still runs after 5 seconds is stopped."""
        self.outbox.check_loop()
        was_closed, self._is_closed = self._is_closed, True
        if not was_closed:
            for cursor in self.cursors:
                await cursor.close()
            self.stop()
        await asyncio.gather(*[lane.ended(_PATIENCE) for lane in (*self._readers, self.writer)])

    def _at_exit(self) -> None:
        until = monotonic() + _LAST_PATIENCE
        self.stop()
        for lane in (self.writer, *self._readers, *(cursor.lane for cursor in self.cursors)):
            lane.join(max(0.1, until - monotonic()))
