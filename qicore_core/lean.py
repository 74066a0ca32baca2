"""What we need of `typing` and `enum` at run time; they cost more to import than the whole core.

Write `if TYPE_CHECKING: from typing import Generic, final` and `else: from .lean import Generic,
final`.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any, TypeVar

    T = TypeVar("T")

__all__ = ["Generic", "Members", "dataclass_transform", "final", "overload"]


class Generic:
    """Let a class be written and used with `[...]`; the parameters are for type checkers alone."""

    __slots__ = ()
    __class_getitem__ = classmethod(type(list[int]))  # type: ignore[var-annotated]


class Members(type):
    """Make a class a closed set: it is iterated over its `_members`, a dict by their names."""

    _members: dict[str, Any]

    def __iter__(cls: type[T]) -> Iterator[T]:
        return iter(cls._members.values())  # type: ignore[attr-defined]  # of the class we make

    def __len__(cls) -> int:
        return len(cls._members)


def final(cls: type) -> type:
    """Mark a class that has no subclasses, for type checkers."""
    return cls


def overload(fn: object) -> object:
    """Mark one signature of several, for type checkers."""
    return fn


def dataclass_transform(**_: object) -> object:
    """Mark a class whose annotations are its fields, for type checkers."""
    return lambda cls: cls
