"""SQLite behind `Database` against aiosqlite: wall time, as threads and the disk do the work.

Both write to files in one folder, with the same pragmas, from one event loop. Rounds alternate
between the two, and the best of each counts. The peer is used as its documentation shows: a cursor
for each statement, closed after it, which is what ours does and gives as well. Where the peer has a
shorter way (`executemany`, `execute_fetchall`), there is a row for that too.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from time import perf_counter_ns

import aiosqlite
from harness import Row

from qicore_sql import Database, open_database

WRITERS = 32
INSERT = "insert into t (name, value) values ($1, $2)"
UPDATE = "update t set value = $1 where id = $2"
SELECT = "select id, name, value from t where id = $1"
SCHEMA = "create table t (id integer primary key, name text, value real)"
STEPS = [(INSERT, ("x", 1.0)), (UPDATE, (2.0, 1))] * 500
ROWS = [("x", 1.0)] * 1000


def measure() -> list[Row]:
    """Compare what DESIGN has a budget for, and what lies beside it."""
    rows = []
    for durability in ("normal", "full"):
        with tempfile.TemporaryDirectory() as folder:
            rows += asyncio.run(_compare(Path(folder), durability))
    return rows


async def _compare(folder: Path, durability: str) -> list[Row]:
    url = f"sqlite:///{folder / 'ours.db'}"
    async with (
        open_database(url, durability=durability) as ours,
        aiosqlite.connect(folder / "peer.db", isolation_level=None) as peer,
    ):
        for pragma in ("journal_mode=wal", f"synchronous={durability}", "foreign_keys=on"):
            await peer.execute(f"pragma {pragma}")
        await peer.execute(SCHEMA)
        (await ours.execute(SCHEMA)).unwrap()
        (await ours.execute_many(INSERT, ROWS)).unwrap()
        await peer.executemany(INSERT.replace("$1, $2", "?, ?"), ROWS)
        name = durability.upper()
        if durability == "full":
            return [
                await _row(f"32 writers, {name}", ours, peer, (_our_write, _peer_write), 8, 1 / 15)
            ]
        return [
            await _row(f"32 writers, {name}", ours, peer, (_our_write, _peer_write), 20, 1 / 3),
            await _row("mixed, 32 tasks, 80 % reads", ours, peer, (_our_mix, _peer_mix), 20, 0.5),
            await _row("transaction of 1,000 statements", ours, peer, (_our_batch, _peer_each)),
            await _row("the same, of one statement", ours, peer, (_our_many, _peer_many), 0, 3.0),
            await _row("a read", ours, peer, (_our_read, _peer_read), 0, 1.0),
            await _row("a read, execute_fetchall", ours, peer, (_our_read, _peer_fetchall), 0, 1.5),
        ]


async def _row(
    name: str,
    ours: Database,
    peer: aiosqlite.Connection,
    calls: tuple[Callable[..., Awaitable[object]], Callable[..., Awaitable[object]]],
    each: int = 0,
    budget: float = 1 / 20,
) -> Row:
    """Time both: `each` calls by each of 32 tasks, or one call by itself."""
    if each:
        functions = {"ours": _crowd(calls[0], ours, each), "peer": _crowd(calls[1], peer, each)}
    else:
        functions = {"ours": lambda: calls[0](ours, 0), "peer": lambda: calls[1](peer, 0)}
    best = await _best(functions, rounds=20 if each else 40)
    count = WRITERS * each or 1
    return Row(name, "aiosqlite", best["ours"] / count, best["peer"] / count, budget)


def _crowd(
    call: Callable[..., Awaitable[object]], database: object, each: int
) -> Callable[[], Awaitable[object]]:
    async def task(first: int) -> None:
        for number in range(each):
            await call(database, first + number)

    return lambda: asyncio.gather(*[task(first) for first in range(WRITERS)])


async def _best(
    functions: Mapping[str, Callable[[], Awaitable[object]]], rounds: int
) -> dict[str, float]:
    best = dict.fromkeys(functions, float("inf"))
    for _ in range(rounds):
        for name, function in functions.items():
            started = perf_counter_ns()
            await function()
            best[name] = min(best[name], perf_counter_ns() - started)
    return best


async def _our_write(db: Database, _: int) -> object:
    return (await db.execute(INSERT, "x", 1.0)).unwrap()


async def _peer_write(db: aiosqlite.Connection, _: int) -> object:
    async with db.execute(INSERT.replace("$1, $2", "?, ?"), ("x", 1.0)) as cursor:
        return cursor.rowcount


async def _our_read(db: Database, number: int) -> object:
    return (await db.query(SELECT, number % 1000 + 1)).unwrap()


async def _peer_read(db: aiosqlite.Connection, number: int) -> object:
    async with db.execute(SELECT.replace("$1", "?"), (number % 1000 + 1,)) as cursor:
        return await cursor.fetchall()


async def _peer_fetchall(db: aiosqlite.Connection, number: int) -> object:
    return await db.execute_fetchall(SELECT.replace("$1", "?"), (number % 1000 + 1,))


async def _our_mix(db: Database, number: int) -> object:
    return await (_our_read(db, number) if number % 5 else _our_write(db, number))


async def _peer_mix(db: aiosqlite.Connection, number: int) -> object:
    return await (_peer_read(db, number) if number % 5 else _peer_write(db, number))


async def _our_batch(db: Database, _: int) -> object:
    return (await db.execute_batch(STEPS)).unwrap()


async def _peer_each(db: aiosqlite.Connection, _: int) -> object:
    await db.execute("begin immediate")
    for sql, params in STEPS:
        await db.execute(sql.replace("$1", "?").replace("$2", "?"), params)
    return await db.execute("commit")


async def _our_many(db: Database, _: int) -> object:
    return (await db.execute_many(INSERT, ROWS)).unwrap()


async def _peer_many(db: aiosqlite.Connection, _: int) -> object:
    await db.execute("begin immediate")
    await db.executemany(INSERT.replace("$1, $2", "?, ?"), ROWS)
    return await db.execute("commit")
