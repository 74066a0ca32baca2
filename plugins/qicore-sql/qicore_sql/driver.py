"""What an author implements: where statements run. Everything else is the domain's.

A driver gets statements in its own dialect with their parameters beside them, and gives rows as
tuples. It has no retry and no timeout: a call that shall end is cancelled. What its database says
no to is a Failure in the codes of `errors`; neither a statement's text nor a parameter is ever in
one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Protocol, TypeAlias, runtime_checkable

from qicore_core import Result

from .statement import Dialect, Statement

__all__ = [
    "Answer",
    "Progress",
    "SqlBackup",
    "SqlCursor",
    "SqlDriver",
    "SqlSession",
    "SqlTransaction",
    "Step",
]

Step: TypeAlias = tuple[Statement, Sequence[Sequence[object]]]
"""One statement of several, with its parameters: a row for each time that it is run."""

Progress: TypeAlias = Callable[[int, int], object]
"""Told how much of a backup is done, and how much it is in all."""


class Answer(NamedTuple):
    """What came of a statement.

    Attributes:
        columns: the names of its columns; none where it gives no rows.
        rows: its rows, as many as were asked for.
        changed: how many rows it changed; 0 where that says nothing.
    """

    columns: Sequence[str]
    rows: Sequence[tuple[Any, ...]]
    changed: int


class SqlCursor(Protocol):
    """The rows of a statement, some at a time."""

    @property
    def columns(self) -> Sequence[str]:
        """The names of the columns."""
        ...

    async def fetch(self, size: int, /) -> Result[Sequence[tuple[Any, ...]]]:
        """Give the next rows, at most so many; none is the end."""
        ...

    async def close(self) -> None:
        """Give back what the cursor stands on; twice does no harm."""
        ...


class SqlSession(Protocol):
    """Where statements run.

    Each call takes effect as a whole or not at all. A call that is cancelled stops its statement
    and leaves the session fit for the next one.
    """

    async def run(
        self, statement: Statement, params: Sequence[object], limit: int, /
    ) -> Result[Answer]:
        """Run a statement.

        Args:
            statement: in the driver's dialect.
            params: in the order of `$1`, `$2`; `statement.arrange` gives the order of its text.
            limit: how many rows are wanted at most; 0 for what is run for its effect, where the
                count matters.
        """
        ...

    async def run_many(self, steps: Sequence[Step], /) -> Result[Sequence[int]]:
        """Run steps one after the other, all or none; give how many rows each of them changed."""
        ...

    async def open_cursor(
        self, statement: Statement, params: Sequence[object], /
    ) -> Result[SqlCursor]:
        """Run a statement whose rows are fetched some at a time."""
        ...


class SqlTransaction(SqlSession, Protocol):
    """A session whose effects nobody sees before `commit`; one call at a time.

    Both ends run to their end even if their caller is cancelled, and give what they stand on back.
    Savepoints need no method: `savepoint x`, `release x` and `rollback to x` are statements.
    """

    async def commit(self) -> Result[None]:
        """Make it all so; a Failure means that nothing is."""
        ...

    async def rollback(self) -> Result[None]:
        """Make it as if nothing had been; after an end it does nothing."""
        ...


class SqlDriver(SqlSession, Protocol):
    """A database. What runs on it directly is a transaction of its own."""

    @property
    def dialect(self) -> Dialect:
        """How it reads statements."""
        ...

    async def begin(self) -> Result[SqlTransaction]:
        """Begin a transaction; one that is cancelled while it waits leaves none behind."""
        ...

    async def close(self) -> None:
        """Finish what was asked for and close every connection; twice does no harm."""
        ...


@runtime_checkable
class SqlBackup(Protocol):
    """What a driver may have besides, where its database can be copied into a file."""

    async def backup(self, path: str, replace: bool, progress: Progress | None, /) -> Result[None]:
        """Copy a snapshot of the whole into a file, which is there as a whole or not at all.

        Others write meanwhile. Cancelled, it leaves nothing behind.

        Args:
            path: of the copy.
            replace: whether a file that is there may go.
            progress: called on the event loop.

        Errors:
            DB_BACKUP_FAILED: the file is there, or cannot be made.
        """
        ...
