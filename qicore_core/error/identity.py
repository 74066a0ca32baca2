"""What makes two errors the same: what happened and where, never when."""

from __future__ import annotations

from .foreign import name_of, text_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from .qi_error import QiError

__all__ = ["same"]


def same(error: QiError, other: QiError, /) -> bool:
    """Tell whether two errors have the same code, message, category, source, context and cause.

    A cause counts by its type's name and its text. Contexts are the same when they are equal, or
    when they travel as the same bytes, for what pickle changes or compares by identity.
    """
    return _parts(error) == _parts(other) and _same_context(error._context, other._context)


def _parts(error: QiError) -> tuple[object, ...]:
    cause = error._cause
    came = None if cause is None else (name_of(cause), text_of(cause))
    return error._code, error._message, error._category, error._source, came


def _same_context(mine: Mapping[str, object], theirs: Mapping[str, object]) -> bool:
    try:
        if mine is theirs or mine == theirs:
            return True
    except Exception:  # noqa: BLE001, S110  # foreign `==`: an array has no truth, a circle no end
        pass
    from .wire import carried  # late: equal errors have equal contexts, as a rule

    return carried(mine) == carried(theirs)
