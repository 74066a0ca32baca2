"""How loud a record is: six levels in order, `LogLevel.TRACE` to `LogLevel.FATAL`."""

from __future__ import annotations

from ..codes import INVALID_LOG_CONFIG
from ..error import QiError
from ..lean import Members
from ..result import failure, success

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, ClassVar, Final, final

    from ..result import Result
else:
    from ..lean import final

__all__ = ["LogLevel", "invalid"]


@final
class LogLevel(int, metaclass=Members):
    """How loud a record is. An `int`, so that levels compare; the numbers are those of `logging`.

    `LogLevel("info")` and `LogLevel(20)` give the one object of that name or number; anything else
    is a ValueError.

    >>> LogLevel.DEBUG < LogLevel("warning"), str(LogLevel.WARN), list(LogLevel)[0]
    (True, 'warn', LogLevel.TRACE)
    """

    __slots__ = ()
    _members: ClassVar[dict[str, LogLevel]] = {}

    TRACE: ClassVar[LogLevel]
    DEBUG: ClassVar[LogLevel]
    INFO: ClassVar[LogLevel]
    WARN: ClassVar[LogLevel]
    ERROR: ClassVar[LogLevel]
    FATAL: ClassVar[LogLevel]

    def __new__(cls, level: int | str, /) -> LogLevel:
        """Give the level of a name, in any case, or of a number."""
        found = _LEVELS.get(level.strip().lower() if isinstance(level, str) else level)
        if found is None:
            raise ValueError(f"{level!r} is no log level; there are: {', '.join(cls._members)}")
        return found

    @staticmethod
    def from_name(name: int | str, /) -> Result[LogLevel]:
        """Give the level of a name from outside; `warning` and `critical` are known too.

        Errors:
            INVALID_LOG_CONFIG: there is no such level.
        """
        try:
            return success(LogLevel(name))
        except (TypeError, ValueError):
            return invalid(
                f"{name!r} is no log level", f"use one of {', '.join(LogLevel._members)}"
            )

    @property
    def name(self) -> str:
        """Its name in upper case, as it is spelt in code."""
        return _NAMES[self].upper()

    def __str__(self) -> str:
        return _NAMES[self]

    def __repr__(self) -> str:
        return f"LogLevel.{self.name}"

    def __reduce__(self) -> tuple[type, tuple[str]]:
        return LogLevel, (_NAMES[self],)


def invalid(message: str, hint: str, cause: Exception | None = None) -> Result[Any]:
    """Refuse what nobody can log by."""
    return failure(
        QiError.configuration(INVALID_LOG_CONFIG, message, hint=hint, source="log", cause=cause)
    )


_NAMES: Final[dict[int, str]] = {}
_LEVELS: Final[dict[int | str, LogLevel]] = {}


def _define_levels() -> None:
    for number, name, *others in (
        (5, "trace"), (10, "debug"), (20, "info"), (30, "warn", "warning"), (40, "error"),
        (50, "fatal", "critical"),
    ):  # fmt: skip
        level = int.__new__(LogLevel, number)
        LogLevel._members[name] = level
        _NAMES[number] = name
        _LEVELS.update(dict.fromkeys((number, name, *others), level))
        setattr(LogLevel, name.upper(), level)


_define_levels()
