"""The driver's own: group commit, lanes, transactions that hang, loops, and the end of it all."""

# ruff: noqa: PT012  # leaving a transaction is what raises, so its block is what is looked at

from __future__ import annotations

import asyncio
import os
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import pytest

from qicore_core import Failure, QiError, success
from qicore_core.testing import assert_failure, assert_success
from qicore_sql import Database, Dialect, Statement, open_database
from qicore_sql.conformance.tables import ENDLESS
from qicore_sqlite import lane
from qicore_sqlite import lanes as module
from qicore_sqlite.driver import SqliteDriver
from qicore_sqlite.errors import closed
from qicore_sqlite.lane import Lane, Outbox
from qicore_sqlite.settings import SqliteSettings
from qicore_sqlite.writer import Pinned

Body = Callable[[Database], Awaitable[object]]


def on(path: Path | None, body: Body, **settings: Any) -> None:
    settings.setdefault("durability", "normal")

    async def main() -> None:
        url = "sqlite://" if path is None else f"sqlite:///{path}"
        async with open_database(url, **settings) as db:
            assert await db.execute("create table if not exists t (n integer primary key)")
            await body(db)

    asyncio.run(main())
    assert not threads()


def threads() -> list[threading.Thread]:
    """Give the threads that drivers have begun, in whichever test, and not ended."""
    return [one for one in threading.enumerate() if one.name.startswith("qicore-sqlite")]


async def held(db: Database) -> list[int]:
    return [row["n"] for row in (await db.query("select n from t order by n")).unwrap()]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "a.db"


@pytest.mark.parametrize(("durability", "synchronous"), [("full", 2), ("normal", 1)])
def test_connections_are_as_promised(path: Path, durability: str, synchronous: int) -> None:
    async def body(db: Database) -> None:
        for pragma, wanted in (
            ("journal_mode", "wal"),
            ("synchronous", synchronous),
            ("foreign_keys", 1),
            ("query_only", 0),
        ):
            assert await db.query_value(f"pragma {pragma}") == success(wanted)
        reader = await db.query_value("select query_only from pragma_query_only")
        assert reader == success(1)

    on(path, body, durability=durability)


def test_writes_that_wait_share_a_commit(path: Path) -> None:
    log = path.with_name("a.db-wal")

    async def body(db: Database) -> None:
        sizes = [log.stat().st_size]  # each commit writes the pages it changed once more
        tx = assert_success(await db.transaction())  # while it is open, the others wait
        writes = [db.execute("insert into t values ($1)", n) for n in range(100)]
        waiting = asyncio.gather(*writes)
        await asyncio.sleep(0)
        await tx.rollback()
        assert await waiting == [success(1)] * 100
        sizes.append(log.stat().st_size)
        for n in range(100, 200):
            await db.execute("insert into t values ($1)", n)
        sizes.append(log.stat().st_size)
        together, one_by_one = sizes[1] - sizes[0], sizes[2] - sizes[1]
        assert len(await held(db)) == 200
        assert together * 10 < one_by_one

    on(path, body)


GROUPS = {
    "a statement ends the transaction": "insert or rollback into t values (1)",
    "a trigger ends the transaction": "delete from undone",
    "commit fails": "insert into late values (99)",
}


@pytest.mark.parametrize("name", GROUPS)
@pytest.mark.parametrize("is_file", [True, False])
def test_what_undoes_a_group_harms_nobody_else(name: str, is_file: bool, path: Path) -> None:
    async def body(db: Database) -> None:
        for sql in (
            "create table undone (a)",
            "insert into undone values (1)",
            "create trigger u before delete on undone begin select raise(rollback, 'no'); end",
            "create table late (n references t (n) deferrable initially deferred)",
            "insert into t values (1)",
        ):
            assert await db.execute(sql)
        jobs = [db.execute("insert into t values ($1)", n) for n in range(2, 40)]
        jobs.insert(20, db.execute(GROUPS[name]))
        answers = await asyncio.gather(*jobs)
        assert [place for place, answer in enumerate(answers) if not answer] == [20]
        assert_failure(answers[20], "DB_CONSTRAINT")
        assert await held(db) == list(range(1, 40))

    on(path if is_file else None, body)


