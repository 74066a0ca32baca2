"""How the room says what is wrong: every error of configuration is made here."""

from __future__ import annotations

from ..codes import CONFIG_LIMIT_EXCEEDED, CONFIG_PARSE_ERROR
from ..error import QiError
from ..error.qi_error import again
from .key import printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any, Final

__all__ = ["MAX_BYTES", "MAX_DEPTH", "config_error", "parse_error", "several", "too_deep"]

MAX_BYTES: Final = 10 * 1024 * 1024
MAX_DEPTH: Final = 64


def config_error(
    code: str,
    message: str,
    /,
    hint: str | None = None,
    cause: BaseException | None = None,
    **context: Any,
) -> QiError:
    """Make an error of this room; what cannot be printed is escaped in its message and hint."""
    message, hint = printable(message), printable(hint) if hint else None
    return QiError.configuration(code, message, hint=hint, cause=cause, source="config", **context)


def several(errors: Iterable[QiError], code: str, message: str | None = None, /) -> QiError:
    """Make one error of all."""
    return again(QiError.aggregate(errors, code=code, message=message), source="config")


def parse_error(name: str, place: tuple[int, int], reason: str, hint: str = "", /) -> QiError:
    """Make the error that says at which line and column a text cannot be read."""
    line, column = place
    return config_error(
        CONFIG_PARSE_ERROR,
        f"{name}:{line}:{column}: {reason}",
        hint or f"mend line {line}",
        file=name,
        line=line,
        column=column,
    )


def too_deep(what: str, /) -> QiError:
    """Make the error of what is nested too deep: a text's line, a key, a variable."""
    return config_error(
        CONFIG_LIMIT_EXCEEDED,
        f"{what} is nested deeper than {MAX_DEPTH} levels",
        "a configuration this deep is a mistake or refers to itself",
    )
