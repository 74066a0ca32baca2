"""The client's own: settings, policy, transactions as users write them."""

# ruff: noqa: PT012  # leaving a transaction is what raises, so its block is what is looked at

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from qicore_core import (
    Deadline,
    Failure,
    Parts,
    Policy,
    QiError,
    Result,
    RetryPolicy,
    Runtime,
    do,
    failure,
    listen,
    success,
    unwrap,
)
from qicore_core.config import ConfigData
from qicore_core.testing import FakeClock, assert_failure, assert_success, recorded
from qicore_sql import SQL, Database, Queries, Transaction, open_database
from qicore_sql.calls import surely


@dataclass(frozen=True)
class Number:
    n: int


Body = Callable[[Database], Awaitable[object]]


def run(body: Body, url: str = "sqlite://", **settings: Any) -> None:
    async def main() -> None:
        async with open_database(url, **settings) as db:
            assert await db.execute("create table t (n integer primary key)") == success(0)
            await body(db)

    asyncio.run(main())


async def held(db: Queries) -> list[int]:
    return [row["n"] for row in (await db.query("select n from t order by n")).unwrap()]


def test_health_asks_the_database() -> None:
    async def body(db: Database) -> None:
        assert await db.health() == success(None)

    run(body)


def test_a_driver_without_backup_names_the_tool() -> None:
    class Plain:
        """What `SqlDriver` asks for, and nothing else."""

        def __init__(self, real: Any) -> None:
            self.dialect = real.dialect
            self.close = real.close

    async def body(db: Database) -> None:
        plain: Any = Plain(db._driver)
        error = assert_failure(
            await Database(plain).backup("copy.db"), "DB_UNSUPPORTED", category="UNSUPPORTED"
        )
        assert error.hint
        assert "pg_dump" in error.hint

    run(body)


def test_a_result_is_bounded() -> None:
    async def body(db: Database) -> None:
        assert await db.execute_many("insert into t values ($1)", [(n,) for n in range(11)])
        assert_failure(await db.query("select n from t"), "DB_RESULT_TOO_LARGE", max_rows=10)
        assert len((await db.query("select n from t limit 10")).unwrap()) == 10
        assert len((await db.query_stream("select n from t").collect()).unwrap()) == 11

    run(body, max_rows=10)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"max_rows": 0}, "max_rows is at least 1, got 0"),
        ({"max_rows": "many"}, "max_rows must be a whole number, got 'many'"),
        ({"max_rows": None}, "max_rows must be a whole number, got None"),
        ({"max_rows": True}, "max_rows must be a whole number, got True"),
        ({"policy": "x"}, "policy must be a Policy"),
        ({"max_row": 5}, "there is no sql setting 'max_row', did you mean max_rows?"),
    ],
    ids=str,
)
def test_a_setting_that_is_wrong_is_a_failure(settings: dict[str, Any], said: str) -> None:
    async def main() -> None:
        data = ConfigData.from_object({"sql": {"url": "sqlite://", **settings}}).unwrap()
        by_section: Any = Runtime.open(data, handle_sigterm=False)
        for opening in (open_database("sqlite://", **settings), by_section):
            error = assert_failure(await opening, "DB_SETTINGS_INVALID", category="CONFIGURATION")
            assert said in error.message
            assert error.source == "sql"

    asyncio.run(main())


def test_variables_say_settings_as_text() -> None:
    async def main() -> None:
        environ = {"A_SQL__URL": "sqlite://", "A_SQL__MAX_ROWS": "1", "A_SQL__IDLE_TIMEOUT": "1"}
        data = ConfigData.from_environment("A_", environ).unwrap()
        async with Runtime.open(data, handle_sigterm=False) as runtime:
            answer = await runtime.get(SQL).query("select 1 union select 2")
            assert_failure(answer, "DB_RESULT_TOO_LARGE", max_rows=1)

    asyncio.run(main())


def test_a_stream_reads_dataclasses_or_says_why_not() -> None:
    async def body(db: Database) -> None:
        assert await db.execute_many("insert into t values ($1)", [(n,) for n in range(3)])
        read = await db.query_stream("select n from t order by n", into=Number).collect()
        assert read == success([Number(0), Number(1), Number(2)])
        assert_failure(await db.query_stream("select 1 as m", into=Number).collect())
        assert_failure(await db.execute_batch([("select $1", ())]), "DB_QUERY_FAILED")

    run(body)


