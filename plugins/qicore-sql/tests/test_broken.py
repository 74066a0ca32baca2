"""Every law of the contract catches something broken, and what is right breaks none."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, ClassVar, cast

import pytest

from qicore_core import Failure, Opening, QiError, Result, failure, success
from qicore_sql import Answer, Database, Statement, Transaction, statement
from qicore_sql.conformance import SqlContract
from qicore_sqlite.driver import SqliteDriver
from qicore_sqlite.settings import SqliteSettings

# Drivers that are right in everything but one.

Params = Sequence[object]


class Right:
    """The reference driver, or a transaction of it, by another name."""

    def __init__(self, real: Any) -> None:
        self.real = real

    @property
    def dialect(self) -> Any:
        return self.real.dialect

    async def run(self, statement: Statement, params: Params, limit: int) -> Result[Answer]:
        answer: Result[Answer] = await self.real.run(statement, params, limit)
        return answer

    async def run_many(self, steps: Any) -> Any:
        return await self.real.run_many(steps)

    async def open_cursor(self, statement: Statement, params: Params) -> Any:
        return await self.real.open_cursor(statement, params)

    async def begin(self) -> Any:
        begun = await self.real.begin()
        return begun.map(self.wrapped) if begun else begun

    def wrapped(self, tx: Any) -> Any:
        return type(self)(tx)

    async def commit(self) -> Result[None]:
        done: Result[None] = await self.real.commit()
        return done

    async def rollback(self) -> Result[None]:
        done: Result[None] = await self.real.rollback()
        return done

    async def close(self) -> None:
        await self.real.close()


class Reads(Right):
    """Changes what is read."""

    def read(self, value: Any) -> Any:
        return value

    async def run(self, statement: Statement, params: Params, limit: int) -> Result[Answer]:
        answer = await super().run(statement, params, limit)
        if not answer:
            return answer
        rows = [tuple(map(self.read, row)) for row in answer.value.rows]
        return success(answer.value._replace(rows=rows))


class ReadsWholeFloatsAsInts(Reads):
    def read(self, value: Any) -> Any:
        return int(value) if isinstance(value, float) and value.is_integer() else value


class ReadsNullAsText(Reads):
    def read(self, value: Any) -> Any:
        return "" if value is None else value


class Binds(Right):
    """Changes what is written."""

    def bind(self, value: Any) -> Any:
        return value

    async def run(self, statement: Statement, params: Params, limit: int) -> Result[Answer]:
        return await super().run(statement, [self.bind(value) for value in params], limit)


class WritesBoolsAsText(Binds):
    def bind(self, value: Any) -> Any:
        return str(value) if isinstance(value, bool) else value


class CutsInts(Binds):
    def bind(self, value: Any) -> Any:
        return value % 2**63 if isinstance(value, int) and abs(value) > 2**63 else value


class BindsInOrder(Right):
    async def run(self, statement: Statement, params: Params, limit: int) -> Result[Answer]:
        order = None if statement.order is None else tuple(sorted(statement.order))
        plain = Statement(statement.text, statement.keyword, statement.size, order)
        return await super().run(plain, params, limit)


class Interpolates(Right):
    async def run(self, statement: Statement, params: Params, limit: int) -> Result[Answer]:
        text = statement.text
        for value in statement.arrange(params):
            text = text.replace("?", f"'{value}'", 1)
        return await super().run(Statement(text, statement.keyword), (), limit)


class CountsOne(Right):
    async def run(self, statement: Statement, params: Params, limit: int) -> Result[Answer]:
        answer = await super().run(statement, params, limit)
        return answer and success(answer.value._replace(changed=1))


class GivesNoRowsOfWrites(Right):
    async def run(self, statement: Statement, params: Params, limit: int) -> Result[Answer]:
        answer = await super().run(statement, params, limit)
        if answer and statement.keyword == "insert":
            return success(answer.value._replace(rows=()))
        return answer


class GivesARowForNone(Right):
    async def run(self, statement: Statement, params: Params, limit: int) -> Result[Answer]:
        answer = await super().run(statement, params, limit)
        if answer and limit and not answer.value.rows:
            return success(answer.value._replace(rows=[(None,) * len(answer.value.columns)]))
        return answer


class Remembers(Right):
    def __init__(self, real: Any) -> None:
        super().__init__(real)
        self.known: dict[str, Result[Answer]] = {}

    async def run(self, statement: Statement, params: Params, limit: int) -> Result[Answer]:
        if not statement.is_read:
            return await super().run(statement, params, limit)
        if statement.text not in self.known:
            self.known[statement.text] = await super().run(statement, params, limit)
        return self.known[statement.text]


class Sulks(Right):
    """Fails once more after it failed."""

    failed: Failure | None = None

    async def run(self, statement: Statement, params: Params, limit: int) -> Result[Answer]:
        answer = await super().run(statement, params, limit)
        before, self.failed = self.failed, None
        if before is None and isinstance(answer, Failure):
            self.failed = answer
        return answer if before is None else before


class RunsOneByOne(Right):
    async def run_many(self, steps: Any) -> Any:
        counts = []
        for step, rows in steps:
            counts.append(0)
            for params in rows:
                answer = await self.run(step, params, 0)
                if not answer:
                    return answer
                counts[-1] += answer.value.changed
        return success(counts)


class ForgetsWhichRule(Right):
    async def run(self, statement: Statement, params: Params, limit: int) -> Result[Answer]:
        answer = await super().run(statement, params, limit)
        if isinstance(answer, Failure):
            return failure(QiError.conflict(answer.error.code, "no"))
        return answer


class HasOneCode(Right):
    async def run(self, statement: Statement, params: Params, limit: int) -> Result[Answer]:
        answer = await super().run(statement, params, limit)
        if isinstance(answer, Failure):
            return failure(QiError.internal("DB_QUERY_FAILED", "no"))
        return answer


class Tells(Right):
    async def run(self, statement: Statement, params: Params, limit: int) -> Result[Answer]:
        answer = await super().run(statement, params, limit)
        if isinstance(answer, Failure):
            return failure(answer.error.with_context(sql=statement.text))
        return answer


class NeverCommits(Right):
    async def commit(self) -> Result[None]:
        return await super().rollback()


class CommitsAllTheSame(Right):
    async def rollback(self) -> Result[None]:
        done = await super().commit()
        return done or success()


class HasNoTransactions(Right):
    """What runs in one runs at once."""

    async def begin(self) -> Any:
        return success(type(self)(self.real))

    async def commit(self) -> Result[None]:
        return success()

    async def rollback(self) -> Result[None]:
        return success()


class HasNoSavepoints(Right):
    async def run(self, statement: Statement, params: Params, limit: int) -> Result[Answer]:
        if statement.text.startswith("rollback to"):
            return success(Answer((), (), 0))
        return await super().run(statement, params, limit)


class SwallowsCommit(Right):
    async def commit(self) -> Result[None]:
        return await super().commit() or success()


class SwallowsCancellation(Right):
    async def run(self, statement: Statement, params: Params, limit: int) -> Result[Answer]:
        try:
            return await super().run(statement, params, limit)
        except asyncio.CancelledError:
            return success(Answer((), (), 0))


class FailsWithTheCancelled(Right):
    running: ClassVar[int] = 0
    is_broken = False

    async def run(self, statement: Statement, params: Params, limit: int) -> Result[Answer]:
        try:
            answer = await super().run(statement, params, limit)
        except asyncio.CancelledError:
            self.is_broken = True
            raise
        if self.is_broken:
            return failure(QiError.internal("DB_QUERY_FAILED", "the connection is broken"))
        return answer


class EndsEarly(Right):
    async def open_cursor(self, statement: Statement, params: Params) -> Any:
        opened = await super().open_cursor(statement, params)
        if not opened:
            return opened
        fetch, asked = opened.value.fetch, []

        class Short:
            columns = opened.value.columns
            close = opened.value.close

            async def fetch(self, size: int) -> Any:
                asked.append(size)
                return await fetch(size) if len(asked) < 3 else success(())

        return success(Short())


class StreamsFromOutside(Right):
    outside: Any = None

    def wrapped(self, tx: Any) -> Any:
        inner = type(self)(tx)
        inner.outside = self.real
        return inner

    async def open_cursor(self, statement: Statement, params: Params) -> Any:
        return await (self.outside or self.real).open_cursor(statement, params)


class StreamsNothing(Right):
    async def open_cursor(self, statement: Statement, params: Params) -> Any:
        opened = await super().open_cursor(statement, params)
        return opened or await super().open_cursor(Statement("select 1 where 0", "select"), ())


# Clients that are right in everything but one, where the domain keeps the law for every driver.


class CountsNothing(Database):  # type: ignore[misc]  # final, and broken here on purpose
    def _read(self, sql: str, params: Params) -> Any:
        return self._statements.read(sql)


class NeverCloses(Database):  # type: ignore[misc]  # as above
    async def close(self) -> None:
        pass


async def _performs_for_ever(tx: Transaction, *args: Any) -> Any:
    tx._is_over = False
    return await PERFORM(tx, *args)


PERFORM = Transaction._perform

CAUGHT: dict[str, Callable[[Any], Any]] = {
    "what_was_written_is_read": ReadsWholeFloatsAsInts,
    "null_is_none": ReadsNullAsText,
    "a_bool_is_read_as_one": WritesBoolsAsText,
    "an_int_beyond_64_bits_is_refused": CutsInts,
    "a_placeholder_is_its_parameter": BindsInOrder,
    "parameters_are_counted": CountsNothing,
    "a_parameter_is_never_part_of_the_statement": Interpolates,
    "counts_are_of_changed_rows": CountsOne,
    "what_writes_may_give_rows": GivesNoRowsOfWrites,
    "no_row_is_told_from_a_row": GivesARowForNone,
    "what_was_acknowledged_is_seen": Remembers,
    "a_write_that_fails_takes_no_other_along": Sulks,
    "many_are_all_or_none": RunsOneByOne,
    "a_rule_of_the_schema_is_named": ForgetsWhichRule,
    "a_statement_that_is_none_is_refused": HasOneCode,
    "a_statement_does_not_end_a_transaction": Right,
    "neither_text_nor_parameter_gets_out": Tells,
    "leaving_commits": NeverCommits,
    "an_exception_rolls_back": CommitsAllTheSame,
    "nobody_sees_half_of_it": HasNoTransactions,
    "a_failure_dooms_it": CommitsAllTheSame,
    "a_doom_covers_no_exception": CommitsAllTheSame,
    "a_savepoint_undoes_its_part": HasNoSavepoints,
    "a_commit_that_fails_is_raised": SwallowsCommit,
    "a_failure_of_the_function_rolls_back": CommitsAllTheSame,
    "no_update_is_lost": HasNoTransactions,
    "a_transaction_that_ended_says_so": HasNoTransactions,
    "a_cancelled_transaction_is_undone": CommitsAllTheSame,
    "a_statement_stops_in_time": SwallowsCancellation,
    "a_cancelled_statement_stops": SwallowsCancellation,
    "a_stopped_statement_takes_no_other_along": FailsWithTheCancelled,
    "a_timeout_in_a_transaction_dooms_it": SwallowsCancellation,
    "what_is_large_comes_as_a_stream": EndsEarly,
    "a_transaction_streams_what_it_sees": StreamsFromOutside,
    "a_stream_that_cannot_begin_says_so": StreamsNothing,
    "a_closed_database_says_so": NeverCloses,
    "migrations_are_all_or_none": HasNoTransactions,
}


def test_for_each_law_there_is_something_broken() -> None:
    assert sorted(CAUGHT) == sorted(SqlContract.laws())


def _contract(
    folder: Path, broken: Callable[[Any], Any], opened: list[SqliteDriver]
) -> SqlContract:
    """Give the contract of something that opens the file of the folder and is broken."""

    def opening(self: SqlContract) -> Opening[Database]:
        async def start() -> Result[Database]:
            path = str(folder / "broken.db")
            driver = await SqliteDriver.open(SqliteSettings(path=path, idle_timeout=0.5))
            if not driver:
                return driver
            opened.append(driver.value)
            made = broken(driver.value)
            return success(made if isinstance(made, Database) else Database(made))

        return Opening(start)

    # The first example that fails will do: shrinking it opens a hundred databases.
    made: Any = type("TestBroken", (SqlContract,), {"opening": opening, "shrinks": False})
    return cast("SqlContract", made())


@pytest.mark.parametrize("name", CAUGHT)
def test_a_law_catches_what_is_broken(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if name == "a_statement_does_not_end_a_transaction":
        monkeypatch.setattr(statement, "_CONTROLS", frozenset())
    if name == "a_transaction_that_ended_says_so":
        monkeypatch.setattr(Transaction, "_perform", _performs_for_ever)
    opened: list[SqliteDriver] = []
    contract = _contract(tmp_path, CAUGHT[name], opened)
    with pytest.raises((Exception, ExceptionGroup)) as caught:
        getattr(contract, f"test_{name}")()
    for driver in opened:
        driver._lanes._at_exit()  # one of them never closes: its threads end here
    each = getattr(caught.value, "exceptions", (caught.value,))  # several, of several examples
    assert all(f"breaks the law {name!r}: " in one.__notes__[0] for one in each)


@pytest.mark.parametrize("name", CAUGHT)
def test_a_law_lets_what_is_right_pass(name: str, tmp_path: Path) -> None:
    getattr(_contract(tmp_path, Right, []), f"test_{name}")()


def test_a_law_that_fails_shows_both_sides(tmp_path: Path) -> None:
    contract: Any = _contract(tmp_path, ReadsNullAsText, [])
    with pytest.raises(AssertionError, match=r"assert .* == "):
        contract.test_null_is_none()
