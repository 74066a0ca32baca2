"""Write until killed; say of each write, when it was acknowledged, that it was.

A single write is a line of its number, a transaction of two writes one of `pair` and its number.
"""

from __future__ import annotations

import asyncio
import os
import sys
from itertools import count
from typing import Final

from qicore_core import Result, success
from qicore_sql import Database, Transaction, open_database

WRITERS: Final = 16  # of each kind
SINGLE: Final = "insert into singles values ($1)"
HALF: Final = "insert into halves values ($1, $2)"


async def singles(db: Database, number: int, is_planted: bool) -> None:
    """Write numbers, one at a time."""
    for n in count(number, WRITERS):
        if is_planted:
            os.write(1, b"%d\n" % n)
        (await db.execute(SINGLE, n)).unwrap()
        if not is_planted:
            os.write(1, b"%d\n" % n)


async def pairs(db: Database, number: int, is_planted: bool) -> None:
    """Write numbers, each twice and in one transaction."""
    for n in count(number, WRITERS):

        async def both(tx: Transaction, n: int = n) -> Result[int]:
            return await tx.execute(HALF, n, 0) and await tx.execute(HALF, n, 1)

        if is_planted:
            written = await db.execute(HALF, n, 0) and await db.execute(HALF, n, 1)
        else:
            written = await db.transaction(both)
        assert written == success(1)  # what else should it be
        os.write(1, b"pair %d\n" % n)


async def main(path: str, is_planted: bool) -> None:
    """Go on where the last one was killed."""
    async with open_database(f"sqlite:///{path}") as db:
        for sql in (
            "create table if not exists singles (n integer primary key)",
            "create table if not exists halves (n integer, half integer, primary key (n, half))",
        ):
            (await db.execute(sql)).unwrap()
        first = (await db.query_value("select coalesce(max(n), 0) + 1 from singles")).unwrap()
        other = (await db.query_value("select coalesce(max(n), 0) + 1 from halves")).unwrap()
        async with asyncio.TaskGroup() as writers:
            for place in range(WRITERS):
                writers.create_task(singles(db, first + place, is_planted))
                writers.create_task(pairs(db, other + place, is_planted))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], "--plant" in sys.argv))
