"""Laws of transactions: all or none, and nobody sees a part."""

# ruff: noqa: S101, S608  # a law asserts; the names are made here

from __future__ import annotations

import asyncio
from typing import Final

from qicore_core import Failure, QiError, Result, failure, success
from qicore_core.conformance import law
from qicore_core.testing import assert_failure

from ..client import Database
from ..transaction import Transaction
from .tables import Tables

__all__ = ["TransactionLaws"]

_UNWANTED: Final = QiError.conflict("UNWANTED", "not like this")
_NOTHING: Final = QiError.internal("NOTHING_RAISED", "leaving said nothing")


class _StopError(Exception):
    """Something that goes wrong in the middle."""


class TransactionLaws(Tables, abstract=True):
    """What a transaction keeps."""

    @law()
    async def leaving_commits(self, db: Database) -> None:
        """What was done in the block is there after it, and no sooner for anybody else."""
        table = await self.numbers(db)
        async with db.transaction() as tx:
            assert await tx.execute(f"insert into {table} values (1)") == success(1)
            assert await tx.execute_many(f"insert into {table} values ($1)", [(2,), (3,)])
            assert await tx.query_value(f"select count(*) from {table}") == success(3)
        assert await self.held(db, table) == [1, 2, 3]

    @law()
    async def an_exception_rolls_back(self, db: Database) -> None:
        """What is raised in the block undoes it, and passes as it is."""
        table = await self.numbers(db, 1)
        try:
            async with db.transaction() as tx:
                assert await tx.execute(f"delete from {table}") == success(1)
                raise _StopError
        except _StopError:
            pass
        assert await self.held(db, table) == [1]

    @law()
    async def nobody_sees_half_of_it(self, db: Database) -> None:
        """Another reader sees the state before or the state after; a second writer waits."""
        table = await self.numbers(db, 1, 2)
        async with self.opening() as other:
            if isinstance(await other.query(f"select n from {table}"), Failure):
                return  # each opening has a database of its own: there is nobody else
            async with db.transaction() as tx:
                assert await tx.execute(f"delete from {table} where n = 1") == success(1)
                assert await self.held(other, table) == [1, 2]
                assert await tx.execute(f"insert into {table} values (3)") == success(1)
                assert await self.held(other, table) == [1, 2]
            assert await self.held(other, table) == [2, 3]

    @law()
    async def a_failure_dooms_it(self, db: Database) -> None:
        """After a Failure all is rolled back, whoever looked at it, and the first one is told."""
        table = await self.numbers(db, 1)
        insert = f"insert into {table} values ($1)"
        raised = _NOTHING
        try:
            async with db.transaction() as tx:
                assert await tx.execute(insert, 2) == success(1)
                assert_failure(await tx.execute(insert, 1), "DB_CONSTRAINT")
                assert_failure(await tx.execute(insert, 3), "DB_TRANSACTION_DOOMED")
        except QiError as error:
            raised = error
        assert_failure(failure(raised), "DB_TRANSACTION_DOOMED")
        assert isinstance(raised.cause, QiError)
        assert_failure(failure(raised.cause), "DB_CONSTRAINT")
        assert await self.held(db, table) == [1]

    @law()
    async def a_doom_covers_no_exception(self, db: Database) -> None:
        """An exception that is on its way is not replaced by the doom of the transaction."""
        table = await self.numbers(db, 1)
        try:
            async with db.transaction() as tx:
                assert await tx.execute(f"delete from {table}") == success(1)
                assert not await tx.execute("selec")
                raise _StopError
        except _StopError:
            pass
        assert await self.held(db, table) == [1]

    @law()
    async def a_savepoint_undoes_its_part(self, db: Database) -> None:
        """What fails in a nested transaction is undone, and the rest goes on."""
        table = await self.numbers(db)
        insert = f"insert into {table} values ($1)"
        async with db.transaction() as tx:
            assert await tx.execute(insert, 1) == success(1)
            raised = _NOTHING
            try:
                async with tx.transaction() as inner:
                    assert await inner.execute(insert, 2) == success(1)
                    assert not await inner.execute(insert, 1)
            except QiError as error:
                raised = error
            assert_failure(failure(raised), "DB_TRANSACTION_DOOMED")
            async with tx.transaction() as inner:
                assert await inner.execute(insert, 3) == success(1)
                async with inner.transaction() as innermost:
                    assert await innermost.execute(insert, 4) == success(1)
                    await innermost.rollback()
            assert await tx.execute(insert, 5) == success(1)
        assert await self.held(db, table) == [1, 3, 5]

    @law()
    async def a_commit_that_fails_is_raised(self, db: Database) -> None:
        """A rule that is looked at in the end makes leaving raise, and nothing is done."""
        table = await self.numbers(db, 1)
        child = await self.table(
            db, f"n bigint references {table} (n) deferrable initially deferred"
        )
        raised = _NOTHING
        try:
            async with db.transaction() as tx:
                assert await tx.execute(f"insert into {child} values (9)") == success(1)
        except QiError as error:
            raised = error
        assert_failure(failure(raised), "DB_CONSTRAINT")
        assert await self.held(db, child) == []
        by_itself = await db.execute(f"insert into {child} values (9)")
        assert_failure(by_itself, "DB_CONSTRAINT", kind="foreign_key")

    @law()
    async def a_failure_of_the_function_rolls_back(self, db: Database) -> None:
        """`transaction(fn)` commits a Success; a Failure undoes all and is given as it is."""
        table = await self.numbers(db)

        async def put(tx: Transaction, number: int, answer: Result[int]) -> Result[int]:
            assert await tx.execute(f"insert into {table} values ($1)", number)
            return answer

        assert await db.transaction(lambda tx: put(tx, 1, success(7))) == success(7)
        refused = await db.transaction(lambda tx: put(tx, 2, failure(_UNWANTED)))
        assert refused == failure(_UNWANTED)
        assert await self.held(db, table) == [1]

    @law()
    async def no_update_is_lost(self, db: Database) -> None:
        """What reads and then writes in `transaction(fn)`, side by side, loses no step."""
        table = await self.numbers(db, 0)

        async def step(tx: Transaction) -> Result[int]:
            read = await tx.query_value(f"select n from {table}")
            if not read:
                return read
            return await tx.execute(f"update {table} set n = $1", read.value + 1)

        answers = await asyncio.gather(*[db.transaction(step) for _ in range(8)])
        assert answers == [success(1)] * 8
        assert await self.held(db, table) == [8]

    @law()
    async def a_transaction_that_ended_says_so(self, db: Database) -> None:
        """After its end every call is DB_CLOSED and does nothing."""
        table = await self.numbers(db)
        async with db.transaction() as tx:
            assert await tx.execute(f"insert into {table} values (1)") == success(1)
        assert_failure(await tx.execute(f"insert into {table} values (2)"), "DB_CLOSED")
        assert_failure(await tx.query(f"select n from {table}"), "DB_CLOSED")
        assert_failure(await tx.commit(), "DB_CLOSED")
        assert await tx.rollback() == success(None)
        assert await self.held(db, table) == [1]

    @law()
    async def a_cancelled_transaction_is_undone(self, db: Database) -> None:
        """Cancelled in the middle, it leaves nothing behind, and others can write at once."""
        table = await self.numbers(db)
        begun = asyncio.Event()

        async def hang() -> None:
            async with db.transaction() as tx:
                assert await tx.execute(f"insert into {table} values (1)") == success(1)
                begun.set()
                await asyncio.Event().wait()

        task = asyncio.create_task(hang())
        await begun.wait()
        waiting = asyncio.create_task(db.transaction().__aenter__())
        await asyncio.sleep(0)
        waiting.cancel()
        task.cancel()
        await asyncio.wait([task, waiting])
        assert task.cancelled()
        assert await db.execute(f"insert into {table} values (2)", timeout=3.0) == success(1)
        assert await self.held(db, table) == [2]
