"""How an error is made: the one function that every factory of QiError is."""

from __future__ import annotations

from time import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Final, Protocol

    from .category import ErrorCategory
    from .qi_error import QiError

    class Factory(Protocol):
        def __call__(
            self,
            code: str,
            message: str,
            /,
            *,
            cause: BaseException | None = None,
            hint: str | None = None,
            retryable: bool | None = None,
            retry_after: float | None = None,
            public_message: str | None = None,
            source: str | None = None,
            **context: object,
        ) -> QiError: ...


__all__ = ["factory", "twin"]

_MAX_KNOWN: Final = 1000


def factory(kind: type[QiError], category: ErrorCategory, where: str | None = None, /) -> Factory:
    """Make the factory of a category: one frame that checks and stores, for hot paths."""
    new = Exception.__new__
    known: set[str] = set()  # codes seen to be well formed; a memo, bounded

    def make(
        code: str,
        message: str,
        /,
        *,
        cause: BaseException | None = None,
        hint: str | None = None,
        retryable: bool | None = None,
        retry_after: float | None = None,
        public_message: str | None = None,
        source: str | None = where,
        **context: object,
    ) -> QiError:
        if code not in known or not message:
            _check(code, message, known)
        error: Any = new(kind)
        if cause is not None:
            cause = error._came_from(cause)
        error._code = code
        error._message = message
        error._category = category
        error._source = source
        error._context = context
        error._cause = cause
        error._errors = ()
        error._retryable = retryable
        error._retry_after = retry_after
        error._hint = hint
        error._public_message = public_message
        error._timestamp = time()
        return error  # type: ignore[no-any-return]  # it is of our kind

    make.__name__ = make.__qualname__ = (where or category).lower()
    make.__doc__ = f"Make a QiError of category {category}."
    return make


def twin(error: Any, /) -> QiError:
    """Make the same error once more, to be raised: no frame then gets into the first one's Failure.

    Slot by slot, for speed: every failure that is unwrapped comes by here.
    """
    made: Any = Exception.__new__(type(error))
    made._category = error._category
    made._cause = error._cause
    made._code = error._code
    made._context = error._context
    made._errors = error._errors
    made._hint = error._hint
    made._message = error._message
    made._public_message = error._public_message
    made._retry_after = error._retry_after
    made._retryable = error._retryable
    made._source = error._source
    made._timestamp = error._timestamp
    if error.__cause__ is not None:
        made.__cause__ = error.__cause__
    if hasattr(error, "__notes__"):
        made.__notes__ = error.__notes__
    return made  # type: ignore[no-any-return]  # it is of our kind


def _check(code: str, message: str, known: set[str]) -> None:
    given: Any = code  # an untyped caller may hand in anything
    if not (isinstance(given, str) and given.isupper() and given.isidentifier()):
        raise ValueError(f"an error's code is UPPER_SNAKE, got {code!r}")
    if not message or type(message) is not str:
        raise ValueError(
            f"the error {code} needs a message that says what happened, got {message!r}"
        )
    if len(known) < _MAX_KNOWN:
        known.add(code)