def test_a_group_that_cannot_begin_is_locked_as_a_whole(path: Path) -> None:
    async def body(db: Database) -> None:
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("begin immediate")
        answers = await asyncio.gather(
            *[db.execute("insert into t values ($1)", n) for n in range(5)]
        )
        for answer in answers:
            assert_failure(answer, "DB_LOCKED")
        assert_failure(await db.transaction(), "DB_LOCKED")
        other.execute("rollback")
        other.close()
        assert await db.execute("insert into t values (1)") == success(1)

    on(path, body, busy_timeout=0.05)


def test_a_transaction_is_immediate(path: Path) -> None:
    async def body(db: Database) -> None:
        async with db.transaction():
            other = sqlite3.connect(path, isolation_level=None, timeout=0)
            with pytest.raises(sqlite3.OperationalError, match="locked"):
                other.execute("begin immediate")
            other.close()

    on(path, body)


def test_an_idle_transaction_lets_the_others_go_on(path: Path) -> None:
    async def body(db: Database) -> None:
        with pytest.raises(QiError) as caught:
            async with db.transaction() as tx:
                assert await tx.execute("insert into t values (1)") == success(1)
                # A transaction that asks its database to write waits for itself.
                assert await db.execute("insert into t values (2)") == success(1)
                error = assert_failure(await tx.execute("insert into t values (3)"), "DB_TIMEOUT")
                assert "idle for 0.05 s" in error.message
                assert error.hint
                assert "use `tx`" in error.hint
        assert caught.value.code == "DB_TRANSACTION_DOOMED"
        tx = assert_success(await db.transaction())
        assert await db.execute("insert into t values (4)") == success(1)
        assert_failure(await tx.commit(), "DB_TIMEOUT")
        assert await held(db) == [2, 4]

    on(path, body, idle_timeout=0.05)


def test_a_transaction_that_sqlite_ended_runs_nothing_more(path: Path) -> None:
    async def body(db: Database) -> None:
        driver: Any = db._driver
        tx = (await driver.begin()).unwrap()
        assert await tx.run(Statement("insert into t values (1)", "insert"), (), 0)
        undo = await tx.run(Statement("insert or rollback into t values (1)", "insert"), (), 0)
        assert_failure(undo, "DB_CONSTRAINT")
        more = Statement("insert into t values (2)", "insert")
        assert_failure(await tx.run(more, (), 0), "DB_QUERY_FAILED", category="CONFLICT")
        assert_failure(await tx.run_many([(more, [()])]), "DB_QUERY_FAILED")
        assert_failure(await tx.commit(), "DB_QUERY_FAILED")
        assert_failure(await tx.run(more, (), 0), "DB_CLOSED")
        assert await tx.rollback() == success(None)
        assert await held(db) == []

    on(path, body)


def test_a_batch_in_a_transaction_that_sqlite_ends_is_a_failure(path: Path) -> None:
    async def body(db: Database) -> None:
        driver: Any = db._driver
        tx = (await driver.begin()).unwrap()
        steps = [(Statement("insert or rollback into t values (1)", "insert"), [()])] * 2
        assert_failure(await tx.run_many(steps), "DB_CONSTRAINT")
        assert await tx.rollback() == success(None)
        tx = (await driver.begin()).unwrap()
        attach = Statement("attach 'x' as y", "attach")
        assert_failure(await tx.run_many([(attach, [()])]), "DB_UNSUPPORTED")
        assert await tx.open_cursor(Statement("insert into t values (5)", "insert"), ())
        assert await tx.commit() == success(None)
        assert await held(db) == [5]

    on(path, body)


