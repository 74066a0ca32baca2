"""From a call to a line that is written: what one configuration makes of a record.

Logging never raises into the caller: what goes wrong on the way is counted and said once on stderr.
"""

from __future__ import annotations

import os
from _thread import RLock
from contextvars import ContextVar

from ..codes import LOG_WRITE_FAILED
from ..error.foreign import ForeignError, name_of, text_of
from .context import CURRENT
from .level import LogLevel
from .line import Lines, line_emitter
from .record import LogRecord, json_format
from .sink import Descriptor

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any, Final, TypeAlias

    from .background import Background
    from .logger import Logger
    from .record import Format
    from .screen import Screen
    from .sink import Receiver

    Emitter: TypeAlias = Callable[[Logger, LogLevel, str, object, dict[str, Any]], None]

__all__ = ["Output"]

_OWN_NAME: Final = "qicore.log"
_PATIENCE: Final = 1.0
_BUSY: Final[ContextVar[tuple[Output, ...]]] = ContextVar("qicore_log_busy", default=())


class Output:
    """Levels, a format, a sink and, where one was asked for, a background thread.

    Args:
        level: the lowest level that is written.
        levels: other levels, by the dotted beginning of a logger's name.
        format: gives a record its line.
        sink: takes the line, or the record.
        screen: what values pass before they are shown.
        clock: gives the time, in seconds since the epoch.
        capacity: how many records may wait for the background thread; 0 for none.
    """

    __slots__ = (
        "_background", "_failed", "_format", "_level", "_levels", "_lines", "_lock", "_sink",
        "_write", "clock", "put", "screen",
    )  # fmt: skip

    def __init__(
        self,
        level: LogLevel,
        levels: Mapping[str, LogLevel],
        format: Format,
        sink: Descriptor | Receiver,
        screen: Screen,
        clock: Callable[[], float],
        capacity: int,
    ) -> None:
        self._level = level
        self._levels = levels
        self._format = format
        self._sink: Any = sink
        self.screen = screen
        self.clock = clock
        self._lines = Lines(screen)
        self._failed = 0
        self._lock = RLock()  # a signal's handler may log while it is held
        self._background: Background | None = None
        self._write: Callable[[Any], None] = (
            sink.write if isinstance(sink, Descriptor) else self._hand_over
        )
        self.put = self._write
        if capacity:
            from .background import Background  # late: it loads threading

            self._background = Background(self._write_waiting, capacity, self.report)
            self.put = self._background.put

    def level_of(self, name: str) -> LogLevel:
        """Give the level of the longest dotted beginning of a name that has one."""
        while name:
            if name in self._levels:
                return self._levels[name]
            name = name.rpartition(".")[0]
        return self._level

    def emitter(self, name: str) -> Emitter:
        """Give the function by which the loggers of this name write."""
        if self._format is json_format and isinstance(self._sink, Descriptor):
            return line_emitter(self, self._lines, name)

        def emit(
            logger: Logger, level: LogLevel, message: str, error: object, fields: dict[str, Any]
        ) -> None:
            self.accept(name, level, message, {**logger._fields, **fields}, error)

        return emit

    def accept(
        self,
        name: str,
        level: LogLevel,
        message: object,
        fields: Mapping[str, object],
        error: object = None,
        timestamp: float | None = None,
        put: Callable[[Any], object] | None = None,
    ) -> None:
        """Write what was said, in the context of the caller.

        Args:
            name: the logger's.
            level: how loud.
            message: what happened.
            fields: those of the logger and of the call.
            error: what went wrong.
            timestamp: when; None is now.
            put: takes the line, or the record; None is what the loggers use.
        """
        try:
            if self in _BUSY.get():
                raise RecursionError("a log sink logs by itself, which would never end")
            context, screen = CURRENT.get(), self.screen
            known = context.correlation_id
            record = LogRecord(
                self.clock() if timestamp is None else timestamp,
                level,
                name,
                str(screen.value(message)),
                screen.fields({**context._fields, **fields}),
                None if known is None else str(screen.value(known)),
                None if error is None else screen.error(error),
            )
            record.line = _ask(self._format, record)
            said: Any = record
            if isinstance(self._sink, Descriptor):
                said = f"{record.line}\n".encode("utf-8", "backslashreplace")
            (put or self.put)(said)
        except Exception as why:  # noqa: BLE001  # foreign code must not fail the caller
            self.report(why)

    def report(self, why: BaseException) -> None:
        """Count a record that was lost, and say so once."""
        held = self._lock.acquire(timeout=_PATIENCE)  # a child of fork may find it held for ever
        self._failed += 1
        first = self._failed == 1
        if held:
            self._lock.release()
        if first:
            said = (
                f"qicore: {LOG_WRITE_FAILED}: {name_of(why)}: {text_of(why)!a}; more are counted\n"
            )
            try:
                os.write(2, said.encode("ascii", "backslashreplace"))
            except OSError:
                pass  # there is nobody left to tell

    def stats(self) -> dict[str, int]:
        """Count the records that failed, that were dropped and that wait."""
        behind = self._background
        dropped, waiting = (behind.dropped, behind.waiting) if behind else (0, 0)
        return {"failed": self._failed, "dropped": dropped, "waiting": waiting}

    def flush(self, timeout: float) -> int:
        """Wait until all is written; give how many records still wait."""
        return 0 if self._background is None else self._background.flush(timeout)

    def close(self, timeout: float) -> None:
        """Flush and end the background thread; a file closes with the last who writes to it."""
        if self._background is not None:
            self._background.close(timeout)
            self.put, self._background = self._write, None  # a circle would keep the file open

    def _write_waiting(self, waited: Any) -> None:
        """Write what waited, or how many found the queue full: the background thread's part."""
        if isinstance(waited, int):
            said, fields = "records were dropped", {"dropped": waited}
            return self.accept(_OWN_NAME, LogLevel.WARN, said, fields, put=self._write)
        try:
            self._write(waited)
        except Exception as why:  # noqa: BLE001  # foreign code must not end the thread
            self.report(why)

    def _hand_over(self, record: Any) -> None:
        token = _BUSY.set((*_BUSY.get(), self))
        try:
            _ask(self._sink, record)
        finally:
            _BUSY.reset(token)


def _ask(theirs: Callable[[Any], Any], record: LogRecord) -> Any:
    """Call a sink or a format; what may pass is Ctrl-C and cancellation, never `sys.exit()`."""
    try:
        return theirs(record)
    except (Exception, KeyboardInterrupt):
        raise
    except BaseException as why:
        if "Cancelled" in type(why).__name__:  # asyncio's and trio's, without loading them
            raise
        raise ForeignError(name_of(why), text_of(why)) from why
