"""The network between spoiled: each call ends in time, and the next connection works."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from time import monotonic
from typing import Any
from urllib.parse import parse_qsl, urlsplit
from uuid import uuid4

import pytest

from qicore_core import Failure, Policy, success
from qicore_core.testing import FaultProxy, assert_failure
from qicore_sql import Database, open_database

Spoil = Callable[[FaultProxy], None]
ENDINGS: dict[str, Spoil] = {
    "cut": lambda proxy: proxy.cut(),
    "reset": lambda proxy: proxy.reset(),
    "half-close": lambda proxy: proxy.half_close(),
    "cut in a reply": lambda proxy: proxy.cut(after_bytes=5),
    "reset in a reply": lambda proxy: proxy.reset(after_bytes=5),
}


@asynccontextmanager
async def spoiled(url: str, **settings: Any) -> AsyncIterator[tuple[Database, FaultProxy]]:
    """Open the database through a proxy; the server itself has a Unix socket alone."""
    folder = dict(parse_qsl(urlsplit(url).query))["host"]

    async def relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_unix_connection(f"{folder}/.s.PGSQL.5432")
        await asyncio.gather(passed(reader, back), passed(there, writer))

    async def passed(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(65536):
                writer.write(data)
                await writer.drain()
        except OSError:
            pass  # one of the two went away
        finally:
            writer.close()

    async with await asyncio.start_server(relay, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        async with FaultProxy("127.0.0.1", port) as proxy:
            through = f"postgresql://postgres@127.0.0.1:{proxy.port}/postgres?sslmode=disable"
            async with open_database(through, **settings) as db:
                yield db, proxy
                proxy.heal()


async def ended(call: Awaitable[Any], seconds: float) -> Any:
    """Await a call that must have ended by then."""
    began = monotonic()
    answer = await call
    assert monotonic() - began < seconds
    return answer


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_connection_that_ends_is_a_failure_and_the_next_one_works(url: str, ending: str) -> None:
    async def main() -> None:
        async with spoiled(url, max_connections=1) as (db, proxy):
            for _ in range(3):
                assert await db.query_value("select 1") == success(1)
                ENDINGS[ending](proxy)
                error = assert_failure(
                    await ended(db.query("select 2", timeout=3.0), 3.3), "DB_CONNECTION_FAILED"
                )
                assert error.retryable
                proxy.heal()
            assert await ended(db.query_value("select 3", timeout=3.0), 3.3) == success(3)

    asyncio.run(main())


def test_silence_is_ended_by_the_deadline(url: str) -> None:
    async def main() -> None:
        async with spoiled(url, max_connections=2, pool_timeout=1.0) as (db, proxy):
            assert await db.query_value("select 1") == success(1)
            proxy.blackhole()
            calls = [ended(db.query("select 1", timeout=0.3), 0.6) for _ in range(10)]
            for answer in await asyncio.gather(*calls):
                assert_failure(answer, "DB_TIMEOUT")
            proxy.heal()
            assert await db.query_value("select 1", timeout=10.0) == success(1)

    asyncio.run(main())


def test_a_transaction_that_lost_its_connection_is_undone(url: str) -> None:
    async def main() -> None:
        async with spoiled(url, max_connections=1) as (db, proxy):
            table = f"t{uuid4().hex}"
            await db.execute(f"create table {table} (n bigint)")
            tx = (await db.transaction()).unwrap()
            assert await tx.execute(f"insert into {table} values (1)") == success(1)
            proxy.reset()
            assert isinstance(await ended(tx.commit(), 3.0), Failure)
            await tx.close()
            proxy.heal()
            assert await db.query(f"select n from {table}") == success([])

    asyncio.run(main())


def test_a_policy_repeats_what_only_reads(url: str) -> None:
    async def main() -> None:
        async with spoiled(url, policy=Policy(retry=3), max_connections=1) as (db, proxy):
            assert await db.query_value("select 1") == success(1)
            proxy.cut(after_bytes=1)
            asked = asyncio.create_task(db.query_value("select 2", timeout=5.0))
            await asyncio.sleep(0)
            proxy.heal()
            assert await asked == success(2)

    asyncio.run(main())
