"""What a value looks like in a log: plain data, without secrets, bounded, and never an exception.

Whatever a caller hands in comes out as something that JSON holds: text, numbers, lists and mappings
of them. This room must never learn where a record goes or in which format.
"""

from __future__ import annotations

from contextvars import ContextVar

from ..error import QiError
from ..error.foreign import name_of, text_of
from ..result import Failure
from ..secret import MASK, Redactor, is_secret_name, redact_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any, Final, TypeAlias

    Step: TypeAlias = tuple[str, int, str]  # file, line, function

__all__ = ["Screen", "frame_of", "safe_name"]

_RESERVED: Final = frozenset(("timestamp", "level", "logger", "message", "correlation_id", "error"))
_MAX_TEXT: Final = 10_000  # characters of one text
_MAX_VALUES: Final = 500  # values of one field, those inside it counted
_MAX_BITS: Final = 4_096  # Python prints no number of more than 4,300 digits
_MAX_ERRORS: Final = 20  # exceptions of one record: causes, and members of groups
_MAX_FRAMES: Final = 32  # of one exception, the innermost
_MAX_NAMES: Final = 1_000
_MAX_NAME: Final = 100  # characters of a name that is remembered
_CUT: Final = "..."
_SHOWING: Final[ContextVar[bool]] = ContextVar("qicore_log_showing", default=False)


class Screen(Redactor):
    """Stand between values and those who read them.

    Args:
        redact: whether secrets are masked; a `Secret` is masked and an error redacted in any case.

    >>> Screen().value({"password": "hunter2", "at": ("cache", float("inf"))})
    {'password': '***', 'at': ['cache', 'inf']}
    """

    __slots__ = ("_names", "_redacts")

    depth = 24  # so that a QiError has room: ten causes deep, and their contexts

    def __init__(self, redact: bool = True) -> None:
        self._redacts = redact
        self._names: dict[str, bool] = {}  # a memo, bounded: is this the name of a secret

    def fields(self, fields: Mapping[str, object]) -> dict[str, object]:
        """Give fields as plain data, under names that clash with none of a record's own."""
        return {safe_name(name): self.field(name, value) for name, value in fields.items()}

    def field(self, name: str, value: object) -> object:
        """Give the value of this name as plain data."""
        return MASK if value is not None and self.is_secret(name) else self.value(value)

    def value(self, value: object) -> object:
        """Give any value as plain data."""
        return self.copy(value, iter(range(_MAX_VALUES)))

    def text(self, text: str) -> str:
        """Mask the secrets of a text and cut it to a bounded length."""
        if self._redacts:
            return redact_text(text, limit=_MAX_TEXT)
        return text if len(text) <= _MAX_TEXT else text[: _MAX_TEXT - 3] + _CUT

    def error(self, error: object) -> object:
        """Give an error as data: a QiError as `to_dict` does, another by type, text and causes.

        Both with the frames of their traceback: file, line and function, never a local.
        """
        return _with_frames(*self.outline(error))

    def outline(self, error: object) -> tuple[Any, list[Step]]:
        """Give an error as data, and the steps that led to it."""
        if isinstance(error, Failure):
            error = error.error
        if not isinstance(error, BaseException):
            return self.value(error), []
        try:
            return self._exception(error, _MAX_ERRORS), _steps_of(error)
        except Exception as why:  # noqa: BLE001  # foreign code: it must not lose the record
            return {"type": name_of(error), "text": f"{type(why).__qualname__} when shown"}, []

    def is_secret(self, name: str, /) -> bool:
        """Tell whether what has this name is masked."""
        known = self._names.get(name)
        if known is None:
            if len(self._names) >= _MAX_NAMES:
                self._names.clear()
            known = self._redacts and is_secret_name(name)
            if len(name) <= _MAX_NAME:
                self._names[name] = known
        return known

    def leaf(self, value: object, /) -> object:
        """Give a value that is no container as plain data."""
        if value is None or isinstance(value, bool):
            return value
        if isinstance(value, str):
            return self.text(str.__str__(value))
        if isinstance(value, int):
            bits = value.bit_length()
            return int(value) if bits <= _MAX_BITS else f"<a number of {bits} bits>"
        if isinstance(value, float):
            return float(value) if value - value == 0.0 else repr(float(value))
        if isinstance(value, bytes | bytearray):
            return self.text(value[: 2 * _MAX_TEXT].decode("utf-8", "backslashreplace"))
        if isinstance(value, BaseException | Failure):
            return self.error(value)
        return self.text(_shown(getattr(type(value), "isoformat", str), value, _kind_of(value)))

    def key(self, key: Any, /) -> str:
        """Give a key as text."""
        return str(self.leaf(key))

    def broken(self, value: object, why: Exception, /) -> object:
        """Name a value whose own code fails: it must not lose the record."""
        return f"<{type(value).__qualname__}: {type(why).__qualname__} when shown>"

    def _exception(self, error: BaseException, left: int) -> Any:
        """Give an exception without its own steps, and behind it as many more as are left."""
        if isinstance(error, QiError):
            return self.value(_shown(QiError.to_dict, error, None) or {"code": error.code})
        out: dict[str, object] = {
            "type": name_of(error),
            "text": _shown(text_of, error, "")[:_MAX_TEXT],
        }
        if isinstance(error, BaseExceptionGroup):
            held = error.exceptions[:left]
            out["errors"] = [self._behind(one, max(left // len(held) - 1, 0)) for one in held]
        behind = error.__cause__  # what a traceback would print above this one
        if behind is None and not error.__suppress_context__:
            behind = error.__context__
        if behind is not None:
            out["cause"] = self._behind(behind, left - 1) if left > 0 else _CUT
        return out

    def _behind(self, error: BaseException, left: int) -> object:
        return _with_frames(self._exception(error, left), _steps_of(error))


def safe_name(name: str) -> str:
    """Give the name of a field; one that a record needs itself gets a `_` behind it.

    So does a reserved name that has one already, so that two names never become the same.

    >>> [safe_name(name) for name in ("user", "level", "level_")]
    ['user', 'level_', 'level__']
    """
    return name + "_" if name.rstrip("_") in _RESERVED else name


def frame_of(step: Step) -> dict[str, object]:
    """Give a step of a traceback as data."""
    return dict(zip(("file", "line", "function"), step, strict=True))


def _shown(show: Callable[[Any], Any], value: object, unshown: Any) -> Any:
    """Let a value show itself; what it logs meanwhile shows no such value, lest it never end."""
    if _SHOWING.get():
        return unshown
    token = _SHOWING.set(True)
    try:
        return show(value)
    finally:
        _SHOWING.reset(token)


def _kind_of(value: object) -> str:
    return f"<{type(value).__qualname__}>"


def _with_frames(data: Any, steps: list[Step]) -> Any:
    return {**data, "frames": [frame_of(step) for step in steps]} if steps else data


def _steps_of(error: BaseException) -> list[Step]:
    """Give the innermost steps of a traceback."""
    steps: list[Step] = []
    step = error.__traceback__
    while step is not None:
        code = step.tb_frame.f_code
        steps.append((code.co_filename, step.tb_lineno, code.co_qualname))
        step = step.tb_next
    return steps[-_MAX_FRAMES:]
