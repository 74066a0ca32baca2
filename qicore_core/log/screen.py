"""What a value looks like in a log: plain data, without secrets, bounded, and never an exception.

Whatever a caller hands in comes out as something that JSON holds: text, numbers, lists and mappings
of them. This room must never learn where a record goes or in which format.
"""

from __future__ import annotations

from ..error import QiError
from ..error.foreign import ForeignError, name_of
from ..result import Failure
from ..secret import MASK, Secret, is_secret_name, redact_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from typing import Any, Final

__all__ = ["Screen", "behind_of", "may_hold_secret", "safe_name", "steps_of"]

_RESERVED: Final = frozenset(("timestamp", "level", "logger", "message", "correlation_id", "error"))
_MAX_TEXT: Final = 10_000  # characters of one text
_MAX_SECRET: Final = 4_096  # what is looked at beyond that, lest a cut uncover half a secret
_MAX_VALUES: Final = 500  # values of one field, those inside it counted
_MAX_DEPTH: Final = 8
_MAX_ERROR_DEPTH: Final = 24  # of a QiError as data: ten causes deep and their contexts
_MAX_ERRORS: Final = 20  # exceptions of one record: causes, and members of groups
_MAX_FRAMES: Final = 32  # of one exception, the innermost
_MAX_NAMES: Final = 1_000
_MAX_NAME: Final = 100  # characters of a name that is remembered
_SHORT: Final = 12  # no key of a known shape without "-" or "_" is as short
_CUT: Final = "..."
_NOTHING: Final[dict[str, object]] = {}
_ITEMS: Final[tuple[type[Any], ...]] = (
    list, tuple, set, frozenset, type(_NOTHING.items()), type(_NOTHING.values()),
)  # fmt: skip


