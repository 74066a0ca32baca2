"""One record, as data, and the two formats: JSON for machines, text for people.

A format is a function from a LogRecord to its line. This room must never learn where a line goes.
"""

from __future__ import annotations

from time import gmtime, strftime

try:  # the C core of json, without the 23 modules that json brings
    from _json import encode_basestring_ascii as quote
    from _json import make_encoder

    _no_default: Any = None  # what it is given is plain
    _chunks: Callable[[object, int], Iterable[str]] = make_encoder(
        None, _no_default, quote, None, ":", ",", False, False, False
    )
except (ImportError, TypeError):  # an interpreter without it, or with another one
    from json.encoder import JSONEncoder
    from json.encoder import py_encode_basestring_ascii as quote

    _chunks = JSONEncoder(separators=(",", ":")).iterencode  # type: ignore[assignment]  # 0 is False

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from typing import Any, Final, TypeAlias

    from .level import LogLevel

    Format: TypeAlias = Callable[["LogRecord"], str]

__all__ = ["LogRecord", "error_lines", "json_format", "quote", "text_format", "to_json"]

_NOT_IN_WORD: Final = frozenset(' "=\\')


class LogRecord:
    """What was logged, as plain data: secrets masked, sizes bounded, ready for JSON.

    Attributes:
        timestamp: when, in seconds since the epoch (UTC).
        level: how loud.
        logger: the name of the logger.
        message: what happened.
        fields: those of the context, of the logger and of the call, in this order.
        correlation_id: what ties it to the others of one request, or None.
        error: the error as data, or None.
        line: the record as its format wrote it, without a line break at the end.
    """

    __slots__ = (
        "correlation_id", "error", "fields", "level", "line", "logger", "message", "timestamp",
    )  # fmt: skip

    def __init__(
        self,
        timestamp: float,
        level: LogLevel,
        logger: str,
        message: str,
        fields: dict[str, object],
        correlation_id: str | None = None,
        error: Any = None,
    ) -> None:
        self.timestamp = timestamp
        self.level = level
        self.logger = logger
        self.message = message
        self.fields = fields
        self.correlation_id = correlation_id
        self.error = error
        self.line = ""

    def __repr__(self) -> str:
        return f"LogRecord({self.level} {self.logger}: {self.message!r}, {self.fields})"


def json_format(record: LogRecord) -> str:
    """Write a record as one line of JSON, in ASCII."""
    said: dict[str, object] = {
        "timestamp": _moment(record, 6),
        "level": str(record.level),
        "logger": record.logger,
        "message": record.message,
    }
    if record.correlation_id is not None:
        said["correlation_id"] = record.correlation_id
    said |= record.fields
    if record.error is not None:
        said["error"] = record.error
    return to_json(said)


def to_json(data: object) -> str:
    """Give plain data as JSON.

    >>> to_json({"a": [1, None, "x"]})
    '{"a":[1,null,"x"]}'
    """
    return "".join(_chunks(data, 0))


def text_format(record: LogRecord) -> str:
    """Write a record for people: one line, and below it, indented, the error where there is one.

    Every character that is not printable is escaped, so a line that begins at the left is a record.
    """
    level, logger = record.level.name, _visible(record.logger)
    said = [f"{_moment(record, 3)} {level:<5} {logger}", _visible(record.message)]
    said += [f"{_visible(name)}={_word(value)}" for name, value in record.fields.items()]
    if record.correlation_id is not None:
        said.append(f"correlation_id={_word(record.correlation_id)}")
    return "\n    ".join(["  ".join(said), *error_lines(record.error)])


def error_lines(error: Any) -> Iterator[str]:
    """Say an error, as the screen gave it, in lines: what it was, where, and what it came from."""
    if error is None:
        return
    if not isinstance(error, dict) or error.keys().isdisjoint(("code", "type")):
        yield _word(error)
        return
    what, why = ("code", "message") if "code" in error else ("type", "text")
    yield _visible(f"{error[what]}: {error.get(why)}")
    for name in ("source", "context", "hint", "retry_after"):
        if name in error:
            yield f"  {name}: {_word(error[name])}"
    for frame in error.get("frames", ()):
        yield _visible(f"  at {frame['file']}:{frame['line']} in {frame['function']}")
    for held in error.get("errors", ()):
        yield from (f"  | {line}" for line in error_lines(held))
    if "cause" in error:
        first, *rest = error_lines(error["cause"])
        yield f"from {first}"
        yield from rest


def _moment(record: LogRecord, digits: int) -> str:
    """Give when it was, in ISO 8601, with so many digits after the second."""
    when = strftime("%Y-%m-%dT%H:%M:%S", gmtime(record.timestamp))
    return f"{when}.{int(record.timestamp % 1 * 1e6):06d}"[: 20 + digits] + "Z"


def _word(value: object) -> str:
    """Give a value as one word where it is one, else in quotes or as JSON."""
    if not isinstance(value, str):
        return _visible(to_json(value))
    if value and value.isprintable() and not _NOT_IN_WORD.intersection(value):
        return value
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{_visible(escaped)}"'


def _visible(text: str) -> str:
    """Escape what could end a line, move the cursor or turn the direction of writing."""
    if text.isprintable():
        return text
    return "".join([c if c.isprintable() else ascii(c)[1:-1] for c in text])
