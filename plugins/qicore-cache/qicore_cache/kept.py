"""A value with something beside it: how long it is fresh, its tags, or that it is a Failure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, final

from qicore_core import Failure, Result, failure, success

from .isolate import copied

__all__ = ["Kept", "twin"]


@final
@dataclass(frozen=True, slots=True)
class Kept:
    """A value with something beside it. Whatever is kept without anything is not in one.

    Attributes:
        value: the value; or the Failure, where that is what is kept.
        words: the version that each of its tags had, by tag.
        fresh_until: when it is no more fresh, on the cache's clock; None is as long as it is there.
        cost: the seconds that it took to compute.
    """

    value: Any
    words: tuple[tuple[str, str], ...] = ()
    fresh_until: float | None = None
    cost: float = 0.0

    def __deepcopy__(self, memo: dict[int, Any]) -> Kept:
        is_failure = isinstance(self.value, Failure)  # which never changes
        return Kept(
            self.value if is_failure else copied(self.value),
            self.words,
            self.fresh_until,
            self.cost,
        )

    def is_fresh(self, now: float) -> bool:
        """Tell whether it still is."""
        return self.fresh_until is None or now < self.fresh_until

    def result(self) -> Result[Any]:
        """Give the value as a Result, or a twin of the Failure that is kept."""
        return twin(self.value) if isinstance(self.value, Failure) else success(self.value)


def twin(given: Failure, /) -> Failure:
    """Give the same Failure with an error of its own: raising one leaves traces in it."""
    return failure(given.error.with_context())
