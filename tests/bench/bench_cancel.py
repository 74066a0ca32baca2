"""How soon a statement that is cancelled has stopped, so that the next one has its answer.

There is no peer: aiosqlite lets a statement run to its end. The budget is 5 ms, for the median: a
figure of 0.4 ms is a wait and not work, so on a machine that is busy one in twenty waits for a turn
of the CPU, which may be 5 ms by itself.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path
from time import perf_counter_ns

from harness import Row

from qicore_sql import open_database

ROUNDS = 200
BUDGET_NS = 5_000_000
COUNT = "with recursive n(i) as (select 1 union all select i + 1 from n) select count(*) from n"


def measure() -> list[Row]:
    """Cancel reads and writes that never end."""
    with tempfile.TemporaryDirectory() as folder:
        return asyncio.run(_measure(Path(folder)))


async def _measure(folder: Path) -> list[Row]:
    async with open_database(f"sqlite:///{folder / 'ours.db'}", readers=1) as db:
        (await db.execute("create table t (n integer)")).unwrap()
        return [
            await _row("a read", lambda: db.query(COUNT), lambda: db.query("select 1")),
            await _row(
                "a write",
                lambda: db.execute(f"insert into t {COUNT}"),
                lambda: db.execute("delete from t where n = 0"),
            ),
        ]


async def _row(
    name: str, endless: Callable[[], Awaitable[object]], following: Callable[[], Awaitable[object]]
) -> Row:
    times = []
    for _ in range(ROUNDS):
        task = asyncio.ensure_future(endless())
        await asyncio.sleep(0.01)  # it runs
        began = perf_counter_ns()
        task.cancel()
        await asyncio.wait([task])
        answer = await following()
        times.append(perf_counter_ns() - began)
        if not answer or not task.cancelled():
            raise RuntimeError(f"{name} was not cancelled, or the next one failed")
    times.sort()
    said = f"{name} is cancelled and the next one answered, median"
    return Row(said, "5 ms", times[ROUNDS // 2], BUDGET_NS, 1.0)
