"""Other people's exceptions: their names, texts and places, and how to let go of them.

Nothing here keeps an exception's frames: frames hold locals, and locals hold connections and
secrets.
"""

from __future__ import annotations

from ..secret import redact_text
from .category import ErrorCategory

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType
    from typing import Final

__all__ = [
    "ForeignError",
    "category_of",
    "leaves",
    "name_of",
    "place_of",
    "release",
    "repr_of",
    "text_of",
]

_MAX_REPR: Final = 1000


class ForeignError(Exception):
    """Stand for another library's exception where that cannot go: pickle, copy, `from_dict`.

    Attributes:
        type_name: the exception's type, with its module unless it is a builtin:
            "redis.exceptions.TimeoutError".
        text: its text, redacted.
    """

    def __init__(self, type_name: str, text: str, /) -> None:
        text = redact_text(text)
        super().__init__(type_name, text)
        self.type_name = type_name
        self.text = text

    def __str__(self) -> str:
        return f"{self.type_name}: {self.text}" if self.text else self.type_name


def name_of(exception: BaseException, /) -> str:
    """Name an exception's type, with its module unless it is a builtin."""
    if isinstance(exception, ForeignError):
        return exception.type_name
    kind = type(exception)
    return (
        kind.__qualname__
        if kind.__module__ == "builtins"
        else f"{kind.__module__}.{kind.__qualname__}"
    )


def text_of(exception: BaseException, /) -> str:
    """Give an exception's text, redacted; one whose `__str__` fails has none."""
    if isinstance(exception, ForeignError):
        return exception.text
    try:
        return redact_text(str(exception))
    except Exception:  # noqa: BLE001  # foreign code, see below
        # an exception that cannot say itself must not hide that it happened
        return ""


def repr_of(value: object, /) -> str:
    """Give a value's repr, redacted and cut at 1,000 characters, or its type's name if it fails."""
    try:
        text = repr(value)
    except Exception:  # noqa: BLE001  # foreign code, see below
        # a value that cannot show itself must not hide the error that carries it
        text = f"<{type(value).__qualname__}>"
    return redact_text(text)[:_MAX_REPR]


def category_of(exception: BaseException, /) -> ErrorCategory:
    """Judge by builtin type where that says enough, else UNKNOWN; never by text."""
    for kind, category in (
        (TimeoutError, ErrorCategory.TIMEOUT),
        (ConnectionError, ErrorCategory.NETWORK),
        (FileNotFoundError, ErrorCategory.NOT_FOUND),
        (PermissionError, ErrorCategory.PERMISSION),
        (MemoryError, ErrorCategory.EXHAUSTED),
    ):
        if isinstance(exception, kind):
            return category
    return ErrorCategory.UNKNOWN


def place_of(exception: BaseException, /) -> str | None:
    """Say where it was raised, "file.py:12 in function", or None for one that never was."""
    traceback: TracebackType | None = exception.__traceback__
    if traceback is None:
        return None
    while traceback.tb_next is not None:
        traceback = traceback.tb_next
    code = traceback.tb_frame.f_code
    return f"{code.co_filename}:{traceback.tb_lineno} in {code.co_qualname}"


def leaves(group: BaseExceptionGroup[BaseException], /) -> Iterator[BaseException]:
    """Walk the exceptions of a group, groups inside it opened, in order."""
    for member in group.exceptions:
        if isinstance(member, BaseExceptionGroup):
            yield from leaves(member)
        else:
            yield member


def release(exception: BaseException | None, /) -> None:
    """Let go of every frame that an exception and those behind and inside it hold.

    Inside are a group's members, and exceptions among its arguments and attributes, where wrapping
    libraries keep what they wrap.
    """
    todo: list[object] = [exception]
    seen: set[int] = set()
    while todo:
        link = todo.pop()
        if not isinstance(link, BaseException) or id(link) in seen:
            continue
        seen.add(id(link))
        BaseException.with_traceback(link, None)  # a frozen dataclass refuses `= None`
        todo += (link.__cause__, link.__context__, getattr(link, "_cause", None), *link.args)
        todo += getattr(link, "__dict__", {}).values()
        held = getattr(link, "_errors", getattr(link, "exceptions", ()))
        todo += held if isinstance(held, tuple) else ()
