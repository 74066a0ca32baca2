"""The logger: what a program says things with.

Each name has a class of its own, a subclass of Logger without more state: a level that is off is a
method of that class that does nothing. So a disabled call costs what calling nothing costs, and one
change of the class reaches every logger of the name and all that are bound to fields.
"""

from __future__ import annotations

from sys import exception as current_exception
from time import perf_counter

from ..error import QiError
from ..result import Failure
from .level import LogLevel

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, ClassVar, Final, Self, TypeVar

    from .output import Output

    T = TypeVar("T")

__all__ = ["Logger", "Timed", "make_logger", "tune"]

_TRACE, _DEBUG, _INFO, _WARN, _ERROR, _FATAL = LogLevel  # a global is found sooner
_NO_FIELDS: Final[dict[str, object]] = {}


class Logger:
    """Says what happened, at six levels. Made by `get_logger` or `LoggerFactory.create`; immutable.

    Every method takes a message, an error (an exception, a QiError or the Failure that holds one;
    its type is object so that a caller's `**fields` may be of any type) and fields. None of them
    raises, waits longer than a write takes, or changes what it is given.

    >>> from qicore_core.log import LoggerFactory
    >>> seen = []
    >>> log = LoggerFactory.create("shop", sink=seen).unwrap()
    >>> log.with_context(order=7).info("paid", amount=9.5, card_token="tok_1")
    >>> seen[0].message, seen[0].fields
    ('paid', {'order': 7, 'amount': 9.5, 'card_token': '***'})

    Attributes:
        name: dotted, as levels are chosen: "app.db".
        level: the lowest level that is written.
        trace_enabled: whether `trace` writes, and so on for each level: for hot paths, where
            even making the fields costs too much.
    """

    __slots__ = ("_by", "_fields", "_text")

    name: ClassVar[str]
    level: ClassVar[LogLevel]
    trace_enabled: ClassVar[bool]
    debug_enabled: ClassVar[bool]
    info_enabled: ClassVar[bool]
    warn_enabled: ClassVar[bool]
    error_enabled: ClassVar[bool]
    fatal_enabled: ClassVar[bool]

    _output: ClassVar[Output]
    _emit: ClassVar[Any]  # the output's Emitter, as a method
    _fields: dict[str, object]
    _by: Any
    _text: str

    def __new__(cls, *_: object) -> Self:
        """Refuse: a logger is made by the door that gives it an output."""
        raise TypeError("make a logger by get_logger(name) or LoggerFactory.create(name)")

    def trace(self, message: str, /, error: object = None, **fields: object) -> None:
        """Say a step that matters only to who follows the code."""
        self._emit(_TRACE, message, error, fields)

    def debug(self, message: str, /, error: object = None, **fields: object) -> None:
        """Say what helps to find a fault."""
        self._emit(_DEBUG, message, error, fields)

    def info(self, message: str, /, error: object = None, **fields: object) -> None:
        """Say what happened, as it should."""
        self._emit(_INFO, message, error, fields)

    def warn(self, message: str, /, error: object = None, **fields: object) -> None:
        """Say what is not as it should be, and did no harm yet."""
        self._emit(_WARN, message, error, fields)

    warning = warn

    def error(self, message: str, /, error: object = None, **fields: object) -> None:
        """Say what failed."""
        self._emit(_ERROR, message, error, fields)

    def exception(self, message: str, /, error: object = None, **fields: object) -> None:
        """Say what failed, at level ERROR, with the exception that is being handled."""
        self._emit(_ERROR, message, current_exception() if error is None else error, fields)

    def fatal(self, message: str, /, error: object = None, **fields: object) -> None:
        """Say why the program cannot go on."""
        self._emit(_FATAL, message, error, fields)

    def log(self, level: LogLevel, message: str, /, error: object = None, **fields: object) -> None:
        """Say something at a level that is known only now."""
        if level >= self.level:
            self._emit(level, message, error, fields)

    def is_level_enabled(self, level: LogLevel, /) -> bool:
        """Tell whether a record of this level is written."""
        return level >= self.level

    def with_context(self, /, **fields: object) -> Self:
        """Give a logger that adds these fields to every record; the new value wins on a clash.

        They are rendered once, with the first record.
        """
        bound = object.__new__(type(self))
        bound._fields = {**self._fields, **fields}
        bound._by = None
        return bound

    def timed(
        self, operation: str, /, *, level: LogLevel = LogLevel.INFO, **fields: object
    ) -> Timed:
        """Say, when the block ends, how long it took and how it went.

        Args:
            operation: the message.
            level: of success; a failure has the level of its category, an exception is an ERROR.
            fields: to go with `duration` (in seconds) and `outcome`.

        >>> from qicore_core.log import LoggerFactory
        >>> from qicore_core.result import success
        >>> seen = []
        >>> log = LoggerFactory.create("shop", sink=seen).unwrap()
        >>> with log.timed("count") as timing:
        ...     timing.result(success(3))
        Success(3)
        >>> seen[0].message, seen[0].fields["outcome"]
        ('count', 'ok')
        """
        return Timed(self, operation, level, fields)

    def __repr__(self) -> str:
        bound = "".join([f", {name}" for name in self._fields])
        return f"<Logger {self.name}: {self.level}{bound}>"

    def __copy__(self, _: object = None, /) -> Self:
        return self

    __deepcopy__ = __copy__

    def __reduce__(self) -> tuple[object, ...]:
        from .configure import restore  # late: it stands on this module

        return restore, (self.name, self._fields)


