"""Laws of time and size: what is too long is stopped, what is large comes in parts."""

# ruff: noqa: S101, S608  # a law asserts; the names are made here

from __future__ import annotations

import asyncio
from time import monotonic
from typing import Final

from qicore_core import Deadline, Failure, success
from qicore_core.conformance import law
from qicore_core.testing import assert_failure

from ..client import Database
from .tables import ENDLESS, Tables

__all__ = ["LimitLaws"]

_MANY: Final = 5_000  # rows: more than are fetched at once


class LimitLaws(Tables, abstract=True):
    """What is kept where time or room is short."""

    @law()
    async def a_statement_stops_in_time(self, db: Database) -> None:
        """What is not done by its timeout or deadline is DB_TIMEOUT, and the next one works."""
        began = monotonic()
        assert_failure(await db.query(ENDLESS, timeout=0.1), "DB_TIMEOUT", category="TIMEOUT")
        with Deadline.after(0.1):
            assert_failure(await db.query(ENDLESS), "DB_TIMEOUT")
        assert monotonic() - began < 5.0
        for _ in range(4):  # whichever connection it was
            assert await db.query_value("select 1", timeout=5.0) == success(1)

    @law()
    async def a_cancelled_statement_stops(self, db: Database) -> None:
        """A caller who is cancelled goes at once; the statement is stopped behind him."""
        table = await self.numbers(db)
        endless = f"insert into {table} {ENDLESS}"
        for sql in (ENDLESS, endless):
            tasks = [asyncio.create_task(db.query(sql)) for _ in range(3)]
            await asyncio.sleep(0.05)
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)
            assert all(task.cancelled() for task in tasks)
            assert await db.execute(f"insert into {table} values (1)", timeout=5.0) == success(1)
            assert await db.execute(f"delete from {table}", timeout=5.0) == success(1)

    @law()
    async def a_stopped_statement_takes_no_other_along(self, db: Database) -> None:
        """Writes that wait beside one that is cancelled are done."""
        table = await self.numbers(db)
        insert = f"insert into {table} values ($1)"
        before = [asyncio.create_task(db.execute(insert, number)) for number in range(5)]
        endless = asyncio.create_task(db.execute(f"insert into {table} {ENDLESS}"))
        after = [asyncio.create_task(db.execute(insert, number)) for number in range(5, 10)]
        await asyncio.sleep(0.1)
        endless.cancel()
        assert await asyncio.wait_for(asyncio.gather(*before, *after), 10.0) == [success(1)] * 10
        assert await self.held(db, table) == list(range(10))

    @law()
    async def a_timeout_in_a_transaction_dooms_it(self, db: Database) -> None:
        """A statement that was stopped undoes its transaction."""
        table = await self.numbers(db)
        opened = (await db.transaction()).unwrap()
        assert await opened.execute(f"insert into {table} values (1)") == success(1)
        assert_failure(await opened.query(ENDLESS, timeout=0.1), "DB_TIMEOUT")
        assert_failure(await opened.commit(), "DB_TRANSACTION_DOOMED")
        await opened.close()
        assert await self.held(db, table) == []

    @law()
    async def what_is_large_comes_as_a_stream(self, db: Database) -> None:
        """A stream gives each row once, in order, while others write; leaving early is no harm."""
        table = await self.numbers(db)
        rows = [(number,) for number in range(_MANY)]
        assert await db.execute_many(f"insert into {table} values ($1)", rows) == success(_MANY)
        ordered = f"select n from {table} order by n"
        read: list[int] = []
        async with db.query_stream(ordered) as stream:
            async for row in stream.values():
                read.append(row["n"])
                if len(read) == 10:
                    assert await db.execute(f"delete from {table} where n = $1", _MANY - 1)
        assert read == list(range(_MANY)), f"{len(read)} rows"
        async with db.query_stream(ordered) as stream:
            async for row in stream.values():
                assert row == {"n": 0}
                break
        assert await db.query_value(f"select count(*) from {table}") == success(_MANY - 1)

    @law()
    async def a_transaction_streams_what_it_sees(self, db: Database) -> None:
        """A stream of a transaction has its changes, and ends with it at the latest."""
        table = await self.numbers(db, 1, 2, 3)
        async with db.transaction() as tx:
            assert await tx.execute(f"insert into {table} values (4)") == success(1)
            rows = await tx.query_stream(f"select n from {table} order by n").collect()
            assert rows == success([{"n": n} for n in (1, 2, 3, 4)])
            left = tx.query_stream(f"select n from {table} order by n")
            assert await left
        assert isinstance(await left.collect(), Failure)
        assert await self.held(db, table) == [1, 2, 3, 4]

    @law()
    async def a_stream_that_cannot_begin_says_so(self, db: Database) -> None:
        """A statement that is none is the only item of its stream, a Failure."""
        assert_failure(await db.query_stream("selec").collect(), "DB_SYNTAX")
        assert_failure(await db.query_stream("select $1").collect(), "DB_QUERY_FAILED")
        slow = db.query_stream(ENDLESS, timeout=0.1)
        assert_failure(await slow.collect(), "DB_TIMEOUT")

    @law()
    async def a_closed_database_says_so(self, db: Database) -> None:
        """After close every call is DB_CLOSED, and closing again does no harm."""
        table = await self.numbers(db)
        await db.close()
        await db.close()
        insert = f"insert into {table} values ($1)"
        for answer in (
            await db.query("select 1"),
            await db.query_one("select 1"),
            await db.query_value("select 1"),
            await db.execute(insert, 1),
            await db.execute_many(insert, [(1,)]),
            await db.execute_batch([(insert, (1,))]),
            await db.query_stream("select 1").collect(),
            await db.transaction(lambda tx: tx.execute(insert, 1)),
            await db.transaction(),
            await db.health(),
        ):
            assert_failure(answer, "DB_CLOSED")
