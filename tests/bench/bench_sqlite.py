"""SQLite behind `Database` against aiosqlite: wall time, as threads and the disk do the work.

Both write to files in one folder, with the same pragmas, from one event loop. Rounds alternate
between the two, and the best of each counts. The peer is used as its documentation shows: a cursor
for each statement, closed after it, which is what ours does and gives as well. Where the peer has a
shorter way (`executemany`, `execute_fetchall`), there is a row for that too.

The transaction of 1,000 statements is `execute_batch`, one way to the thread and back, against
1,000 awaits of the peer, which has no such call.

What can be won has a floor: `sqlite3` in a thread that commits the writes that wait together, and
does nothing else (no Result, policy, deadline, cancellation, check of parameters). With FULL it
depends on the disk: the peer pays for an fsync with each write and ours with each 32. So the 15
need a disk whose fsync takes 0.2 ms or more; the row against the floor needs none.
"""

from __future__ import annotations

import asyncio
import sqlite3
import tempfile
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Thread
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
PEER_STEPS = [(sql.replace("$1", "?").replace("$2", "?"), params) for sql, params in STEPS]
ROWS = [("x", 1.0)] * 1000
LINE = 5  # calls one after the other: after the peer's turn the first finds the caches cold
LOG = 1_100  # commits until the write-ahead log has its size: a log that grows is slower to fsync


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
        _Floor(folder / "floor.db", durability) as floor,
    ):
        for pragma in _pragmas(durability):
            await peer.execute(pragma)
        await peer.execute(SCHEMA)
        (await ours.execute(SCHEMA)).unwrap()
        (await ours.execute_many(INSERT, ROWS)).unwrap()
        await peer.executemany(INSERT.replace("$1, $2", "?, ?"), ROWS)
        for number in range(LOG):
            await _our_write(ours, number)
            await _peer_write(peer, number)
            await floor.write(number)
        budget = 1 / 15 if durability == "full" else 1 / 3
        rows = await _writers(durability.upper(), ours, peer, floor, budget)
        if durability == "full":
            return rows
        return [
            *rows,
            await _row("mixed, 32 tasks, 80 % reads", ours, peer, (_our_mix, _peer_mix), 20, 0.5),
            await _row("transaction of 1,000 statements", ours, peer, (_our_batch, _peer_each)),
            await _row("the same, of one statement", ours, peer, (_our_many, _peer_many), 0, 1.5),
            await _row("a read", ours, peer, (_our_read, _peer_read), 0, 1.0),
            await _row("a read, execute_fetchall", ours, peer, (_our_read, _peer_fetchall), 0, 1.7),
        ]


def _pragmas(durability: str) -> list[str]:
    names = ("journal_mode=wal", f"synchronous={durability}", "foreign_keys=on")
    return [f"pragma {name}" for name in names]


async def _writers(
    durability: str, ours: Database, peer: aiosqlite.Connection, floor: _Floor, budget: float
) -> list[Row]:
    best = await _best(
        {
            "ours": _crowd(_our_write, ours, 20),
            "peer": _crowd(_peer_write, peer, 20),
            "floor": _crowd(lambda _, number: floor.write(number), None, 20),
        },
        rounds=20,
    )
    each = {name: time / (WRITERS * 20) for name, time in best.items()}
    name = f"32 writers, {durability}"
    return [
        Row(name, "aiosqlite", each["ours"], each["peer"], budget),
        Row(name, "the floor, see above", each["ours"], each["floor"], 3.0),
    ]


class _Floor:
    """The least that group commit costs."""

    def __init__(self, path: Path, durability: str) -> None:
        self._connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        for text in (*_pragmas(durability), SCHEMA):
            self._connection.execute(text)
        self._jobs: SimpleQueue[asyncio.Future[int] | None] = SimpleQueue()
        self._thread = Thread(target=self._run)

    async def __aenter__(self) -> _Floor:
        self._loop = asyncio.get_running_loop()
        self._thread.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        self._jobs.put(None)
        self._thread.join()
        self._connection.close()

    async def write(self, _: int) -> int:
        future: asyncio.Future[int] = self._loop.create_future()
        self._jobs.put(future)
        return await future

    def _run(self) -> None:
        insert = INSERT.replace("$1, $2", "?, ?")
        while (first := self._jobs.get()) is not None:
            futures = [first]
            try:
                while (following := self._jobs.get_nowait()) is not None:
                    futures.append(following)
            except Empty:
                pass
            self._connection.execute("begin immediate")
            counts = [self._connection.execute(insert, ("x", 1.0)).rowcount for _ in futures]
            self._connection.execute("commit")
            self._loop.call_soon_threadsafe(self._tell, futures, counts)

    @staticmethod
    def _tell(futures: list[asyncio.Future[int]], counts: list[int]) -> None:
        for future, count in zip(futures, counts, strict=True):
            future.set_result(count)


async def _row(
    name: str,
    ours: Database,
    peer: aiosqlite.Connection,
    calls: tuple[Callable[..., Awaitable[object]], Callable[..., Awaitable[object]]],
    each: int = 0,
    budget: float = 1 / 20,
) -> Row:
    """Time both: `each` calls by each of 32 tasks, or calls one after the other."""
    if each:
        functions = {"ours": _crowd(calls[0], ours, each), "peer": _crowd(calls[1], peer, each)}
    else:
        functions = {"ours": _line(calls[0], ours), "peer": _line(calls[1], peer)}
    best = await _best(functions, rounds=20)
    count = WRITERS * each or LINE
    return Row(name, "aiosqlite", best["ours"] / count, best["peer"] / count, budget)


def _line(
    call: Callable[..., Awaitable[object]], database: object
) -> Callable[[], Awaitable[object]]:
    async def task() -> None:
        for number in range(LINE):
            await call(database, number)

    return task


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
    for sql, params in PEER_STEPS:
        await db.execute(sql, params)
    return await db.execute("commit")


async def _our_many(db: Database, _: int) -> object:
    return (await db.execute_many(INSERT, ROWS)).unwrap()


async def _peer_many(db: aiosqlite.Connection, _: int) -> object:
    await db.execute("begin immediate")
    await db.executemany(INSERT.replace("$1, $2", "?, ?"), ROWS)
    return await db.execute("commit")
