"""Laws of single statements: what goes in comes out, and what goes wrong says so."""

# ruff: noqa: S101, S608  # a law asserts; the names are made here

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from typing import Final

from hypothesis import strategies as st

from qicore_core import Failure, QiError, success
from qicore_core.conformance import law
from qicore_core.testing import assert_failure, recorded

from ..client import Database
from .tables import Tables

__all__ = ["AnswerLaws"]

_INTS: Final = st.integers(-(2**63), 2**63 - 1) | st.sampled_from([2**63 - 1, -(2**63), 0, -1])
_FLOATS: Final = st.floats(allow_nan=False, allow_infinity=False)
_TEXTS: Final = st.text(st.characters(codec="utf-8", exclude_characters="\0"))
_INJECTIONS: Final = (
    "'; drop table users; --",
    "' or '1'='1",
    '" or ""="',
    "$1",
    "?",
    "%s",
    "\\'; select 1; --",
    "/* */ -- $$",
)
_PLANTED: Final = ("planted_in_text", "planted_as_value")


@dataclass(frozen=True)
class Kept:
    """A row with a type of its own."""

    n: int
    is_kept: bool
    share: float = 0.5


class AnswerLaws(Tables, abstract=True):
    """What a statement answers."""

    @law(whole=_INTS, real=_FLOATS, text=_TEXTS, data=st.binary())
    async def what_was_written_is_read(
        self, db: Database, whole: int, real: float, text: str, data: bytes
    ) -> None:
        """Ints of 64 bits, floats, text and bytes come back as they went in, in value and type."""
        table = await self.table(db, "i bigint, r double precision, t text, b bytea")
        wrote = await db.execute(
            f"insert into {table} values ($1, $2, $3, $4)", whole, real, text, data
        )
        assert wrote == success(1)
        row = (await db.query_one(f"select i, r, t, b from {table}")).unwrap()
        assert list(row) == ["i", "r", "t", "b"]
        for read, written in zip(row.values(), (whole, real, text, data), strict=True):
            assert type(read) is type(written), f"{type(read)} came back for {type(written)}"
            assert read == written

    @law()
    async def null_is_none(self, db: Database) -> None:
        """NULL is None, and no empty text, no empty bytes, no 0 and no false is one."""
        table = await self.table(db, "k bigint, t text, b bytea")
        for key, text, data in ((1, None, None), (2, "", b"")):
            assert await db.execute(f"insert into {table} values ($1, $2, $3)", key, text, data)
        rows = (await db.query(f"select t, b from {table} order by k")).unwrap()
        assert rows == [{"t": None, "b": None}, {"t": "", "b": b""}]
        empty = f"select count(*) from {table} where t is null and b is null"
        assert await db.query_value(empty) == success(1)

    @law(value=st.booleans())
    async def a_bool_is_read_as_one(self, db: Database, value: bool) -> None:
        """A bool that was written equals what is read, be it an int; `into=` makes it a bool."""
        table = await self.table(db, "n bigint, is_kept boolean")
        assert await db.execute(f"insert into {table} values ($1, $2)", 1, value)
        assert await db.query_value(f"select is_kept from {table}") == success(value)
        kept = (await db.query_one(f"select n, is_kept from {table}", into=Kept)).unwrap()
        assert kept == Kept(1, value)
        assert type(kept.is_kept) is bool

    @law(value=st.sampled_from([2**63, -(2**63) - 1, 10**30]))
    async def an_int_beyond_64_bits_is_refused(self, db: Database, value: int) -> None:
        """What does not fit is a Failure, never another number."""
        table = await self.numbers(db)
        assert isinstance(await db.execute(f"insert into {table} values ($1)", value), Failure)
        assert await self.held(db, table) == []

    @law(first=_INTS, second=_INTS)
    async def a_placeholder_is_its_parameter(self, db: Database, first: int, second: int) -> None:
        """`$2` is the second, wherever and however often it stands; in strings it is text."""
        table = await self.table(db, "a bigint, b bigint, c bigint, d text")
        assert await db.execute(
            f"insert into {table} (a, b, c, d) values "
            "($2, $1, $2, '$1 it''s') -- $3\n /* $4 */ on conflict do nothing",
            first,
            second,
        )
        row = (await db.query_one(f'select a, b, c, d as "$1" from {table}')).unwrap()
        assert tuple(row.values()) == (second, first, second, "$1 it's")
        assert list(row) == ["a", "b", "c", "$1"]

    @law(given=st.sampled_from([(), (1,), (1, 2, 3)]))
    async def parameters_are_counted(self, db: Database, given: tuple[int, ...]) -> None:
        """Too few and too many parameters are a Failure before anything is done."""
        table = await self.numbers(db)
        answer = await db.execute(f"insert into {table} values ($1), ($2)", *given)
        assert_failure(answer, "DB_QUERY_FAILED", category="VALIDATION")
        assert await self.held(db, table) == []

    @law(text=st.sampled_from(_INJECTIONS))
    async def a_parameter_is_never_part_of_the_statement(self, db: Database, text: str) -> None:
        """What looks like SQL is a value like any other."""
        table = await self.table(db, "t text")
        assert await db.execute(f"insert into {table} values ($1)", text) == success(1)
        assert await db.query_value(f"select t from {table} where t = $1", text) == success(text)
        assert await db.query_value(f"select count(*) from {table}") == success(1)
        nobody = await db.query(f"select t from {table} where t = $1", f"no {text}")
        assert nobody == success([])

    @law()
    async def counts_are_of_changed_rows(self, db: Database) -> None:
        """`execute` counts what it inserted, updated and deleted."""
        table = await self.numbers(db, 1, 2, 3)
        assert await db.execute(f"update {table} set n = n + 10 where n > $1", 1) == success(2)
        assert await db.execute(f"delete from {table} where n = $1", 99) == success(0)
        assert await db.execute(f"delete from {table}") == success(3)

    @law()
    async def what_writes_may_give_rows(self, db: Database) -> None:
        """`returning` works, and so does a write that begins with `with`."""
        table = await self.numbers(db)
        rows = await db.query(f"insert into {table} values ($1), ($2) returning n", 1, 2)
        assert rows == success([{"n": 1}, {"n": 2}])
        one = await db.query_value(
            f"with x as (select 3 as n) insert into {table} select n from x returning n"
        )
        assert one == success(3)
        assert await self.held(db, table) == [1, 2, 3]

    @law()
    async def no_row_is_told_from_a_row(self, db: Database) -> None:
        """`query_one` and `query_value` give the first row, or DB_NOT_FOUND; `query` none."""
        table = await self.numbers(db)
        assert await db.query(f"select n from {table}") == success([])
        assert_failure(await db.query_one(f"select n from {table}"), "DB_NOT_FOUND")
        assert_failure(await db.query_value(f"select n from {table}"), "DB_NOT_FOUND")
        assert await db.execute(f"insert into {table} values (1), (2)") == success(2)
        assert await db.query_one(f"select n from {table} order by n") == success({"n": 1})
        assert await db.query_value(f"select n from {table} order by n desc") == success(2)

    @law()
    async def what_was_acknowledged_is_seen(self, db: Database) -> None:
        """A write that was answered is in every read that is asked after it."""
        table = await self.numbers(db)
        for number in range(20):
            assert await db.execute(f"insert into {table} values ($1)", number) == success(1)
            assert await db.query_value(f"select max(n) from {table}") == success(number)

    @law()
    async def a_write_that_fails_takes_no_other_along(self, db: Database) -> None:
        """Of many writes at once each has its own answer, and what succeeded is there."""
        table = await self.numbers(db, 0, 10, 20)
        answers = await asyncio.gather(
            *[db.execute(f"insert into {table} values ($1)", number) for number in range(30)]
        )
        assert [number for number, one in enumerate(answers) if not one] == [0, 10, 20]
        assert await self.held(db, table) == list(range(30))

    @law()
    async def many_are_all_or_none(self, db: Database) -> None:
        """`execute_many` and `execute_batch` do everything, or nothing."""
        table = await self.numbers(db, 5)
        insert = f"insert into {table} values ($1)"
        answer = await db.execute_many(insert, [(number,) for number in range(10)])
        assert_failure(answer, "DB_CONSTRAINT")
        steps: list[tuple[str, tuple[int, ...]]] = [(insert, (7,)), (insert, (5,))]
        assert_failure(await db.execute_batch(steps), "DB_CONSTRAINT")
        assert await self.held(db, table) == [5]
        assert await db.execute_many(insert, [(6,), (7,)]) == success(2)
        counts = await db.execute_batch(
            [(f"delete from {table} where n > $1", (5,)), (insert, (8,))]
        )
        assert counts == success([2, 1])
        assert await self.held(db, table) == [5, 8]

    @law()
    async def a_rule_of_the_schema_is_named(self, db: Database) -> None:
        """DB_CONSTRAINT says which kind of rule it was, and where it is known which one."""
        table = await self.table(db, "k bigint primary key, u text unique, n text not null")
        assert await db.execute(f"insert into {table} values (1, 'a', 'n')")
        child = await self.table(db, f"k bigint references {table} (k), c bigint check (c > 0)")
        for kind, sql in (
            ("unique", f"insert into {table} values (2, 'a', 'n')"),
            ("not_null", f"insert into {table} values (3, 'c', null)"),
            ("foreign_key", f"insert into {child} values (9, 1)"),
            ("check", f"insert into {child} values (1, 0)"),
        ):
            error = assert_failure(await db.execute(sql), "DB_CONSTRAINT", kind=kind)
            assert not error.retryable
            assert "name" in error.context

    @law(sql=st.sampled_from(["selec 1", "select 1 from no_such_table_at_all", "select 'open"]))
    async def a_statement_that_is_none_is_refused(self, db: Database, sql: str) -> None:
        """What the database cannot read is DB_SYNTAX, and the next statement works."""
        error = assert_failure(await db.query(sql), "DB_SYNTAX")
        assert not error.retryable
        assert await db.query_value("select 1") == success(1)

    @law(word=st.sampled_from(["begin", "commit", "rollback", "savepoint x", " /**/ END"]))
    async def a_statement_does_not_end_a_transaction(self, db: Database, word: str) -> None:
        """Beginning and ending is for `transaction()`: in a statement it is DB_UNSUPPORTED."""
        assert_failure(await db.execute(word), "DB_UNSUPPORTED")

    @law()
    async def neither_text_nor_parameter_gets_out(self, db: Database) -> None:
        """A failure, and all that is told of it, has no value and no text of the statement.

        Nothing but the plain name of a table, an index or a function that is not there.
        """
        text, value = _PLANTED
        table = await self.table(db, "t text unique")
        with recorded() as events:
            insert = f"insert into {table} /* {text} */ values ($1)"
            answers = [
                await db.execute(insert, value),
                await db.execute(insert, value),
                await db.query(f"selec {text} from {table} where t = $1", value),
                await db.query(f"select {text} from {table} where t = $1", value),
                await db.query(f"select '{text}', '{text}', t from {table} where t = $1", value),
                await db.query_one(f"select t from {table} where t <> $1 /* {text} */", value),
            ]
        errors = [answer.error for answer in answers if isinstance(answer, Failure)]
        assert len(errors) == 5
        errors += [event.error for event in events if event.error is not None]
        for error in errors:
            for planted in (text, value):
                assert planted not in _all_of(error)
        for event in events:
            assert not any(planted in f"{event!r} {event.fields}" for planted in _PLANTED)


def _all_of(error: QiError) -> str:
    chain = [f"{link!r} {link} {getattr(link, 'args', '')}" for link in error.chain()]
    told = json.dumps(error.to_dict())
    return " ".join([*chain, told, error.to_string(), str(dict(error.context)), error.message])
