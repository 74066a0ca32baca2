"""Databases, each opened by its door, and what is asked of them."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from random import Random
from typing import Any

from calls import Operation
from ground import GONE, KEYS, Ground, meant, right

from qicore_core import Failure, QiError, Result, failure, success
from qicore_sql import Database, Transaction, open_database

ACCOUNTS = 20


@asynccontextmanager
async def sqlite(ground: Ground) -> AsyncGenerator[list[Operation]]:
    """A database in a file, whose accounts have one sum."""
    async with open_database(f"sqlite:///{ground.folder}/soak.db", durability="normal") as db:
        (
            await db.execute_batch(
                [
                    ("create table texts (id integer primary key, text text not null)", ()),
                    ("create table accounts (id integer primary key, sum integer not null)", ()),
                    *(("insert into accounts values ($1, 100)", (n,)) for n in range(ACCOUNTS)),
                ]
            )
        ).unwrap()
        yield DatabaseCalls(db).all()


class DatabaseCalls:
    """What is asked of a database: reads, writes, transactions that end one way or another."""

    def __init__(self, db: Database) -> None:
        self.db = db

    def all(self) -> list[Operation]:
        """Give it, as often as it is to be asked."""
        return [
            self.write,
            self.read,
            self.read,
            self.transfer,
            self.audit,
            self.refused,
            self.stream,
        ]

    async def write(self, random: Random, timeout: float) -> Result[Any]:
        number = random.randrange(KEYS)
        return await self.db.execute(
            "insert or replace into texts values ($1, $2)", number, f"{number}", timeout=timeout
        )

    async def read(self, random: Random, timeout: float) -> Result[Any]:
        number = random.randrange(KEYS)
        found = await self.db.query("select text from texts where id = $1", number, timeout=timeout)
        return right(found.map(lambda rows: [row["text"] for row in rows]), ([], [f"{number}"]))

    async def transfer(self, random: Random, timeout: float) -> Result[Any]:
        giver, taker, fails = (
            random.randrange(ACCOUNTS),
            random.randrange(ACCOUNTS),
            random.random(),
        )

        async def move(tx: Transaction) -> Result[Any]:
            sql = "update accounts set sum = sum + $1 where id = $2"
            given = await tx.execute(sql, -1, giver)
            if not given:
                return given
            return failure(GONE) if fails < 0.1 else await tx.execute(sql, 1, taker)

        return meant(await self.db.transaction(move, timeout=timeout), GONE.code)

    async def audit(self, random: Random, timeout: float) -> Result[Any]:
        total = await self.db.query_value("select sum(sum) from accounts", timeout=timeout)
        return right(total, 100 * ACCOUNTS)

    async def refused(self, random: Random, timeout: float) -> Result[Any]:
        wrong = "insert into accounts values (1, null)"
        return meant(await self.db.execute(wrong, timeout=timeout), "DB_CONSTRAINT")

    async def stream(self, random: Random, timeout: float) -> Result[Any]:
        try:
            async with self.db.query_stream("select text from texts", timeout=timeout) as rows:
                async for row in rows:
                    if isinstance(row, Failure) or random.random() < 0.05:
                        return row  # left in the middle
            return success()
        except QiError as error:
            return failure(error)
