"""From a call to a line that is written: what one configuration makes of a record.

Logging never raises into the caller: what goes wrong on the way is counted and said once on stderr.
"""

from __future__ import annotations

import os
from _thread import allocate_lock
from contextvars import ContextVar

from ..codes import LOG_WRITE_FAILED
from ..error.foreign import name_of, text_of
from .context import CURRENT
from .encode import JsonFormat, quote
from .level import LogLevel
from .record import LogRecord

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any, Final, TypeAlias

    from .background import Background
    from .context import Context
    from .encode import Format
    from .logger import Logger
    from .screen import Screen
    from .sink import Sink

    Emitter: TypeAlias = Callable[[Logger, LogLevel, str, object, dict[str, Any]], None]

__all__ = ["Output"]

_OWN_NAME: Final = "qicore.log"
_IN_SINK: Final[ContextVar[bool]] = ContextVar("qicore_log_in_sink", default=False)


class Output:
    """A format, a sink and, where one was asked for, a background thread between them.

    Args:
        format: gives a record its line.
        sink: takes the line, or the record.
        screen: what values pass before they are shown.
        clock: gives the time, in seconds since the epoch.
        capacity: how many records may wait for the background thread; 0 for none.
    """

    __slots__ = (
        "_format", "_lock", "_sink", "_write_now", "background", "clock", "failed", "put", "screen",
    )  # fmt: skip

    def __init__(
        self,
        format: Format,
        sink: Sink,
        screen: Screen,
        clock: Callable[[], float],
        capacity: int = 0,
    ) -> None:
        self._format = format
        self._sink = sink
        self.screen = screen
        self.clock = clock
        self.failed = 0
        self.background: Background | None = None
        self._lock = allocate_lock()
        self._write_now: Callable[[Any], object] = (
            self._hand_over if sink.takes_records else sink.write
        )
        self.put = self._write_now
        if capacity:
            from .background import Background  # late: it loads threading

            self.background = Background(self._write, self._tell_dropped, capacity)
            self.put = self.background.put

    def emitter(self, name: str) -> Emitter:
        """Give the function by which the loggers of this name write."""
        if isinstance(self._format, JsonFormat) and not self._sink.takes_records:
            return _json_emitter(self, self._format, name)
        return _record_emitter(self, name)

    def accept(
        self,
        name: str,
        level: LogLevel,
        message: object,
        fields: Mapping[str, object],
        error: object = None,
        timestamp: float | None = None,
    ) -> None:
        """Write what was said, in the context of the caller; `timestamp` None is now."""
        try:
            if self._sink.takes_records and _IN_SINK.get():
                raise RecursionError("a log sink logs by itself, which would never end")
            self.put(self._payload(name, level, message, fields, error, timestamp))
        except Exception as why:  # noqa: BLE001  # foreign code must not fail the caller
            self.report(why)

    def report(self, why: BaseException) -> None:
        """Count a record that was lost, and say so once."""
        with self._lock:
            self.failed += 1
            first = self.failed == 1
        if first:
            said = (
                f"qicore: {LOG_WRITE_FAILED}: {name_of(why)}: {text_of(why)!a}; more are counted\n"
            )
            try:
                os.write(2, said.encode("ascii", "backslashreplace"))
            except OSError:
                pass  # there is nobody left to tell

    def flush(self, timeout: float) -> int:
        """Wait until all is written; give how many records still wait."""
        return 0 if self.background is None else self.background.flush(timeout)

    def close(self, timeout: float) -> None:
        """Flush and end the background thread."""
        if self.background is not None:
            self.background.close(timeout)

    def _hand_over(self, record: Any) -> None:
        token = _IN_SINK.set(True)
        try:
            self._sink.write(record)
        finally:
            _IN_SINK.reset(token)

    def _write(self, payload: Any) -> None:
        """Write what waited: the background thread's part."""
        try:
            self._write_now(payload)
        except Exception as why:  # noqa: BLE001  # foreign code must not end the thread
            self.report(why)

    def _tell_dropped(self, dropped: int) -> None:
        """Write a record of how many found the queue full."""
        try:
            said = "records were dropped"
            self._write_now(self._payload(_OWN_NAME, LogLevel.WARN, said, {"dropped": dropped}))
        except Exception as why:  # noqa: BLE001  # foreign code, as above
            self.report(why)

    def _payload(
        self,
        name: str,
        level: LogLevel,
        message: object,
        fields: Mapping[str, object],
        error: object = None,
        timestamp: float | None = None,
    ) -> LogRecord | bytes:
        """Make a record with its line, in the form in which the sink takes it."""
        context, screen = CURRENT.get(), self.screen
        record = LogRecord(
            self.clock() if timestamp is None else timestamp,
            level,
            name,
            str(screen.value(message)),
            screen.fields({**context.fields, **fields}),
            None if context.correlation_id is None else str(screen.value(context.correlation_id)),
            None if error is None else screen.error(error),
        )
        record.line = self._format(record)
        if self._sink.takes_records:
            return record
        return f"{record.line}\n".encode("utf-8", "backslashreplace")


def _record_emitter(output: Output, name: str) -> Emitter:
    def emit(
        logger: Logger, level: LogLevel, message: str, error: object, fields: dict[str, Any]
    ) -> None:
        output.accept(name, level, message, {**logger._fields, **fields}, error)

    return emit


def _json_emitter(output: Output, json: JsonFormat, name: str) -> Emitter:
    """Give the short way for JSON that leaves as bytes: no record, and bound fields rendered once.

    It writes what `_record_emitter` would write; a law compares them.
    """
    clock, put, known = output.clock, output.put, json.messages.get
    heads = {level: f'Z","level":"{level}","logger":{quote(name)},"message":' for level in LogLevel}

    def emit(
        logger: Logger, level: LogLevel, message: str, error: object, fields: dict[str, Any]
    ) -> None:
        context, bound = CURRENT.get(), logger._fields
        around = context.fields
        try:
            now = clock()
            second, when = json.stamp
            if now // 1 != second:
                when = json.tick(now // 1)
            if (bound and not bound.keys().isdisjoint(fields)) or (
                around and not around.keys().isdisjoint((*bound, *fields))
            ):
                said = _correlation(context, json) + json.fields({**around, **bound, **fields})
            else:
                said = (
                    (context._text if context._by is json else _bind_context(context, json))
                    + (
                        logger._text
                        if logger._by is json
                        else json.bind(logger, json.fields(bound))
                    )
                    + (json.fields(fields) if fields else "")
                )
            if error is not None:
                said += f',"error":{json.error(error)}'
            micros = "%06d" % (now % 1 * 1e6)  # noqa: UP031  # half the time of format's
            line = (
                f'{{"timestamp":"{when}{micros}{heads[level]}'
                f"{known(message) or json.message(message)}{said}}}\n"
            ).encode()
        except Exception:  # noqa: BLE001  # the long way gets along with any value
            output.accept(name, level, message, {**bound, **fields}, error)
            return
        try:
            put(line)
        except Exception as why:  # noqa: BLE001  # foreign code must not fail the caller
            output.report(why)

    return emit


def _bind_context(context: Context, json: JsonFormat) -> str:
    return json.bind(context, _correlation(context, json) + json.fields(context.fields))


def _correlation(context: Context, json: JsonFormat) -> str:
    if context.correlation_id is None:
        return ""
    return f',"correlation_id":{quote(str(json.screen.value(context.correlation_id)))}'