def test_a_slow_reader_of_a_stream_is_late() -> None:
    async def body(db: Database) -> None:
        rows = "with recursive n(i) as (select 1 union all select i + 1 from n limit 2000)"
        stream = db.query_stream(f"{rows} select i from n", timeout=60.0)
        items = []
        async for item in stream:
            if not items:
                clock.advance(61.0)
            items.append(item)
        assert 1 < len(items) < 2000
        assert_failure(items[-1], "DB_TIMEOUT")

    clock = FakeClock()
    run(body, parts=Parts(clock=clock))


def test_no_such_driver_is_a_failure() -> None:
    async def main() -> None:
        assert_failure(await open_database("duckdb:///x.db"), "PLUGIN_NOT_FOUND")

    asyncio.run(main())


def test_without_a_url_the_only_driver_is_taken() -> None:
    async def main() -> None:
        async with open_database() as db:
            assert await db.query_value("select 1") == success(1)

    asyncio.run(main())


def test_without_a_url_and_a_driver_the_door_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QICORE_PLUGINS_DISABLED", "*")

    async def main() -> None:
        assert isinstance(await open_database(), Failure)

    asyncio.run(main())


def test_a_runtime_opens_what_the_configuration_names(tmp_path: Path) -> None:
    section = {"url": f"sqlite:///{tmp_path / 'a.db'}", "readers": 1, "max_rows": 5}
    data = ConfigData.from_object({"sql": {"main": section}}).unwrap()

    async def main() -> None:
        async with Runtime.open(data) as runtime:
            db = runtime.get(SQL, "main")
            assert await db.query_value("select 1") == success(1)
            five = "with recursive n(i) as (select 1 union all select i + 1 from n limit 6) "
            assert_failure(await db.query(f"{five} select i from n"), "DB_RESULT_TOO_LARGE")

    asyncio.run(main())


def test_events_name_operations_and_nothing_else() -> None:
    async def body(db: Database) -> None:
        with recorded("sql") as events:
            await db.query("select 1")
            await db.execute("insert into t values ($1)", 1)
            assert not await db.query_one("select n from t where n = 9")
            async with db.transaction() as tx:
                await tx.query_value("select 2")
        calls = [event.operation for event in events if event.phase == "call"]
        assert calls == ["query", "execute", "query_one", "begin", "query_value", "commit"]

    run(body)


class _Locks:
    """Holds the write lock of a file from another connection, and lets go when asked."""

    def __init__(self, path: Path) -> None:
        self.connection = sqlite3.connect(path, isolation_level=None)
        self.connection.execute("begin immediate")

    def let_go(self) -> None:
        self.connection.execute("rollback")
        self.connection.close()


def test_a_write_is_repeated_where_nothing_was_done(tmp_path: Path) -> None:
    path = tmp_path / "locked.db"

    async def body(db: Database) -> None:
        lock = _Locks(path)
        with recorded("sql") as events:
            assert_failure(await db.execute("insert into t values (1)"), "DB_LOCKED", attempts=3)
        assert [event.phase for event in events].count("retry") == 2
        plain = Policy()
        assert_failure(await db.execute("insert into t values (1)", policy=plain), "DB_LOCKED")
        assert_failure(await db.transaction(), "DB_LOCKED")
        lock.let_go()
        assert await db.execute("insert into t values (1)") == success(1)
        with recorded("sql") as events:
            assert_failure(await db.execute("insert into t values (1)"), "DB_CONSTRAINT")
        assert not [event for event in events if event.phase == "retry"]

    policy = Policy(retry=RetryPolicy(3, base=0.001))
    run(body, f"sqlite:///{path}", busy_timeout=0, policy=policy)


def test_a_function_is_repeated_until_the_lock_is_free(tmp_path: Path) -> None:
    path = tmp_path / "locked.db"

    async def body(db: Database) -> None:
        lock, ran = _Locks(path), []

        async def put(tx: Transaction) -> Result[int]:
            ran.append(1)
            return await tx.execute("insert into t values (1)")

        retried = asyncio.Event()
        stop = listen(lambda event: event.phase == "retry" and retried.set())
        task = asyncio.create_task(db.transaction(put, policy=Policy(retry=RetryPolicy(50))))
        await retried.wait()
        stop()
        lock.let_go()
        assert await task == success(1)
        assert len(ran) == 1

    run(body, f"sqlite:///{path}", busy_timeout=0)


