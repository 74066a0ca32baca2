"""What SQLite says no with becomes the right QiError, without a word of its own."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from qicore_core import ErrorCategory, QiError
from qicore_core.testing import assert_failure
from qicore_sql import Database, open_database
from qicore_sqlite.errors import ERRORS

SCHEMA = """
create table t (id integer primary key, u text unique, n text not null, big integer,
    constraint small check (big < 100), check (big > 0)) strict;
create table words (a);
create unique index lowered on words (lower(a));
create table child (id integer references t (id));
create table loose (id integer primary key);
create table pairs (a, b, unique (a, b));
create table stop (a);
create trigger halt before insert on stop begin select raise(abort, 'constraint failed: secret');
end;
create trigger undo before delete on t begin select raise(rollback, 'no'); end;
insert into t values (1, 'a', 'n', 5);
insert into words values ('a');
insert into pairs values (1, 2);
"""


def on(path: Path, body: Callable[[Database], Awaitable[object]], **settings: Any) -> None:
    connection = sqlite3.connect(path)
    connection.executescript(SCHEMA)
    connection.close()

    async def main() -> None:
        async with open_database(f"sqlite:///{path}", durability="normal", **settings) as db:
            await body(db)

    asyncio.run(main())


CONSTRAINTS = {
    "primary_key": ("insert into t values (1, 'b', 'n', 5)", "CONFLICT", "t.id"),
    "unique": ("insert into t values (2, 'a', 'n', 5)", "CONFLICT", "t.u"),
    "unique index": ("insert into words values ('A')", "CONFLICT", "lowered"),
    "unique pair": ("insert into pairs values (1, 2)", "CONFLICT", "pairs.a, pairs.b"),
    "not_null": ("insert into t values (2, 'b', null, 5)", "VALIDATION", "t.n"),
    "check": ("insert into t values (2, 'b', 'n', 200)", "VALIDATION", "small"),
    "check text": ("insert into t values (2, 'b', 'n', 0)", "VALIDATION", None),
    "foreign_key": ("insert into child values (9)", "CONFLICT", None),
    "type strict": ("insert into t values (2, 'b', 'n', 'x')", "VALIDATION", None),
    "type": ("insert into loose values ('x')", "VALIDATION", None),
    "trigger": ("insert into stop values (1)", "VALIDATION", None),
    "trigger undo": ("delete from t", "VALIDATION", None),
}


@pytest.mark.parametrize("kind", CONSTRAINTS)
def test_a_constraint_has_its_kind_and_name(kind: str, tmp_path: Path) -> None:
    sql, category, name = CONSTRAINTS[kind]

    async def body(db: Database) -> None:
        error = assert_failure(
            await db.execute(sql),
            "DB_CONSTRAINT",
            category=category,
            kind=kind.partition(" ")[0],
            name=name,
        )
        assert "secret" not in error.to_string()
        assert await db.query_value("select count(*) from t") == await db.query_value("select 1")

    on(tmp_path / "a.db", body)


REFUSED = {
    "no table": ('select * from "nothing-here"', (), "DB_SYNTAX"),
    "no column": ("select 'a' || nothing", (), "DB_SYNTAX"),
    "is there": ("create table t (a)", (), "DB_SYNTAX"),
    "two statements": ("select 1; select 2", (), "DB_SYNTAX"),
    "question mark": ("select ?", (), "DB_SYNTAX"),
    "explain": ("explain selec", (), "DB_SYNTAX"),
    "bad json": ("select json($1)", ("{",), "DB_QUERY_FAILED"),
    "bad search": ("select 1 where $1 match 'x'", (1,), "DB_QUERY_FAILED"),
    "overflow": ("select abs($1)", (-(2**63),), "DB_QUERY_FAILED"),
    "nan": ("select $1", (float("nan"),), "DB_QUERY_FAILED"),
    "surrogate in the statement": ("select '\ud800'", (), "DB_QUERY_FAILED"),
    "bytes apart": ("select $1", (memoryview(b"abcd")[::2],), "DB_QUERY_FAILED"),
    "surrogate": ("select $1", ("\ud800",), "DB_QUERY_FAILED"),
    "object": ("select $1", (object(),), "DB_QUERY_FAILED"),
    "too large": ("select zeroblob($1)", (2**40,), "DB_QUERY_FAILED"),
    "no utf-8": ("select cast(x'ff' as text)", (), "DB_QUERY_FAILED"),
    "attach": ("attach 'other.db' as other", (), "DB_UNSUPPORTED"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_statement_that_is_refused_has_its_code(name: str, tmp_path: Path) -> None:
    sql, params, code = REFUSED[name]

    async def body(db: Database) -> None:
        for answer in (
            await db.query(sql, *params),
            await db.execute(sql, *params),
            await db.execute_many(sql, [params]),
            await db.query_stream(sql, *params).collect(),
        ):
            error = assert_failure(answer, code)
            text = f"{error.to_string()} {error.to_dict()}"
            assert not [word for word in ("nothing", "zeroblob", "\ud800") if word in text]
        async with db.transaction() as tx:
            assert_failure(await tx.query(sql, *params), code)
            assert await tx.rollback()

    on(tmp_path / "a.db", body)


NAMED = {
    "select * from usres": ("table", "usres"),
    "select * from main.usres": ("table", "main.usres"),
    "insert into usres values ($1)": ("table", "usres"),
    "insert into t (id, nme) values (1, $1)": ("column", "nme"),
    "select lowr($1)": ("function", "lowr"),
    "drop index lowred": ("index", "lowred"),
    "create table t (a)": ("table", "t"),
    "create index lowered on t (u)": ("index", "lowered"),
}


@pytest.mark.parametrize("sql", NAMED)
def test_a_name_that_is_not_there_or_is_there_already_is_named(sql: str, tmp_path: Path) -> None:
    kind, name = NAMED[sql]
    params = ("hunter2",) if "$1" in sql else ()

    async def body(db: Database) -> None:
        for answer in (
            await db.query(sql, *params),
            await db.execute_many(sql, [params]),
            await db.query_stream(sql, *params).collect(),
        ):
            error = assert_failure(answer, "DB_SYNTAX", kind=kind, name=name)
            assert f"{kind} {name}" in error.message
            assert error.hint
            assert "hunter2" not in f"{error.to_string()} {error.to_dict()}"
            assert error.public_message == error.category.public_message

    on(tmp_path / "a.db", body)


def test_a_name_that_a_value_had_is_not_named(tmp_path: Path) -> None:
    async def body(db: Database) -> None:
        await db.execute("create virtual table notes using fts5 (title)")
        answer = await db.query("select * from notes where notes match $1", "hunter2:a")
        error = assert_failure(answer, "DB_QUERY_FAILED")
        assert "hunter2" not in f"{error.to_string()} {error.to_dict()}"

    on(tmp_path / "a.db", body)


def test_a_step_that_fails_is_named(tmp_path: Path) -> None:
    async def body(db: Database) -> None:
        steps: list[tuple[str, tuple[object, ...]]] = [("select 1", ()), ("select $1", ([],))]
        assert_failure(await db.execute_batch(steps), "DB_QUERY_FAILED", step=1)

    on(tmp_path / "a.db", body)


BY_CODE = {
    "SQLITE_BUSY_SNAPSHOT": ("DB_SERIALIZATION", "CONTENTION"),
    "SQLITE_BUSY": ("DB_LOCKED", "CONTENTION"),
    "SQLITE_BUSY_RECOVERY": ("DB_LOCKED", "CONTENTION"),
    "SQLITE_LOCKED": ("DB_LOCKED", "CONTENTION"),
    "SQLITE_PROTOCOL": ("DB_LOCKED", "CONTENTION"),
    "SQLITE_SCHEMA": ("DB_SERIALIZATION", "CONTENTION"),
    "SQLITE_INTERRUPT": ("DB_CLOSED", "UNAVAILABLE"),
    "SQLITE_FULL": ("DB_QUERY_FAILED", "EXHAUSTED"),
    "SQLITE_NOMEM": ("DB_QUERY_FAILED", "EXHAUSTED"),
    "SQLITE_READONLY": ("DB_QUERY_FAILED", "PERMISSION"),
    "SQLITE_CANTOPEN": ("DB_CONNECTION_FAILED", "CONFIGURATION"),
    "SQLITE_NOTADB": ("DB_QUERY_FAILED", "INTERNAL"),
    "SQLITE_CORRUPT": ("DB_QUERY_FAILED", "INTERNAL"),
    "SQLITE_IOERR_FSYNC": ("DB_QUERY_FAILED", "INTERNAL"),
    "SQLITE_MISUSE": ("DB_QUERY_FAILED", "INTERNAL"),
    "SQLITE_CONSTRAINT_VTAB": ("DB_CONSTRAINT", "CONFLICT"),
}


@pytest.mark.parametrize("name", BY_CODE)
def test_every_result_code_has_its_error(name: str) -> None:
    exception = sqlite3.OperationalError("the text of a statement")
    exception.sqlite_errorcode = getattr(sqlite3, name)
    exception.sqlite_errorname = name
    error = ERRORS.translate(exception)
    assert error is not None
    assert (error.code, error.category) == BY_CODE[name]
    assert error.retryable == (error.category in (ErrorCategory.CONTENTION, "EXHAUSTED"))
    assert str(error.cause) == name


def test_what_cannot_be_opened_says_which_and_why(tmp_path: Path) -> None:
    (tmp_path / "text.db").write_text("this is no database, and long enough to be none\n" * 50)
    damaged = tmp_path / "damaged.db"
    connection = sqlite3.connect(damaged)
    connection.executescript("create table t (a); insert into t values (zeroblob(100000));")
    connection.close()
    data = damaged.read_bytes()
    damaged.write_bytes(data[:100] + b"\xff" * (len(data) - 100))

    async def main() -> None:
        for path, category in (
            ("no/such/folder/a.db", "CONFIGURATION"),
            ("text.db", "INTERNAL"),
            ("damaged.db", "INTERNAL"),
            (".", "CONFIGURATION"),
        ):
            opened = await open_database(f"sqlite:///{tmp_path / path}")
            error = assert_failure(opened, "DB_CONNECTION_FAILED", category=category)
            assert str(tmp_path / path) in error.message

    asyncio.run(main())


def test_a_damaged_page_is_no_bug(tmp_path: Path) -> None:
    path = tmp_path / "damaged.db"
    connection = sqlite3.connect(path)
    connection.executescript(
        "pragma journal_mode=wal; create table t (a); create table u (a);"
        "insert into u values (zeroblob(100000));"
    )
    connection.close()
    data = bytearray(path.read_bytes())
    data[8192:12288] = b"\xff" * 4096  # the root page of u
    path.write_bytes(data)

    async def main() -> None:
        async with open_database(f"sqlite:///{path}") as db:
            error = assert_failure(await db.query("select * from u"), "DB_QUERY_FAILED")
            assert error.context["sqlite_error"] in ("SQLITE_CORRUPT", "SQLITE_CORRUPT_INDEX")
            assert await db.query("select a from t")

    asyncio.run(main())


def test_an_error_of_python_is_no_error_of_sqlite() -> None:
    assert ERRORS.translate(KeyError("a bug")) is None
    error = ERRORS.translate(OverflowError("12345678901234567890"))
    assert isinstance(error, QiError)
    assert "1234" not in f"{error.to_string()} {error.to_dict()}"