class Timed:
    """A block that logs its duration and outcome.

    The outcome is "ok"; "failed" for a Failure and for an exception, which passes on; "cancelled"
    for what is no failure: cancellation, KeyboardInterrupt, SystemExit.
    """

    __slots__ = ("_fields", "_level", "_logger", "_operation", "_result", "_started")

    def __init__(
        self, logger: Logger, operation: str, level: LogLevel, fields: dict[str, object]
    ) -> None:
        self._logger = logger
        self._operation = operation
        self._level = level
        self._fields = fields
        self._result: object = None
        self._started = 0.0

    def result(self, result: T, /) -> T:
        """Let the outcome be that of a Result, and give it back."""
        self._result = result
        return result

    def __enter__(self) -> Self:
        self._result = None
        self._started = perf_counter()
        return self

    def __exit__(self, kind: object, exc: BaseException | None, tb: object, /) -> None:
        level, outcome = self._level, "ok"
        error = exc
        if exc is None and isinstance(self._result, Failure):
            error = self._result.error
        if isinstance(error, Exception):
            outcome = "failed"
            loud = error.category.log_level if isinstance(error, QiError) else "error"
            level = LogLevel(loud)
        elif error is not None:
            outcome = "cancelled"
        fields = {**self._fields, "duration": perf_counter() - self._started, "outcome": outcome}
        if self._logger.is_level_enabled(level):
            self._logger._emit(level, self._operation, error, fields)


def make_logger(name: str) -> Logger:
    """Make the class of a name and its logger, bound to nothing; `tune` makes it write."""
    kind = type("Logger", (Logger,), {"__slots__": (), "__module__": __name__, "name": name})
    logger: Logger = object.__new__(kind)
    logger._fields = _NO_FIELDS
    logger._by = None
    return logger


def tune(logger: Logger, output: Output) -> None:
    """Let a logger, and all that are bound from it, write to this output."""
    kind: Any = type(logger)
    kind._output = output
    kind._emit = output.emitter(logger.name)
    kind.level = level = output.level_of(logger.name)
    for one in LogLevel:
        enabled = one >= level
        setattr(kind, f"{one}_enabled", enabled)
        for method in _METHODS[one]:
            setattr(kind, method, getattr(Logger, method) if enabled else _NOTHING)


# What the methods of a disabled level are. It is C, takes whatever it is given and, unlike any
# function with **fields, makes no dict of it: a third of what the shortest Python no-op costs.
_NOTHING: Final = type.__prepare__

_METHODS: Final = {level: (str(level),) for level in LogLevel} | {
    LogLevel.WARN: ("warn", "warning"),
    LogLevel.ERROR: ("error", "exception"),
}
