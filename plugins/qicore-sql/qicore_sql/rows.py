"""From tuples to what callers read: mappings, or dataclasses.

A dataclass is filled by name and checked by type. What a database has no type for comes back as it
is kept (SQLite: 0 and 1, ISO 8601 text) and is read here, so that `into=` gives the same on all of
them. No value is ever in an error.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import MISSING, fields, is_dataclass
from datetime import date, datetime, time
from decimal import Decimal
from functools import lru_cache
from types import NoneType, UnionType
from typing import Any, Final, TypeAlias, TypeVar, Union, get_args, get_origin, get_type_hints
from uuid import UUID

from qicore_core import Failure, QiError, Result, failure, success

from .driver import Answer, SqlCursor
from .errors import QUERY_FAILED, misused

__all__ = ["CHUNK", "Row", "rows_in_chunks", "rows_of"]

T = TypeVar("T")
Row: TypeAlias = Mapping[str, Any]
"""One row: column name to value, in the order of the columns."""
CHUNK: Final = 512
"""How many rows a stream fetches at once."""

_READERS: Final[Mapping[type, Callable[[Any], Any]]] = {
    datetime: datetime.fromisoformat,
    date: date.fromisoformat,
    time: time.fromisoformat,
    Decimal: Decimal,
    UUID: UUID,
}
_Reader: TypeAlias = Callable[[Any], Any]


class _MisfitError(Exception):
    """A value is of another type than its field."""


def rows_of(answer: Answer, into: type[Any] | None, /) -> Result[list[Any]]:
    """Give rows as mappings, or as instances of a dataclass.

    Errors:
        DB_QUERY_FAILED: two columns have one name; or columns and fields do not fit.
    """
    columns = answer.columns
    if len(set(columns)) != len(columns):
        return failure(_twice(columns))
    if into is None:
        return success([dict(zip(columns, row, strict=True)) for row in answer.rows])
    kind: Any = into  # a type is hashable, whatever the checker makes of type[Any]
    readers = _readers(kind)
    unfit = _unfit(columns, readers, into)
    if unfit is not None:
        return failure(unfit)
    made: list[Any] = []
    for row in answer.rows:
        given: dict[str, Any] = {}
        for column, value in zip(columns, row, strict=True):
            try:
                given[column] = readers[column](value)
            except (_MisfitError, ValueError, ArithmeticError):
                return failure(_wrong_type(column, value, into))
        made.append(into(**given))
    return success(made)


async def rows_in_chunks(
    chunk: Callable[[], Awaitable[Result[list[Any]]]], cursor: SqlCursor, /
) -> AsyncIterator[Result[Any]]:
    """Give rows as they are fetched, up to the end or the first Failure; then close the cursor.

    Args:
        chunk: fetches the next rows; none is the end.
        cursor: where they come from.
    """
    try:
        while True:
            rows = await chunk()
            if isinstance(rows, Failure):
                yield rows
                return
            if not rows.value:
                return
            for row in rows.value:
                yield success(row)
    finally:
        await cursor.close()


@lru_cache(256)
def _readers(into: Any) -> Mapping[str, _Reader]:
    if not (isinstance(into, type) and is_dataclass(into)):
        raise TypeError(f"into= takes a dataclass, got {into!r}; without it rows are mappings")
    hints = get_type_hints(into)
    return {field.name: _reader(hints[field.name]) for field in fields(into) if field.init}


def _reader(hint: Any) -> _Reader:
    """Give what reads a value as one type; other hints than plain types take what comes."""
    if get_origin(hint) in (Union, UnionType):
        kinds = [kind for kind in get_args(hint) if kind is not NoneType]
        if len(kinds) == 1 and len(get_args(hint)) == 2:
            return _or_none(_reader(kinds[0]))
        return _as_it_is
    if hint in _READERS:
        return _parsed(hint, _READERS[hint])
    if hint is bool:
        return _truth
    if hint is float:
        return _number
    return _exact(hint) if hint in (int, str, bytes) else _as_it_is


def _as_it_is(value: Any) -> Any:
    return value


def _or_none(read: _Reader) -> _Reader:
    return lambda value: None if value is None else read(value)


def _exact(kind: type) -> _Reader:
    def read(value: Any) -> Any:
        if type(value) is not kind:
            raise _MisfitError
        return value

    return read


def _parsed(kind: type, parse: _Reader) -> _Reader:
    def read(value: Any) -> Any:
        if isinstance(value, str):
            return parse(value)
        if type(value) is not kind:
            raise _MisfitError
        return value

    return read


def _truth(value: Any) -> bool:
    if value is True or value is False:
        return value
    if type(value) is int and value in (0, 1):
        return value == 1
    raise _MisfitError


def _number(value: Any) -> float:
    if type(value) is float:
        return value
    if type(value) is int:
        return float(value)
    raise _MisfitError


def _unfit(
    columns: Sequence[str], readers: Mapping[str, _Reader], into: type[Any]
) -> QiError | None:
    unknown = [column for column in columns if column not in readers]
    needed = [
        field.name
        for field in fields(into)
        if field.init and field.default is MISSING and field.default_factory is MISSING
    ]
    missing = [name for name in needed if name not in columns]
    if not unknown and not missing:
        return None
    said = [f"no field {_shown(name)}" for name in unknown] + [f"no column {n!r}" for n in missing]
    return misused(
        f"the rows do not fit {into.__name__}: {', '.join(said)}",
        "name the columns as the fields: select a as b",
    )


def _twice(columns: Sequence[str]) -> QiError:
    twice = sorted({_shown(name) for name in columns if list(columns).count(name) > 1})
    return misused(
        f"two columns have one name: {', '.join(twice)}",
        "name them apart: select a.id as a_id, b.id as b_id",
    )


def _shown(column: str) -> str:
    """Name a column; what nobody named is named by the statement's text, which is not shown."""
    return repr(column) if column.isidentifier() else "(without a name)"


def _wrong_type(column: str, value: Any, into: type[Any]) -> QiError:
    return QiError.bad_data(
        QUERY_FAILED,
        f"the column {_shown(column)} does not fit its field of {into.__name__}: "
        f"a value of type {type(value).__name__} came",
        hint="change the field's type, or convert in the statement",
        source="sql",
    )
