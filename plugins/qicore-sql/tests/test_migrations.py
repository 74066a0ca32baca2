"""Migrations: in order, once, all or none; what does not fit is named, and nothing is done."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Awaitable, Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from qicore_core import Result, success
from qicore_core.testing import assert_failure, assert_success
from qicore_sql import Database, Migration, migrations, open_database

Body = Callable[[Database], Awaitable[object]]
USERS = "create table users (id integer primary key, name text not null);\n"
ORDERS = """-- what users order
create table orders (user_id integer references users (id), n integer);
create trigger named after insert on orders begin
  update users set name = case name when '' then ';' else name end;
  insert into users (name) values ('end;');
end;
insert into users values (7, 'a;b');
"""


def on(body: Body, url: str = "sqlite://", **settings: Any) -> None:
    async def main() -> None:
        async with open_database(url, **settings) as db:
            await body(db)

    asyncio.run(main())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "migrations"
    made.mkdir()
    (made / "0001_users.sql").write_text(USERS)
    (made / "0002_orders.sql").write_text(ORDERS)
    (made / "README.md").write_text("left alone")
    return made


def names(answer: Result[list[Migration]]) -> list[str]:
    return [one.name for one in assert_success(answer)]


async def tables(db: Database) -> list[str]:
    sql = "select name from sqlite_schema where type = 'table' and name not like 'sqlite%'"
    return sorted(row["name"] for row in assert_success(await db.query(sql)))


def test_files_are_done_in_order_and_once(folder: Path) -> None:
    async def body(db: Database) -> None:
        done = assert_success(await db.migrate(folder))
        digest = sha256(USERS.encode()).hexdigest()
        assert done[0] == Migration(1, "0001_users.sql", digest)
        assert [one.number for one in done] == [1, 2]
        assert await db.migrate(str(folder)) == success([])
        assert await db.execute("insert into orders values (7, 1)") == success(1)
        assert await db.query_value("select count(*) from users") == success(2)
        (folder / "0010_more.sql").write_text("alter table users add column mail text")
        (folder / "0003_less.sql").write_text("drop trigger named")
        assert names(await db.migrate(folder)) == ["0003_less.sql", "0010_more.sql"]
        assert await db.migrate(folder) == success([])

    on(body, max_rows=1)


def test_a_dry_run_says_what_would_be_done_and_does_nothing(folder: Path) -> None:
    async def body(db: Database) -> None:
        wanted = ["0001_users.sql", "0002_orders.sql"]
        assert names(await db.migrate(folder, dry_run=True)) == wanted
        assert await tables(db) == []
        assert names(await db.migrate(folder)) == wanted
        assert await db.migrate(folder, dry_run=True) == success([])

    on(body)


def test_ends_of_lines_and_a_mark_of_the_encoding_change_nothing(folder: Path) -> None:
    async def body(db: Database) -> None:
        await db.migrate(folder)
        (folder / "0002_orders.sql").write_bytes(
            b"\xef\xbb\xbf" + ORDERS.replace("\n", "\r\n").encode()
        )
        assert await db.migrate(folder) == success([])

    on(body)


def change(folder: Path) -> None:
    (folder / "0001_users.sql").write_text(USERS + "-- better")


def lose(folder: Path) -> None:
    (folder / "0002_orders.sql").unlink()


MISFITS = {
    "changed": (change, "0001_users.sql was changed", 1),
    "missing": (lose, "0002_orders.sql was done, and is not in the folder", 2),
}


@pytest.mark.parametrize("dry_run", [False, True])
@pytest.mark.parametrize("name", MISFITS)
def test_what_does_not_fit_what_was_done_is_refused(name: str, dry_run: bool, folder: Path) -> None:
    spoil, said, number = MISFITS[name]

    async def body(db: Database) -> None:
        await db.migrate(folder)
        spoil(folder)
        (folder / "0009_new.sql").write_text("create table news (n integer)")
        answer = await db.migrate(folder, dry_run=dry_run)
        error = assert_failure(answer, "DB_MIGRATION_FAILED", category="CONFLICT", number=number)
        assert said in error.message
        assert error.hint
        assert "news" not in await tables(db)

    on(body)


def test_a_file_that_comes_too_late_is_refused(folder: Path) -> None:
    async def body(db: Database) -> None:
        (folder / "0002_orders.sql").rename(folder / "0005_orders.sql")
        await db.migrate(folder)
        (folder / "0003_late.sql").write_text("create table late (n integer)")
        error = assert_failure(await db.migrate(folder), "DB_MIGRATION_FAILED", number=3)
        assert error.message == "0003_late.sql comes before 0005_orders.sql, which is done"
        assert error.hint == "give it a number above 5"

    on(body)


def test_a_statement_that_fails_leaves_nothing_half_and_is_named(folder: Path) -> None:
    wrong = "create table more (n integer);\n\n-- and then\ninsert into moore\nvalues ('secret');\n"
    (folder / "0003_more.sql").write_text(wrong)

    async def body(db: Database) -> None:
        answer = await db.migrate(folder)
        error = assert_failure(
            answer, "DB_MIGRATION_FAILED", number=3, file="0003_more.sql", line=4
        )
        assert error.message == "0003_more.sql failed at line 4, and nothing was done"
        assert getattr(error.cause, "code", None) == "DB_SYNTAX"
        assert "secret" not in f"{error!r} {error.to_dict()}"
        assert await tables(db) == ["qicore_migrations"]
        (folder / "0003_more.sql").write_text(wrong.replace("moore", "more"))
        assert len(assert_success(await db.migrate(folder))) == 3

    on(body)


@pytest.mark.parametrize("word", ["commit", "begin", "rollback"])
def test_a_file_ends_no_transaction(word: str, folder: Path) -> None:
    (folder / "0003_end.sql").write_text(f"select 1;\n{word};")

    async def body(db: Database) -> None:
        error = assert_failure(await db.migrate(folder), "DB_MIGRATION_FAILED", line=2)
        assert getattr(error.cause, "code", None) == "DB_UNSUPPORTED"
        assert await tables(db) == ["qicore_migrations"]

    on(body)


NAMES = {
    "no number": ("users.sql", b"", "is no name of a migration"),
    "no word": ("3.sql", b"", "is no name of a migration"),
    "zero": ("0000_none.sql", b"", "is no name of a migration"),
    "a space": ("0003_a b.sql", b"", "is no name of a migration"),
    "twice": ("2_twice.sql", b"", "have one number"),
    "no text": ("0003_x.sql", b"\xff", "is not UTF-8"),
    "large": ("0003_x.sql", b"-" * 2_000, "the folder has more than"),
}


@pytest.mark.parametrize("name", NAMES)
def test_a_folder_that_cannot_be_read_gives_a_next_step(
    name: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, raw, said = NAMES[name]
    (folder / file).write_bytes(raw)
    monkeypatch.setattr(migrations, "_MOST_BYTES", 1_500)

    async def body(db: Database) -> None:
        answer = await db.migrate(folder)
        error = assert_failure(answer, "DB_MIGRATION_FAILED", category="VALIDATION", file=file)
        assert said in error.message
        assert error.hint
        assert await tables(db) == []

    on(body)


def test_a_folder_that_is_not_there_or_too_full_is_refused(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def body(db: Database) -> None:
        error = assert_failure(
            await db.migrate("nowhere"), "DB_MIGRATION_FAILED", category="CONFIGURATION"
        )
        assert "'nowhere' cannot be read: FileNotFoundError" in error.message
        monkeypatch.setattr(migrations, "_MOST_FILES", 1)
        error = assert_failure(await db.migrate(folder), "DB_MIGRATION_FAILED")
        assert error.message == "the folder has more than 1 migrations"

    on(body)


def test_a_migration_that_takes_too_long_is_undone(folder: Path) -> None:
    endless = (
        "with recursive n(i) as (select 1 union all select i + 1 from n) select count(*) from n"
    )
    (folder / "0003_slow.sql").write_text(endless)

    async def body(db: Database) -> None:
        answer = await db.migrate(folder, timeout=0.3)
        assert not answer
        assert answer.error.category == "TIMEOUT"
        assert await tables(db) == ["qicore_migrations"]
        assert await db.execute("create table t (n integer)") == success(0)

    on(body)


def test_another_table_of_our_name_is_left_alone(folder: Path) -> None:
    async def body(db: Database) -> None:
        assert await db.execute("create table qicore_migrations (a text)")
        for dry_run in (True, False):
            assert_failure(await db.migrate(folder, dry_run=dry_run), "DB_SYNTAX")
        assert await tables(db) == ["qicore_migrations"]

    on(body)


PROCESS = """
import asyncio, sys
from qicore_sql import open_database

async def main():
    async with open_database("sqlite:///" + sys.argv[1], busy_timeout=20.0) as db:
        input()
        print(len((await db.migrate(sys.argv[2])).unwrap()))

asyncio.run(main())
"""


def test_of_several_processes_one_migrates(folder: Path, tmp_path: Path) -> None:
    rows = "".join(f"insert into users (name) values ('{n}');\n" for n in range(2_000))
    (folder / "0003_rows.sql").write_text(rows)
    command = [sys.executable, "-c", PROCESS, str(tmp_path / "a.db"), str(folder)]
    pipe = subprocess.PIPE
    running = [subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) for _ in range(4)]
    for one in running:
        assert one.stdin is not None
        one.stdin.write("\n")
        one.stdin.flush()
    said = sorted(int(one.communicate(timeout=60)[0]) for one in running)
    assert said == [0, 0, 0, 3]

    async def body(db: Database) -> None:
        assert await db.query_value("select count(*) from users") == success(2_001)

    on(body, f"sqlite:///{tmp_path / 'a.db'}")
