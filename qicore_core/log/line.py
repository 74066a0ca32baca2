"""The short way to a line of JSON: no record is made, and what comes again is rendered once.

It writes what `json_format` writes of the record; a law compares them. Whatever is not plain, or
not quick, it leaves to the long way.
"""

from __future__ import annotations

from time import gmtime, strftime

from ..error import QiError
from ..secret import may_hold_secret, redact_text
from .context import CURRENT
from .level import LogLevel
from .record import quote, to_json
from .screen import frame_of, safe_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any, Final, TypeVar

    from .context import Context
    from .logger import Logger
    from .output import Emitter, Output
    from .screen import Screen, Step

    T = TypeVar("T")

__all__ = ["Lines", "line_emitter"]

_MAX_KNOWN: Final = 1_000  # texts that are kept, and characters of one


class Lines:
    """What lines have in common: how names, texts and seconds look that come again."""

    __slots__ = ("_keys", "_screen", "_steps", "second", "texts")

    def __init__(self, screen: Screen) -> None:
        self._screen = screen
        self._keys: dict[str, str] = {}  # a memo: how the name of a field begins it
        self.texts: dict[str, str] = {}  # another: how a text that holds no secret looks
        self._steps: dict[Step, str] = {}  # and how a step of a traceback looks
        self.second = (-1.0, "")  # the last second seen, and its text

    def tick(self, second: float) -> str:
        """Keep and give the text of a new second; the next lines will fall into it too."""
        text = strftime("%Y-%m-%dT%H:%M:%S.", gmtime(second))
        self.second = (second, text)
        return text

    def text(self, text: str) -> str:
        """Give a text, redacted and quoted."""
        short = len(text) < _MAX_KNOWN
        shown = self._screen.text(text) if not short or may_hold_secret(text) else text
        quoted = quote(shown)
        if short and shown == text:  # one with a secret in it is not kept
            return _keep(self.texts, text, quoted)
        return quoted

    def fields(self, fields: Mapping[str, Any]) -> str:
        """Give fields as the middle of a line: `,"user_id":7,"status":"ok"`."""
        keys, texts = self._keys, self.texts
        parts = []
        for name, value in fields.items():
            key = keys.get(name)
            kind = type(value)
            if key is None:
                parts.append(self._rare(name, value))
            elif kind is str:
                parts.append(key + (texts.get(value) or self.text(value)))
            elif kind is int:
                parts.append(f"{key}{value}")
            elif kind is float and value - value == 0.0:
                parts.append(f"{key}{value!r}")
            else:
                parts.append(key + to_json(self._screen.value(value)))
        return "".join(parts)

    def error(self, error: object) -> str:
        """Give what went wrong, as the end of a line."""
        if type(error) is QiError and not (
            error.context
            or error.cause
            or error.errors
            or error.__traceback__
            or error.retry_after is not None
            or error._public_message
            or len(f"{error.message}{error.hint}{error.source}") >= _MAX_KNOWN  # may be cut
        ):
            return self._lone(error)
        data, steps = self._screen.outline(error)
        said = to_json(data)
        if steps:
            known = self._steps.get
            frames = ",".join([known(step) or self._step(step) for step in steps])
            said = f'{said[:-1]},"frames":[{frames}]}}'
        return f',"error":{said}'

    def _lone(self, error: QiError) -> str:
        """Give an error with nothing behind it, as its `to_dict` would."""
        said = (
            f',"error":{{"code":{quote(error.code)},"message":{self._masked(error.message)}'
            f',"category":"{error.category}","retryable":{"true" if error.retryable else "false"}'
            f',"timestamp":{error.timestamp!r}'
        )
        if error.source:
            said += f',"source":{self._masked(error.source)}'
        if error.hint:
            said += f',"hint":{self._masked(error.hint)}'
        return f"{said}}}"

    def _masked(self, text: str) -> str:
        """Give a text of an error: it is redacted also where lines are not."""
        return self.text(redact_text(text) if may_hold_secret(text) else text)

    def keep(self, holder: Logger | Context, said: str = "") -> str:
        """Let a logger or a context keep how its fields look, and give that."""
        holder._text = said + self.fields(holder._fields) if holder._fields else said
        holder._by = self
        return holder._text

    def keep_context(self, context: Context) -> str:
        """Keep how a context looks, its correlation id before its fields."""
        known = context.correlation_id
        return self.keep(context, "" if known is None else f',"correlation_id":{self.text(known)}')

    def _step(self, step: Step) -> str:
        return _keep(self._steps, step, to_json(frame_of(step)))

    def _rare(self, name: str, value: object) -> str:
        """Give a field whose name is new, and is then known, or is that of a secret."""
        key = f",{quote(safe_name(name))}:"
        if len(name) < _MAX_KNOWN and not self._screen.is_secret(name):
            _keep(self._keys, name, key)
        return key + to_json(self._screen.field(name, value))


def line_emitter(output: Output, lines: Lines, name: str) -> Emitter:
    """Give the function by which the loggers of this name write."""
    clock, put, texts = output.clock, output.put, lines.texts
    heads = {level: f'Z","level":"{level}","logger":{quote(name)},"message":' for level in LogLevel}

    def emit(
        logger: Logger, level: LogLevel, message: str, error: object, fields: dict[str, Any]
    ) -> None:
        try:
            context, bound = CURRENT.get(), logger._fields
            around = context._fields
            if (bound and not bound.keys().isdisjoint(fields)) or (
                around and not around.keys().isdisjoint((*bound, *fields))
            ):
                return output.accept(name, level, message, {**bound, **fields}, error)
            now = clock()
            second, when = lines.second
            if now // 1 != second:
                when = lines.tick(now // 1)
            micros = "%06d" % (now % 1 * 1e6)  # noqa: UP031  # half the time of format's
            line = (
                f'{{"timestamp":"{when}{micros}{heads[level]}'
                f"{texts.get(message) or lines.text(message)}"
                f"{context._text if context._by is lines else lines.keep_context(context)}"
                f"{logger._text if logger._by is lines else lines.keep(logger)}"
                f"{lines.fields(fields) if fields else ''}"
                f"{'' if error is None else lines.error(error)}}}\n"
            ).encode()
        except Exception:  # noqa: BLE001  # the long way gets along with any value
            return output.accept(name, level, message, {**logger._fields, **fields}, error)
        try:
            return put(line)
        except Exception as why:  # noqa: BLE001  # foreign code must not fail the caller
            return output.report(why)

    return emit


def _keep(memo: dict[T, str], key: T, value: str) -> str:
    if len(memo) >= _MAX_KNOWN:
        memo.clear()
    memo[key] = value
    return value
