"""How loud a record is: six levels in order, `LogLevel.TRACE` to `LogLevel.FATAL`."""

from __future__ import annotations

from ..codes import INVALID_LOG_CONFIG
from ..error import QiError
from ..result import failure, success

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import ClassVar, Final, final

    from ..result import Result
else:
    from ..lean import final

__all__ = ["LogLevel"]


class _Levels(type):
    """Make the class itself iterable: `for level in LogLevel`."""

    def __iter__(cls) -> Iterator[LogLevel]:
        return iter(_LEVELS.values())

    def __len__(cls) -> int:
        return len(_LEVELS)


@final
class LogLevel(int, metaclass=_Levels):
    """How loud a record is. An `int`, so that levels compare; the numbers are those of `logging`.

    `LogLevel("info")` and `LogLevel(20)` give the one object of that name or number; anything else
    is a ValueError.

    >>> LogLevel.DEBUG < LogLevel("warning"), str(LogLevel.WARN), list(LogLevel)[0]
    (True, 'warn', LogLevel.TRACE)
    """

    __slots__ = ()

    TRACE: ClassVar[LogLevel]
    DEBUG: ClassVar[LogLevel]
    INFO: ClassVar[LogLevel]
    WARN: ClassVar[LogLevel]
    ERROR: ClassVar[LogLevel]
    FATAL: ClassVar[LogLevel]

    def __new__(cls, level: int | str, /) -> LogLevel:
        """Give the level of a name, in any case, or of a number."""
        if isinstance(level, str):
            word = level.strip().lower()
            name = _OTHER_WORDS.get(word, word)
        else:
            name = _NAMES.get(level, "")
        found = _LEVELS.get(name)
        if found is None:
            raise ValueError(f"{level!r} is no log level; there are: {', '.join(_LEVELS)}")
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
            return failure(
                QiError.configuration(
                    INVALID_LOG_CONFIG,
                    f"{name!r} is no log level",
                    hint=f"use one of {', '.join(_LEVELS)}",
                    source="log",
                )
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


_LEVELS: Final[dict[str, LogLevel]] = {}
_NAMES: Final[dict[int, str]] = {}
_OTHER_WORDS: Final = {"warning": "warn", "critical": "fatal"}


def _define_levels() -> None:
    for name, number in (
        ("trace", 5), ("debug", 10), ("info", 20), ("warn", 30), ("error", 40), ("fatal", 50),
    ):  # fmt: skip
        level = int.__new__(LogLevel, number)
        _LEVELS[name] = level
        _NAMES[number] = name
        type.__setattr__(LogLevel, name.upper(), level)


_define_levels()
