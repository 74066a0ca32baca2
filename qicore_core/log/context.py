"""What is true for everything logged from here on: fields and the correlation id.

A task inherits them from the task that made it; a thread does not: run it by
`contextvars.copy_context().run` where it shall. This room must never learn how a record is written.
"""

from __future__ import annotations

from contextvars import ContextVar

TYPE_CHECKING = False
if TYPE_CHECKING:
    from contextvars import Token
    from typing import Any, Final, Self

__all__ = ["CURRENT", "Context", "correlation_id", "log_context", "set_correlation_id"]


class Context:
    """Fields and a correlation id, with the place where a short way keeps how they look."""

    __slots__ = ("_by", "_fields", "_text", "correlation_id")

    _by: Any
    _text: str

    def __init__(self, fields: dict[str, object], correlation_id: str | None) -> None:
        self._fields = fields
        self.correlation_id = correlation_id
        self._by = None


CURRENT: Final[ContextVar[Context]] = ContextVar("qicore_log", default=Context({}, None))  # noqa: B039  # nobody changes it


class log_context:  # noqa: N801  # read as a verb phrase, `with log_context(user_id=7):`
    """Add fields to every record logged inside the block, in this task and those it starts.

    Args:
        correlation_id: also the id that ties together the records of one request; None keeps it.
        fields: they add to those of blocks around; on a clash the inner wins, and what a logger is
            bound to or a call says wins over both.

    >>> with log_context(user_id=7, correlation_id="r-1"):
    ...     correlation_id()
    'r-1'
    """

    __slots__ = ("_correlation_id", "_fields", "_tokens")

    def __init__(self, /, *, correlation_id: str | None = None, **fields: object) -> None:
        self._fields = fields
        self._correlation_id = correlation_id
        self._tokens: list[Token[Context]] = []

    def __enter__(self) -> Self:
        around, named = CURRENT.get(), self._correlation_id
        fields = {**around._fields, **self._fields} if self._fields else around._fields
        inside = Context(fields, around.correlation_id if named is None else named)
        self._tokens.append(CURRENT.set(inside))
        return self

    def __exit__(self, *_: object) -> None:
        try:
            CURRENT.reset(self._tokens.pop())
        except ValueError:
            pass  # a generator may be closed from another context, where nothing was set


def correlation_id() -> str | None:
    """Give the id that ties together the records of one request, or None."""
    return CURRENT.get().correlation_id


def set_correlation_id(value: str | None, /) -> None:
    """Set the correlation id until the task ends; `log_context` sets it for a block.

    Args:
        value: None takes it away. One that came from outside is the caller's to check.
    """
    CURRENT.set(Context(CURRENT.get()._fields, value))
