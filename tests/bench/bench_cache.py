"""The memory cache against what one would write or take instead.

Peers: `cachetools.TTLCache` behind a lock, as its users in threads need it; an OrderedDict with ttl
and a lock, as one writes it by hand; and cachebox, in Rust, which is faster and is shown for that.
The peers answer at once and give a bare value; ours is awaited, checks key and ttl and gives a
Result, so by-hand caches are faster than its set. "bare" is our store without all that. Every entry
has a ttl of a minute, and values are texts.

The budgets are in microseconds, compared with a nominal peer of one; what this machine makes of a
loop that anybody can repeat stands beside them. Ratios to the peers are guards against a decline.
"""

from __future__ import annotations

import asyncio
import random
from bisect import bisect
from collections import OrderedDict
from collections.abc import Callable, Coroutine, Iterator
from itertools import accumulate, cycle
from threading import Lock
from time import monotonic
from typing import Any

import cachebox
import cachetools
from aiocache import SimpleMemoryCache
from cashews import Cache as Cashews
from harness import Row, compare

from qicore_cache import MISSING, Cache, JsonCodec, open_cache, tiered

CALLS = 1_000  # in one run, so that starting it weighs nothing
NOMINAL_NS = 1_000.0  # absolute budgets are compared with a peer of one microsecond
KEYS = [f"user:{number}" for number in range(CALLS)]
FRESH = [[f"new:{many}:{number}" for number in range(CALLS)] for many in range(20)]
TTL = 60.0


class ByHand:
    """LRU with ttl and lock, as one writes it."""

    def __init__(self, size: int) -> None:
        self.kept: OrderedDict[Any, tuple[Any, float]] = OrderedDict()
        self.size = size
        self.lock = Lock()

    def get(self, key: Any) -> Any:
        """Give the value, or None."""
        with self.lock:
            entry = self.kept.get(key)
            if entry is None:
                return None
            if entry[1] < monotonic():
                del self.kept[key]
                return None
            self.kept.move_to_end(key)
            return entry[0]

    def set(self, key: Any, value: Any) -> None:
        """Keep the value."""
        with self.lock:
            self.kept[key] = (value, monotonic() + TTL)
            self.kept.move_to_end(key)
            if len(self.kept) > self.size:
                self.kept.popitem(last=False)


class Cachetools:
    """TTLCache behind the lock that it does not have."""

    def __init__(self, size: int) -> None:
        self.kept: Any = cachetools.TTLCache(size, TTL)
        self.lock = Lock()

    def get(self, key: Any) -> Any:
        """Give the value, or None."""
        with self.lock:
            return self.kept.get(key)

    def set(self, key: Any, value: Any) -> None:
        """Keep the value."""
        with self.lock:
            self.kept[key] = value


class Cachebox:
    """TTLCache in Rust."""

    def __init__(self, size: int) -> None:
        kept: Any = cachebox.TTLCache(size, TTL)
        self.get, self.set = kept.get, kept.insert


PEERS: dict[str, Any] = {
    "cachetools + lock": Cachetools,
    "OrderedDict + lock": ByHand,
    "cachebox, in Rust": Cachebox,
}
MICROSECONDS = {  # the budgets
    "get": 0.5,
    "set": 1.0,
    "evicting set": 2.0,
    "get, near": 0.6,
    "get_or_set, hit": 1.2,
}
GUARDS = {  # what an await, a Result and the checks may cost; above 1.0 the peer is faster
    "get": (0.5, 1.8, 12.0),
    "set": (1.2, 3.5, 12.0),
    "evicting set": (1.4, 4.0, 15.0),
    "get, bare": (0.25, 0.7, 4.0),
}


AWAITED = {"get": (0.2, 0.06), "set": (0.3, 0.09)}  # cashews, aiocache


def measure() -> list[Row]:
    """Time get, set and evicting set, and count hits."""
    with asyncio.Runner() as loop:
        return _measured(loop)


def _measured(loop: asyncio.Runner) -> list[Row]:
    jobs = {"calibration": _calibration, **_our_jobs(), **_awaited_jobs(loop)}
    for name, peer in PEERS.items():
        kept, full = peer(2 * CALLS), peer(CALLS)
        jobs[f"set|{name}"] = _sets(kept.set, cycle([KEYS]))
        jobs[f"get|{name}"] = _gets(kept.get)
        jobs[f"evicting set|{name}"] = _sets(full.set, cycle(FRESH))
    for name in [name for name in jobs if name.startswith("set|")]:
        jobs[name]()  # so that the first get finds something
    costs = {name: cost / CALLS for name, cost in compare(jobs, rounds=40, inner=1).items()}
    rows = [
        Row(what, "1 µs", costs[f"{what}|ours"], NOMINAL_NS, budget)
        for what, budget in MICROSECONDS.items()
    ]
    for what, guards in GUARDS.items():
        for name, guard in zip(PEERS, guards, strict=True):
            theirs = costs[f"{what.removesuffix(', bare')}|{name}"]
            rows.append(Row(what, name, costs[f"{what}|ours"], theirs, guard))
    for what, guards in AWAITED.items():
        for name, guard in zip(("cashews", "aiocache"), guards, strict=True):
            rows.append(Row(what, name, costs[f"{what}|ours"], costs[f"{what}|{name}"], guard))
    beside = "calibration: a dict's read and write in a function"
    return [*rows, Row(beside, "1 µs", costs["calibration"], NOMINAL_NS, 0.5), *_hit_rows()]