def test_a_begin_that_is_cancelled_holds_nothing(path: Path) -> None:
    async def body(db: Database) -> None:
        driver: Any = db._driver
        for pauses in range(6):
            task = asyncio.create_task(driver.begin())
            for _ in range(pauses):
                await asyncio.sleep(0.0002 if pauses > 3 else 0)
            task.cancel()
            await asyncio.wait([task])
            if not task.cancelled():
                assert await task.result().unwrap().rollback()
            assert await db.execute("insert into t values ($1)", pauses, timeout=2) == success(1)

    on(path, body, idle_timeout=30)


def test_pragmas_and_vacuum_are_done_outside_of_a_transaction(path: Path) -> None:
    async def body(db: Database) -> None:
        assert await db.execute("pragma user_version = 7") == success(0)
        assert await db.query_value("pragma user_version") == success(7)
        assert await db.execute("vacuum") == success(0)
        copy = path.with_name("copy.db")
        assert await db.execute("vacuum into $1", str(copy)) == success(0)
        assert copy.exists()

    on(path, body)


def test_full_text_search_works(path: Path) -> None:
    async def body(db: Database) -> None:
        assert await db.execute("create virtual table docs using fts5 (title, body)")
        pages = [("Tea", "how to brew green tea"), ("Coffee", "beans and water")]
        assert await db.execute_many("insert into docs values ($1, $2)", pages) == success(2)
        find = (
            "select title, snippet(docs, 1, '[', ']', '…', 5) as part, bm25(docs) as rank "
            "from docs where docs match $1 order by rank"
        )
        [row] = (await db.query(find, "tea")).unwrap()
        assert (row["title"], row["part"]) == ("Tea", "how to brew green [tea]")
        assert row["rank"] < 0
        assert_failure(await db.query(find, '"no end'), "DB_QUERY_FAILED", category="VALIDATION")

    on(path, body)


def test_streams_run_beside_each_other_and_end_with_the_database(path: Path) -> None:
    async def body(db: Database) -> None:
        rows = [(n,) for n in range(3000)]
        assert await db.execute_many("insert into t values ($1)", rows) == success(3000)
        streams = [db.query_stream("select n from t order by n") for _ in range(5)]
        read = await asyncio.gather(*[stream.collect() for stream in streams])
        assert [len(one.unwrap()) for one in read] == [3000] * 5
        inserted = db.query_stream(
            "with x as (select 9999 as n) insert into t select n from x returning n"
        )
        assert (await inserted.collect()) == success([{"n": 9999}])
        written = db.query_stream("insert into t values (8888) returning n")
        assert (await written.collect()) == success([{"n": 8888}])
        left = db.query_stream("select n from t")
        assert await left
        await db.close()
        assert_failure(await left.collect(), "DB_CLOSED")

    on(path, body)


def test_a_stream_has_one_snapshot(path: Path) -> None:
    async def body(db: Database) -> None:
        await db.execute_many("insert into t values ($1)", [(n,) for n in range(2000)])
        read = []
        async with db.query_stream("select n from t order by n") as stream:
            async for row in stream.values():
                if not read:
                    assert await db.execute("delete from t") == success(2000)
                read.append(row["n"])
        assert read == list(range(2000))

    on(path, body)


def test_a_fetch_that_fails_is_the_last_item(path: Path) -> None:
    async def body(db: Database) -> None:
        await db.execute_many("insert into t values ($1)", [(n,) for n in range(1000)])
        sql = "select case when n = 900 then cast(x'ff' as text) else 'x' end as a from t"
        items = [item async for item in db.query_stream(sql)]
        assert_failure(items[-1], "DB_QUERY_FAILED", category="BAD_DATA")
        async with db.transaction() as tx:
            items = [item async for item in tx.query_stream(sql)]
            assert isinstance(items[-1], Failure)
            await tx.rollback()

    on(path, body)


