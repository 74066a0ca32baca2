"""Reading data as a dataclass, all errors at once: what `Configuration` does when it is asked.

It loads typing and dataclasses, so it is imported late. A value that cannot be read leaves an
error behind and is _BAD; whatever holds a _BAD value is _BAD itself.
"""

from __future__ import annotations

from dataclasses import MISSING, fields, is_dataclass
from types import NoneType
from typing import Any, Literal, TypeVar, cast, get_args, get_type_hints

from ..codes import (
    CONFIG_KEY_NOT_FOUND,
    CONFIG_KEY_UNKNOWN,
    CONFIG_TYPE_MISMATCH,
    CONFIG_VALIDATION_FAILED,
    CONFIG_VALUE_REJECTED,
)
from ..error import QiError
from ..result import failure, success
from ..secret import MASK, Secret, redact_text
from . import hints
from .convert import choice, member, scalar
from .data import ConfigData
from .key import is_secret, key_of, nearest, shown
from .origin import ABSENT, winner
from .sources import MAX_DEPTH
from .unset import without_empty

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from dataclasses import Field
    from typing import Final

    from ..result import Result
    from .key import Path

    T = TypeVar("T")

__all__ = ["read"]

_BAD: Final = object()
_NAMED_ERRORS: Final = 20
_MAX_REASON: Final = 300


def read(schema: type[T], data: ConfigData, ignore_unknown: bool, /) -> Result[T]:
    """Read data as a dataclass, or give a Failure that holds every error."""
    trial = _Reading(ConfigData.empty(), ignore_unknown)
    data = without_empty(data, schema, lambda hint: trial.value(hint, "", (), True) is not _BAD)
    reading = _Reading(data, ignore_unknown)
    made = reading.section(schema, data.as_dict(), ())
    if not reading.errors:
        return success(cast("T", made))
    count = len(reading.errors)
    said = [
        f"{one.message}, {one.hint}" if one.hint else one.message
        for one in reading.errors[:_NAMED_ERRORS]
    ]
    whole = f"{count} error{'s' if count > 1 else ''} in {schema.__name__}: {'; '.join(said)}"
    return failure(QiError.aggregate(reading.errors, code=CONFIG_VALIDATION_FAILED, message=whole))


