"""The cache in a SQLite file against diskcache: wall time, as the disk has its part in it.

Both keep what one call writes at once, in a file with a write-ahead log that is not synchronised on
each COMMIT (diskcache's default too), and every entry has a ttl of a minute. diskcache keeps pickle
and answers on the thread that asks, so it is compared with what our thread does for an entry: "in
its thread", alone and as group commit does it for 32 that wait together. Through the event loop, as
an application calls it, there are the codec, the Result and the way to the thread and back besides;
that has budgets in microseconds, compared with a nominal peer of one, and a calibration beside
them. "32 at once" is shown for each call.

A round is four thousand calls, so that each has its share of copying the log into the file.
"""

from __future__ import annotations

import asyncio
import random
import tempfile
from collections.abc import Callable
from itertools import cycle
from pathlib import Path
from time import perf_counter_ns, time
from typing import Any

import diskcache
from harness import Row

from qicore_cache import Cache, Entry, JsonCodec, open_cache
from qicore_sqlite.cache.bounds import Bounds
from qicore_sqlite.cache.settings import SqliteCacheSettings
from qicore_sqlite.cache.table import Table
from qicore_sqlite.connection import connect

CALLS = 4_000
ROUNDS = 8
MANY = 32
NOMINAL_NS = 1_000.0  # absolute budgets are compared with a peer of one microsecond
KEYS = [f"user:{number}" for number in range(CALLS)]
FRESH = cycle([[f"new:{many}:{number}" for number in range(CALLS)] for many in range(ROUNDS)])
VALUE = {"id": 1, "name": "Ada Lovelace", "tags": ["a", "b", "c"], "price": 12.5, "pad": "a" * 60}
DATA = JsonCodec().encode(VALUE, None, "")
TTL = 60.0
ENTRY = Entry(DATA, TTL)
MICROSECONDS = {  # the budgets
    "get, in its thread": 15.0,
    "set, in its thread": 35.0,
    "get": 100.0,
    "set": 150.0,
    "get, 32 at once": 40.0,
    "set, 32 at once": 50.0,
}


def measure() -> list[Row]:
    """Time get, set and evicting set, in the thread and through the event loop."""
    with tempfile.TemporaryDirectory() as folder, asyncio.Runner() as loop:
        costs = _costs(loop, Path(folder))
    peer = "diskcache"
    return [
        Row("set, in its thread", peer, costs["set, in its thread"], costs["set|peer"], 0.33),
        Row("set, 32 in a COMMIT, in its thread", peer, costs["together"], costs["set|peer"], 0.25),
        Row("get, in its thread", peer, costs["get, in its thread"], costs["get|peer"], 1.0),
        Row("evicting set, in its thread", peer, costs["evicting"], costs["evicting|peer"], 0.75),
        Row("set, 32 at once", peer, costs["set, 32 at once"], costs["set|peer"], 0.5),
        *[Row(what, "1 µs", costs[what], NOMINAL_NS, most) for what, most in MICROSECONDS.items()],
        Row("calibration: a dict's read and write", "1 µs", costs["calibration"], NOMINAL_NS, 0.5),
    ]


def _costs(loop: asyncio.Runner, folder: Path) -> dict[str, float]:
    kept, full = _Bare(folder / "bare.db", 100_000), _Bare(folder / "full.db", CALLS // 2)
    peer: Any = diskcache.Cache(str(folder / "peer"))
    size = CALLS // 2 * 400  # its bound is in bytes
    full_peer: Any = diskcache.Cache(str(folder / "full"), size_limit=size)
    ours = loop.run(_opened(folder / "ours.db"))
    jobs: dict[str, Callable[[], object]] = {
        "set, in its thread": lambda: _each(kept.set, KEYS),
        "together": kept.set_together,
        "set|peer": lambda: _each(lambda key: peer.set(key, VALUE, expire=TTL), KEYS),
        "get, in its thread": lambda: _each(kept.get, KEYS),
        "get|peer": lambda: _each(peer.get, KEYS),
        "evicting": lambda: _each(full.set, next(FRESH)),
        "evicting|peer": lambda: _each(
            lambda key: full_peer.set(key, VALUE, expire=TTL), next(FRESH)
        ),
        "set": lambda: loop.run(_sets(ours, KEYS)),
        "get": lambda: loop.run(_gets(ours, KEYS)),
        "set, 32 at once": lambda: loop.run(_at_once(_sets, ours)),
        "get, 32 at once": lambda: loop.run(_at_once(_gets, ours)),
        "calibration": _calibration,
    }
    for job in jobs.values():
        job()
    best, order = dict.fromkeys(jobs, float("inf")), list(jobs)
    for _ in range(ROUNDS):
        random.shuffle(order)
        for name in order:
            started = perf_counter_ns()
            jobs[name]()
            best[name] = min(best[name], (perf_counter_ns() - started) / CALLS)
    loop.run(ours.close())
    for one in (kept, full, peer, full_peer):
        one.close()
    return best


class _Bare:
    """What the writer's thread and the reader's do, without the way to them."""

    def __init__(self, path: Path, max_entries: int) -> None:
        settings = SqliteCacheSettings(path=str(path), max_entries=max_entries)
        self._table = Table(Bounds(max_entries, settings.max_bytes), time)
        self._connection = connect(settings.database, is_writer=True).unwrap()
        self._table.lengthen_log(self._connection)
        self._table.make(self._connection)
        self.close = self._connection.close

    def set(self, key: str) -> None:
        self._connection.execute("begin immediate")
        self._table.write(self._connection, "shop", {key: ENTRY})
        self._connection.execute("commit")

    def set_together(self) -> None:
        for start in range(0, CALLS, MANY):
            self._connection.execute("begin immediate")
            for key in KEYS[start : start + MANY]:
                self._table.write(self._connection, "shop", {key: ENTRY})
            self._connection.execute("commit")

    def get(self, key: str) -> object:
        return self._table.read(self._connection, "shop", [key])


async def _opened(path: Path) -> Cache[Any]:
    return (await open_cache(f"sqlite:///{path}", namespace="shop")).unwrap()


async def _sets(cache: Cache[Any], keys: list[str]) -> None:
    for key in keys:
        (await cache.set(key, VALUE, ttl=TTL)).unwrap()


async def _gets(cache: Cache[Any], keys: list[str]) -> None:
    for key in keys:
        (await cache.get(key)).unwrap()


async def _at_once(call: Callable[..., Any], cache: Cache[Any]) -> None:
    await asyncio.gather(*[call(cache, KEYS[start::MANY]) for start in range(MANY)])


def _each(call: Callable[[str], object], keys: list[str]) -> None:
    for key in keys:
        call(key)


def _calibration() -> None:
    kept = dict.fromkeys(KEYS, 0)

    def touch(key: str) -> None:
        kept[key] = kept[key] + 1

    for key in KEYS:
        touch(key)
