"""What `python -X dev` adds to Results: it tells of two mistakes that no type checker sees.

The truth of a `Result[bool]` says that the operation worked, not what it answered; a Failure that
nobody looked at is trouble that nobody hears of. A Failure is of a twin type until it is looked at:
by `isinstance` or `match`, for its truth or its error, in a comparison, by a method that answers
for it. `map` and its like pass it on unseen.

The limits: only the value tells a `Result[bool]`, so one of a wider type that holds a bool is told
as well; a copy of a Failure is one of its own; one that lives until the program ends is not told.
"""

from __future__ import annotations

import sys
from warnings import warn

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Final

__all__ = ["install"]

_PASS_ON: Final = frozenset(
    (
        "and_then", "filter", "flat_map", "flat_map_async", "flatten", "inspect", "map",
        "map_async", "map_try",
    )
)  # fmt: skip


def install(success: Any, failure: Any, /) -> None:
    """Make the two classes checked ones; they stay the same classes, of the same size."""
    slot = failure._held

    def is_true(result: Any) -> bool:
        if isinstance(result._held, bool):
            text = "the truth of a Result[bool] is whether it succeeded: ask its value"
            warn(text, RuntimeWarning, stacklevel=2)
        return True

    def look(result: Any, name: str) -> Any:
        if name not in _PASS_ON:
            result.__class__ = seen
        return object.__getattribute__(result, name)

    def is_false(result: Any) -> bool:
        result.__class__ = seen
        return False

    def is_equal(result: Any, other: object) -> Any:
        result.__class__ = seen
        return failure.__eq__(result, other)

    def dropped(result: Any) -> None:
        try:
            error = None if sys.is_finalizing() else slot.__get__(result)
        except AttributeError:
            error = None  # `Failure()`, the shell that failure() fills
        if error is not None:
            text = f"a Failure was dropped unread: {error!r}"
            warn(text, ResourceWarning, stacklevel=2, source=result)

    def twin(base: Any, **names: Any) -> type:
        return type(failure.__name__, (base,), {**vars(failure), **names})

    unread = twin(
        failure.__base__,
        __bool__=is_false,
        __del__=dropped,
        __eq__=is_equal,
        __getattribute__=look,
    )
    # Not `failure` itself: isinstance believes a `__class__` only where it is not the true type.
    seen = twin(failure, __class__=property(lambda _: failure))
    success.__bool__ = is_true
    failure.__new__ = lambda _: object.__new__(unread)
