"""The forms in which an error travels: plain data for JSON and logs, and the state of a pickle.

What makes two errors the same stands here too, as an error that has travelled is one of them.
On the way out as data everything is redacted; a pickle goes to a process of the same program and
keeps raw values.
"""

from __future__ import annotations

from ..secret import Redactor, redact_text
from .category import ErrorCategory
from .chain import MAX_LEVELS
from .foreign import ForeignError, name_of, repr_of, text_of
from .qi_error import PARTS, QiError, make_error

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any, Final

__all__ = ["from_dict", "same", "state", "to_dict"]

_MAX_BITS: Final = 4096  # Python refuses to write integers of more than 4,300 digits as text
_MAX_ERRORS: Final = 100  # that aggregates hold, at all levels together
_MAX_ITEMS: Final = 1000  # of contexts, at all levels together
_MAX_TEXT: Final = 4000  # characters of each text


def to_dict(error: QiError, /) -> dict[str, object]:
    """Give an error as JSON-ready data: what is empty is left out.

    Of contexts there are 1,000 items at most, of a text 4,000 characters; "..." stands for what is
    cut. Of the errors that aggregates hold there are 100.
    """
    return _data_of(error, iter(range(_MAX_ERRORS)), iter(range(_MAX_ITEMS)))


def _data_of(error: QiError, errors: Iterator[int], items: Iterator[int]) -> dict[str, object]:
    out: dict[str, object] = {
        "code": error.code,
        "message": _shown(error.message),
        "category": str(error.category),
        "retryable": error.retryable,
        "timestamp": error.timestamp,
    }
    context = _Data().copy(error.context, items)  # its own comes before those inside
    held = [_data_of(one, errors, items) for one, _ in zip(error.errors, errors, strict=False)]
    cause: Any = error.cause
    if cause is not None:
        ours = isinstance(cause, QiError)
        cause = _data_of(cause, errors, items) if ours else _foreign(cause)
    for name, value in (
        ("source", error.source and _shown(error.source)),
        ("context", context or None),
        ("hint", error.hint and _shown(error.hint)),
        ("retry_after", error.retry_after if _is_finite(error.retry_after) else None),
        ("public_message", error._public_message and _shown(error._public_message)),
        ("errors", held or None),
        ("cause", cause),
    ):
        if value is not None:
            out[name] = value
    return out


def from_dict(data: Mapping[str, object], left: int = MAX_LEVELS, /) -> QiError:
    """Read what `to_dict` gave; a ValueError names the key that is missing or wrong.

    Args:
        data: the error's.
        left: how many levels of causes and errors may lie inside.
    """
    if left < 0:
        raise ValueError(f"an error has others inside on at most {MAX_LEVELS} levels")
    if not hasattr(data, "get"):
        raise ValueError(f"an error is read from a mapping, got {type(data).__name__}")
    held: Any = _read(data, "errors", list, ())
    cause: Any = _read(data, "cause", dict)
    context: Any = _read(data, "context", dict, {})
    return make_error(
        _read(data, "code", str, ...),
        _read(data, "message", str, ...),
        ErrorCategory(_read(data, "category", str, ...)),
        _read(data, "source", str),
        dict(context),
        None if cause is None else _read_cause(cause, left - 1),
        tuple([from_dict(one, left - 1) for one in held]),
        _read(data, "retryable", bool),
        _read(data, "retry_after", float),
        _read(data, "hint", str),
        _read(data, "public_message", str),
        _read(data, "timestamp", float, ...),
    )


def state(error: QiError, /) -> tuple[object, ...]:
    """Give what `make_error` needs to make it again; what pickle cannot carry goes as text."""
    cause = error.cause
    if cause is not None and not isinstance(cause, QiError):
        cause = ForeignError(name_of(cause), text_of(cause))
    parts = {name: getattr(error, f"_{name}") for name in PARTS}
    parts |= {"cause": cause, "context": _portable_items(error.context)}
    return tuple(parts.values())


def same(error: QiError, other: QiError, /) -> bool:
    """Tell whether two errors have the same code, message, category, source, context and cause.

    A cause counts by its type's name and its text. Contexts are the same when they are equal, or
    when they travel as the same bytes, for what pickle changes or compares by identity.
    """
    return _parts(error) == _parts(other) and _same_context(error._context, other._context)


def _parts(error: QiError) -> tuple[object, ...]:
    came = None if error.cause is None else (name_of(error.cause), text_of(error.cause))
    return error.code, error.message, error.category, error.source, came


def _same_context(mine: Mapping[str, object], theirs: Mapping[str, object]) -> bool:
    try:
        if mine is theirs or mine == theirs:
            return True
    except Exception:  # noqa: BLE001, S110  # foreign `==`: an array has no truth, a circle no end
        pass
    return _carried(mine) == _carried(theirs)


def _carried(context: Mapping[str, object]) -> bytes:
    """Give the bytes as which a context travels: what is equal after a journey has the same."""
    import pickle  # late: only on the way to another process

    return pickle.dumps(_portable_items(context))


def _portable_items(context: Mapping[str, object]) -> dict[object, object]:
    return {_portable(key): _portable(value) for key, value in context.items()}


def _portable(value: object) -> object:
    if value is None or type(value) in (str, int, float, bool, bytes):
        return value
    import io  # late, as above
    import pickle

    class Trial(pickle.Pickler):
        def reducer_override(self, found: object) -> Any:
            if isinstance(found, BaseException) and not isinstance(found, QiError):
                raise pickle.PicklingError  # most travel, but many cannot be made again
            return NotImplemented

    try:
        Trial(io.BytesIO()).dump(value)
    except Exception:  # noqa: BLE001  # foreign code, see below
        # a value that cannot travel must not keep the error from travelling
        return repr_of(value)
    return value


def _read(data: Mapping[str, object], key: str, kind: type, default: object = None) -> Any:
    """Give what a key holds if of its kind, else the default; `...` says that it is needed."""
    value = data.get(key, default)
    if value is default and default is not ...:
        return value
    if isinstance(value, kind) or (kind is float and type(value) is int):
        return value
    got = "nothing" if value is ... else type(value).__name__
    raise ValueError(f"the error's {key!r} must be a {kind.__name__}, got {got}")


def _read_cause(data: Mapping[str, object], left: int) -> BaseException:
    if "type" not in data:
        return from_dict(data, left)
    return ForeignError(_read(data, "type", str, ...), _read(data, "text", str, ...))


def _foreign(cause: BaseException) -> dict[str, object]:
    return {"type": name_of(cause), "text": _shown(text_of(cause))}


class _Data(Redactor):
    """Copies a context for JSON: text keys, no NaN, a repr of what JSON has no form for."""

    __slots__ = ()

    def leaf(self, value: object, /) -> object:
        if isinstance(value, str):
            return _shown(value)
        if value is None or isinstance(value, bool):
            return value
        if isinstance(value, int) and value.bit_length() <= _MAX_BITS:
            return value
        return value if isinstance(value, float) and _is_finite(value) else repr_of(value)

    def key(self, key: object, /) -> str:
        return _shown(key if isinstance(key, str) else repr_of(key))

    def broken(self, value: object, _: Exception, /) -> object:
        return repr_of(value)


def _shown(text: str) -> str:
    return redact_text(text, limit=_MAX_TEXT)


def _is_finite(number: float | None) -> bool:
    return number is not None and number - number == 0.0
