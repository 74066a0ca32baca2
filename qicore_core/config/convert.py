"""One value as one type: what each type takes, in a table by name.

The table goes by name so that nobody pays for decimal, uuid or datetime who has no such field. A
text that reads as the type is taken from wherever it comes; nothing else is ever converted, so
that true is no 1, 1 is no "1", and "false" is never true.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any, Final, TypeAlias

    Convert: TypeAlias = Callable[[Any, Any], object]

__all__ = ["choice", "member", "scalar"]

_TRUE: Final = ("true", "yes", "on", "1")
_FALSE: Final = ("false", "no", "off", "0")

_UNITS: Final = {
    "ms": "milliseconds",
    "us": "microseconds",
    "d": "days",
    "h": "hours",
    "m": "minutes",
    "s": "seconds",
}
_DURATION: Final = r"(\d{1,9}(?:\.\d{1,9})?)\s?(ms|us|d|h|m|s)\s?"


def scalar(kind: Any, /) -> tuple[str, Convert] | None:
    """Give what a type expects, in words, and what converts a value to it; None for other types.

    The function is called with the type and the value, and raises a ValueError or an
    ArithmeticError where the value does not fit.
    """
    if not isinstance(kind, type):
        return None
    if hasattr(kind, "__fspath__"):
        return "a path", _path
    package = kind.__module__.partition(".")[0]
    return _SCALARS.get(f"{package}.{kind.__qualname__}")


def choice(choices: tuple[object, ...], value: object, is_text: bool, /) -> object:
    """Give the one of the choices that a value is, or is the text of; a ValueError if none is."""
    for one in choices:
        if type(one) is type(value) and one == value:
            return one
    if is_text:
        for one in choices:
            if not isinstance(one, str) and str(one).casefold() == str(value).casefold():
                return one
    raise ValueError


def member(members: Mapping[str, Any], value: object, /) -> object:
    """Give the member of an enum with a value, or by its name; a ValueError if there is none."""
    for one in members.values():
        if one is value or (type(one.value) is type(value) and one.value == value):
            return one
    if isinstance(value, str):
        for name, one in members.items():
            if value.casefold() in (name.casefold(), str(one.value).casefold()):
                return one
    raise ValueError


def _text(kind: Any, value: object) -> object:
    if isinstance(value, str):
        return value
    raise ValueError


def _whole(kind: Any, value: object) -> object:
    if type(value) is int:
        return value
    if isinstance(value, str):
        return int(value)
    raise ValueError


def _number(kind: Any, value: object) -> object:
    if isinstance(value, str) or type(value) in (int, float):
        return float(value)  # type: ignore[arg-type]  # one of the three
    raise ValueError


def _truth(kind: Any, value: object) -> object:
    if isinstance(value, bool):
        return value
    if isinstance(value, str):
        word = value.strip().lower()
        if word in _TRUE or word in _FALSE:
            return word in _TRUE
    raise ValueError


def _decimal(kind: Any, value: object) -> object:
    if isinstance(value, str | kind) or type(value) in (int, float):
        return kind(str(value).strip())  # by its text: Decimal(0.1) is not 0.1
    raise ValueError


def _uuid(kind: Any, value: object) -> object:
    if isinstance(value, str):
        return kind(value.strip())
    if isinstance(value, kind):
        return value
    raise ValueError


def _moment(kind: Any, value: object) -> object:
    if isinstance(value, str):
        return kind.fromisoformat(value.strip())
    if type(value) is kind:  # a datetime is a date to isinstance
        return value
    raise ValueError


def _duration(kind: Any, value: object) -> object:
    if isinstance(value, kind):
        return value
    if type(value) in (int, float):
        return kind(seconds=value)
    if isinstance(value, str):
        from re import findall, fullmatch  # late: few have such a field

        text = value.strip().lower()
        if not fullmatch(f"(?:{_DURATION})+", text):
            return kind(seconds=float(text))
        parts = [kind(**{_UNITS[unit]: float(number)}) for number, unit in findall(_DURATION, text)]
        return sum(parts, kind())
    raise ValueError


def _path(kind: Any, value: object) -> object:
    if value and (isinstance(value, str) or hasattr(value, "__fspath__")):
        return kind(value)
    raise ValueError  # an empty text too: Path("") would be the working directory


_SCALARS: Final[Mapping[str, tuple[str, Convert]]] = {
    "builtins.str": ("text", _text),
    "builtins.int": ("a whole number", _whole),
    "builtins.float": ("a number", _number),
    "builtins.bool": ("true or false", _truth),
    "decimal.Decimal": ("a decimal number", _decimal),
    "uuid.UUID": ("a UUID", _uuid),
    "datetime.datetime": ("a date and time such as 2030-01-31T12:30:00Z", _moment),
    "datetime.date": ("a date such as 2030-01-31", _moment),
    "datetime.time": ("a time such as 12:30:00", _moment),
    "datetime.timedelta": ('a duration such as 30 (seconds), "500ms" or "1h30m"', _duration),
}
