"""What configuration, logging and the memory cache take."""

from __future__ import annotations

import asyncio
import logging
import os
from bisect import bisect
from collections import OrderedDict
from itertools import accumulate, cycle
from random import Random

from qicore_cache import MISSING, open_cache
from qicore_core import ConfigData, LoggerFactory

from .comparing import Measured, compare, drive, peer

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any, BinaryIO, Final

    from qicore_cache import Cache

__all__ = ["measure"]

_KEYS: Final = [f"user:{number}" for number in range(200)]
_FRESH: Final = [[f"new:{many}:{number}" for number in range(200)] for many in range(50)]
_SLOTS: Final = (500, 2_000)


def measure() -> Iterator[Measured]:
    """Measure one after the other."""
    yield from _config()
    with open(os.devnull, "wb", buffering=0) as nowhere:
        yield from _log(nowhere)
    yield from _cache()
    yield from _hits()


def _config() -> Iterator[Measured]:
    low, high = (
        {f"s{i}": {f"k{j}": by * j for j in range(10)} for i in range(10)} for by in (1, -1)
    )
    ours = ConfigData.from_object(low).unwrap(), ConfigData.from_object(high).unwrap()
    costs = compare(
        {
            "ours": lambda: ConfigData.merge(ours).get("s5.k5"),
            "naive": lambda: _naive(low, high)["s5"]["k5"],
        },
        inner=50,
    )
    ratio = costs["ours"] / costs["naive"]
    yield Measured("config merge and fold, of a naive merge's time", ratio, 1.5, "x")


def _naive(low: dict[str, Any], high: dict[str, Any]) -> dict[str, Any]:
    merged = dict(low)
    for key, value in high.items():
        held = merged.get(key)
        if isinstance(value, dict) and isinstance(held, dict):
            value = _naive(held, value)
        merged[key] = value
    return merged


def _log(nowhere: BinaryIO) -> Iterator[Measured]:
    wanted = (
        ("log, 3 fields to JSON", 0.55, 200),
        ("log, a level that is off", 1.0, 1_000),
        ("log, an exception", 0.10, 20),
    )
    theirs = _tuned(nowhere)
    if theirs is None:
        for name, budget, _ in wanted:
            why = "of tuned structlog's time: structlog or orjson is not installed"
            yield Measured(f"{name}, {why}", None, budget, "x")
        return
    ours = LoggerFactory.create("verify", format="json", sink=nowhere.fileno()).unwrap()
    for (name, budget, inner), (mine, other) in zip(wanted, _lines(ours, theirs), strict=True):
        costs = compare({"ours": mine, "theirs": other}, inner=inner)
        ratio = costs["ours"] / costs["theirs"]
        yield Measured(f"{name}, of tuned structlog's time", ratio, budget, "x")


def _lines(ours: Any, theirs: Any) -> Iterator[tuple[Callable[[], object], Callable[[], object]]]:
    boom = _exception()
    yield (
        lambda: ours.info("user logged in", user_id=42, status="ok", ms=1.5),
        lambda: theirs.info("user logged in", user_id=42, status="ok", ms=1.5),
    )
    yield lambda: ours.debug("user logged in"), lambda: theirs.debug("user logged in")
    yield lambda: ours.error("it failed", boom), lambda: theirs.error("it failed", exc_info=boom)


def _tuned(nowhere: BinaryIO) -> Any:
    """Give structlog as fast as it can be made, with what our record has; None without it."""
    structlog, orjson = peer("structlog"), peer("orjson")
    if structlog is None or orjson is None:
        return None
    return structlog.wrap_logger(
        structlog.BytesLogger(nowhere),
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.format_exc_info,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.JSONRenderer(serializer=orjson.dumps),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        cache_logger_on_first_use=True,
    ).bind()


def _exception() -> Exception:
    def inner() -> None:
        raise ValueError("boom")

    try:
        inner()
    except ValueError as error:
        return error
    raise AssertionError


def _cache() -> Iterator[Measured]:
    kept, full = asyncio.run(_opened(2 * len(_KEYS))), asyncio.run(_opened(len(_KEYS)))
    fresh = cycle(_FRESH)

    async def gets() -> None:
        get = kept.get
        for key in _KEYS:
            await get(key)

    async def sets(cache: Cache[Any], keys: list[str]) -> None:
        set_ = cache.set
        for key in keys:
            await set_(key, "value")

    drive(sets(kept, _KEYS))  # so that the first get finds something
    costs = compare(
        {
            "get": lambda: drive(gets()),
            "set": lambda: drive(sets(kept, _KEYS)),
            "evicting set": lambda: drive(sets(full, next(fresh))),
        },
        inner=5,
    )
    for name, budget in (("get", 0.5), ("set", 1.0), ("evicting set", 2.0)):
        yield Measured(f"memory cache, {name}", costs[name] / len(_KEYS) / 1000, budget, " µs")


def _hits() -> Iterator[Measured]:
    """Count hits beyond those of LRU, as shares of all requests: keys drawn by Zipf's law, 0.8."""
    weights = list(accumulate([1 / (rank + 1) ** 0.8 for rank in range(20_000)]))
    draw = Random(8)  # noqa: S311  # the same requests each time
    trace = [bisect(weights, draw.random() * weights[-1]) for _ in range(120_000)]
    for slots in _SLOTS:
        more = asyncio.run(_our_hits(slots, trace)) - _lru_hits(slots, trace)
        name = f"memory cache of {slots}, hits beyond LRU's"
        yield Measured(name, 100 * more / len(trace), 5.0, " points", at_least=True)


async def _opened(slots: int) -> Cache[Any]:
    return (await open_cache("memory:", max_entries=slots, default_ttl=60.0)).unwrap()


async def _our_hits(slots: int, trace: list[int]) -> int:
    cache, hits = await _opened(slots), 0
    for key in map(str, trace):
        if (await cache.get(key, MISSING)).unwrap() is MISSING:
            await cache.set(key, 1)
        else:
            hits += 1
    return hits


def _lru_hits(slots: int, trace: list[int]) -> int:
    kept: OrderedDict[int, None] = OrderedDict()
    hits = 0
    for key in trace:
        if key in kept:
            hits += 1
            kept.move_to_end(key)
        else:
            kept[key] = None
            if len(kept) > slots:
                kept.popitem(last=False)
    return hits