def test_a_cancelled_stream_leaves_no_thread(path: Path) -> None:
    async def body(db: Database) -> None:
        for delay in (0.0, 0.001, 0.02):
            task = asyncio.create_task(db.query_stream(ENDLESS).collect())
            await asyncio.sleep(delay)
            task.cancel()
            await asyncio.wait([task])
            assert task.cancelled()

    on(path, body)


def test_an_interrupt_hits_no_other_statement(path: Path) -> None:
    async def body(db: Database) -> None:
        count = ENDLESS.replace("10000000000", "400000")  # long enough to be hit
        for _ in range(3):
            first = asyncio.create_task(db.query(ENDLESS))
            await asyncio.sleep(0.02)
            second = asyncio.create_task(db.query_value(count))
            first.cancel()
            assert await second == success(400_000)

    on(path, body, readers=1)


def test_a_job_is_stopped_that_was_between_two_statements(path: Path) -> None:
    async def main() -> None:
        outbox, jobs, gate = Outbox(asyncio.get_running_loop()), SimpleQueue(), threading.Event()
        one = Lane("qicore-sqlite-test", outbox, jobs)
        assert await one.open(SqliteSettings(path=str(path)), is_writer=True)

        def work(connection: sqlite3.Connection) -> Any:
            gate.wait()
            return success(connection.execute(ENDLESS).fetchall())

        task = asyncio.create_task(outbox.ask(jobs, work))
        while one._current is None:  # noqa: ASYNC110  # a thread says so, not the loop
            await asyncio.sleep(0)
        task.cancel()  # no statement runs: there is nothing to interrupt yet
        await asyncio.wait([task])
        gate.set()
        following = outbox.ask(jobs, lambda _: success(1))
        assert await asyncio.wait_for(following, 5.0) == success(1)
        jobs.put(None)
        await one.ended(5.0)

    asyncio.run(main())


def test_a_stream_that_was_left_in_a_transaction_keeps_no_snapshot(path: Path) -> None:
    async def body(db: Database) -> None:
        assert await db.execute_many("insert into t values ($1)", [(n,) for n in range(2000)])
        async with db.transaction() as tx:
            left = tx.query_stream("select n from t")
            assert await left
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("insert into t values (5000)")
        other.close()
        assert await db.execute("insert into t values (5001)") == success(1)

    on(path, body)


def test_another_loop_is_told(path: Path) -> None:
    async def body(db: Database) -> None:
        tx = assert_success(await db.transaction())

        async def other() -> None:
            for use in (
                lambda: db.query("select 1"),
                lambda: db.execute("select 1"),
                lambda: db.query_stream("select 1").collect(),
                lambda: db.transaction().__aenter__(),
                lambda: tx.query("select 1"),
                lambda: db._driver.close(),
            ):
                with pytest.raises(RuntimeError, match="belongs to the event loop that opened it"):
                    await use()

        await asyncio.get_running_loop().run_in_executor(None, lambda: asyncio.run(other()))
        await tx.rollback()
        assert await db.query_value("select 1") == success(1)

    on(path, body)


