"""Keep what is in the cache apart from what users hold: copy what can change, share the rest.

Copying plain containers by hand is several times as fast as `copy.deepcopy`, which is asked for
everything else, with the same memo: what is shared within a value stays shared, and a value that
holds itself ends.
"""

from __future__ import annotations

import datetime
import decimal
import enum
import fractions
import pathlib
import uuid
from copy import deepcopy
from functools import cached_property
from sys import getsizeof
from typing import Any, Final

__all__ = ["CONSTANT", "copied", "weigh"]

CONSTANT: Final = frozenset(
    {
        type(None), bool, int, float, complex, str, bytes, range, type(...),
        datetime.date, datetime.datetime, datetime.time, datetime.timedelta, datetime.timezone,
        decimal.Decimal, fractions.Fraction, uuid.UUID,
        pathlib.PurePosixPath, pathlib.PureWindowsPath, pathlib.PosixPath, pathlib.WindowsPath,
    }
)  # fmt: skip
_DEPTH: Final = 50  # then deepcopy goes on: its own depth ends in a RecursionError


def copied(value: Any, /) -> Any:
    """Copy a value so deep that neither copy knows of the other, or raise what copying does."""
    return value if type(value) in CONSTANT else _copied(value, {}, _DEPTH)


def weigh(value: Any, /) -> tuple[int, bool]:
    """Estimate how many bytes a value takes, and tell whether all of it is constant: shareable.

    Every object counts once, however often the value holds it.
    """
    size, constant = 0, True
    seen: set[int] = set()
    todo = [value]
    while todo:
        one = todo.pop()
        if id(one) in seen:
            continue
        seen.add(id(one))
        size += getsizeof(one, 64)
        kind = type(one)
        if kind in CONSTANT or isinstance(one, enum.Enum):
            continue
        constant = constant and _is_frozen(kind)
        todo += _parts(one)
    return size, constant


def _copied(value: Any, memo: dict[int, Any], depth: int) -> Any:
    kind = type(value)
    if kind in CONSTANT:
        return value
    if not depth or kind not in (dict, list, tuple):
        return deepcopy(value, memo)
    if id(value) in memo:
        return memo[id(value)]
    made: Any
    if kind is tuple:
        made = tuple([_copied(item, memo, depth - 1) for item in value])
        return memo.setdefault(id(value), made)
    made = memo[id(value)] = kind()
    if kind is list:
        for item in value:
            made.append(_copied(item, memo, depth - 1))
    else:
        for key, item in value.items():
            made[_copied(key, memo, depth - 1)] = _copied(item, memo, depth - 1)
    return made


def _is_frozen(kind: type) -> bool:
    """Tell whether objects of a type are as constant as their parts."""
    if kind is tuple or kind is frozenset:
        return True
    parameters = vars(kind).get("__dataclass_params__")  # its own: an heir may not be frozen
    if parameters is None or not parameters.frozen:
        return False
    known = [part for base in kind.__mro__ for part in vars(base).values()]
    return not any(isinstance(part, cached_property) for part in known)


def _parts(value: Any) -> list[Any]:
    """List what an object holds."""
    if isinstance(value, dict):
        return [*value, *value.values()]
    if isinstance(value, list | tuple | set | frozenset):
        return list(value)
    held = list(getattr(value, "__dict__", {}).values())
    for base in type(value).__mro__:
        slots = vars(base).get("__slots__", ())
        for name in (slots,) if isinstance(slots, str) else slots:
            slot = vars(base).get(name)  # None for a mangled name or __dict__ itself
            if hasattr(slot, "__objclass__") and hasattr(value, name):
                held.append(getattr(value, name))
    return held
