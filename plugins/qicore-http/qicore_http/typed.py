"""JSON read as a type: plain ones here, lists item by item, the rest as a schema."""

from __future__ import annotations

from typing import Any, Final

from qicore_core import (
    Configuration,
    ErrorCategory,
    Failure,
    QiError,
    Result,
    failure,
    success,
)
from qicore_core.codes import CONFIG_KEY_NOT_FOUND
from qicore_core.error.qi_error import make_error

from .errors import PARSE_ERROR
from .message import shown

__all__ = ["read_as"]

_PLAIN: Final = (bool, dict, float, int, list, str)
_MAX_NAMED: Final = 5


def read_as(data: Any, into: Any, url: str, /) -> Result[Any]:
    """Read JSON as a type; keys that the type does not have are left alone.

    Errors:
        PARSE_ERROR: it is not of the type; `errors` has one for each field, which names it.
    """
    kind, items = getattr(into, "__origin__", into), getattr(into, "__args__", ())
    if kind is list and items and isinstance(data, list):
        return _list(data, items[0], into, url)
    if kind in _PLAIN:
        if kind is float and type(data) is int:
            return success(float(data))
        is_bool = isinstance(data, bool) and kind is not bool  # True is an int, but not in JSON
        return success(data) if isinstance(data, kind) and not is_bool else _of_another(data, into)
    if not isinstance(data, dict):
        return _of_another(data, into)
    read = Configuration(into, ignore_unknown=True).from_object(data, source=shown(url))
    if isinstance(read, Failure):
        return failure(_misread(into, [_field(one) for one in read.error.errors or (read.error,)]))
    return read


def _list(data: list[Any], item: Any, into: Any, url: str) -> Result[Any]:
    values: list[Any] = []
    errors: list[QiError] = []
    for place, one in enumerate(data):
        read = read_as(one, item, url)
        if isinstance(read, Failure):
            errors += [_field(error, place) for error in read.error.errors or (read.error,)]
        else:
            values.append(read.value)
    return failure(_misread(into, errors)) if errors else success(values)


def _field(error: QiError, place: int | None = None) -> QiError:
    """Say what is wrong with one field: its name and what it should be, never what it is."""
    key = str(error.context.get("key", ""))
    expected = error.context.get("expected")
    reason = error.context.get("reason")
    if reason is None:
        reason = "is missing" if error.code == CONFIG_KEY_NOT_FOUND else "was refused"
        reason = reason if expected is None else f"must be {expected}"
    if place is not None:
        key = f"[{place}]" + (f".{key}" if key and key[0] != "[" else key)
    return QiError.bad_data(
        error.code,
        f"{key or 'the whole'} {reason}",
        source="http",
        key=key,
        reason=reason,
    )


def _misread(into: Any, errors: list[QiError]) -> QiError:
    said = "; ".join([error.message for error in errors[:_MAX_NAMED]])
    more = f"; and {len(errors) - _MAX_NAMED} more" if len(errors) > _MAX_NAMED else ""
    message = f"the JSON does not read as {_name(into)}: {said}{more}"
    category = ErrorCategory.BAD_DATA
    return make_error(PARSE_ERROR, message, category, "http", errors=tuple(errors))


def _of_another(data: Any, into: Any) -> Failure:
    got = "null" if data is None else type(data).__name__
    return failure(
        QiError.bad_data(
            PARSE_ERROR,
            f"the JSON is {got} and does not read as {_name(into)}",
            source="http",
            reason=f"must be {_name(into)}, and is {got}",
        )
    )


def _name(into: Any) -> str:
    return into.__qualname__ if type(into) is type else str(into)
