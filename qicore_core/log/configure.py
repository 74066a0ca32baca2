"""The one logging configuration of a program, and the loggers that follow it.

Nothing is configured by import: until `configure_logging` is called, what is logged from INFO on
goes to stderr, as text on a terminal, else as JSON.
"""

from __future__ import annotations

from time import time

from ..result import failure, success
from .level import LogLevel, invalid
from .logger import make_logger, tune
from .output import Output
from .record import json_format, text_format
from .screen import Screen
from .sink import Descriptor, open_sink

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Final, Literal, TypeAlias

    from ..result import Result
    from .logger import Logger
    from .record import Format
    from .sink import SinkChoice

    FormatChoice: TypeAlias = Literal["json", "text"] | Format | None

__all__ = [
    "LoggerFactory",
    "capture_stdlib",
    "configure_logging",
    "flush_logging",
    "get_logger",
    "logging_stats",
    "reset_logging",
    "restore",
]

_CAPACITY: Final = 10_000
_NONE: Final[dict[str, LogLevel | str]] = {}
_TIMEOUT: Final = 5.0


class _State:
    """The output in force, opened when first needed, and the loggers that follow it."""

    __slots__ = ("followers", "output")

    def __init__(self) -> None:
        self.output: Output | None = None
        self.followers: dict[str, Logger] = {}

    def in_force(self) -> Output:
        if self.output is None:
            self.output = _open_output("info", None, None).unwrap()
        return self.output

    def change(self, output: Output | None) -> None:
        """Put another output, or the first one again, in force for all followers."""
        before, self.output = self.output, output
        for logger in tuple(self.followers.values()):
            self.tune(logger)
        if before is not None:
            before.close(_TIMEOUT)

    def tune(self, logger: Logger) -> None:
        known = None
        while known is not self.output or known is None:  # it may change meanwhile
            known = self.in_force()
            tune(logger, known)


_state: Final = _State()


def configure_logging(
    level: LogLevel | str = "info",
    *,
    format: FormatChoice = None,
    sink: SinkChoice = None,
    levels: Mapping[str, LogLevel | str] | None = None,
    background: bool | int = False,
    redact: bool = True,
    clock: Callable[[], float] = time,
) -> Result[None]:
    """Say how and where the program logs; loggers that `get_logger` gave follow at once.

    A Failure changes nothing. What the configuration before has in its background is written first.

    Args:
        level: the lowest level that is written.
        format: "json", "text", or a function from a LogRecord to its line; by default text on a
            terminal, else JSON.
        sink: "stderr" (the default), "stdout", "stdlib" (the handlers of `logging`), a path, a
            descriptor, a stream, a list or a function that takes each LogRecord.
        levels: other levels for loggers whose names begin so: `{"app.db": "debug"}` is for app.db
            and app.db.pool.
        background: write in a thread, with at most this many records waiting (True: 10,000); more
            are dropped, counted, and told by a record. Worth it where the sink is slow.
        redact: whether secrets are masked in messages and fields; a `Secret` and what an error
            carries are masked in any case.
        clock: gives the time, in seconds since the epoch.

    Errors:
        INVALID_LOG_CONFIG: an argument is none of the above; the hint says what it may be.
    """
    output = _open_output(level, format, sink, levels or {}, background, redact, clock)
    if not output:
        return output
    _state.change(output.value)
    return success()


def get_logger(name: str) -> Logger:
    """Give the logger of this name; it follows the configuration, also one that comes later.

    Args:
        name: dotted, `__name__` as a rule; an empty one is a ValueError.
    """
    logger = _state.followers.get(name)
    if logger is None:
        if not (isinstance(name, str) and name):
            raise ValueError(f"a logger needs a name, got {name!r}")
        logger = make_logger(name)
        _state.tune(logger)
        logger = _state.followers.setdefault(name, logger)
    return logger


class LoggerFactory:
    """Makes loggers of their own, which follow no configuration."""

    __slots__ = ()

    @staticmethod
    def create(
        name: str,
        level: LogLevel | str = "info",
        *,
        format: FormatChoice = None,
        sink: SinkChoice = None,
        redact: bool = True,
        clock: Callable[[], float] = time,
    ) -> Result[Logger]:
        """Make a logger with its own level, format and sink, each as for `configure_logging`.

        Errors:
            INVALID_LOG_CONFIG: an argument is none of what it may be; the hint says what that is.

        >>> seen = []
        >>> log = LoggerFactory.create("shop", "debug", format="text", sink=seen, clock=lambda: 0.0)
        >>> log.unwrap().debug("opened", doors=2)
        >>> seen[0].line
        '1970-01-01T00:00:00.000Z DEBUG shop  opened  doors=2'
        """
        if not (isinstance(name, str) and name):
            return invalid(f"a logger needs a name, got {name!r}", "use __name__")
        output = _open_output(level, format, sink, {}, False, redact, clock)
        if not output:
            return output
        logger = make_logger(name)
        tune(logger, output.value)
        return success(logger)


def capture_stdlib(level: LogLevel | None = None) -> Callable[[], None]:
    """Bring every record of the standard library's `logging` to our output; give what ends it.

    One handler on the root logger does it; asked again, it stays one. Handlers that are there stay.
    A record is written where our level for its logger's name allows it.

    Args:
        level: what the root logger's level is meanwhile; by default it stays, at WARNING as a rule.

    >>> stop = capture_stdlib(LogLevel.INFO)
    >>> stop()
    """
    from .stdlib import capture  # late: it loads logging

    return capture(level)


def flush_logging(timeout: float = _TIMEOUT) -> int:
    """Wait until the background thread has written all; give how many records still wait.

    Args:
        timeout: how long at most, in seconds.
    """
    return _state.in_force().flush(timeout)


def logging_stats() -> dict[str, int]:
    """Count what went wrong since the configuration came into force: records failed and dropped.

    >>> sorted(logging_stats())
    ['dropped', 'failed', 'waiting']
    """
    return _state.in_force().stats()


def reset_logging() -> None:
    """Go back to how logging is before it is configured, as tests do; loggers follow."""
    _state.change(None)


def restore(name: str, fields: dict[str, object]) -> Logger:
    """Give the logger that a pickle names; it follows the configuration of this process."""
    return get_logger(name).with_context(**fields)


def _open_output(
    level: LogLevel | str,
    format: FormatChoice,
    sink: SinkChoice,
    levels: Mapping[str, LogLevel | str] = _NONE,
    background: bool | int = False,
    redact: bool = True,
    clock: Callable[[], float] = time,
) -> Result[Output]:
    lowest = LogLevel.from_name(level)
    if not lowest:
        return lowest
    chosen: dict[str, LogLevel] = {}
    for name, word in levels.items():
        found = LogLevel.from_name(word)
        if not found:
            return failure(found.error.with_context(logger=name))
        chosen[name] = found.value
    if not isinstance(background, int) or background < 0:
        said = f"background must be a number of records, got {background!r}"
        return invalid(said, "use True, or 1 or more")
    if not (format in (None, "json", "text") or callable(format)):
        return invalid(f"{format!r} is no log format", 'use "json", "text" or a function')
    if not callable(clock):
        return invalid(f"the clock must be a function, got {clock!r}", "use time.time")
    opened = open_sink(sink)
    if not opened:
        return opened
    to = opened.value
    isatty = getattr(to if isinstance(to, Descriptor) else sink, "isatty", None)
    write = format if callable(format) else json_format
    if format == "text" or (format is None and isatty is not None and isatty()):
        write = text_format
    capacity = _CAPACITY if background is True else int(background)
    return success(Output(lowest.value, chosen, write, to, Screen(redact), clock, capacity))
