"""The components, each opened by its door, and what is asked of them; answers are looked at."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

from calls import Operation
from peers import BIG

from qicore_cache import Cache, Freshness, open_cache, tiered
from qicore_core import (
    CircuitBreakerConfig,
    Deadline,
    Failure,
    Policy,
    QiError,
    Result,
    RetryPolicy,
    Success,
    failure,
    success,
)
from qicore_http import HttpClient, open_http
from qicore_sql import Database, Transaction, open_database

POLICY = Policy(
    retry=RetryPolicy(3, base=0.02),
    breaker=CircuitBreakerConfig(timeout_seconds=0.2, minimum_calls=20),
    timeout=3.0,
    attempt_timeout=1.0,
)
FRESHNESS = Freshness(stale_while=0.5, stale_if_error=2.0, early=1.0)
KEYS, ACCOUNTS = 400, 20
GONE = QiError.not_found("SOAK_GONE", "there is none")
CUT = QiError.timeout("SOAK_CUT", "the stream was left, as its time was over")


class Ground(NamedTuple):
    """Where the peers are, and a folder for files."""

    urls: dict[str, str]
    folder: Path


Component = Callable[[Ground], AbstractAsyncContextManager[list[Operation]]]


# Caches


@asynccontextmanager
async def memory(_: Ground) -> AsyncGenerator[list[Operation]]:
    """A cache that has to evict."""
    async with open_cache("memory:", max_entries=KEYS // 2) as cache:
        yield CacheCalls(cache).all()


@asynccontextmanager
async def redis(ground: Ground) -> AsyncGenerator[list[Operation]]:
    """A shared cache, by a policy."""
    url = f"{ground.urls['redis']}?socket_timeout=1&connect_timeout=1"
    async with open_cache(url, namespace="shared", policy=POLICY, lock_ttl=1.0) as cache:
        yield CacheCalls(cache).all()


@asynccontextmanager
async def tiers(ground: Ground) -> AsyncGenerator[list[Operation]]:
    """A shared cache behind one in memory, without a policy; changes are told."""
    url = f"{ground.urls['redis']}?socket_timeout=1&connect_timeout=1"
    near = open_cache("memory:", max_entries=KEYS // 2)
    far = open_cache(url, namespace="tiers", lock_ttl=1.0)
    async with tiered(near, far, near_ttl=0.5) as cache:
        yield CacheCalls(cache).all()


@asynccontextmanager
async def disk(ground: Ground) -> AsyncGenerator[list[Operation]]:
    """A cache in a file, that of the database as well."""
    url = f"sqlite:///{ground.folder}/soak.db?max_bytes=1048576"
    async with open_cache(url, lock_ttl=1.0) as cache:
        yield CacheCalls(cache).all()


class CacheCalls:
    """What is asked of a cache: all that it can do, over a few hundred keys."""

    def __init__(self, cache: Cache[Any]) -> None:
        self.cache = cache

    def all(self) -> list[Operation]:
        """Give it, as often as it is to be asked."""
        return [self.get, self.get_many, self.compute] * 3 + [
            self.put,
            self.put_tagged,
            self.put_many,
            self.remove,
            self.remove_tag,
            self.count,
            self.expire,
            self.clear,
        ]

    async def get(self, random: Random, timeout: float) -> Result[Any]:
        key = a_key(random)
        return right(await self.cache.get(key, timeout=timeout), (None, a_value(key)))

    async def get_many(self, random: Random, timeout: float) -> Result[Any]:
        found = await self.cache.get_many([a_key(random) for _ in range(5)], timeout=timeout)
        for key, value in found.unwrap_or({}).items():
            assert value == a_value(key)
        return found

    async def put(self, random: Random, timeout: float) -> Result[Any]:
        key = a_key(random)
        return await self.cache.set(key, a_value(key), ttl=a_ttl(random), timeout=timeout)

    async def put_tagged(self, random: Random, timeout: float) -> Result[Any]:
        key = a_key(random)
        return await self.cache.set(
            key, a_value(key), ttl=1.0, tags=[a_tag(random)], timeout=timeout
        )

    async def put_many(self, random: Random, timeout: float) -> Result[Any]:
        values = {key: a_value(key) for key in (a_key(random) for _ in range(5))}
        return await self.cache.set_many(values, ttl=a_ttl(random), timeout=timeout)

    async def compute(self, random: Random, timeout: float) -> Result[Any]:
        key, fails, takes = a_key(random), random.random() < 0.1, random.random() * 0.02

        async def factory() -> Result[Any]:
            await asyncio.sleep(takes)
            return failure(GONE) if fails else success(a_value(key))

        freshness = random.choice((None, FRESHNESS))
        tags = [a_tag(random)] if random.random() < 0.2 else []
        given = await self.cache.get_or_set(
            key, factory, ttl=a_ttl(random), freshness=freshness, tags=tags, timeout=timeout
        )
        return right(meant(given, GONE.code), (None, a_value(key)))

    async def remove(self, random: Random, timeout: float) -> Result[Any]:
        return await self.cache.remove_many([a_key(random), a_key(random)], timeout=timeout)

    async def remove_tag(self, random: Random, timeout: float) -> Result[Any]:
        return await self.cache.remove_tag(a_tag(random), timeout=timeout)

    async def count(self, random: Random, timeout: float) -> Result[Any]:
        return await self.cache.increment(f"count {random.randrange(5)}", ttl=60.0, timeout=timeout)

    async def expire(self, random: Random, timeout: float) -> Result[Any]:
        return await self.cache.expire(a_key(random), 1.0, timeout=timeout)

    async def clear(self, random: Random, timeout: float) -> Result[Any]:
        return await (self.cache.clear if random.random() < 0.1 else self.cache.size)(
            timeout=timeout
        )


def a_key(random: Random) -> str:
    """Draw a key; few are asked for often, many are rare."""
    return f"k{int(KEYS * random.random() ** 3)}"


def a_value(key: str) -> dict[str, Any]:
    """Give the one value that a key may have, so that the answer to another call is seen."""
    return {"key": key, "text": key * 20}


def a_ttl(random: Random) -> float:
    """Draw a ttl; most end while the program runs."""
    return random.choice((0.05, 0.5, 5.0))


def a_tag(random: Random) -> str:
    """Draw a tag."""
    return f"t{random.randrange(8)}"


# HTTP


@asynccontextmanager
async def http(transport: str, ground: Ground) -> AsyncGenerator[list[Operation]]:
    """A client with retries, a breaker and a response cache."""
    async with (
        open_cache("memory:", namespace="responses", max_entries=KEYS // 4) as cache,
        open_http(ground.urls["http"], client=transport, policy=POLICY, cache=cache) as client,
    ):
        yield HttpCalls(client).all()


class HttpCalls:
    """What is asked of an HTTP client: bodies both ways, whole and in pieces, kept or not."""

    def __init__(self, client: HttpClient) -> None:
        self.client = client

    def all(self) -> list[Operation]:
        """Give it, as often as it is to be asked."""
        return [
            self.get,
            self.get,
            self.post,
            self.upload,
            self.fresh,
            self.fresh,
            self.gone,
            self.big,
            self.stream,
        ]

    async def get(self, random: Random, timeout: float) -> Result[Any]:
        asked = f"/echo/{random.randrange(1 << 30)}"
        answered = await self.client.get(asked, timeout=timeout)
        return right(answered.flat_map(lambda one: one.json()).map(lambda it: it["target"]), asked)

    async def post(self, random: Random, timeout: float) -> Result[Any]:
        body = str(random.random()) * random.choice((1, 1000))
        answered = await self.client.post(
            "/echo", content=body, headers={"Idempotency-Key": "1"}, timeout=timeout
        )
        return right(answered.flat_map(lambda one: one.json()).map(lambda it: it["body"]), body)

    async def upload(self, random: Random, timeout: float) -> Result[Any]:
        async def pieces() -> AsyncIterator[bytes]:
            for _ in range(10):
                await asyncio.sleep(0)
                yield b"x" * 100

        answered = await self.client.post("/echo", content=pieces(), timeout=timeout)
        told = answered.flat_map(lambda one: one.json()).map(lambda it: it["body"])
        return right(told, "x" * 1000)

    async def fresh(self, random: Random, timeout: float) -> Result[Any]:
        asked = f"/fresh?{random.randrange(KEYS)}"
        return right((await self.client.get(asked, timeout=timeout)).map(lambda it: it.text), asked)

    async def gone(self, random: Random, timeout: float) -> Result[Any]:
        answered = await self.client.get("/gone", timeout=timeout)
        is_gone = isinstance(answered, Failure) and answered.error.context.get("status") == 404
        return success() if is_gone else answered

    async def big(self, random: Random, timeout: float) -> Result[Any]:
        return right((await self.client.get("/big", timeout=timeout)).map(lambda it: it.body), BIG)

    async def stream(self, random: Random, timeout: float) -> Result[Any]:
        enough = random.choice((1, len(BIG)))
        try:
            async with (
                asyncio.timeout(Deadline.within(timeout)),
                self.client.stream("GET", "/big", timeout=timeout) as pieces,
            ):
                read = 0
                async for piece in pieces:
                    if isinstance(piece, Failure):
                        return piece
                    read += len(piece.value)
                    if enough <= read < len(BIG):
                        return success()  # left in the middle
                return right(success(read), len(BIG))
        except TimeoutError:
            return failure(CUT)  # the policy's time is for the beginning of a stream
        except QiError as error:
            return failure(error)


# Databases


@asynccontextmanager
async def sqlite(ground: Ground) -> AsyncGenerator[list[Operation]]:
    """A database in a file, whose accounts have one sum."""
    async with open_database(f"sqlite:///{ground.folder}/soak.db", durability="normal") as db:
        (
            await db.execute_batch(
                [
                    ("create table texts (id integer primary key, text text not null)", ()),
                    ("create table accounts (id integer primary key, sum integer not null)", ()),
                    *(("insert into accounts values ($1, 100)", (n,)) for n in range(ACCOUNTS)),
                ]
            )
        ).unwrap()
        yield DatabaseCalls(db).all()


class DatabaseCalls:
    """What is asked of a database: reads, writes, transactions that end one way or another."""

    def __init__(self, db: Database) -> None:
        self.db = db

    def all(self) -> list[Operation]:
        """Give it, as often as it is to be asked."""
        return [
            self.write,
            self.read,
            self.read,
            self.transfer,
            self.audit,
            self.refused,
            self.stream,
        ]

    async def write(self, random: Random, timeout: float) -> Result[Any]:
        number = random.randrange(KEYS)
        return await self.db.execute(
            "insert or replace into texts values ($1, $2)", number, f"{number}", timeout=timeout
        )

    async def read(self, random: Random, timeout: float) -> Result[Any]:
        number = random.randrange(KEYS)
        found = await self.db.query("select text from texts where id = $1", number, timeout=timeout)
        return right(found.map(lambda rows: [row["text"] for row in rows]), ([], [f"{number}"]))

    async def transfer(self, random: Random, timeout: float) -> Result[Any]:
        giver, taker, fails = (
            random.randrange(ACCOUNTS),
            random.randrange(ACCOUNTS),
            random.random(),
        )

        async def move(tx: Transaction) -> Result[Any]:
            sql = "update accounts set sum = sum + $1 where id = $2"
            given = await tx.execute(sql, -1, giver)
            if not given:
                return given
            return failure(GONE) if fails < 0.1 else await tx.execute(sql, 1, taker)

        return meant(await self.db.transaction(move, timeout=timeout), GONE.code)

    async def audit(self, random: Random, timeout: float) -> Result[Any]:
        total = await self.db.query_value("select sum(sum) from accounts", timeout=timeout)
        return right(total, 100 * ACCOUNTS)

    async def refused(self, random: Random, timeout: float) -> Result[Any]:
        wrong = "insert into accounts values (1, null)"
        return meant(await self.db.execute(wrong, timeout=timeout), "DB_CONSTRAINT")

    async def stream(self, random: Random, timeout: float) -> Result[Any]:
        try:
            async with self.db.query_stream("select text from texts", timeout=timeout) as rows:
                async for row in rows:
                    if isinstance(row, Failure) or random.random() < 0.05:
                        return row  # left in the middle
            return success()
        except QiError as error:
            return failure(error)


# Answers


def right(told: Result[Any], wanted: Any) -> Result[Any]:
    """See to it that a Success is the right one: what is wanted, or one of several."""
    if isinstance(told, Success):
        values = wanted if isinstance(wanted, tuple) else (wanted,)
        assert told.value in values, f"{str(told.value)[:80]!r} is no answer to this call"
    return told


def meant(told: Result[Any], code: str) -> Result[Any]:
    """Take a Failure that was asked for as the answer that it is."""
    is_meant = isinstance(told, Failure) and told.error.code == code
    return success() if is_meant else told


COMPONENTS: dict[str, Component] = {
    "memory": memory,
    "redis": redis,
    "tiered": tiers,
    "disk": disk,
    **{name: partial(http, name) for name in ("stdlib", "httpx", "aiohttp")},
    "sqlite": sqlite,
}
