"""The pool: a connection for each call or transaction, in one event loop.

A connection goes back without the reset that asyncpg would ask the server for, a whole exchange
more for each call: statements leave nothing behind in a session but those that say so by their
first word, and after these it is reset.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, Final, final

import asyncpg  # type: ignore[import-untyped]  # it has no types

from qicore_core import Result, failure, success
from qicore_sql import Answer, Statement
from qicore_sql.errors import closed

from .errors import exhausted, unopened
from .settings import PostgresSettings

__all__ = ["Connections", "answer", "controlled", "is_clean", "living"]

_PATIENCE: Final = 5.0  # seconds for what is to end
_CLEAN: Final = frozenset((
    "select", "insert", "update", "delete", "merge", "with", "values", "table", "create", "alter",
    "drop", "truncate", "comment", "grant", "revoke", "analyze", "vacuum", "explain", "show",
    "refresh", "reindex", "savepoint", "release", "rollback", "copy", "call", "do", "",
))  # fmt: skip


async def answer(
    connection: Any, statement: Statement, params: Sequence[object], limit: int, /
) -> Answer:
    """Run a statement; what asyncpg raises passes."""
    # Private, as no public call gives rows, count and a bound at once: see test_vendor.py.
    rows, status, _ = await living(connection)._execute(
        statement.text, statement.arrange(params), limit, None, return_status=True
    )
    columns = tuple(rows[0].keys()) if rows else ()
    return Answer(columns, [tuple(row) for row in rows], _changed(status))


async def controlled(connection: Any, word: str, /) -> str:
    """Begin or end a transaction; give what the server says it did."""
    return str(await living(connection).execute(word))


def living(connection: Any, /) -> Any:
    """Give what a connection of the pool stands for; one that broke stands for nothing."""
    inner = connection._con  # private, as above
    if inner is None or inner.is_closed():
        raise ConnectionResetError("the pool has ended the connection, as it broke")
    return inner


def is_clean(statement: Statement, /) -> bool:
    """Tell whether a statement leaves its session as it was."""
    return statement.keyword in _CLEAN


def _changed(status: bytes | None) -> int:
    """Read a count: "INSERT 0 5" is 5, "SELECT 5" and "CREATE TABLE" are 0."""
    word, _, rest = (status or b"").partition(b" ")
    number = rest.rpartition(b" ")[2]
    return 0 if word == b"SELECT" or not number.isdigit() else int(number)


@final
class Connections:
    """Connections of one event loop. Made by `open`."""

    def __init__(self, pool: asyncpg.Pool[Any], settings: PostgresSettings, /) -> None:
        self._pool = pool
        self._settings = settings
        self._loop = asyncio.get_running_loop()
        self._ending = set[asyncio.Future[Any]]()
        self._is_closed = False

    @classmethod
    async def open(cls, settings: PostgresSettings, /) -> Result[Connections]:
        """Make the pool, and connect once to see whether that can be.

        Errors:
            DB_CONNECTION_FAILED: it cannot.
        """
        if isinstance(settings.client_object, asyncpg.Pool):
            return success(cls(settings.client_object, settings))
        pool = asyncpg.create_pool(
            settings.dsn.reveal(),
            min_size=settings.min_connections,
            max_size=settings.max_connections,
            timeout=settings.connect_timeout,
            statement_cache_size=settings.statement_cache,
            reset=_leave,
        )
        try:
            await pool
            connections = cls(pool, settings)
            if settings.min_connections == 0:
                async with pool.acquire():
                    pass
        except (OSError, ValueError, asyncpg.PostgresError, asyncpg.InternalClientError) as error:
            pool.terminate()
            return failure(unopened(error, settings.where))
        except asyncio.CancelledError:
            pool.terminate()
            raise
        return success(connections)

    async def take(self) -> Result[Any]:
        """Give a connection that is nobody's; whoever has it gives it back.

        Errors:
            DB_CLOSED: the database was closed.
            DB_CONNECTION_FAILED: the server cannot be reached, or all connections are in use.
        """
        if self._is_closed:
            return failure(closed("the database was closed", "open it again"))
        if asyncio.get_running_loop() is not self._loop:
            raise RuntimeError("a Database belongs to the event loop that opened it: open another")
        try:
            # Waiting within a time costs as much as half a call: where one is idle none waits.
            wait = None if self._pool.get_idle_size() else self._settings.pool_timeout
            return success(await self._pool.acquire(timeout=wait))
        except TimeoutError as error:
            most = self._pool.get_max_size()
            if self._pool.get_idle_size() == 0 and self._pool.get_size() >= most:
                return failure(exhausted(most, self._settings.pool_timeout))
            return failure(unopened(error, self._settings.where))
        except (OSError, asyncpg.PostgresError, asyncpg.InternalClientError) as error:
            return failure(unopened(error, self._settings.where))
        except asyncpg.InterfaceError:  # closed meanwhile, by us or by its owner
            return failure(closed("the pool was closed", "open it again"))

    async def give(
        self, connection: Any, /, *, is_clean: bool = True, timeout: float | None = None
    ) -> None:
        """Take a connection back; one that is broken, or does not get clean in time, is ended."""
        if not is_clean:
            try:
                await living(connection).reset(timeout=_PATIENCE)
            except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
                if connection._con is not None:
                    connection.terminate()
        await self._pool.release(connection, timeout=timeout)

    def give_later(self, connection: Any, /) -> None:
        """Take a connection back of which a caller is cancelled: he does not wait for its end."""
        giving = asyncio.ensure_future(self.give(connection, timeout=_PATIENCE))
        self._ending.add(giving)
        giving.add_done_callback(self._ending.discard)

    async def close(self) -> None:
        """Refuse calls from here on, let those that run end, and close what is ours."""
        self._is_closed = True
        if self._ending:
            await asyncio.wait(self._ending)
        if self._settings.client_object is not None or self._pool.is_closing():
            return
        try:
            await asyncio.wait_for(self._pool.close(), _PATIENCE)
        except TimeoutError:
            self._pool.terminate()


async def _leave(_: Any) -> None:
    """Ask the server for nothing as a connection goes back."""
