"""The two formats: JSON for machines, text for people.

A format is a function from a LogRecord to its line. `JsonFormat` also gives the pieces of a line,
so that the emitter for JSON writes one without making a record; both ways give the same line.
"""

from __future__ import annotations

from time import gmtime, strftime

from ..error import QiError
from ..error.foreign import name_of
from .screen import Screen, behind_of, safe_name, steps_of

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

    def _chunks(data: object, _: int, /) -> Iterable[str]:
        return JSONEncoder(separators=(",", ":")).iterencode(data)


TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from typing import Any, Final, Protocol, TypeAlias

    from .record import LogRecord

    Format: TypeAlias = Callable[[LogRecord], str]

    class Holder(Protocol):
        """What keeps the text of its fields: a bound logger, a context."""

        _by: Any
        _text: str


__all__ = ["JsonFormat", "error_lines", "quote", "text_format", "to_json"]

_MAX_KNOWN: Final = 1_000
_NOT_IN_WORD: Final = frozenset(' "=\\')
_MAX_WORD: Final = 20  # a text of letters and digits below this length holds no secret


class JsonFormat:
    """Write a record as one line of JSON, in ASCII.

    Names and messages are few and come again: what they look like is kept, bounded.
    """

    __slots__ = ("_keys", "messages", "screen", "stamp")

    def __init__(self, screen: Screen) -> None:
        self.screen = screen
        self._keys: dict[str, str] = {}  # a memo: how the name of a field begins it
        self.messages: dict[str, str] = {}  # another: how a message looks
        self.stamp = (-1.0, "")  # the last second seen, and its text

    def __call__(self, record: LogRecord) -> str:
        """Give the line of a record."""
        second, when = self.stamp
        if record.timestamp // 1 != second:
            when = self.tick(record.timestamp // 1)
        out = (
            f'{{"timestamp":"{when}{int(record.timestamp % 1 * 1e6):06d}Z"'
            f',"level":"{record.level}","logger":{quote(record.logger)}'
            f',"message":{quote(record.message)}'
        )
        if record.correlation_id is not None:
            out += f',"correlation_id":{quote(record.correlation_id)}'
        for name, value in record.fields.items():
            out += f",{quote(name)}:{to_json(value)}"
        if record.error is not None:
            out += f',"error":{to_json(record.error)}'
        return out + "}"

    def tick(self, second: float) -> str:
        """Keep and give the text of a new second; the next records will fall into it too."""
        text = strftime("%Y-%m-%dT%H:%M:%S.", gmtime(second))
        self.stamp = (second, text)
        return text

    def message(self, message: object) -> str:
        """Give a message, redacted and quoted."""
        said = str(self.screen.value(message))
        quoted = quote(said)
        if said == message and len(said) < _MAX_KNOWN:  # one with a secret in it is not kept
            if len(self.messages) >= _MAX_KNOWN:
                self.messages.clear()
            self.messages[said] = quoted
        return quoted

    def fields(self, fields: Mapping[str, Any]) -> str:
        """Give fields as the middle of a line: `,"user_id":7,"status":"ok"`."""
        keys, text = self._keys, self.screen.text
        parts = []
        for name, value in fields.items():
            key = keys.get(name)
            kind = type(value)
            if key is None:
                parts.append(self._rare(name, value))
            elif kind is int:
                parts.append(f"{key}{value}")
            elif kind is str:
                plain = len(value) < _MAX_WORD and value.isalnum()
                parts.append(key + quote(value if plain else text(value)))
            elif kind is float and value - value == 0.0:
                parts.append(f"{key}{value!r}")
            else:
                parts.append(key + to_json(self.screen.value(value)))
        return "".join(parts)

    def _rare(self, name: str, value: object) -> str:
        """Give a field whose name is new, and is then known, or is that of a secret."""
        key = f",{quote(safe_name(name))}:"
        if len(name) < _MAX_KNOWN and not self.screen.is_secret(name):
            if len(self._keys) >= _MAX_KNOWN:
                self._keys.clear()
            self._keys[name] = key
        return key + to_json(self.screen.field(name, value))

    def error(self, error: object) -> str:
        """Give an error as JSON; most stand alone, and go without being made data first."""
        if (
            not isinstance(error, Exception)
            or isinstance(error, QiError | ExceptionGroup)
            or behind_of(error) is not None
        ):
            return to_json(self.screen.error(error))
        said = f'"type":{quote(name_of(error))},"text":{quote(self.screen.saying(error))}'
        frames = [
            f'{{"file":{quote(file)},"line":{line},"function":{quote(function)}}}'
            for file, line, function in steps_of(error)
        ]
        return f'{{{said},"frames":[{",".join(frames)}]}}' if frames else f"{{{said}}}"

    def bind(self, holder: Holder, text: str) -> str:
        """Let a logger or a context keep how its fields look, and give that."""
        holder._text = text
        holder._by = self
        return text


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
    when = strftime("%Y-%m-%dT%H:%M:%S", gmtime(record.timestamp))
    millis = int(record.timestamp % 1 * 1000)
    level, logger = record.level.name, _visible(record.logger)
    said = [f"{when}.{millis:03d}Z {level:<5} {logger}", _visible(record.message)]
    said += [f"{_visible(name)}={_word(value)}" for name, value in record.fields.items()]
    if record.correlation_id is not None:
        said.append(f"correlation_id={_word(record.correlation_id)}")
    return "\n    ".join(["  ".join(said), *error_lines(record.error)])


def error_lines(error: Any) -> Iterator[str]:
    """Say an error, as the screen gave it, in lines: what it was, where, and what it came from."""
    if error is None:
        return
    if isinstance(error, dict) and "code" in error:
        yield _visible(f"{error['code']}: {error.get('message')}")
    elif isinstance(error, dict) and "type" in error:
        yield _visible(f"{error['type']}: {error.get('text')}")
    else:
        yield _word(error)
        return
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
