"""Rows become mappings and dataclasses, or a Failure that says why not."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from qicore_core.testing import assert_failure, assert_success
from qicore_sql import Answer
from qicore_sql.rows import rows_of


@dataclass(frozen=True)
class User:
    id: int
    name: str | None
    active: bool = True
    score: float = 0.0
    label: str = field(default="", init=False)


@dataclass
class Kinds:
    moment: datetime
    day: date
    hour: time
    price: Decimal
    key: UUID
    data: bytes
    either: int | str
    anything: Any
    items: list[int]


def answer(**row: object) -> Answer:
    return Answer(tuple(row), [tuple(row.values())], 0)


def test_rows_are_mappings_in_the_order_of_their_columns() -> None:
    rows = assert_success(rows_of(Answer(("b", "a"), [(1, 2), (3, 4)], 0), None))
    assert rows == [{"b": 1, "a": 2}, {"b": 3, "a": 4}]
    assert list(rows[0]) == ["b", "a"]


def test_a_dataclass_is_filled_by_name() -> None:
    rows = rows_of(answer(score=1, name=None, id=7, active=0), User)
    assert assert_success(rows) == [User(7, None, active=False, score=1.0)]
    assert assert_success(rows_of(answer(id=7, name="x"), User)) == [User(7, "x")]
    assert assert_success(rows_of(answer(id=7, name="x", active=True, score=0.5), User))


def test_what_is_kept_as_text_is_read_as_its_type() -> None:
    key = UUID(int=5)
    texts = ("2026-01-02T03:04:05+00:00", "2026-01-02", "03:04:05", "1.10", str(key))
    moment = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    values = (moment, date(2026, 1, 2), time(3, 4, 5), Decimal("1.10"), key)
    names = ("moment", "day", "hour", "price", "key")
    items: Any = "[1]"  # what is inside of a list is not looked at
    rest = {"data": b"x", "either": "y", "anything": None, "items": items}
    for given in (texts, values):
        row = dict(zip(names, given, strict=True))
        [read] = assert_success(rows_of(answer(**row, **rest), Kinds))
        assert read == Kinds(*values, b"x", "y", None, items)


@pytest.mark.parametrize(
    "row",
    [
        {"id": "7", "name": "x"},
        {"id": True, "name": "x"},
        {"id": None, "name": "x"},
        {"id": 7, "name": 5},
        {"id": 7, "name": "x", "active": 2},
        {"id": 7, "name": "x", "active": "true"},
        {"id": 7, "name": "x", "score": "0.5"},
    ],
)
def test_another_type_is_a_failure_that_shows_no_value(row: dict[str, object]) -> None:
    error = assert_failure(rows_of(answer(**row), User), "DB_QUERY_FAILED", category="BAD_DATA")
    assert "does not fit its field of User" in error.message


@pytest.mark.parametrize("text", ["yesterday", 5])
def test_a_text_that_is_none_of_its_type_is_a_failure(text: object) -> None:
    @dataclass
    class Moment:
        at: datetime

    # Names of a function's own classes are found where they are used.
    assert_failure(rows_of(answer(at=text), Moment), "DB_QUERY_FAILED")


def test_columns_and_fields_are_the_same() -> None:
    error = assert_failure(rows_of(answer(id=1, nmae="x"), User), "DB_QUERY_FAILED")
    assert error.message == "the rows do not fit User: no field 'nmae', no column 'name'"


def test_two_columns_of_one_name_lose_nothing_in_silence() -> None:
    twice = Answer(("id", "id", "'secret'", "'secret'"), [(1, 2, 3, 4)], 0)
    error = assert_failure(rows_of(twice, None), "DB_QUERY_FAILED")
    assert error.message == "two columns have one name: 'id', (without a name)"


def test_only_a_dataclass_is_filled() -> None:
    for wrong in (dict, int, "User"):
        with pytest.raises(TypeError, match="a dataclass"):
            rows_of(answer(id=1), wrong)  # type: ignore[arg-type]  # what an untyped caller does
