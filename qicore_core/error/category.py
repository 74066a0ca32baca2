"""What kinds of trouble there are, and what follows from each.

A category says *what* happened, never *where*. The table below is the whole of it; code asks a
category, never its name. This room must never learn about a vendor or a protocol beyond the numbers
it lists.
"""

from __future__ import annotations

from ..lean import Members

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import ClassVar, Final, Literal, NoReturn, final
else:
    from ..lean import final


__all__ = ["ErrorCategory"]


@final
class ErrorCategory(str, metaclass=Members):
    """What kind of trouble an error is: a `str` that compares and serialises as its name.

    `ErrorCategory("TIMEOUT")` gives the one object of that name; a name that is none is a
    ValueError.

    >>> ErrorCategory.TIMEOUT.retryable, ErrorCategory.TIMEOUT.http_status
    (True, 504)

    Attributes:
        retry: "never", "backoff", "retry_after" (wait as told, else back off) or "at_once" (with
            jitter).
        http_status: the status a web answer has.
        exit_code: the status a program exits with. Source: sysexits.h.
        log_level: "info", "warn" or "error".
        public_message: what a stranger reads; None where the error's own message may be shown.
    """

    __slots__ = ("retry", "http_status", "exit_code", "log_level", "public_message")
    _members: ClassVar[dict[str, ErrorCategory]] = {}

    VALIDATION: ClassVar[ErrorCategory]
    NOT_FOUND: ClassVar[ErrorCategory]
    CONFLICT: ClassVar[ErrorCategory]
    AUTHENTICATION: ClassVar[ErrorCategory]
    PERMISSION: ClassVar[ErrorCategory]
    RATE_LIMITED: ClassVar[ErrorCategory]
    TIMEOUT: ClassVar[ErrorCategory]
    NETWORK: ClassVar[ErrorCategory]
    UNAVAILABLE: ClassVar[ErrorCategory]
    EXHAUSTED: ClassVar[ErrorCategory]
    CONTENTION: ClassVar[ErrorCategory]
    CANCELLED: ClassVar[ErrorCategory]
    UNSUPPORTED: ClassVar[ErrorCategory]
    CONFIGURATION: ClassVar[ErrorCategory]
    BAD_DATA: ClassVar[ErrorCategory]
    INTERNAL: ClassVar[ErrorCategory]
    UNKNOWN: ClassVar[ErrorCategory]

    retry: Literal["never", "backoff", "retry_after", "at_once"]
    http_status: int
    exit_code: int
    log_level: Literal["info", "warn", "error"]
    public_message: str | None

    def __new__(cls, name: str, /) -> ErrorCategory:
        """Find the category of a name; there is one object for each."""
        found = cls._members.get(name)
        if found is None:
            there_are = ", ".join(cls._members)
            raise ValueError(f"{name!r} is not an error category; there are: {there_are}")
        return found

    @property
    def retryable(self) -> bool:
        """Whether an error of this category is worth another attempt."""
        return self.retry != "never"

    def __setattr__(self, name: str, value: object, /) -> NoReturn:
        raise AttributeError(f"ErrorCategory.{self} is read-only")

    def __delattr__(self, name: str, /) -> NoReturn:
        raise AttributeError(f"ErrorCategory.{self} is read-only")

    def __repr__(self) -> str:
        return f"ErrorCategory.{self!s}"

    def __reduce__(self) -> tuple[type, tuple[str]]:
        return ErrorCategory, (str(self),)


_ROWS: Final = (
    ("VALIDATION", "never", 422, 65, "info", None),
    ("NOT_FOUND", "never", 404, 66, "info", None),
    ("CONFLICT", "never", 409, 73, "info", None),
    ("AUTHENTICATION", "never", 401, 77, "warn", "authentication is required or was not accepted"),
    ("PERMISSION", "never", 403, 77, "warn", "this is not permitted"),
    ("RATE_LIMITED", "retry_after", 429, 75, "warn", "too many requests; try again later"),
    ("TIMEOUT", "backoff", 504, 75, "warn", "the service did not answer in time"),
    ("NETWORK", "backoff", 502, 75, "warn", "the service could not be reached"),
    ("UNAVAILABLE", "backoff", 503, 69, "error", "the service is unavailable; try again later"),
    ("EXHAUSTED", "backoff", 503, 71, "error", "the service is overloaded; try again later"),
    ("CONTENTION", "at_once", 409, 75, "info", "the request met another one; try again"),
    ("CANCELLED", "never", 499, 130, "info", "the request was cancelled"),
    ("UNSUPPORTED", "never", 501, 64, "error", "this is not supported"),
    ("CONFIGURATION", "never", 500, 78, "error", "the service failed"),
    ("BAD_DATA", "never", 502, 76, "error", "the service received an answer it could not read"),
    ("INTERNAL", "never", 500, 70, "error", "the service failed"),
    ("UNKNOWN", "never", 500, 1, "error", "the service failed"),
)


def _define_categories() -> None:
    for name, *meaning in _ROWS:
        category = str.__new__(ErrorCategory, name)
        for field, value in zip(ErrorCategory.__slots__, meaning, strict=True):
            object.__setattr__(category, field, value)
        ErrorCategory._members[name] = category
        type.__setattr__(ErrorCategory, name, category)


_define_categories()