class _Reading:
    """One reading of one ConfigData, and the errors that it met."""

    __slots__ = ("data", "errors", "ignore_unknown", "secrets", "types")

    def __init__(self, data: ConfigData, ignore_unknown: bool) -> None:
        self.data = data
        self.ignore_unknown = ignore_unknown
        self.errors: list[QiError] = []
        self.secrets: set[Path] = set()  # of fields that are Secrets by type, whatever their name
        self.types: dict[object, dict[str, Any]] = {}  # of the fields of each dataclass met

    def section(self, schema: Any, values: dict[str, Any], path: Path, base: Any = None) -> object:
        """Read a section as a dataclass; what it does not say comes from `base`, if any."""
        errors_before = len(self.errors)
        if schema not in self.types:
            self.types[schema] = get_type_hints(schema, include_extras=True)
        types = self.types[schema]
        known = [field for field in fields(schema) if field.init]
        given: dict[str, object] = {}
        for field in known:
            value = self._field(field, types[field.name], values, (*path, field.name), base)
            if value is not ABSENT:
                given[field.name] = value
        if not self.ignore_unknown:
            self._refuse_unknown(values, [field.name for field in known], path, schema)
        if len(self.errors) > errors_before:
            return _BAD
        try:
            return schema(**given)
        except (ValueError, QiError) as error:  # what __post_init__ raises
            defaults = {field.name: field.default for field in known}
            return self._reject(schema, defaults | given, path, error)

    def _field(
        self, field: Field[Any], hint: Any, values: dict[str, Any], path: Path, base: Any
    ) -> object:
        name = field.name
        if hints.is_secret(hint):
            self.secrets.add(path)
        if name in values:
            value = values[name]
            below = _default(field, base) if isinstance(value, dict) else None
            return self.value(hint, value, path, self._is_text(value, path), below)
        if base is not None:
            return getattr(base, name)
        if field.default is not MISSING or field.default_factory is not MISSING:
            return ABSENT
        if is_dataclass(hints.plain(hint)) and len(path) < MAX_DEPTH:  # it may hold itself
            return self.section(hints.plain(hint), {}, path)
        return self._miss(path)

    def value(self, hint: Any, value: Any, path: Path, is_text: bool, base: Any = None) -> object:
        """Read a value as a type; `is_text` says that it is a word from the environment."""
        hint = hints.plain(hint)
        kind = hints.kind_of(hint)
        name = getattr(kind, "__name__", "")
        if hint is Any or hint is object or isinstance(hint, TypeVar):
            return value
        if hints.is_union(kind):
            return self._union(hint, value, path, is_text, base)
        if kind is Secret:
            held = value.reveal() if isinstance(value, Secret) else value
            inner = self.value(hints.argument(hint, 0), held, path, is_text)
            return inner if inner is _BAD else Secret(inner)
        if is_dataclass(kind):
            return self._nested(kind, value, path, is_text, base)
        if name in hints.LISTS:
            return self._list(hint, hints.LISTS[name], value, path, is_text)
        if name in hints.MAPPINGS:
            return self._mapping(hint, value, path, is_text)
        return self._single(hint, kind, value, path, is_text)

    def _single(self, hint: Any, kind: Any, value: Any, path: Path, is_text: bool) -> object:
        try:
            if kind is Literal:
                return choice(get_args(hint), value, is_text)
            if hasattr(kind, "__members__"):
                return member(kind.__members__, value)
            simple = scalar(kind)
            if simple is not None:
                return simple[1](kind, value)
        except (ValueError, ArithmeticError):  # decimal.InvalidOperation is one of the latter
            return self._mismatch(hint, value, path)
        return value if isinstance(value, kind) else self._mismatch(hint, value, path)

    def _union(self, hint: Any, value: Any, path: Path, is_text: bool, base: Any) -> object:
        members = list(get_args(hint))
        if NoneType in members:
            members.remove(NoneType)
            is_none_word = is_text and str not in members and value.lower() in ("none", "null")
            if value is None or is_none_word:
                return None
        # Text is the last that a word from the environment is read as, else the first that fits.
        members.sort(key=lambda one: one is str if is_text else one is not type(value))
        tried: list[_Reading] = []
        for one in members:
            trial = _Reading(self.data, self.ignore_unknown)
            trial.secrets, trial.types = self.secrets, self.types
            found = trial.value(one, value, path, is_text, base)
            if found is not _BAD:
                return found
            tried.append(trial)
        if len(tried) > 1 and not isinstance(value, dict):
            return self._mismatch(hint, value, path)
        self.errors += min(tried, key=lambda trial: len(trial.errors)).errors
        return _BAD

    def _nested(self, kind: Any, value: Any, path: Path, is_text: bool, base: Any) -> object:
        if isinstance(value, kind):
            return value
        values = _json(value) if is_text else value
        if not isinstance(values, dict):
            return self._mismatch(kind, value, path)
        return self.section(kind, values, path, base if isinstance(base, kind) else None)

    def _list(
        self,
        hint: Any,
        make: Callable[[Iterable[Any]], object],
        value: Any,
        path: Path,
        is_text: bool,
    ) -> object:
        items, is_words = value, False
        if is_text and value:
            items = _json(value)
            if not isinstance(items, list):
                items, is_words = [item.strip() for item in value.split(",")], True
        length = hints.fixed_length(hint)
        is_list = isinstance(items, list | tuple | set | frozenset)
        if not is_list or (length is not None and len(items) != length):
            return self._mismatch(hint, value, path)
        read = [
            self.value(
                hints.argument(hint, 0 if length is None else number),
                item,
                (*path, number),
                is_words,
            )
            for number, item in enumerate(items)
        ]
        return _BAD if any(item is _BAD for item in read) else make(read)

    def _mapping(self, hint: Any, value: Any, path: Path, is_text: bool) -> object:
        values = _json(value) if is_text else value
        if not isinstance(values, dict):
            return self._mismatch(hint, value, path)
        out: dict[object, object] = {}
        errors_before = len(self.errors)
        for name, item in values.items():
            inner = (*path, name)
            key = self.value(hints.argument(hint, 0), name, inner, True)
            out[key] = self.value(hints.argument(hint, 1), item, inner, self._is_text(item, inner))
        return _BAD if len(self.errors) > errors_before else out

    def _is_text(self, value: object, path: Path) -> bool:
        if not isinstance(value, str):
            return False
        layer = winner(self.data._layers, path)
        return layer is not None and layer.source.is_text

    def _is_hidden(self, path: Path) -> bool:
        return is_secret(path) or any(path[:end] in self.secrets for end in range(len(path) + 1))

    def _error(
        self, code: str, message: str, path: Path, hint: str | None = None, **facts: str
    ) -> object:
        error = QiError.configuration(code, message, hint=hint, key=key_of(path))
        self.errors.append(error.with_context(facts))
        return _BAD

    def _miss(self, path: Path) -> object:
        message = f"{key_of(path)} is missing"
        if any(isinstance(part, int) for part in path):  # it belongs into an item of a list
            message += f" ({self.data.place_of(path)})"
            return self._error(CONFIG_KEY_NOT_FOUND, message, path)
        return self._error(CONFIG_KEY_NOT_FOUND, message, path, self.data.how_to_set(path))

    def _mismatch(self, hint: Any, value: object, path: Path) -> object:
        place, expected = self.data.place_of(path), hints.describe(hint)
        is_hidden = self._is_hidden(path) or hints.holds_secret(hint)
        said = MASK if is_hidden else shown(path, value)
        message = f"{key_of(path)} must be {expected}, got {said} ({place})"
        advice = None if is_hidden else hints.advice(hint, value)
        return self._error(CONFIG_TYPE_MISMATCH, message, path, advice, at=place, expected=expected)

    def _refuse_unknown(
        self, values: Mapping[str, Any], known: list[str], path: Path, schema: Any
    ) -> None:
        for name in values:
            if name in known:
                continue
            inner = (*path, name)
            place, near = self.data.place_of(inner), nearest(name, known)
            message = f"{key_of(inner)} is no key of {schema.__name__} ({place})"
            hint = (
                f"did you mean {key_of((*path, near))}?" if near else f"it has {hints.some(known)}"
            )
            self._error(CONFIG_KEY_UNKNOWN, message, inner, hint, at=place)

    def _reject(
        self, schema: Any, given: dict[str, object], path: Path, error: ValueError | QiError
    ) -> object:
        """Say why `__post_init__` refused, without the secrets that its text may quote.

        The exception becomes no cause: it would carry its text along.
        """
        reason = error.message if isinstance(error, QiError) else str(error)
        for secret in sorted(self._hidden_texts(given, path), key=len, reverse=True):
            for form in (secret, repr(secret)[1:-1]):
                reason = reason.replace(form, MASK)
        reason = redact_text(reason)[:_MAX_REASON] or type(error).__name__
        message = f"{key_of(path) or schema.__name__} is refused: {reason}"
        if path:
            message += f" ({self.data.place_of(path)})"
        return self._error(CONFIG_VALUE_REJECTED, message, path)

    def _hidden_texts(self, value: Any, path: Path) -> Iterator[str]:
        """Give the text of every secret in what `__post_init__` could see."""
        if isinstance(value, Secret):
            self.secrets.add(path)
            value = value.reveal()
        if isinstance(value, dict):
            for key, inner in value.items():
                yield from self._hidden_texts(inner, (*path, key))
        elif isinstance(value, list | tuple | set | frozenset):
            for number, inner in enumerate(value):
                yield from self._hidden_texts(inner, (*path, number))
        elif is_dataclass(value):
            for field in fields(value):
                inner = getattr(value, field.name, None)
                yield from self._hidden_texts(inner, (*path, field.name))
        elif value is not None and value != "" and self._is_hidden(path):
            yield str(value)


def _default(field: Field[Any], base: Any) -> Any:
    if base is not None:
        return getattr(base, field.name)
    if field.default_factory is not MISSING:
        return field.default_factory()
    return field.default


def _json(text: str) -> object:
    from json import loads  # late: few settings are JSON

    if not text.lstrip().startswith(("[", "{")):
        return None
    try:
        return cast("object", loads(text))
    except (ValueError, RecursionError):
        return None
