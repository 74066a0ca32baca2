"""What we need of `typing` at run time; importing typing costs more than the whole core.

Write `if TYPE_CHECKING: from typing import Generic, final` and `else: from .lean import Generic,
final`.
"""

from __future__ import annotations

__all__ = ["Generic", "final", "overload"]


class Generic:
    """Let a class be written and used with `[...]`; the parameters are for type checkers alone."""

    __slots__ = ()
    __class_getitem__ = classmethod(type(list[int]))  # type: ignore[var-annotated]


def final(cls: type) -> type:
    """Mark a class that has no subclasses, for type checkers."""
    return cls


def overload(fn: object) -> object:
    """Mark one signature of several, for type checkers."""
    return fn
