"""The bridge to the standard library's `logging`, both ways; the one module here that loads it.

`capture` brings the records of other libraries in; `forward` hands ours to the handlers that
are set up there. Both at once is no circle: what was handed out is marked and not taken in again.
"""

from __future__ import annotations

import logging

from .configure import get_logger
from .level import LogLevel
from .record import error_lines

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Final

    from .record import LogRecord
    from .screen import Screen

__all__ = ["capture", "forward"]

_STANDARD: Final = frozenset((*vars(logging.makeLogRecord({})), "message", "asctime", "taskName"))


class _Ours(logging.LogRecord):
    """A record that began here, and is not to come back."""


class _Capture(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        if isinstance(record, _Ours):
            return
        logger = get_logger(str(record.name) or "root")
        level = _level(record.levelno)
        if logger.is_level_enabled(level):
            fields = {name: vars(record)[name] for name in vars(record) if name not in _STANDARD}
            error = record.exc_info[1] if isinstance(record.exc_info, tuple) else None
            output = logger._output
            message = _message(record, output.screen)
            output.accept(logger.name, level, message, fields, error, record.created)


_capture: Final = _Capture()


def capture(level: LogLevel | None) -> Callable[[], None]:
    """Bring records in, as `capture_stdlib` says."""
    root = logging.getLogger()
    before = root.level
    root.addHandler(_capture)
    if level is not None:
        root.setLevel(level)

    def stop() -> None:
        root.removeHandler(_capture)
        if level is not None:
            root.setLevel(before)

    return stop


def forward(record: LogRecord) -> None:
    """Hand a record of ours to the handlers of `logging`, its fields as attributes.

    The error goes as text without locals and secrets; fields that a handler's record needs itself
    get a `_` behind them.
    """
    out = _Ours(record.logger, int(record.level), "", 0, record.message, None, None)
    out.created = record.timestamp
    out.msecs = record.timestamp % 1 * 1000
    if record.level is LogLevel.TRACE:
        out.levelname = "TRACE"
    for name, value in record.fields.items():
        setattr(out, name + "_" if name.rstrip("_") in _STANDARD else name, value)
    out.correlation_id = record.correlation_id
    out.error = record.error
    out.exc_text = "\n".join(error_lines(record.error)) or None
    logging.getLogger(record.logger).handle(out)


def _message(record: logging.LogRecord, screen: Screen) -> str:
    try:
        return record.getMessage()
    except Exception:  # noqa: BLE001  # arguments that do not fit must not lose the record
        return f"{screen.value(record.msg)} {screen.value(record.args)}"


def _level(number: int) -> LogLevel:
    """Give the highest of our levels that is not above a number."""
    return max((level for level in LogLevel if level <= number), default=LogLevel.TRACE)
