"""One record, as formats of your own and sinks that are functions see it."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from .level import LogLevel

__all__ = ["LogRecord"]


class LogRecord:
    """What was logged, as plain data: secrets masked, sizes bounded, ready for JSON.

    Attributes:
        timestamp: when, in seconds since the epoch (UTC).
        level: how loud.
        logger: the name of the logger.
        message: what happened.
        fields: those of the context, of the logger and of the call, in this order.
        correlation_id: what ties it to the others of one request, or None.
        error: the error as data, or None.
        line: the record as its format wrote it, without a line break at the end.
    """

    __slots__ = (
        "correlation_id", "error", "fields", "level", "line", "logger", "message", "timestamp",
    )  # fmt: skip

    def __init__(
        self,
        timestamp: float,
        level: LogLevel,
        logger: str,
        message: str,
        fields: dict[str, object],
        correlation_id: str | None = None,
        error: Any = None,
    ) -> None:
        self.timestamp = timestamp
        self.level = level
        self.logger = logger
        self.message = message
        self.fields = fields
        self.correlation_id = correlation_id
        self.error = error
        self.line = ""

    def __repr__(self) -> str:
        return f"LogRecord({self.level} {self.logger}: {self.message!r}, {self.fields})"
