"""Assertions about Results that say what came instead."""

from __future__ import annotations

from ..result import Failure, Success

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final, TypeVar

    from ..error import ErrorCategory, QiError
    from ..result import Result

    T = TypeVar("T")

__all__ = ["assert_failure", "assert_success"]

_ABSENT: Final = object()


def assert_success(result: Result[T], /) -> T:
    """Assert that a Result is a Success, and give its value.

    >>> from qicore_core.result import success
    >>> assert_success(success(42))
    42
    """
    __tracebackhide__ = True  # pytest then shows the line of the test
    if isinstance(result, Success):
        return result.value
    if isinstance(result, Failure):
        raise AssertionError(f"expected a Success, got the Failure {result.error.to_string()}")
    raise _not_a_result(result)


def assert_failure(
    result: Result[object],
    /,
    code: str | None = None,
    *,
    category: ErrorCategory | str | None = None,
    **context: object,
) -> QiError:
    """Assert that a Result is a Failure of this kind, and give its error.

    Args:
        result: what the operation gave.
        code: what its code is; None leaves that open.
        category: what its category is; None leaves that open.
        context: facts that its context holds, among others.

    >>> from qicore_core.error import QiError
    >>> from qicore_core.result import failure
    >>> refused = failure(QiError.validation("NOT_A_PORT", "a port is digits", got="x"))
    >>> assert_failure(refused, "NOT_A_PORT", got="x").message
    'a port is digits'
    """
    __tracebackhide__ = True  # pytest then shows the line of the test
    if isinstance(result, Success):
        raise AssertionError(f"expected {code or 'a Failure'}, got Success({result.value!r})")
    if not isinstance(result, Failure):
        raise _not_a_result(result)
    error = result.error
    wrong: list[str] = []
    if code not in (None, error.code):
        wrong.append(f"code is {error.code!r}, expected {code!r}")
    if category not in (None, error.category):
        wrong.append(f"category is {error.category!r}, expected {category!r}")
    for key, wanted in context.items():
        got = error.context.get(key, _ABSENT)
        if got is _ABSENT:
            wrong.append(f"context has no {key!r}, expected {wanted!r}")
        elif got != wanted:
            wrong.append(f"context[{key!r}] is {got!r}, expected {wanted!r}")
    if wrong:
        raise AssertionError("\n  ".join([f"another failure: {error.to_string()}", *wrong]))
    return error


def _not_a_result(value: object) -> AssertionError:
    hint = "; was it awaited?" if hasattr(value, "__await__") else ""
    return AssertionError(f"expected a Result, got {type(value).__name__}{hint}")