class Screen:
    """Stand between values and those who read them.

    Args:
        redact: whether secrets are masked; a `Secret` is masked and an error redacted in any case.

    >>> Screen().value({"password": "hunter2", "at": ("cache", float("inf"))})
    {'password': '***', 'at': ['cache', 'inf']}
    """

    __slots__ = ("_names", "_redacts")

    def __init__(self, redact: bool = True) -> None:
        self._redacts = redact
        self._names: dict[str, bool] = {}  # a memo, bounded: is this the name of a secret

    def is_secret(self, name: str) -> bool:
        """Tell whether what has this name is masked."""
        known = self._names.get(name)
        if known is None:
            if len(self._names) >= _MAX_NAMES:
                self._names.clear()
            known = self._redacts and is_secret_name(name)
            if len(name) <= _MAX_NAME:
                self._names[name] = known
        return known

    def text(self, text: str) -> str:
        """Mask the secrets of a text and cut it to a bounded length."""
        long = len(text) > _MAX_TEXT
        if long:
            text = text[: _MAX_TEXT + _MAX_SECRET]
        if self._redacts and may_hold_secret(text):
            text = redact_text(text)
        return text[:_MAX_TEXT] + _CUT if long else text

    def fields(self, fields: Mapping[str, object]) -> dict[str, object]:
        """Give fields as plain data, under names that clash with none of a record's own."""
        return {safe_name(name): self.field(name, value) for name, value in fields.items()}

    def field(self, name: str, value: object) -> object:
        """Give the value of this name as plain data."""
        return MASK if value is not None and self.is_secret(name) else self.value(value)

    def value(self, value: object, depth: int = _MAX_DEPTH) -> object:
        """Give any value as plain data."""
        try:
            return self._plain(value, (), depth, iter(range(_MAX_VALUES)))
        except Exception as why:  # noqa: BLE001  # foreign code: it must not lose the record
            return f"<{type(value).__qualname__}: {type(why).__qualname__} when shown>"

    def error(self, error: object) -> object:
        """Give an error as data: a QiError as `to_dict` does, another by type, text and causes.

        Both with the frames of their traceback: file, line and function, never a local.
        """
        if isinstance(error, Failure):
            error = error.error
        if not isinstance(error, BaseException):
            return self.value(error)
        try:
            return self._exception(error, _MAX_ERRORS)
        except Exception as why:  # noqa: BLE001  # foreign code, as above
            return {"type": name_of(error), "text": f"{type(why).__qualname__} when shown"}

    def saying(self, error: BaseException) -> str:
        """Give the text of an exception, redacted in any case."""
        try:
            said = error.text if isinstance(error, ForeignError) else str(error)
            text = said[: _MAX_TEXT + _MAX_SECRET]
        except Exception:  # noqa: BLE001  # foreign code: it must not hide that it happened
            return ""
        return (redact_text(text) if may_hold_secret(text) else text)[:_MAX_TEXT]

    def _plain(
        self, value: Any, inside: tuple[int, ...], depth: int, left: Iterator[int]
    ) -> object:
        if value is None or isinstance(value, bool):
            return value
        if isinstance(value, str):
            return self.text(str.__str__(value))
        if isinstance(value, int):
            return _number(int(value))
        if isinstance(value, float):
            return float(value) if value - value == 0.0 else repr(float(value))
        if isinstance(value, Secret):
            return MASK
        if isinstance(value, bytes | bytearray):
            return self.text(value[: _MAX_TEXT + 1].decode("utf-8", "backslashreplace"))
        if isinstance(value, BaseException | Failure):
            return self.error(value)
        named = getattr(value, "_asdict", None) if isinstance(value, tuple) else None
        if named is not None:  # a named tuple: its names tell what is secret
            value = named()
        items = isinstance(value, _ITEMS)
        if not items and not (hasattr(type(value), "keys") and hasattr(value, "__getitem__")):
            moment = getattr(value, "isoformat", None)
            return self.text(str(value if moment is None else moment()))
        if len(inside) == depth or id(value) in inside:
            return _CUT
        inside = (*inside, id(value))
        if items:
            return self._list(value, inside, depth, left)
        return self._dict(value, inside, depth, left)

    def _list(
        self, values: Iterable[Any], inside: tuple[int, ...], depth: int, left: Iterator[int]
    ) -> object:
        out: list[object] = []
        for value in values:
            if next(left, None) is None:
                return [*out, _CUT]
            pair = isinstance(value, list | tuple) and len(value) == 2
            if pair and self._names_secret(value[0]):  # as in a list of headers
                out.append([self.text(_spelt(value[0])), MASK])
            else:
                out.append(self._plain(value, inside, depth, left))
        return out

    def _dict(
        self, mapping: Any, inside: tuple[int, ...], depth: int, left: Iterator[int]
    ) -> object:
        out: dict[str, object] = {}
        for key in mapping.keys():  # noqa: SIM118  # only keys() and [] are asked of a mapping here
            if next(left, None) is None:
                return {**out, _CUT: _CUT}
            value = mapping[key]
            hidden = value is not None and self._names_secret(key)
            name = self.text(_spelt(key))
            out[name] = MASK if hidden else self._plain(value, inside, depth, left)
        return out

    def _names_secret(self, key: object) -> bool:
        return isinstance(key, str | bytes) and self.is_secret(_spelt(key))

    def _exception(self, error: BaseException, left: int) -> object:
        """Give an exception, and behind it as many more as are left."""
        steps = steps_of(error)
        frames = [{"file": file, "line": line, "function": name} for file, line, name in steps]
        if isinstance(error, QiError):
            data: Any = self.value(error.to_dict(), _MAX_ERROR_DEPTH)
            return {**data, "frames": frames} if frames else data
        out: dict[str, object] = {"type": name_of(error), "text": self.saying(error)}
        if frames:
            out["frames"] = frames
        if isinstance(error, BaseExceptionGroup):
            shown = error.exceptions[:left]
            out["errors"] = [self._exception(one, max(left // len(shown) - 1, 0)) for one in shown]
        behind = behind_of(error)
        if behind is not None:
            out["cause"] = self._exception(behind, left - 1) if left > 0 else _CUT
        return out


def safe_name(name: str) -> str:
    """Give the name of a field; one that a record needs itself gets a `_` behind it.

    So does a reserved name that has one already, so that two names never become the same.

    >>> [safe_name(name) for name in ("user", "level", "level_")]
    ['user', 'level_', 'level__']
    """
    return name + "_" if name.rstrip("_") in _RESERVED else name


def may_hold_secret(text: str) -> bool:
    """Tell whether `redact_text` could change a text; quick, and right whenever it says no.

    >>> may_hold_secret("user logged in"), may_hold_secret("see redis://bob:hunter2@cache")
    (False, True)
    """
    if ":" in text or "=" in text or "earer" in text or "asic" in text:
        return True
    if len(text) > _SHORT and ("eyJ" in text or "AKIA" in text or "AIza" in text):
        return True
    return ("-" in text or "_" in text) and (
        "k-" in text
        or "k_" in text
        or "gh" in text
        or "pat" in text
        or "hf_" in text
        or "xox" in text
    )


def _spelt(key: object) -> str:
    return key.decode("latin-1") if isinstance(key, bytes) else str(key)


def _number(number: int) -> object:
    try:
        str(number)
    except ValueError:  # it has more digits than Python prints
        return f"<a number of {number.bit_length()} bits>"
    return number


def behind_of(error: BaseException) -> BaseException | None:
    """Give what a traceback would print above this one."""
    if error.__cause__ is not None or error.__suppress_context__:
        return error.__cause__
    return error.__context__


def steps_of(error: BaseException) -> list[tuple[str, int, str]]:
    """Give the innermost steps of a traceback as (file, line, function)."""
    steps = []
    step = error.__traceback__
    while step is not None:
        code = step.tb_frame.f_code
        steps.append((code.co_filename, step.tb_lineno, code.co_qualname))
        step = step.tb_next
    return steps[-_MAX_FRAMES:]
