"""What can be asked of a database and of a transaction: the same calls with the same meaning.

A function that takes a `Queries` works in a transaction and outside of one.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from typing import Any, TypeVar, overload

from qicore_core import Failure, Policy, Result, Stream, failure, success

from .calls import Calls, is_undone
from .driver import Answer, SqlCursor, SqlSession, Step
from .errors import not_found, too_large
from .rows import CHUNK, Row, rows_in_chunks, rows_of
from .statement import Statement, Statements

__all__ = ["Queries"]

T = TypeVar("T")


class Queries:
    """Statements with `$1`, `$2`, ... for parameters, each answered by a Result.

    Parameters are the only way in for values. Every call takes `timeout=`, the total in seconds,
    and `policy=` in place of the database's own.

    Errors:
        DB_SYNTAX: it cannot be read, or a name in it is not there (or is there already); context
            has the name and its kind ("table", "column", ...) where they are known.
        DB_QUERY_FAILED: it could not be done: the parameters do not fit, the columns do not fit
            `into`, the database says no; the context says what it calls that.
        DB_CONSTRAINT: a rule of the schema forbids it; context has its kind ("unique",
            "foreign_key", "not_null", "check", ...) and its name where it is known.
        DB_LOCKED, DB_SERIALIZATION: others were in the way, nothing was done.
        DB_TIMEOUT: it was not done in time and was stopped.
        DB_UNSUPPORTED: it begins or ends a transaction.
        DB_CLOSED: the database was closed, or the transaction has ended.
        DB_CONNECTION_FAILED: the database cannot be reached.
    """

    __slots__ = ("_calls", "_max_rows", "_session", "_statements")

    def __init__(
        self, session: SqlSession, statements: Statements, calls: Calls, max_rows: int, /
    ) -> None:
        self._session = session
        self._statements = statements
        self._calls = calls
        self._max_rows = max_rows

    @overload
    async def query(
        self,
        sql: str,
        /,
        *params: object,
        timeout: float | None = None,
        policy: Policy | None = None,
    ) -> Result[list[Row]]: ...
    @overload
    async def query(
        self,
        sql: str,
        /,
        *params: object,
        into: type[T],
        timeout: float | None = None,
        policy: Policy | None = None,
    ) -> Result[list[T]]: ...
    async def query(
        self,
        sql: str,
        /,
        *params: object,
        into: type[Any] | None = None,
        timeout: float | None = None,
        policy: Policy | None = None,
    ) -> Result[list[Any]]:
        """Give all rows of a statement, at most the database's `max_rows`.

        Args:
            sql: the statement; one that changes something and gives rows (`returning`) may be it.
            params: the values of `$1`, `$2`, ...
            into: a dataclass to read each row as; without it a row is a mapping.
            timeout: seconds for the whole.
            policy: how to make this call.

        Errors:
            DB_RESULT_TOO_LARGE: there are more rows than `max_rows`.
        """
        answer = await self._ask("query", sql, params, self._max_rows + 1, timeout, policy)
        if isinstance(answer, Failure):
            return answer
        if len(answer.value.rows) > self._max_rows:
            return self._told(failure(too_large(self._max_rows)))
        return self._told(rows_of(answer.value, into))

    @overload
    async def query_one(
        self,
        sql: str,
        /,
        *params: object,
        timeout: float | None = None,
        policy: Policy | None = None,
    ) -> Result[Row]: ...
    @overload
    async def query_one(
        self,
        sql: str,
        /,
        *params: object,
        into: type[T],
        timeout: float | None = None,
        policy: Policy | None = None,
    ) -> Result[T]: ...
    async def query_one(
        self,
        sql: str,
        /,
        *params: object,
        into: type[Any] | None = None,
        timeout: float | None = None,
        policy: Policy | None = None,
    ) -> Result[Any]:
        """Give the first row of a statement; no more than that is read. Args: as `query`.

        Errors:
            DB_NOT_FOUND: there is none.
        """
        answer = await self._ask("query_one", sql, params, 1, timeout, policy)
        if isinstance(answer, Failure):
            return answer
        if not answer.value.rows:
            return self._told(failure(not_found()))
        rows = rows_of(answer.value, into)
        return self._told(rows) if isinstance(rows, Failure) else success(rows.value[0])

    async def query_value(
        self,
        sql: str,
        /,
        *params: object,
        timeout: float | None = None,
        policy: Policy | None = None,
    ) -> Result[Any]:
        """Give the first column of the first row.

        Errors:
            DB_NOT_FOUND: there is no row.
        """
        answer = await self._ask("query_value", sql, params, 1, timeout, policy)
        if isinstance(answer, Failure):
            return answer
        if not answer.value.rows:
            return self._told(failure(not_found()))
        return success(answer.value.rows[0][0])

    async def execute(
        self,
        sql: str,
        /,
        *params: object,
        timeout: float | None = None,
        policy: Policy | None = None,
    ) -> Result[int]:
        """Run a statement for its effect; give how many rows it changed.

        A call that failed is repeated by a policy only where it is known that nothing was done.
        """
        answer = await self._ask("execute", sql, params, 0, timeout, policy)
        return answer if isinstance(answer, Failure) else success(answer.value.changed)

    async def execute_many(
        self,
        sql: str,
        rows: Iterable[Sequence[object]],
        /,
        *,
        timeout: float | None = None,
        policy: Policy | None = None,
    ) -> Result[int]:
        """Run one statement for each row of parameters, all or none; give how many rows changed.

        >>> import asyncio
        >>> from qicore_sql import open_database
        >>> async def main():
        ...     async with open_database("sqlite://") as db:
        ...         await db.execute("create table t (id integer primary key, name text)")
        ...         rows = [(1, "a"), (2, "b")]
        ...         return await db.execute_many("insert into t values ($1, $2)", rows)
        >>> asyncio.run(main())
        Success(2)
        """
        read, many = self._statements.read(sql), list(rows)
        if isinstance(read, Failure):
            return self._told(read)
        statement = read.value
        for params in many:
            if len(params) != statement.size:
                return self._told(failure(statement.misfit(params)))
        counts = await self._run_steps("execute_many", [(statement, many)], timeout, policy)
        return counts if isinstance(counts, Failure) else success(sum(counts.value))

    async def execute_batch(
        self,
        steps: Iterable[tuple[str, Sequence[object]]],
        /,
        *,
        timeout: float | None = None,
        policy: Policy | None = None,
    ) -> Result[list[int]]:
        """Run several statements in one go, all or none; give how many rows each changed.

        Where each statement is known before the first is run, this is much faster than a
        transaction that awaits one after the other.

        Args:
            steps: statements, each with its parameters.
            timeout: seconds for the whole.
            policy: how to make this call.
        """
        known: dict[str, Statement] = {}
        taken: list[Step] = []
        for sql, params in steps:
            statement = known.get(sql)
            if statement is None or len(params) != statement.size:
                read = self._read(sql, params)
                if isinstance(read, Failure):
                    return self._told(read)
                statement = known[sql] = read.value
            taken.append((statement, (params,)))
        counts = await self._run_steps("execute_batch", taken, timeout, policy)
        return counts if isinstance(counts, Failure) else success(list(counts.value))

    @overload
    def query_stream(
        self,
        sql: str,
        /,
        *params: object,
        timeout: float | None = None,
        policy: Policy | None = None,
    ) -> Stream[Row]: ...
    @overload
    def query_stream(
        self,
        sql: str,
        /,
        *params: object,
        into: type[T],
        timeout: float | None = None,
        policy: Policy | None = None,
    ) -> Stream[T]: ...
    def query_stream(
        self,
        sql: str,
        /,
        *params: object,
        into: type[Any] | None = None,
        timeout: float | None = None,
        policy: Policy | None = None,
    ) -> Stream[Any]:
        """Give the rows of a statement as they are read, however many there are.

        Leave the block, or close the stream, when no more are wanted. Args: as `query`; `timeout`
        is seconds until the last row must have been read, `policy` for the call that begins it.
        """

        async def start() -> Result[AsyncIterator[Result[Any]]]:
            until = None if timeout is None else self._calls.clock.monotonic() + timeout
            read = self._read(sql, params)
            if isinstance(read, Failure):
                return self._told(read)
            statement = read.value

            def begin(session: SqlSession) -> Awaitable[Result[SqlCursor]]:
                return session.open_cursor(statement, params)

            opened = await self._perform("query_stream", begin, statement.is_read, timeout, policy)
            if isinstance(opened, Failure):
                return opened
            return success(self._rows(opened.value, into, until))

        return Stream(start)

    def _rows(
        self, cursor: SqlCursor, into: type[Any] | None, until: float | None
    ) -> AsyncIterator[Result[Any]]:
        async def chunk() -> Result[list[Any]]:
            left = None if until is None else max(0.0, until - self._calls.clock.monotonic())
            rows = await self._perform("fetch", lambda _: cursor.fetch(CHUNK), False, left, None)
            if isinstance(rows, Failure):
                return rows
            return self._told(rows_of(Answer(cursor.columns, rows.value, 0), into))

        return rows_in_chunks(chunk, cursor)

    async def _ask(
        self,
        operation: str,
        sql: str,
        params: Sequence[object],
        limit: int,
        timeout: float | None,
        policy: Policy | None,
    ) -> Result[Answer]:
        read = self._read(sql, params)
        if isinstance(read, Failure):
            return self._told(read)
        statement = read.value

        def run(session: SqlSession) -> Awaitable[Result[Answer]]:
            return session.run(statement, params, limit)

        return await self._perform(operation, run, statement.is_read, timeout, policy)

    async def _run_steps(
        self, operation: str, steps: Sequence[Step], timeout: float | None, policy: Policy | None
    ) -> Result[Sequence[int]]:
        return await self._perform(
            operation, lambda session: session.run_many(steps), False, timeout, policy
        )

    def _read(self, sql: str, params: Sequence[object]) -> Result[Statement]:
        read = self._statements.read(sql)
        if isinstance(read, Failure):
            return read
        if len(params) != read.value.size:
            return failure(read.value.misfit(params))
        return read

    def _told(self, result: Result[T]) -> Result[T]:
        """Take note of an answer that the driver did not give."""
        return result

    def _perform(
        self,
        operation: str,
        fn: Callable[[Any], Awaitable[Result[T]]],
        is_repeatable: bool,
        timeout: float | None,
        policy: Policy | None,
    ) -> Awaitable[Result[T]]:
        """Ask the session, by the policy."""
        repeatable = is_repeatable or is_undone
        return self._calls.perform(operation, fn, repeatable, timeout, policy, self._session)
