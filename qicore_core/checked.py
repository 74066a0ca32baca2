"""What `python -X dev` adds to Results: it tells of two mistakes that no type checker sees.

The truth of a `Result[bool]` says that the operation worked, not what it answered; a Failure that
nobody looked at is trouble that nobody hears of. Looked at is a Failure whose error or truth was
asked for, or that was compared; `map` and its like pass it on unseen.

The limits: only the value tells a `Result[bool]`, so one of a wider type that holds a bool is told
as well. `isinstance` cannot be observed, so a Failure that is told apart by it alone and then
dropped counts as unread. One that lives until the program ends is not told.
"""

from __future__ import annotations

import sys
from warnings import warn

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

__all__ = ["install"]


class _Unread:
    """Hold a Failure's error until somebody asks for it."""

    __slots__ = ("error",)

    def __init__(self, error: object) -> None:
        self.error = error


def install(success: Any, failure: Any, /) -> None:
    """Make the two classes checked ones; they stay the same classes, of the same size."""
    slot = failure._held  # the slot itself, which the property below covers

    def is_true(result: Any) -> bool:
        if isinstance(result._held, bool):
            text = "the truth of a Result[bool] is whether it succeeded: ask its value"
            warn(text, RuntimeWarning, stacklevel=2)
        return True

    def is_false(result: Any) -> bool:
        read(result)
        return False

    def read(result: Any) -> object:
        held = slot.__get__(result)
        if isinstance(held, _Unread):
            held = held.error
            slot.__set__(result, held)
        return held

    def store(result: Any, error: object) -> None:
        slot.__set__(result, _Unread(error))

    equals = failure.__eq__

    def is_equal(result: Any, other: object) -> Any:
        read(result)
        return equals(result, other)

    def dropped(result: Any) -> None:
        try:
            held = slot.__get__(result)
        except AttributeError:
            return  # `Failure()`, the shell that failure() fills
        if isinstance(held, _Unread) and not sys.is_finalizing():
            text = f"a Failure was dropped unread: {held.error!r}"
            warn(text, ResourceWarning, stacklevel=2, source=result)

    success.__bool__ = is_true
    failure.__bool__ = is_false
    failure.__eq__ = is_equal
    failure.__del__ = dropped
    failure._held = property(read, store)
