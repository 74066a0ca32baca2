"""A copy of the whole database in a file: a snapshot, on a connection and a thread of its own.

SQLite begins a backup anew when somebody else writes meanwhile, so that a busy database would never
be copied. In a transaction that reads, which is a snapshot (WAL), it does not: so one is open.

The copy is made beside its place, and gets its name when it is whole. A log or a journal that lies
there already would be taken for the copy's own, so nothing is put beside one; an open database has
one, so that none is put over it.
"""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing, suppress
from functools import partial
from pathlib import Path
from queue import SimpleQueue
from typing import Any, Final, final
from uuid import uuid4

from qicore_core import QiError, Result, failure, success
from qicore_core.error.qi_error import make_error
from qicore_sql import Progress
from qicore_sql.errors import BACKUP_FAILED, CLOSED

from .errors import ERRORS, closed
from .lane import Jobs, Lane, Outbox
from .settings import SqliteSettings

__all__ = ["Backup"]

_PAGES: Final = (
    256  # in one step, of about a millisecond: between two it looks whether it is wanted
)
_BESIDE: Final = ("-wal", "-journal")  # what SQLite reads together with a file
_PATIENCE: Final = 1.0  # seconds that closing waits for a step


class _UnwantedError(Exception):
    """Nobody waits for the copy any more."""


@final
class Backup:
    """One copy being made.

    Args:
        outbox: where answers go.
        path: of the copy.
        replace: whether a file that is there may go.
        progress: called on the event loop.
    """

    def __init__(
        self, outbox: Outbox, path: str, replace: bool, progress: Progress | None, /
    ) -> None:
        self._jobs: Jobs = SimpleQueue()
        self._outbox = outbox
        self._path = Path(path)
        self._replace = replace
        self._progress = progress
        self._is_stopped = False
        self.lane = Lane("qicore-sqlite-backup", outbox, self._jobs)

    async def run(self, settings: SqliteSettings, /) -> Result[None]:
        """Open a connection and copy what it sees."""
        try:
            opened = await self.lane.open(settings, is_writer=False)
            copied: Result[None] = opened and await self._outbox.ask(self._jobs, self.copy)
            return copied
        finally:
            await self.close()

    async def close(self) -> None:
        """Stop what runs, and end the thread."""
        self.stop()
        await self.lane.ended(_PATIENCE)

    def stop(self) -> None:
        """Have the copying end at its next step, and the thread with it."""
        self._is_stopped = True
        self._jobs.put(None)

    def copy(self, source: sqlite3.Connection, /) -> Result[None]:
        """Copy what a connection sees, in its thread."""
        taken = self._taken()
        if taken is not None:
            return failure(taken)
        part = Path(f"{self._path}.{uuid4().hex}.part")
        try:
            with closing(sqlite3.connect(part)) as target:
                source.execute("begin")
                source.execute("select count(*) from sqlite_schema").fetchone()
                source.backup(target, pages=_PAGES, progress=self._step)
            if self._replace:
                os.replace(part, self._path)
            else:
                os.link(part, self._path)  # unlike a rename it never puts one file over another
            return success()
        except _UnwantedError:
            return failure(closed())
        except (sqlite3.Error, OSError) as exception:
            return failure(self._failed(exception))
        finally:
            if source.in_transaction:
                source.execute("rollback")
            for end in ("", *_BESIDE, "-shm"):
                with suppress(OSError):
                    os.unlink(f"{part}{end}")

    def _step(self, _: int, left: int, total: int) -> None:
        if self._is_stopped:
            raise _UnwantedError
        if self._progress is not None:
            told = partial(self._progress, total - left, total)
            with suppress(RuntimeError):  # the loop was closed: nobody is there to be told
                self._outbox.loop.call_soon_threadsafe(told)

    def _taken(self) -> QiError | None:
        """Say why the copy may not be put there, or None."""
        path = self._path
        if path.exists() and not self._replace:
            return _there(path)
        for end in _BESIDE:
            if Path(f"{path}{end}").exists():
                hint = "name another file: that one is open, or was left by a program that died"
                return _conflict(f"beside it lies {path.name + end!r}", hint)
        return None

    def _failed(self, exception: Any) -> QiError:
        if isinstance(exception, FileExistsError):
            return _there(self._path)
        if isinstance(exception, OSError):
            return QiError.configuration(
                BACKUP_FAILED,
                f"the copy cannot get its name: {type(exception).__name__}",
                cause=exception,
                hint="where the disk has no links, say replace=True",
                source="sql",
            )
        cause = ERRORS.translate(exception)
        assert cause is not None  # noqa: S101  # the table has every error of SQLite
        if cause.code == CLOSED:
            return cause
        return make_error(
            BACKUP_FAILED,
            f"the copy cannot be made: {cause.message}",
            cause.category,
            "sql",
            cause.context,
            cause=cause,
            hint=cause.hint,
        )


def _there(path: Path) -> QiError:
    hint = "name another file, or say replace=True"
    return _conflict(f"there is a file {path.name!r} already", hint)


def _conflict(message: str, hint: str) -> QiError:
    return QiError.conflict(BACKUP_FAILED, message, hint=hint, source="sql")