def test_a_function_whose_failure_is_contention_is_repeated() -> None:
    async def body(db: Database) -> None:
        ran: list[int] = []

        async def put(tx: Transaction) -> Result[int]:
            ran.append(1)
            await tx.execute("insert into t values ($1)", len(ran))
            if len(ran) < 3:
                return failure(QiError.contention("DB_SERIALIZATION", "others were faster"))
            return success(len(ran))

        assert await db.transaction(put) == success(3)
        assert await held(db) == [3]

    run(body)


def test_a_success_of_a_doomed_transaction_is_none() -> None:
    async def body(db: Database) -> None:
        async def put(tx: Transaction) -> Result[str]:
            await tx.execute("insert into t values (1)")
            await tx.execute("insert into t values (1)")  # nobody looks
            return success("done")

        error = assert_failure(await db.transaction(put), "DB_TRANSACTION_DOOMED")
        assert isinstance(error.cause, QiError)
        assert error.cause.code == "DB_CONSTRAINT"
        assert await held(db) == []

    run(body)


def test_every_failure_of_a_transaction_dooms_it() -> None:
    async def body(db: Database) -> None:
        asks: list[Callable[[Transaction], Coroutine[Any, Any, Any]]] = [
            lambda tx: tx.query_one("select n from t"),
            lambda tx: tx.query_value("select n from t"),
            lambda tx: tx.query("select $1"),
            lambda tx: tx.query("select 1 as a, 2 as a"),
            lambda tx: tx.query_one("select 1 as a, 2 as a"),
            lambda tx: tx.query("commit"),
            lambda tx: tx.execute_many("commit", []),
            lambda tx: tx.execute_many("insert into t values ($1)", [()]),
            lambda tx: tx.execute_batch([("commit", ())]),
            lambda tx: tx.query("select 1 union select 2 union select 3"),
            lambda tx: tx.query_stream("select $1").collect(),
            lambda tx: tx.query_stream("select 1 as a, 2 as a").collect(),
        ]
        for ask in asks:
            first: Any = None
            with pytest.raises(QiError) as caught:
                async with db.transaction() as tx:
                    first = await ask(tx)
                    assert isinstance(first, Failure)
            assert caught.value.code == "DB_TRANSACTION_DOOMED"
            assert caught.value.cause == first.error

    run(body, max_rows=2)


def test_a_chosen_rollback_is_no_news() -> None:
    async def body(db: Database) -> None:
        async with db.transaction() as tx:
            await tx.execute("insert into t values (1)")
            assert not await tx.execute("selec")
            assert await tx.rollback() == success(None)
        assert await held(db) == []

    run(body)


def test_a_chosen_commit_is_final() -> None:
    async def body(db: Database) -> None:
        async with db.transaction() as tx:
            await tx.execute("insert into t values (1)")
            assert await tx.commit() == success(None)
            assert_failure(await tx.execute("insert into t values (2)"), "DB_CLOSED")
        assert await held(db) == [1]

    run(body)


def test_awaited_it_is_closed_by_its_owner() -> None:
    async def body(db: Database) -> None:
        tx = assert_success(await db.transaction())
        await tx.execute("insert into t values (1)")
        await tx.close()
        tx = assert_success(await db.transaction())
        await tx.execute("insert into t values (2)")
        assert await tx.commit() == success(None)
        await tx.close()
        assert await held(db) == [2]

    run(body)


def test_a_function_that_gives_no_result_is_a_bug() -> None:
    async def body(db: Database) -> None:
        async def put(tx: Transaction) -> Any:
            await tx.execute("insert into t values (1)")
            return 5

        with pytest.raises(TypeError, match="returns a Result, got int"):
            await db.transaction(put)
        assert await held(db) == []

    run(body)


