"""The database that users hold: everything that is the same for every driver."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import nullcontext
from os import PathLike, fspath
from typing import Any, Final, TypeVar, final, overload

from qicore_core import (
    Deadline,
    Failure,
    Opening,
    Parts,
    Policy,
    QiError,
    Result,
    RetryPolicy,
    failure,
    success,
)

from .calls import Calls, is_undone
from .driver import Progress, SqlBackup, SqlDriver
from .errors import UNSUPPORTED
from .migrations import Migration, Migrations
from .queries import Queries
from .settings import DatabaseSettings
from .statement import Statements
from .transaction import Block, Ends, Transaction, complete

__all__ = ["Database"]

T = TypeVar("T")
_UNITS: Final = RetryPolicy(5)  # of `transaction(fn)`, which is there to be repeated


@final
class Database(Queries):
    """A database, the same whatever keeps it. Made by `open_database`.

    Each call on it is a transaction of its own: it takes effect as a whole or not at all.
    """

    __slots__ = ("_driver", "_units")

    def __init__(
        self,
        driver: SqlDriver,
        settings: DatabaseSettings | None = None,
        parts: Parts | None = None,
        /,
    ) -> None:
        settings, parts = settings or DatabaseSettings(), parts or Parts()
        policy = settings.policy or Policy()
        calls = Calls(policy, parts)
        super().__init__(driver, Statements(driver.dialect), calls, settings.max_rows)
        # Around the whole of a transaction; breaker, bulkhead and rate are its statements' own.
        around = Policy(retry=policy.retry or _UNITS, timeout=policy.timeout)
        self._driver = driver
        self._units = Calls(around, parts)

    @overload
    def transaction(self, /) -> Opening[Transaction]: ...
    @overload
    def transaction(
        self,
        fn: Callable[[Transaction], Awaitable[Result[T]]],
        /,
        *,
        timeout: float | None = None,
        policy: Policy | None = None,
    ) -> Coroutine[Any, Any, Result[T]]: ...
    def transaction(
        self,
        fn: Callable[[Transaction], Awaitable[Result[T]]] | None = None,
        /,
        *,
        timeout: float | None = None,
        policy: Policy | None = None,
    ) -> Any:
        """Run a function in a transaction, or open one for `async with`.

        ```python
        async with db.transaction() as tx:
            await tx.execute("update accounts set sum = sum - $1 where id = $2", 5, 1)
            await tx.execute("update accounts set sum = sum + $1 where id = $2", 5, 2)
        ```
        Leaving commits; an exception rolls back and passes. A Failure from `tx` dooms it.

        Args:
            fn: called with the transaction, and called again, in a new one, when others were in the
                way (DB_LOCKED, DB_SERIALIZATION): what it does outside of the database it may do
                twice. It gives a Result: a Success commits, a Failure rolls back and is given.
            timeout: seconds for the whole of it, with `fn`.
            policy: its retry and timeout in place of the database's, with `fn`.

        Errors:
            DB_TRANSACTION_DOOMED: a call failed, which is the cause, and nothing is done; leaving
                the block raises it.
            what COMMIT fails with; leaving the block raises it.
        """
        if fn is None:
            return Block(self._begin)
        return self._repeat(fn, timeout, policy)

    async def health(self) -> Result[None]:
        """Ask the database for anything at all."""
        answer = await self.query_value("select 1")
        return answer.map(lambda _: None)

    async def migrate(
        self,
        folder: str | PathLike[str],
        /,
        *,
        dry_run: bool = False,
        timeout: float | None = None,
    ) -> Result[list[Migration]]:
        """Bring the schema up to date by a folder of numbered SQL files; give those it did.

        All that are new are done in one transaction, or none is; of several processes one does it.
        A file may have several statements, and none that begins or ends a transaction.

        Args:
            folder: of files like `0001_users.sql`: SQL in UTF-8, 64 MB in all at most.
            dry_run: change nothing, and give those that would be done.
            timeout: seconds for the whole, waiting for other processes included.

        Errors:
            DB_MIGRATION_FAILED: a file failed, and context has its number, file and line; or one
                was changed or lost after it was done, comes before one that is done, or cannot be
                read, and nothing was tried.
            DB_TIMEOUT, DB_LOCKED: nothing was done.
            what COMMIT fails with: nothing was done.
        """
        within = nullcontext() if timeout is None else Deadline.after(timeout)
        with within:
            read = await asyncio.to_thread(Migrations.read, fspath(folder), self._statements)
            if isinstance(read, Failure):
                return read
            migrations = read.value
            planned = await migrations.planned(self)
            if dry_run or isinstance(planned, Failure) or not planned.value:
                return planned
            prepared = await migrations.prepare(self)
            if isinstance(prepared, Failure):
                return prepared
            return await self.transaction(migrations.apply)

    async def backup(
        self,
        path: str | PathLike[str],
        /,
        *,
        replace: bool = False,
        progress: Progress | None = None,
        timeout: float | None = None,
    ) -> Result[None]:
        """Copy the whole database, as it is now, into a file, while others go on writing.

        The file is there as a whole or not at all.

        Args:
            path: of the copy.
            replace: whether a file that is there may go.
            progress: called with how much is done and how much it is in all.
            timeout: seconds for the whole.

        Errors:
            DB_BACKUP_FAILED: there is such a file, or it cannot be made.
            DB_UNSUPPORTED: the database has a tool of its own for that.
        """
        driver = self._driver
        if not isinstance(driver, SqlBackup):
            return failure(_no_backup())
        return await self._calls.perform(
            "backup", driver.backup, False, timeout, None, fspath(path), replace, progress
        )

    async def close(self) -> None:
        """Close the driver; every call after that is a DB_CLOSED."""
        self._calls.close()
        await self._driver.close()

    async def _begin(self) -> Result[Transaction]:
        begun = await self._calls.perform("begin", self._driver.begin, is_undone, None, None)
        if isinstance(begun, Failure):
            return begun
        session = begun.value
        ends = Ends(session.commit, session.rollback)
        return success(
            Transaction(
                session, self._statements, self._calls, self._max_rows, ends, asyncio.Lock()
            )
        )

    async def _repeat(
        self,
        fn: Callable[[Transaction], Awaitable[Result[T]]],
        timeout: float | None,
        policy: Policy | None,
    ) -> Result[T]:
        if policy is not None:
            policy = Policy(retry=policy.retry, timeout=policy.timeout)
        return await self._units.perform(
            "transaction", complete, is_undone, timeout, policy, self._begin, fn
        )


def _no_backup() -> QiError:
    return QiError.unsupported(
        UNSUPPORTED,
        "this database is not copied by its client",
        hint="use its own tool: pg_dump for PostgreSQL",
        source="sql",
    )
