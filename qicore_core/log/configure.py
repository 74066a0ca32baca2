"""The one logging configuration of a program, and the loggers that follow it.

Nothing is configured by import: until `configure_logging` is called, what is logged from INFO on
goes to stderr, as text on a terminal, else as JSON.
"""

from __future__ import annotations

from time import time

from ..codes import INVALID_LOG_CONFIG
from ..error import QiError
from ..result import failure, success
from .encode import JsonFormat, text_format
from .level import LogLevel
from .logger import make_logger, tune
from .output import Output
from .screen import Screen
from .sink import open_sink

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any, Final, Literal, TypeAlias

    from ..result import Result
    from .encode import Format
    from .logger import Logger
    from .sink import SinkChoice

    FormatChoice: TypeAlias = Literal["json", "text"] | Format | None

__all__ = [
    "LoggerFactory",
    "configure_logging",
    "flush_logging",
    "get_logger",
    "logging_stats",
    "reset_logging",
    "restore",
]

_CAPACITY: Final = 10_000
_TIMEOUT: Final = 5.0


class _Configuration:
    """What the followers follow: an output, a level, and levels by name."""

    __slots__ = ("level", "levels", "output")

    def __init__(self, output: Output, level: LogLevel, levels: dict[str, LogLevel]) -> None:
        self.output = output
        self.level = level
        self.levels = levels

    def level_of(self, name: str) -> LogLevel:
        """Give the level of the longest dotted beginning of a name that has one."""
        while name:
            if name in self.levels:
                return self.levels[name]
            name = name.rpartition(".")[0]
        return self.level


class _State:
    """The configuration in force, made when first needed, and who follows it."""

    __slots__ = ("configuration", "followers")

    def __init__(self) -> None:
        self.configuration: _Configuration | None = None
        self.followers: dict[str, Logger] = {}

    def in_force(self) -> _Configuration:
        if self.configuration is None:
            output = _open_output(None, None, True, time, 0).unwrap()
            self.configuration = _Configuration(output, LogLevel.INFO, {})
        return self.configuration

    def change(self, configuration: _Configuration | None) -> None:
        """Put another configuration, or the first one again, in force for all followers."""
        before, self.configuration = self.configuration, configuration
        for logger in tuple(self.followers.values()):
            self.tune(logger)
        if before is not None:
            before.output.close(_TIMEOUT)

    def tune(self, logger: Logger) -> None:
        known = None
        while known is not self.configuration or known is None:  # it may change meanwhile
            known = self.in_force()
            tune(logger, known.level_of(logger.name), known.output)


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
    lowest = LogLevel.from_name(level)
    if not lowest:
        return lowest
    chosen: dict[str, LogLevel] = {}
    for name, word in (levels or {}).items():
        found = LogLevel.from_name(word)
        if not found:
            return failure(found.error.with_context(logger=name))
        chosen[name] = found.value
    if not isinstance(background, int) or background < 0:
        return _invalid(
            f"background must be a number of records, got {background!r}", "use True, or 1 or more"
        )
    capacity = _CAPACITY if background is True else int(background)
    output = _open_output(format, sink, redact, clock, capacity)
    if not output:
        return output
    _state.change(_Configuration(output.value, lowest.value, chosen))
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
            return _invalid(f"a logger needs a name, got {name!r}", "use __name__")
        lowest = LogLevel.from_name(level)
        if not lowest:
            return lowest
        output = _open_output(format, sink, redact, clock, 0)
        if not output:
            return output
        logger = make_logger(name)
        tune(logger, lowest.value, output.value)
        return success(logger)


def flush_logging(timeout: float = _TIMEOUT) -> int:
    """Wait until the background thread has written all; give how many records still wait.

    Args:
        timeout: how long at most, in seconds.
    """
    return _state.in_force().output.flush(timeout)


def logging_stats() -> dict[str, int]:
    """Count what went wrong since the configuration came into force: records failed and dropped.

    >>> sorted(logging_stats())
    ['dropped', 'failed', 'waiting']
    """
    output = _state.in_force().output
    background = output.background
    return {
        "failed": output.failed,
        "dropped": 0 if background is None else background.dropped,
        "waiting": 0 if background is None else background.waiting,
    }


def reset_logging() -> None:
    """Go back to how logging is before it is configured, as tests do; loggers follow."""
    _state.change(None)


def restore(name: str, fields: dict[str, object]) -> Logger:
    """Give the logger that a pickle names; it follows the configuration of this process."""
    return get_logger(name).with_context(**fields)


def _open_output(
    format: Any,
    sink: SinkChoice,
    redact: bool,
    clock: Callable[[], float],
    capacity: int,
) -> Result[Output]:
    if not (format in (None, "json", "text") or callable(format)):
        return _invalid(f"{format!r} is no log format", 'use "json", "text" or a function')
    if not callable(clock):
        return _invalid(f"the clock must be a function, got {clock!r}", "use time.time")
    opened = open_sink(sink)
    if not opened:
        return opened
    screen = Screen(redact)
    chosen: Any = format
    if format == "text" or (format is None and opened.value.is_terminal()):
        chosen = text_format
    elif not callable(format):
        chosen = JsonFormat(screen)
    return success(Output(chosen, opened.value, screen, clock, capacity))


def _invalid(message: str, hint: str) -> Result[Any]:
    return failure(QiError.configuration(INVALID_LOG_CONFIG, message, hint=hint, source="log"))
