"""A transaction as its user holds it: all of it, or none.

A Failure from it dooms it. Nobody has to look at every answer for the whole to be right: a doomed
one refuses what comes after, rolls back when its block is left, and says so, but never over an
exception that is already on its way. What may fail without taking the rest along is nested; the
inner one is a savepoint.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, NamedTuple, TypeVar, final, overload

from qicore_core import Failure, Opening, Policy, QiError, Result, Success, failure, success

from .calls import Calls, is_undone, surely
from .driver import SqlSession
from .errors import QUERY_FAILED, TRANSACTION_DOOMED, closed
from .queries import Queries
from .statement import Statement, Statements

__all__ = ["Block", "Ends", "Transaction", "complete"]

T = TypeVar("T")


class Ends(NamedTuple):
    """How a transaction ends: by its driver, or as a savepoint."""

    commit: Callable[[], Awaitable[Result[Any]]]
    rollback: Callable[[], Awaitable[Result[Any]]]


@final
class Transaction(Queries):
    """Statements that take effect together. Made by `db.transaction()` and `tx.transaction()`.

    Its calls run one at a time, whoever makes them.

    Errors:
        DB_TRANSACTION_DOOMED: an earlier call failed; that is the cause.
        DB_CLOSED: it has ended.
    """

    __slots__ = ("_depth", "_doom", "_ends", "_inner", "_is_over", "_lock")

    def __init__(
        self,
        session: SqlSession,
        statements: Statements,
        calls: Calls,
        max_rows: int,
        ends: Ends,
        lock: asyncio.Lock,
        depth: int = 0,
        /,
    ) -> None:
        super().__init__(session, statements, calls, max_rows)
        self._ends = ends
        self._lock = lock
        self._depth = depth
        self._doom: QiError | None = None
        self._inner: Transaction | None = None
        self._is_over = False

    @overload
    def transaction(self, /) -> Opening[Transaction]: ...
    @overload
    def transaction(
        self, fn: Callable[[Transaction], Awaitable[Result[T]]], /
    ) -> Coroutine[Any, Any, Result[T]]: ...
    def transaction(
        self, fn: Callable[[Transaction], Awaitable[Result[T]]] | None = None, /
    ) -> Any:
        """Nest one: what is done in it can be undone while the rest goes on.

        Until it ends it takes the place of this one, whose calls are a RuntimeError.

        Args:
            fn: called with the inner transaction; a Failure from it undoes what it did, and is
                given. Without it, for `async with`.
        """
        return Block(self._nest) if fn is None else complete(self._nest, fn)

    async def commit(self) -> Result[None]:
        """Make it all so, before the block is left.

        Errors:
            DB_TRANSACTION_DOOMED: a call failed, which is the cause; all is rolled back.
            what the database says, such as DB_CONSTRAINT for a rule that is looked at in the end:
            all is rolled back.
        """
        if self._doom is None and self._is_over:
            return failure(_over())
        try:
            self._refuse_while_nested()
            if self._doom is not None:
                await self._undo()
                return failure(_doomed(self._doom))
            async with self._lock:
                self._is_over = True
                done = await self._calls.perform("commit", self._ends.commit, False, None, None)
        except BaseException:
            await self._undo()
            raise
        if isinstance(done, Failure):
            self._doom = done.error
            await self._undo()
        return done

    async def rollback(self) -> Result[None]:
        """Make it as if nothing had been; after an end it does nothing."""
        self._doom = None  # undone by choice: leaving has nothing to tell
        return success() if self._is_over else await self._undo()

    async def _undo(self) -> Result[None]:
        over: Transaction | None = self
        while over is not None:
            over._is_over = True
            over = over._inner
        return await surely(self._rolled_back())

    async def _rolled_back(self) -> Result[None]:
        async with self._lock:
            return await self._ends.rollback()

    async def close(self) -> None:
        """Roll back, unless it has ended."""
        await self.rollback()

    async def _nest(self) -> Result[Transaction]:
        name = f"qicore_{self._depth + 1}"
        begun = await self._perform("savepoint", _saying(f"savepoint {name}"), False, None, None)
        if isinstance(begun, Failure):
            return begun

        async def commit() -> Result[None]:
            self._inner = None
            return await self._said(f"release {name}")

        async def rollback() -> Result[None]:
            self._inner = None
            undone = await self._said(f"rollback to {name}")  # gone, if the whole was rolled back
            return await self._said(f"release {name}") if undone else undone

        self._inner = Transaction(
            self._session,
            self._statements,
            self._calls,
            self._max_rows,
            Ends(commit, rollback),
            self._lock,
            self._depth + 1,
        )
        return success(self._inner)

    async def _said(self, text: str) -> Result[None]:
        """Say something to the session by itself; a Failure dooms this transaction."""
        answer = await self._noted(_saying(text)(self._session))
        return answer if isinstance(answer, Failure) else success()

    async def _noted(self, asked: Awaitable[Result[T]]) -> Result[T]:
        try:
            return self._told(await asked)
        except BaseException:  # whether it was done, nobody knows
            self._told(failure(_interrupted()))
            raise

    def _told(self, result: Result[T]) -> Result[T]:
        if isinstance(result, Failure) and self._doom is None and not self._is_over:
            self._doom = result.error
        return result

    async def _perform(
        self,
        operation: str,
        fn: Callable[[Any], Awaitable[Result[T]]],
        is_repeatable: bool,
        timeout: float | None,
        policy: Policy | None,
    ) -> Result[T]:
        async with self._lock:
            self._refuse_while_nested()
            if self._doom is not None:
                return failure(_doomed(self._doom))
            if self._is_over:
                return failure(_over())
            return await self._noted(  # made once: what failed here is the whole's to repeat
                self._calls.perform(operation, fn, False, timeout, policy, self._session)
            )

    def _refuse_while_nested(self) -> None:
        if self._inner is not None:
            raise RuntimeError("a nested transaction is open: use that one until its block is left")


class Block(Opening[Transaction]):
    """`async with` around a transaction: leaving commits, an exception rolls back."""

    __slots__ = ()

    async def __aexit__(self, kind: object, exc: BaseException | None, tb: object, /) -> None:
        """Commit, or roll back; raise the QiError of a transaction that could not commit."""
        opened, self._opened, self._entered = self._opened, None, False
        assert opened is not None  # noqa: S101  # it was entered
        if exc is not None:
            await opened.rollback()
        else:
            (await finish(opened)).unwrap()


async def complete(
    begin: Callable[[], Awaitable[Result[Transaction]]],
    fn: Callable[[Transaction], Awaitable[Result[T]]],
    /,
) -> Result[T]:
    """Run a function in a transaction of its own: a Success commits, anything else rolls back."""
    begun = await begin()
    if isinstance(begun, Failure):
        return begun
    tx = begun.value
    try:
        result = await fn(tx)
        if not isinstance(result, Success | Failure):
            raise TypeError(
                f"the function of a transaction returns a Result, got {type(result).__name__}: "
                "return success(value), or decorate it with @do"
            )
    except BaseException:
        await tx.rollback()
        raise
    if isinstance(result, Failure):
        await tx.rollback()
        return result
    done = await finish(tx)
    return done if isinstance(done, Failure) else result


async def finish(tx: Transaction, /) -> Result[None]:
    """Commit what has not ended yet; tell of one that is doomed."""
    return success() if tx._is_over and tx._doom is None else await tx.commit()


def _saying(text: str) -> Callable[[SqlSession], Awaitable[Result[Any]]]:
    return lambda session: session.run(Statement(text), (), 0)


def _over() -> QiError:
    return closed("the transaction has ended", "begin another one")


def _doomed(cause: QiError) -> QiError:
    return QiError.conflict(
        TRANSACTION_DOOMED,
        "a call in the transaction failed, so all of it is rolled back",
        cause=cause,
        hint="look at the cause; what may fail belongs in a nested tx.transaction()",
        source="sql",
        retryable=is_undone(cause),
    )


def _interrupted() -> QiError:
    return QiError.cancelled(QUERY_FAILED, "a call in the transaction was cancelled", source="sql")
