"""Many Results into one: the first failure, all failures, or both sides apart."""

from __future__ import annotations

from .codes import VALUE_MISSING
from .error import QiError
from .result import Failure, Success, failure, success

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import TypeVar

    from .result import Result

    T = TypeVar("T")
    U = TypeVar("U")

__all__ = ["accumulate", "collect", "from_optional", "partition", "traverse"]


def collect(results: Iterable[Result[T]], /) -> Result[list[T]]:
    """Give all values in order, or the first Failure; what comes after that one is not asked for.

    >>> collect([success(1), success(2)])
    Success([1, 2])
    """
    values: list[T] = []
    for result in results:
        if isinstance(result, Failure):
            return result
        values.append(result.value)
    return success(values)


def traverse(fn: Callable[[T], Result[U]], items: Iterable[T], /) -> Result[list[U]]:
    """Give what `fn` gives for each item, in order, or its first Failure; none is tried after."""
    return collect(map(fn, items))


def partition(results: Iterable[Result[T]], /) -> tuple[list[T], list[QiError]]:
    """Take the values and the errors apart, each in their order."""
    values: list[T] = []
    errors: list[QiError] = []
    for result in results:
        if isinstance(result, Success):
            values.append(result.value)
        else:
            errors.append(result.error)
    return values, errors


def accumulate(results: Iterable[Result[T]], /) -> Result[list[T]]:
    """Give all values in order, or a Failure that holds every error.

    Errors:
        MULTIPLE_ERRORS: at least one failed; `error.errors` has them all, in order.
    """
    values, errors = partition(results)
    return failure(QiError.aggregate(errors)) if errors else success(values)


def from_optional(value: T | None, error: QiError | None = None, /) -> Result[T]:
    """Give `success(value)`, or a Failure of `error` where the value is None.

    Errors:
        VALUE_MISSING: the value is None and no error was given.
    """
    if value is not None:
        return success(value)
    return failure(error or QiError.not_found(VALUE_MISSING, "there is no value"))
