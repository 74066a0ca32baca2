"""The forms in which an error travels: plain data for JSON and logs, and the state of a pickle.

On the way out as data everything is redacted; a pickle goes to a process of the same program and
keeps raw values.
"""

from __future__ import annotations

from ..secret import redact, redact_text
from .category import ErrorCategory
from .foreign import ForeignError, name_of, repr_of, text_of
from .qi_error import PARTS, QiError, make_error

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any, Final

__all__ = ["carried", "from_dict", "state", "to_dict"]

_MAX_BITS: Final = 4096  # Python refuses to write integers of more than 4,300 digits as text


def to_dict(error: QiError, /) -> dict[str, object]:
    """Give an error as JSON-ready data: what is empty is left out."""
    out: dict[str, object] = {
        "code": error.code,
        "message": redact_text(error.message),
        "category": str(error.category),
        "retryable": error.retryable,
        "timestamp": error.timestamp,
    }
    cause = error.cause
    for name, value in (
        ("source", error.source and redact_text(error.source)),
        ("context", _plain(redact(error.context)) or None),
        ("hint", error.hint and redact_text(error.hint)),
        ("retry_after", error.retry_after if _is_finite(error.retry_after) else None),
        ("public_message", error._public_message and redact_text(error._public_message)),
        ("errors", [to_dict(held) for held in error.errors] or None),
        ("cause", to_dict(cause) if isinstance(cause, QiError) else cause and _foreign(cause)),
    ):
        if value is not None:
            out[name] = value
    return out


def from_dict(data: Mapping[str, object], /) -> QiError:
    """Read what `to_dict` gave; a ValueError names the key that is missing or wrong."""
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
        None if cause is None else _read_cause(cause),
        tuple(map(from_dict, held)),
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


def carried(context: Mapping[str, object], /) -> bytes:
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


def _read_cause(data: Mapping[str, object]) -> BaseException:
    if "type" not in data:
        return from_dict(data)
    return ForeignError(_read(data, "type", str, ...), _read(data, "text", str, ...))


def _foreign(cause: BaseException) -> dict[str, object]:
    return {"type": name_of(cause), "text": text_of(cause)}


def _plain(value: object) -> object:
    """Make redacted data fit JSON: text keys, no NaN, and a repr for what JSON has no form for."""
    if value is None or isinstance(value, str | bool):
        return value
    if isinstance(value, int) and value.bit_length() <= _MAX_BITS:
        return value
    if isinstance(value, float) and _is_finite(value):
        return value
    if type(value) is dict:
        return {
            key if isinstance(key, str) else repr_of(key): _plain(item)
            for key, item in value.items()
        }
    if type(value) is list:
        return [_plain(item) for item in value]
    return repr_of(value)


def _is_finite(number: float | None) -> bool:
    return number is not None and number - number == 0.0
