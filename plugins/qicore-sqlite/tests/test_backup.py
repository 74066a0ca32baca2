"""A backup is one snapshot, there as a whole or not at all, and stops nobody."""

# ruff: noqa: ASYNC240  # the files are small, and nothing else runs

from __future__ import annotations

import asyncio
import os
import sqlite3
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from qicore_core import success
from qicore_core.testing import assert_failure
from qicore_sql import Database, open_database
from qicore_sqlite import backup as module

Body = Callable[[Database], Awaitable[object]]
ROWS = 20_000


def on(path: Path | None, body: Body) -> None:
    async def main() -> None:
        url = "sqlite://" if path is None else f"sqlite:///{path}?durability=normal"
        async with open_database(url) as db:
            assert await db.execute("create table t (n integer primary key, pad blob)")
            fill = [(n, b"x" * 200) for n in range(ROWS)]
            assert await db.execute_many("insert into t values ($1, $2)", fill) == success(ROWS)
            await body(db)

    asyncio.run(main())


def count(copy: Path) -> int:
    connection = sqlite3.connect(copy)
    try:
        assert connection.execute("pragma integrity_check").fetchone() == ("ok",)
        found: int = connection.execute("select count(*) from t").fetchone()[0]
        return found
    finally:
        connection.close()


@pytest.mark.parametrize("is_file", [True, False])
def test_a_copy_is_whole_and_alone(is_file: bool, tmp_path: Path) -> None:
    copy = tmp_path / "copies" / "copy.db"
    copy.parent.mkdir()
    told: list[tuple[int, int]] = []

    async def body(db: Database) -> None:
        done = await db.backup(copy, progress=lambda *pages: told.append(pages))
        assert done == success(None)
        assert os.listdir(copy.parent) == ["copy.db"]
        await asyncio.sleep(0)  # what the thread has told is heard in the next turn
        assert await db.query_value("select count(*) from t") == success(ROWS)

    on(tmp_path / "a.db" if is_file else None, body)
    assert len(told) > 3
    assert told == sorted(told)
    assert told[-1][0] == told[-1][1]
    assert count(copy) == ROWS


def test_writers_go_on_and_the_copy_is_one_snapshot(tmp_path: Path) -> None:
    copy = tmp_path / "copy.db"

    async def body(db: Database) -> None:

        def write(_: int, __: int) -> None:
            tasks.append(asyncio.create_task(db.execute("insert into t values (null, null)")))

        tasks: list[asyncio.Task[Any]] = []
        async with db.transaction() as tx:  # not even one that is open is in its way
            assert await tx.execute("delete from t where n < 10") == success(10)
            assert await db.backup(copy, progress=write) == success(None)
        written = sum([(await task).unwrap() for task in tasks])
        assert written > 3
        assert await db.query_value("select count(*) from t") == success(ROWS - 10 + written)

    on(tmp_path / "a.db", body)
    assert count(copy) == ROWS


def test_writes_of_others_do_not_begin_it_anew(tmp_path: Path) -> None:
    copy = tmp_path / "copy.db"
    told: list[int] = []

    async def body(db: Database) -> None:
        other = sqlite3.connect(tmp_path / "a.db", isolation_level=None)

        def write(done: int, _: int) -> None:
            told.append(done)
            other.execute("insert into t values (null, null)")

        assert await db.backup(copy, progress=write) == success(None)
        other.close()

    on(tmp_path / "a.db", body)
    assert told == sorted(set(told))
    assert count(copy) == ROWS


def test_a_file_that_is_there_stays(tmp_path: Path) -> None:
    copy = tmp_path / "copy.db"
    copy.write_text("precious")

    async def body(db: Database) -> None:
        error = assert_failure(await db.backup(copy), "DB_BACKUP_FAILED", category="CONFLICT")
        assert error.message == "there is a file 'copy.db' already"
        assert copy.read_text() == "precious"
        assert await db.backup(copy, replace=True) == success(None)
        own = await db.backup(tmp_path / "a.db", replace=True)
        assert_failure(own, "DB_BACKUP_FAILED", category="CONFLICT")
        Path(f"{copy}-wal").write_bytes(b"of somebody")
        beside = await db.backup(copy, replace=True)
        assert "'copy.db-wal'" in assert_failure(beside, "DB_BACKUP_FAILED").message
        Path(f"{copy}-wal").unlink()
        assert not list(tmp_path.glob("*.part*"))

    on(tmp_path / "a.db", body)
    assert count(copy) == ROWS


def test_one_that_comes_meanwhile_stays_too(tmp_path: Path) -> None:
    copy = tmp_path / "copy.db"

    async def body(db: Database) -> None:
        answers = await asyncio.gather(*[db.backup(copy) for _ in range(3)])
        assert sorted(map(bool, answers)) == [False, False, True]
        copy.unlink()
        missing = await db.backup(tmp_path / "nowhere" / "copy.db")
        assert_failure(missing, "DB_BACKUP_FAILED", category="CONFIGURATION")

    on(tmp_path / "a.db", body)


@pytest.mark.parametrize("is_file", [True, False])
def test_a_backup_that_is_stopped_leaves_nothing(
    is_file: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_PAGES", 1)
    copy = tmp_path / "copies" / "copy.db"
    copy.parent.mkdir()

    async def body(db: Database) -> None:
        begun = asyncio.Event()
        task = asyncio.create_task(db.backup(copy, progress=lambda *_: begun.set()))
        await begun.wait()
        task.cancel()
        await asyncio.wait([task])
        assert task.cancelled()
        assert await db.execute("delete from t where n = 1") == success(
            1
        )  # in memory: it has ended
        assert os.listdir(copy.parent) == []
        assert_failure(await db.backup(copy, timeout=0.001), "DB_TIMEOUT")
        assert await db.execute("delete from t where n = 2") == success(1)
        assert os.listdir(copy.parent) == []
        await db.close()
        assert_failure(await db.backup(copy), "DB_CLOSED")

    on(tmp_path / "a.db" if is_file else None, body)


def test_closing_stops_a_backup(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_PAGES", 1)
    copy = tmp_path / "copies" / "copy.db"
    copy.parent.mkdir()

    async def body(db: Database) -> None:
        begun = asyncio.Event()
        task = asyncio.create_task(db.backup(copy, progress=lambda *_: begun.set()))
        await begun.wait()
        await db.close()
        assert_failure(await task, "DB_CLOSED")
        assert os.listdir(copy.parent) == []

    on(tmp_path / "a.db", body)