def _our_jobs() -> dict[str, Callable[[], object]]:
    kept, full = asyncio.run(_opened(2 * CALLS)), asyncio.run(_opened(CALLS))
    fresh = cycle(FRESH)

    two = asyncio.run(_tiered())

    async def gets(cache: Cache[Any]) -> None:
        get = cache.get
        for key in KEYS:
            await get(key)

    async def computes() -> None:
        get_or_set = kept.get_or_set
        for key in KEYS:
            await get_or_set(key, _calibration)

    async def sets(cache: Cache[Any], keys: list[str]) -> None:
        set_ = cache.set
        for key in keys:
            await set_(key, "value")

    return {
        "get|ours": lambda: _finish(gets(kept)),
        "get, near|ours": lambda: _finish(gets(two)),
        "get_or_set, hit|ours": lambda: _finish(computes()),
        "get, bare|ours": _gets(kept._here.get),  # type: ignore[union-attr]  # it is in memory
        "set|ours": lambda: _finish(sets(kept, KEYS)),
        "evicting set|ours": lambda: _finish(sets(full, next(fresh))),
    }


def _awaited_jobs(loop: asyncio.Runner) -> dict[str, Callable[[], object]]:
    cashews, aiocache = Cashews(), SimpleMemoryCache(ttl=TTL)
    cashews.setup("mem://", size=2 * CALLS)

    async def sets(peer: Any, ttl: str) -> None:
        for key in KEYS:
            await peer.set(key, "value", **{ttl: TTL})

    async def gets(peer: Any) -> None:
        for key in KEYS:
            await peer.get(key)

    return {
        "set|cashews": lambda: loop.run(sets(cashews, "expire")),
        "get|cashews": lambda: loop.run(gets(cashews)),
        "set|aiocache": lambda: loop.run(sets(aiocache, "ttl")),
        "get|aiocache": lambda: loop.run(gets(aiocache)),
    }


def _finish(coroutine: Coroutine[Any, Any, None]) -> None:
    """Run what never waits, without what starting a loop costs."""
    try:
        coroutine.send(None)
    except StopIteration:
        return
    raise AssertionError("memory: waited")


def _gets(get: Callable[[str], Any]) -> Callable[[], object]:
    def many() -> None:
        for key in KEYS:
            get(key)

    return many


def _sets(set_: Callable[[str, Any], Any], keys: Iterator[list[str]]) -> Callable[[], object]:
    def many() -> None:
        for key in next(keys):
            set_(key, "value")

    return many


def _calibration() -> None:
    kept = dict.fromkeys(KEYS, 0)

    def touch(key: str) -> None:
        kept[key] = kept[key] + 1

    for key in KEYS:
        touch(key)


def _hit_rows() -> list[Row]:
    """Count misses: at least five points of all requests fewer than LRU has."""
    weights = list(accumulate([1 / (rank + 1) ** 0.8 for rank in range(20_000)]))
    draw = random.Random(8)
    trace = [bisect(weights, draw.random() * weights[-1]) for _ in range(120_000)]
    rows = []
    for size in (500, 2_000):
        ours = asyncio.run(_our_hits(size, trace)) / len(trace)
        lru = _lru_hits(size, trace) / len(trace)
        name = (
            f"hits a thousand, +50 wanted: {1000 * ours:.0f}, LRU {1000 * lru:.0f} ({size} slots)"
        )
        rows.append(Row(name, "LRU + 5 points", 1000 * (lru + 0.05), 1000 * ours, 1.0))
    return rows


async def _opened(size: int) -> Cache[Any]:
    return (await open_cache("memory:", max_entries=size, default_ttl=TTL)).unwrap()


async def _tiered() -> Cache[Any]:
    near = open_cache("memory:", max_entries=2 * CALLS)
    far = open_cache("memory:", max_entries=2 * CALLS, codec=JsonCodec())
    cache = (await tiered(near, far, near_ttl=3600.0)).unwrap()
    await cache.set_many(dict.fromkeys(KEYS, "value"))
    return cache


async def _our_hits(size: int, trace: list[int]) -> int:
    cache, hits = await _opened(size), 0
    for key in map(str, trace):
        if (await cache.get(key, MISSING)).unwrap() is MISSING:
            await cache.set(key, 1)
        else:
            hits += 1
    return hits


def _lru_hits(size: int, trace: list[int]) -> int:
    peer, hits = ByHand(size), 0
    for key in trace:
        if peer.get(key) is None:
            peer.set(key, 1)
        else:
            hits += 1
    return hits
