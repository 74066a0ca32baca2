"""What a thread does with its connection: open it, run a statement, run several."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from time import monotonic, sleep
from types import NoneType
from typing import Any, Final

from qicore_core import Failure, QiError, Result, failure, success
from qicore_sql import Answer, Statement, Step
from qicore_sql.errors import CONNECTION_FAILED

from .errors import ERRORS, unbound, unopened, unread
from .settings import SqliteSettings

__all__ = ["columns_of", "connect", "execute", "execute_many", "fetch", "open_rows"]

_PLAIN: Final = (str, int, float, bytes, bytearray, memoryview, NoneType)
_EXACT: Final = frozenset((str, int, bytes, bool, NoneType))
_REFUSALS: Final = (sqlite3.Error, OverflowError, UnicodeEncodeError, BufferError)
_CHANGES: Final = frozenset(("insert", "update", "delete", "replace"))
_TURN: Final = 100  # ms that the writer waits for a lock before it looks whether it shall end
_PAUSE: Final = 0.01  # seconds between two tries to begin the log
_DROPPED: Final = 1_000  # rows at once, of a statement whose rows nobody wants


def connect(settings: SqliteSettings, /, *, is_writer: bool) -> Result[sqlite3.Connection]:
    """Open a connection.

    Errors:
        DB_CONNECTION_FAILED: the file cannot be opened, is no database, or lies where there is no
            write-ahead log.
    """
    connection: sqlite3.Connection | None = None
    try:
        connection = sqlite3.connect(
            settings.path,
            timeout=settings.busy_timeout,
            isolation_level=None,  # this room says where a transaction begins
            check_same_thread=False,  # another thread interrupts; nothing else is shared
            cached_statements=settings.statement_cache,
        )
        mode = _begin_log(connection, settings.busy_timeout)
        connection.execute(f"pragma synchronous={settings.durability}")
        connection.execute("pragma foreign_keys=on")
        if is_writer:
            turn = min(int(settings.busy_timeout * 1_000), _TURN)
            connection.execute(f"pragma busy_timeout={turn}")
        else:
            connection.execute("pragma query_only=on")
    except sqlite3.Error as exception:
        if connection is not None:
            connection.close()
        return failure(unopened(_translated(exception), settings.path))
    if mode == "wal" or settings.is_in_memory:
        return success(connection)
    connection.close()
    no_wal = QiError.configuration(
        CONNECTION_FAILED, "no write-ahead log can be kept there", hint="use a local disk"
    )
    return failure(unopened(no_wal, settings.path))


def execute(
    statement: Statement, params: Sequence[object], limit: int, connection: sqlite3.Connection, /
) -> Result[Answer]:
    """Run a statement; give at most so many of its rows."""
    cursor = open_rows(statement, params, connection)
    if isinstance(cursor, Failure):
        return cursor
    rows = cursor.value
    if rows.description is None:
        return success(Answer((), (), max(rows.rowcount, 0)))
    try:
        found: list[Any] = rows.fetchmany(limit) if limit else _drop(rows)
        return success(Answer(columns_of(rows), found, max(rows.rowcount, 0)))
    except sqlite3.Error as exception:
        return failure(_refusal(connection, exception, statement, params))
    finally:
        rows.close()  # one that is not read to its end would keep its snapshot


def execute_many(steps: Sequence[Step], connection: sqlite3.Connection, /) -> Result[Sequence[int]]:
    """Run steps one after the other, up to the first that fails."""
    unfit = _unfit(steps)
    if unfit is not None:
        return failure(unfit)
    counts: list[int] = []
    cursor = connection.cursor()
    try:
        for statement, rows in steps:
            order, changed = statement.order, 0
            placed = rows if order is None else [statement.arrange(params) for params in rows]
            if len(placed) > 1 and statement.keyword in _CHANGES:
                cursor.executemany(statement.text, placed)
                changed = cursor.rowcount
            else:
                for params in placed:
                    cursor.execute(statement.text, params)
                    if cursor.description is not None:
                        _drop(cursor)
                    if cursor.rowcount > 0:
                        changed += cursor.rowcount
            counts.append(changed)
    except _REFUSALS as exception:
        statement, rows = steps[len(counts)]
        error = _refusal(connection, exception, statement, rows[0])
        return failure(error.with_context(step=len(counts)))
    return success(counts)


def open_rows(
    statement: Statement, params: Sequence[object], connection: sqlite3.Connection, /
) -> Result[sqlite3.Cursor]:
    """Run a statement up to its first row."""
    unfit = _misfit(params)
    if unfit is not None:
        return failure(unfit)
    try:
        return success(connection.execute(statement.text, statement.arrange(params)))
    except _REFUSALS as exception:
        return failure(_refusal(connection, exception, statement, params))


def fetch(cursor: sqlite3.Cursor, size: int, /) -> Result[Sequence[tuple[Any, ...]]]:
    """Give the next rows of a statement."""
    try:
        return success(cursor.fetchmany(size))
    except sqlite3.Error as exception:
        return failure(_translated(exception))


def columns_of(cursor: sqlite3.Cursor, /) -> Sequence[str]:
    """Name the columns of a statement that gives rows."""
    return tuple([column[0] for column in cursor.description])


def _begin_log(connection: sqlite3.Connection, patience: float) -> Any:
    """Have the file keep a write-ahead log; give how it keeps one.

    Where somebody writes to a file that has none, as where several make one at once, SQLite says so
    and does not wait. It is asked again until `patience` has run out.
    """
    until = monotonic() + patience
    while True:
        try:
            return connection.execute("pragma journal_mode=wal").fetchone()[0]
        except sqlite3.OperationalError as exception:
            is_busy = exception.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY
            if not is_busy or monotonic() >= until:
                raise
        sleep(_PAUSE)


def _drop(rows: sqlite3.Cursor) -> list[Any]:
    """Have a statement run to its end; give none of its rows."""
    while rows.fetchmany(_DROPPED):
        continue
    return []


def _refusal(
    connection: sqlite3.Connection,
    exception: Exception,
    statement: Statement,
    params: Sequence[object],
    /,
) -> QiError:
    """Say why a statement failed.

    SQLite has one code for a statement that it cannot compile and for one that fails as it runs;
    what it also cannot explain, it could not compile.
    """
    error = _translated(exception)
    if getattr(exception, "sqlite_errorcode", None) == sqlite3.SQLITE_ERROR:
        try:
            connection.execute(f"explain {statement.text}", statement.arrange(params)).close()
        except sqlite3.Error as unreadable:
            return unread(error, str(unreadable))
    return error


def _translated(exception: Exception) -> QiError:
    error = ERRORS.translate(exception)
    assert error is not None  # noqa: S101  # the table has all that is caught in this room
    return error


def _unfit(steps: Sequence[Step]) -> QiError | None:
    """Say why SQLite would not keep a value as it is, or None."""
    for step, (_, rows) in enumerate(steps):
        for params in rows:
            for value in params:
                kind = type(value)
                if kind not in _EXACT and not (kind is float and value == value):
                    misfit = _misfit(params)
                    if misfit is not None:
                        return misfit.with_context(step=step)
    return None


def _misfit(params: Sequence[object]) -> QiError | None:
    """Look at each value by itself: at what is of no exact type, or not a number."""
    for position, value in enumerate(params, 1):
        if not isinstance(value, _PLAIN):
            return unbound(
                f"SQLite has no type for {type(value).__name__}",
                "pass text: value.isoformat(), str(value), json.dumps(value)",
                position,
            )
        if value != value:
            return unbound("SQLite has no NaN, it would keep NULL", "pass None", position)
    return None
