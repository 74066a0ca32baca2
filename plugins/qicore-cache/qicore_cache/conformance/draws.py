"""What the laws of a cache draw: keys, values and steps; and when two values are the same."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from hypothesis import strategies as st

__all__ = ["KEYS", "LOOK_ALIKE", "STEPS", "VALUES", "is_alike"]

KEYS: Final = st.text(
    st.characters(categories=("L", "M", "N", "P", "S")) | st.just(" "), min_size=1, max_size=12
)
LOOK_ALIKE: Final = (
    "a", "A", "a ", " a", "a*", "a%", "a_", "a?", "[a]", "a:b", "a/b", "a\\", "1", "01", "1.0",
    "\u00e9", "e\u0301", "\u00df", "ss", "'", '"', "\U0001f600", "x" * 1024, "x" * 1023,
)  # fmt: skip
_SCALARS: Final = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text(max_size=8)
    | st.binary(max_size=8)
    | st.just(datetime(2026, 1, 2, 3, 4, 5, 6, UTC))
    | st.just(date(2026, 1, 2))
    | st.just(timedelta(days=-1, seconds=5))
    | st.just(Decimal("1.10"))
)
_HASHABLE: Final = st.integers() | st.text(max_size=4)
VALUES: Final = st.recursive(
    _SCALARS | st.frozensets(_HASHABLE, max_size=3) | st.sets(_HASHABLE, max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(max_size=4) | st.integers(), inner, max_size=3)
        | st.tuples(inner, inner)
    ),
    max_leaves=6,
)
STEPS: Final = st.lists(
    st.tuples(
        st.sampled_from(
            ["set", "get", "remove", "get_or_set", "set_many", "get_many", "clear", "size"]
        ),
        st.sampled_from(["a", "b", "c"]),
        st.integers(0, 9),
    ),
    max_size=12,
)


def is_alike(mine: Any, theirs: Any) -> bool:
    """Equal in value and in type, all the way down: 1, 1.0 and True are three values."""
    if type(mine) is not type(theirs):
        return False
    if isinstance(mine, dict):
        return is_alike([*mine.items()], [*theirs.items()])
    if isinstance(mine, list | tuple):
        return len(mine) == len(theirs) and all(map(is_alike, mine, theirs))
    return bool(mine == theirs)