def test_closing_does_what_was_asked_and_stops_what_does_not_end(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_PATIENCE", 0.05)

    async def body(db: Database) -> None:
        writes = [asyncio.create_task(db.execute("insert into t values ($1)", n)) for n in range(9)]
        endless = asyncio.create_task(db.query(ENDLESS))
        pinned = assert_success(await db.transaction())
        await asyncio.sleep(0)
        await asyncio.gather(db.close(), db.close())
        assert await asyncio.gather(*writes) == [success(1)] * 9
        assert_failure(await endless, "DB_CLOSED")
        assert_failure(await pinned.execute("insert into t values (99)"), "DB_CLOSED")

    on(path, body)
    connection = sqlite3.connect(path)
    assert connection.execute("select count(*) from t").fetchone() == (9,)
    connection.close()


def test_closing_begins_nothing_more_when_patience_has_run_out(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_PATIENCE", 0.05)

    async def body(db: Database) -> None:
        endless = [asyncio.create_task(db.query(ENDLESS)) for _ in range(3)]
        await asyncio.sleep(0)
        await db.close()
        for task in endless:
            assert_failure(await task, "DB_CLOSED")

    on(path, body, readers=1)


@pytest.mark.parametrize("ask", ["execute", "transaction", "vacuum"])
def test_closing_waits_no_longer_for_a_lock_than_for_anything_else(
    ask: str, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_PATIENCE", 0.3)
    asks: dict[str, Callable[[Database], Any]] = {
        "execute": lambda db: db.execute("insert into t values (1)"),
        "transaction": lambda db: db.transaction(lambda tx: tx.execute("insert into t values (1)")),
        "vacuum": lambda db: db.execute("vacuum"),
    }

    async def body(db: Database) -> None:
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("begin immediate")
        tasks = [asyncio.ensure_future(asks[ask](db)) for _ in range(3)]
        await asyncio.sleep(0)
        await asyncio.wait_for(db.close(), 5.0)
        for task in tasks:
            assert isinstance(await asyncio.wait_for(task, 5.0), Failure)
        other.close()

    on(path, body, busy_timeout=60)


def test_a_lock_is_waited_for_as_long_as_the_setting_says(path: Path) -> None:
    async def body(db: Database) -> None:
        other = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        for sql in ("insert into t values (1)", "vacuum"):
            other.execute("begin immediate")
            task = asyncio.create_task(db.execute(sql))
            timer = threading.Timer(0.3, other.execute, ["rollback"])  # longer than one turn
            timer.start()
            assert await task
            timer.join()
        other.close()

    on(path, body, busy_timeout=60)


@pytest.mark.parametrize("lock", ["exclusive", "immediate"])
def test_opening_waits_for_a_lock_as_long_as_the_setting_says(lock: str, path: Path) -> None:
    other = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    other.execute("create table other (a)")
    other.execute(f"begin {lock}")  # for the second SQLite does not wait by itself
    timer = threading.Timer(0.3, other.execute, ["rollback"])
    timer.start()

    async def body(db: Database) -> None:
        assert await db.query_value("select 1") == success(1)

    on(path, body, busy_timeout=60)
    timer.join()
    other.close()


def test_a_thread_that_cannot_begin_says_so(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def raises(*_: object, **__: object) -> Any:
        raise ZeroDivisionError

    monkeypatch.setattr(lane, "connect", raises)

    async def main() -> None:
        with pytest.raises(ZeroDivisionError):
            await asyncio.wait_for(SqliteDriver.open(SqliteSettings(path=str(path))), 5.0)

    asyncio.run(main())
    for thread in threads():
        thread.join(5.0)
        assert not thread.is_alive()


def test_writes_right_before_the_end_are_done(path: Path) -> None:
    async def body(db: Database) -> None:
        writes = [asyncio.create_task(db.execute("insert into t values ($1)", n)) for n in range(9)]
        await asyncio.sleep(0)
        await db.close()
        assert await asyncio.gather(*writes) == [success(1)] * 9

    on(path, body)


def test_a_job_that_comes_too_late_is_refused() -> None:
    async def main() -> None:
        pinned = Pinned(Outbox(asyncio.get_running_loop()))
        waiting = asyncio.create_task(pinned.ask(lambda _: success()))
        await asyncio.sleep(0)
        pinned.jobs.put(None)
        pinned.end(closed())
        assert_failure(await waiting, "DB_CLOSED")
        assert_failure(await pinned.ask(lambda _: success()), "DB_CLOSED")

    asyncio.run(main())


def test_a_lane_that_hangs_is_stopped_at_exit(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_LAST_PATIENCE", 0.2)

    async def main() -> None:
        settings = SqliteSettings(path=str(path))
        driver = assert_success(await SqliteDriver.open(settings))
        endless = Statement(ENDLESS, "with")
        hangs = asyncio.create_task(driver.run(endless, (), 1))
        cursor = assert_success(await driver.open_cursor(Statement("select 1", "select"), ()))
        await asyncio.sleep(0.05)
        driver._lanes._at_exit()  # as the interpreter calls it: in the main thread, no loop runs
        assert_failure(await hangs, "DB_CLOSED")
        assert_failure(await cursor.fetch(1), "DB_CLOSED")
        await driver.close()

    asyncio.run(main())


def test_the_driver_refuses_what_comes_after_its_end(path: Path) -> None:
    async def main() -> None:
        driver = assert_success(await SqliteDriver.open(SqliteSettings(path=str(path))))
        assert isinstance(driver.dialect, Dialect)
        await driver.close()
        statement = Statement("select 1", "select")
        for answer in (
            await driver.run(statement, (), 1),
            await driver.run_many([(statement, [()])]),
            await driver.open_cursor(statement, ()),
            await driver.begin(),
        ):
            assert_failure(answer, "DB_CLOSED")

    asyncio.run(main())


def test_an_opening_that_is_cancelled_leaves_no_thread(path: Path) -> None:
    async def main() -> None:
        for pauses in range(4):
            task = asyncio.create_task(SqliteDriver.open(SqliteSettings(path=str(path))))
            for _ in range(pauses):
                await asyncio.sleep(0)
            task.cancel()
            await asyncio.wait([task])
            if not task.cancelled():
                await task.result().unwrap().close()

    asyncio.run(main())
    for thread in threads():
        thread.join(5.0)
        assert not thread.is_alive()


def test_a_bug_in_a_thread_is_raised_where_it_is_awaited(path: Path) -> None:
    class Odd(str):
        __slots__ = ()

        def __ne__(self, other: object) -> bool:
            raise ZeroDivisionError

        __hash__ = str.__hash__

    async def body(db: Database) -> None:
        for call in (db.query, db.execute):
            with pytest.raises(ZeroDivisionError):
                await call("select $1", Odd("x"))
        jobs = [db.execute("insert into t values ($1)", n) for n in range(3)]
        odd = db.execute("insert into t values ($1)", Odd("x"))
        answers = await asyncio.gather(*jobs, odd, return_exceptions=True)
        assert answers[:3] == [success(1)] * 3
        assert isinstance(answers[3], ZeroDivisionError)

    on(path, body)


FORK = """
import asyncio, os, sys
from qicore_sql import open_database

with asyncio.Runner() as runner:
    db = runner.run(open_database("sqlite:///" + sys.argv[1]).__aenter__())
    if os.fork() == 0:
        try:
            runner.run(db.query("select 1"))
        except RuntimeError as error:
            print(error, flush=True)
        os._exit(0)  # the end of its event loop would be the end of ours: they share a selector
    os.wait()
    print(runner.run(db.query_value("select 1")))
    runner.run(db.close())
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the system has no fork")
def test_a_forked_process_is_told(path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", FORK, str(path)],
        capture_output=True,
        text=True,
        timeout=30,
    )
    told, answered = done.stdout.splitlines()
    assert "opened before a fork" in told
    assert (done.returncode, answered, done.stderr) == (0, "Success(1)", "")


CANCELLED = """
import asyncio, sys
from qicore_sql import open_database

ROWS = (
    "with recursive n(i) as (select 1 union all select i + 1 from n) "
    "select i from n where i = 1 or i > 10000000000"
)

async def main():
    async with open_database("sqlite:///" + sys.argv[1], readers=1) as db:
        for _ in range(3):
            task = asyncio.create_task(db.query(ROWS))
            await asyncio.sleep(0.05)
            task.cancel()
            await asyncio.wait([task])
        print(await db.query_value("select 1"))

asyncio.run(main())
"""


def test_a_cancelled_statement_leaves_no_failure_that_nobody_looked_at(path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-X", "dev", "-c", CANCELLED, str(path)],
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "Success(1)\n", "")
