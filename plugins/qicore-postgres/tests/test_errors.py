"""What the server says no with is told by its SQLSTATE, and nothing else of it."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from typing import Any
from uuid import uuid4

import asyncpg
import pytest

from qicore_core import Failure, Policy, QiError, Result, success
from qicore_core.testing import assert_failure, assert_success
from qicore_postgres import PostgresSettings
from qicore_postgres.driver import PostgresDriver
from qicore_sql import Database, Statement, open_database

SAID = [
    ("select 1 / 0", "DB_QUERY_FAILED", "VALIDATION", "22012"),
    ("select 'x'::int", "DB_QUERY_FAILED", "VALIDATION", "22P02"),
    ("select no_such_function(1)", "DB_SYNTAX", "INTERNAL", "42883"),
    ("select no_column from pg_class", "DB_SYNTAX", "INTERNAL", "42703"),
    ("create table pg_temp.a (a int); select 1", "DB_SYNTAX", "INTERNAL", "42601"),
    ("select (select oid from pg_class)", "DB_QUERY_FAILED", "VALIDATION", "21000"),
    ("do $$ begin raise exception 'planted'; end $$", "DB_CONSTRAINT", "VALIDATION", "P0001"),
    ("do $$ begin raise 'planted' using errcode='40001'; end $$", "DB_SERIALIZATION",
     "CONTENTION", "40001"),
    ("do $$ begin raise 'planted' using errcode='55P03'; end $$", "DB_LOCKED", "CONTENTION",
     "55P03"),
    ("do $$ begin raise 'planted' using errcode='53100'; end $$", "DB_QUERY_FAILED", "EXHAUSTED",
     "53100"),
    ("do $$ begin raise 'planted' using errcode='42501'; end $$", "DB_QUERY_FAILED", "PERMISSION",
     "42501"),
    ("do $$ begin raise 'planted' using errcode='XX001'; end $$", "DB_QUERY_FAILED", "INTERNAL",
     "XX001"),
    ("do $$ begin raise 'planted' using errcode='57P01'; end $$", "DB_CONNECTION_FAILED",
     "UNAVAILABLE", "57P01"),
]  # fmt: skip


@pytest.mark.parametrize(("sql", "code", "category", "state"), SAID, ids=[one[3] for one in SAID])
def test_a_state_is_told_and_no_text(
    url: str, sql: str, code: str, category: Any, state: str
) -> None:
    async def main() -> None:
        async with open_database(url) as db:
            error = assert_failure(await db.execute(sql), code=code, category=category)
            assert error.context["sqlstate"] == state
            assert "planted" not in error.to_string() + repr(error.cause) + str(error.to_dict())
            assert error.hint
            assert await db.query_value("select 1") == success(1)

    asyncio.run(main())


def test_a_table_that_is_missing_is_named_where_its_name_is_a_word(url: str) -> None:
    async def main() -> None:
        async with open_database(url) as db:
            plain = assert_failure(await db.query("select * from acounts"), "DB_SYNTAX")
            assert plain.message == "the database has no table acounts"
            assert (plain.context["kind"], plain.context["name"]) == ("table", "acounts")
            odd = assert_failure(await db.query('select * from "it\'s planted"'), "DB_SYNTAX")
            assert odd.message == "the database has no table of that name"
            assert "planted" not in odd.to_string() + str(odd.to_dict())

    asyncio.run(main())


@pytest.mark.parametrize("value", ["planted", None, [], 2**63, b"x", float("nan")], ids=repr)
def test_a_parameter_of_another_type_is_refused_unshown(url: str, value: Any) -> None:
    async def main() -> None:
        async with open_database(url) as db:
            answer = await db.query_value("select $1::bigint", value)
            if value is None:
                assert answer == success(None)
                return
            error = assert_failure(answer, code="DB_QUERY_FAILED", category="VALIDATION")
            assert "planted" not in error.to_string() + repr(error.cause)

    asyncio.run(main())


def test_types_are_those_of_the_vendor(url: str) -> None:
    async def main() -> None:
        async with open_database(url) as db:
            key = uuid4()
            row = assert_success(
                await db.query_one(
                    "select $1::numeric as n, $2::uuid as u, $3::jsonb as j, $4::int[] as a",
                    Decimal("1.50"), key, '{"a": 1}', [1, 2],
                )
            )  # fmt: skip
            assert dict(row) == {"n": Decimal("1.50"), "u": key, "j": '{"a": 1}', "a": [1, 2]}

    asyncio.run(main())


@pytest.mark.parametrize(
    ("url", "category"),
    [
        ("postgresql://u:planted@127.0.0.1:1/db", "NETWORK"),
        ("postgresql://u:planted@/db?host=/nowhere", "NETWORK"),
        ("postgresql://u:planted@127.0.0.1:1/db?sslmode=planted", "CONFIGURATION"),
    ],
)
def test_a_server_that_is_not_there_is_said(url: str, category: Any) -> None:
    async def opened() -> Result[Database]:
        return await open_database(url, connect_timeout=2.0)

    error = assert_failure(asyncio.run(opened()), "DB_CONNECTION_FAILED", category=category)
    assert error.message.startswith(("127.0.0.1:1: ", "/nowhere: "))
    assert "planted" not in error.to_string() + repr(error.cause) + str(error.to_dict())


def test_a_database_that_is_not_there_is_said(url: str) -> None:
    async def opened() -> Result[Database]:
        return await open_database(url.replace("/postgres?", "/none?"))

    error = assert_failure(asyncio.run(opened()), "DB_CONNECTION_FAILED", category="CONFIGURATION")
    assert "no such database" in error.message


def test_a_backend_that_was_ended_is_not_handed_out(url: str) -> None:
    async def main() -> None:
        async with open_database(url, max_connections=1) as db, open_database(url) as other:
            pid = assert_success(await db.query_value("select pg_backend_pid()"))
            tx = (await db.transaction()).unwrap()
            await other.execute("select pg_terminate_backend($1)", pid)
            ended = assert_failure(await tx.query("select 1"), "DB_CONNECTION_FAILED")
            assert ended.retryable
            await tx.close()
            again = assert_success(await db.query_value("select pg_backend_pid()"))
            assert again != pid

    asyncio.run(main())


def test_a_pool_that_is_all_in_use_is_said(url: str) -> None:
    async def main() -> None:
        async with open_database(url, max_connections=1, pool_timeout=0.1) as db:
            async with db.transaction():
                error = assert_failure(await db.query("select 1"), "DB_CONNECTION_FAILED")
            assert "all 1 connections were in use for 0.1 seconds" in error.message
            assert error.category == "EXHAUSTED"
            assert await db.query_value("select 1", timeout=2.0) == success(1)

    asyncio.run(main())


def test_a_session_that_was_changed_is_reset(url: str) -> None:
    async def main() -> None:
        async with open_database(url, max_connections=1) as db:
            before = await db.query_value("show work_mem")
            assert await db.execute("set work_mem = '7MB'")
            assert await db.query_value("show work_mem") == before
            async with db.transaction() as tx:
                await tx.execute("set work_mem = '7MB'")
                assert await tx.query_value("show work_mem") == success("7MB")
            assert await db.query_value("show work_mem") == before

    asyncio.run(main())


def test_a_transaction_that_has_ended_is_no_connection_of_others(url: str) -> None:
    async def main() -> None:
        driver = (await PostgresDriver.open(PostgresSettings.read(url, {}).unwrap())).unwrap()
        one = Statement("select 1", "select")
        tx = (await driver.begin()).unwrap()
        cursor = (await tx.open_cursor(one, ())).unwrap()
        assert await tx.commit() == success(None)
        for answer in (
            await tx.run(one, (), 1),
            await tx.run_many([(one, [()])]),
            await tx.open_cursor(one, ()),
            await cursor.fetch(1),
            await tx.commit(),
        ):
            assert_failure(answer, "DB_CLOSED")
        await driver.close()

    asyncio.run(main())


def test_a_pool_of_yours_stays_open(url: str) -> None:
    async def main() -> None:
        async with asyncpg.create_pool(url, min_size=1, max_size=2) as pool:
            async with open_database(url, client_object=pool) as db:
                assert await db.query_value("select 1") == success(1)
            assert await pool.fetchval("select 2") == 2
            async with open_database(url, client_object=pool) as db:
                await pool.close()
                assert_failure(await db.query("select 1"), "DB_CLOSED")

    asyncio.run(main())


def test_hundreds_of_cancelled_calls_leave_the_pool_whole(url: str) -> None:
    async def main() -> None:
        async with open_database(url, max_connections=3) as db:
            for _ in range(20):
                calls = [asyncio.create_task(db.query("select pg_sleep(5)")) for _ in range(20)]
                await asyncio.sleep(0)
                for call in calls:
                    call.cancel()
                await asyncio.wait(calls)
            answers = await asyncio.gather(
                *[db.query_value("select 1", timeout=5.0) for _ in range(100)]
            )
            assert answers == [success(1)] * 100

    asyncio.run(main())


def test_another_event_loop_is_a_bug(url: str) -> None:
    db: Database

    async def opened() -> None:
        nonlocal db
        db = (await open_database(url)).unwrap()

    with asyncio.Runner() as runner:
        runner.run(opened())
        with pytest.raises(RuntimeError, match="belongs to the event loop"):
            asyncio.run(_asked(db))
        runner.run(db.close())


async def _asked(db: Database) -> Result[Any]:
    return await db.query("select 1")


def test_a_transaction_is_repeated_where_another_was_in_its_way(url: str) -> None:
    async def main() -> None:
        async with open_database(url, policy=Policy(retry=None)) as db:
            table = f"t{uuid4().hex}"
            await db.execute(f"create table {table} (n bigint)")
            await db.execute(f"insert into {table} values (0)")
            first = (await db.transaction()).unwrap()
            second = (await db.transaction()).unwrap()
            for tx in (first, second):
                assert await tx.query_value(f"select n from {table}") == success(0)
            assert await first.execute(f"update {table} set n = 1")
            assert await first.commit()
            late = await second.execute(f"update {table} set n = 2")
            error: QiError = assert_failure(late, "DB_SERIALIZATION")
            assert error.retryable
            assert isinstance(await second.commit(), Failure)
            await first.close()
            await second.close()

    asyncio.run(main())