def test_a_nested_function_can_fail_alone() -> None:
    async def body(db: Database) -> None:
        @do
        async def put(tx: Transaction) -> int:
            await unwrap(tx.execute("insert into t values (1)"))
            return await unwrap(tx.execute("insert into t values (1)"))

        async with db.transaction() as tx:
            assert_failure(await tx.transaction(put), "DB_CONSTRAINT")
            assert await tx.transaction(lambda inner: inner.execute("insert into t values (2)"))
        assert await held(db) == [2]

    run(body)


def test_while_a_nested_one_is_open_the_outer_one_is_a_bug() -> None:
    async def body(db: Database) -> None:
        with pytest.raises(RuntimeError, match="a nested transaction is open"):
            async with db.transaction() as tx, tx.transaction():
                await tx.execute("insert into t values (1)")
        inner: Any = None
        with pytest.raises(RuntimeError, match="a nested transaction is open"):
            async with db.transaction() as tx:
                inner = (await tx.transaction()).unwrap()
                await inner.execute("insert into t values (2)")
        assert_failure(await inner.execute("insert into t values (3)"), "DB_CLOSED")
        assert await held(db) == []

    run(body)


def test_two_nested_at_once_are_a_bug() -> None:
    async def body(db: Database) -> None:
        async with db.transaction() as tx:
            both = await asyncio.gather(tx.transaction(), tx.transaction(), return_exceptions=True)
            assert [type(one).__name__ for one in both] == ["Success", "RuntimeError"]
            await both[0].value.rollback()  # type: ignore[union-attr]

    run(body)


def test_statements_of_one_transaction_run_one_after_the_other() -> None:
    async def body(db: Database) -> None:
        async with db.transaction() as tx:
            insert = "insert into t values ($1)"
            answers = await asyncio.gather(*[tx.execute(insert, number) for number in range(9)])
            assert answers == [success(1)] * 9
        assert len(await held(db)) == 9

    run(body)


def test_a_doomed_nested_one_cannot_begin_another() -> None:
    async def body(db: Database) -> None:
        with pytest.raises(QiError):
            async with db.transaction() as tx:
                assert not await tx.execute("selec")
                assert_failure(await tx.transaction(), "DB_TRANSACTION_DOOMED")

    run(body)


def test_a_cancelled_call_dooms() -> None:
    slow = "with recursive n(i) as (select 1 union all select i + 1 from n) select count(*) from n"

    async def body(db: Database) -> None:
        with pytest.raises(QiError) as caught:
            async with db.transaction() as tx:
                await tx.execute("insert into t values (1)")
                task = asyncio.create_task(tx.query(slow))
                await asyncio.sleep(0.02)
                task.cancel()
                await asyncio.wait([task])
        assert_failure(failure(caught.value), "DB_TRANSACTION_DOOMED")
        assert await held(db) == []

    run(body)


def test_commit_waits_no_longer_than_the_deadline() -> None:
    async def body(db: Database) -> None:
        tx = assert_success(await db.transaction())
        await tx.execute("insert into t values (1)")
        with Deadline.after(0.0):
            assert_failure(await tx.commit(), "DB_TIMEOUT")
        assert_failure(await tx.commit(), "DB_TRANSACTION_DOOMED")
        assert await held(db) == []

    run(body)


def test_a_cancelled_commit_leaves_no_transaction_behind() -> None:
    async def body(db: Database) -> None:
        tx = assert_success(await db.transaction())
        await tx.execute("insert into t values (1)")
        async with tx._lock:  # so that commit waits for its turn
            task = asyncio.create_task(tx.commit())
            await asyncio.sleep(0)
            task.cancel()
            await asyncio.sleep(0)
        await asyncio.wait([task])
        assert task.cancelled()
        assert await db.execute("insert into t values (2)", timeout=2.0) == success(1)
        assert await held(db) == [2]

    run(body)


def test_surely_ends_what_it_began() -> None:
    async def main() -> None:
        gate, ended = asyncio.Event(), []

        async def work() -> int:
            await gate.wait()
            ended.append(1)
            return 7

        task = asyncio.create_task(surely(work()))
        await asyncio.sleep(0)
        for _ in range(2):
            task.cancel()
            await asyncio.sleep(0)
        gate.set()
        await asyncio.wait([task])
        assert (task.cancelled(), ended) == (True, [1])
        assert await surely(work()) == 7

    asyncio.run(main())
