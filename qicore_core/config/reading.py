"""Reading data as a dataclass, all errors at once: what `Configuration` does when it is asked.

It loads typing and dataclasses, so it is imported late. A value that cannot be read leaves an
error behind and is _BAD; whatever holds a _BAD value is _BAD itself.
"""

from __future__ import annotations

from dataclasses import MISSING, fields, is_dataclass
from types import NoneType
from typing import Any, cast

from .. import codes
from ..error import QiError
from ..result import failure, success
from ..secret import MASK, Secret, redact_text
from .data import ConfigData
from .hints import Shape, shape_of, some
from .key import key_of, names_secret, nearest, shown
from .origin import Layer, Word
from .sources import own, parsed
from .trouble import MAX_DEPTH, config_error, several

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from dataclasses import Field
    from typing import Final, TypeVar

    from ..result import Result
    from .key import Path

    T = TypeVar("T")

__all__ = ["read"]

_BAD: Final = object()
_NAMED_ERRORS: Final = 20
_MAX_REASON: Final = 300


def read(schema: type[T], data: ConfigData, ignore_unknown: bool, /) -> Result[T]:
    """Read data as a dataclass, or give a Failure that holds every error."""
    data = _without_empty(data, schema)
    reading = _Reading(data, ignore_unknown)
    made = reading.section(schema, data._fold(), ())
    if not reading.errors:
        return success(cast("T", made))
    count = len(reading.errors)
    said = [", ".join(filter(None, (one.message, one.hint))) for one in reading.errors]
    whole = f"{count} error{'s' if count > 1 else ''} in {schema.__name__}: "
    whole += "; ".join(said[:_NAMED_ERRORS])
    return failure(several(reading.errors, codes.CONFIG_VALIDATION_FAILED, whole))


def _without_empty(data: ConfigData, schema: Any) -> ConfigData:
    """Take out the empty words where no text is wanted: `APP_PORT=` is a port that nobody set.

    It is not a port that is no number, and what a file says of the port holds.
    """
    trial = _Reading(ConfigData.empty(), False)

    def kept(values: dict[str, Any], hint: Any) -> dict[str, object]:
        out: dict[str, object] = {}
        hint_of = shape_of(hint).inside()
        for name, value in values.items():
            inner = hint_of(name)
            if isinstance(value, dict):
                value = kept(value, inner)
                if value:
                    out[name] = value
            elif value or inner is None or trial.value(shape_of(inner), value, ()) is not _BAD:
                out[name] = value
        return out

    return ConfigData(
        one if one.source.prefix is None else Layer(one.source, kept(one.values, schema), one.at)
        for one in data._layers
    )


class _Reading:
    """One reading of one ConfigData, and the errors that it met."""

    __slots__ = ("data", "defaults", "errors", "ignore_unknown", "secrets", "types", "unions")

    def __init__(self, data: ConfigData, ignore_unknown: bool) -> None:
        self.data = data
        self.ignore_unknown = ignore_unknown
        self.errors: list[QiError] = []
        self.secrets: set[Path] = set()  # where a Secret by type stands, whatever its name
        self.types: dict[object, dict[str, Any]] = {}  # of the fields of each dataclass met
        self.defaults: dict[tuple[object, Path], Any] = {}  # what factories made
        self.unions: dict[tuple[object, ...], tuple[object, list[QiError], object]] = {}

    def section(self, schema: Any, values: dict[str, Any], path: Path, base: Any = None) -> object:
        """Read a section as a dataclass; what it does not say comes from `base`, if any."""
        before = len(self.errors)
        if schema not in self.types:
            self.types[schema] = shape_of(schema).fields()
        known = {field.name: field for field in fields(schema) if field.init}
        given: dict[str, object] = {}
        for name, field in known.items():
            shape, inner = shape_of(self.types[schema][name]), (*path, name)
            if name in values:
                is_section = isinstance(values[name], dict)
                below = self._below(schema, field, inner, base) if is_section else None
                given[name] = self.value(shape, values[name], inner, below)
            elif base is not None:
                given[name] = getattr(base, name)
            elif field.default is not MISSING or field.default_factory is not MISSING:
                continue
            elif shape.sort == "section" and len(path) < MAX_DEPTH:  # it may hold itself
                given[name] = self.section(shape.kind, {}, inner)
            else:
                self._miss(inner)
        for name in values:
            if name not in known and not self.ignore_unknown:
                self._refuse((*path, name), list(known), schema)
        if len(self.errors) > before:
            return _BAD
        try:
            return schema(**given)
        except (ValueError, QiError) as error:  # what __post_init__ raises
            defaults = {name: field.default for name, field in known.items()}
            return self._reject(schema, defaults | given, path, error)

    def _below(self, schema: Any, field: Field[Any], path: Path, base: Any) -> Any:
        """Give what a section is by default; the same each time that a union tries the schema."""
        if base is not None:
            return getattr(base, field.name)
        if field.default_factory is MISSING:
            return field.default
        if (schema, path) not in self.defaults:
            self.defaults[schema, path] = field.default_factory()
        return self.defaults[schema, path]

    def value(self, shape: Shape, value: Any, path: Path, base: Any = None) -> object:
        """Read a value as a type; what a section does not say comes from `base`, if any."""
        match shape.sort:
            case "any":
                return own(value)
            case "union" if isinstance(value, dict | list | tuple):
                return self._union(shape, value, path, base)
            case "union":
                return self._first_fit(shape, value, path, base)
            case "secret":
                self.secrets.add(path)
                held = value.reveal() if isinstance(value, Secret) else value
                inner = self.value(shape_of(shape.of[0]), held, path)
                return inner if inner is _BAD else Secret(inner)
            case "section" if isinstance(value, shape.kind):
                return value
            case "list" | "tuple":
                return self._list(shape, value, path)
            case "section" | "mapping":
                values = _json(value) if isinstance(value, Word) else value
                if not isinstance(values, dict):
                    return self._mismatch(shape, value, path)
                if shape.sort == "mapping":
                    return self._mapping(shape, values, path)
                below = base if isinstance(base, shape.kind) else None
                return self.section(shape.kind, values, path, below)
            case _:
                try:
                    return shape.convert(own(value), isinstance(value, Word))
                except (ValueError, ArithmeticError, LookupError):  # a decimal.InvalidOperation
                    return self._mismatch(shape, value, path)

    def _union(self, shape: Shape, value: Any, path: Path, base: Any) -> object:
        """Read what may hold more of the union as the first type that fits, and remember it.

        Read anew within each type that is tried, what a union holds would be read twice for each
        level, thus 2^n times in all.
        """
        known = (id(shape.of), id(base), path)
        before = len(self.errors)
        if known not in self.unions:
            found = self._first_fit(shape, value, path, base)
            self.unions[known] = found, self.errors[before:], (shape, base)
        found, self.errors[before:], _ = self.unions[known]
        return found

    def _first_fit(self, shape: Shape, value: Any, path: Path, base: Any) -> object:
        members, is_word = list(shape.of), isinstance(value, Word)
        if NoneType in members:
            members.remove(NoneType)
            is_none_word = is_word and str not in members and value.lower() in ("none", "null")
            if value is None or is_none_word:
                return None
        # Text is the last that a word from the environment is read as, else the first that fits.
        members.sort(key=lambda one: one is str if is_word else one is not type(value))
        before = len(self.errors)
        tried: list[list[QiError]] = []
        for one in members:
            found = self.value(shape_of(one), value, path, base)
            if found is not _BAD:
                return found
            tried.append(self.errors[before:])
            del self.errors[before:]
        if len(tried) > 1 and not isinstance(value, dict):
            return self._mismatch(shape, value, path)
        fewest = min(tried, key=len)
        self.errors += fewest
        return _BAD

    def _list(self, shape: Shape, value: Any, path: Path) -> object:
        items = value
        if isinstance(value, Word) and value:
            items = _json(value)
            if not isinstance(items, list):
                items = [Word(item.strip()) for item in value.split(",")]
        is_list = isinstance(items, list | tuple | set | frozenset)
        if not is_list or (shape.sort == "tuple" and len(items) != len(shape.of)):
            return self._mismatch(shape, value, path)
        kinds = shape.of if shape.sort == "tuple" else shape.of[:1] * len(items)
        before = len(self.errors)
        read = [
            self.value(shape_of(kind), item, (*path, number))
            for number, (kind, item) in enumerate(zip(kinds, items, strict=True))
        ]
        return _BAD if len(self.errors) > before else shape.kind(read)

    def _mapping(self, shape: Shape, values: dict[str, Any], path: Path) -> object:
        before = len(self.errors)
        key, item = map(shape_of, shape.of)
        out = {
            self.value(key, Word(name), (*path, name)): self.value(item, value, (*path, name))
            for name, value in values.items()
        }
        return _BAD if len(self.errors) > before else out

    def _is_hidden(self, path: Path) -> bool:
        return names_secret(path) or any(path[:end] in self.secrets for end in range(len(path) + 1))

    def _error(
        self, code: str, message: str, path: Path, hint: str | None = None, **facts: Any
    ) -> object:
        self.errors.append(config_error(code, message, hint, key=key_of(path), **facts))
        return _BAD

    def _miss(self, path: Path) -> None:
        message, hint = f"{key_of(path)} is missing", self.data.how_to_set(path)
        if any(isinstance(part, int) for part in path):  # it belongs into an item of a list
            message, hint = f"{message} ({self.data.place_of(path)})", None
        self._error(codes.CONFIG_KEY_NOT_FOUND, message, path, hint)

    def _mismatch(self, shape: Shape, value: object, path: Path) -> object:
        place, expected = self.data.place_of(path), shape.describe()
        is_hidden = self._is_hidden(path) or shape.holds_secret()
        said = MASK if is_hidden else shown(path, value)
        message = f"{key_of(path)} must be {expected}, got {said} ({place})"
        hint = None if is_hidden else shape.advice(value)
        return self._error(
            codes.CONFIG_TYPE_MISMATCH, message, path, hint, at=place, expected=expected
        )

    def _refuse(self, path: Path, known: list[str], schema: Any) -> None:
        *above, last = path
        place, near = self.data.place_of(path), nearest(str(last), known)
        message = f"{key_of(path)} is no key of {schema.__name__} ({place})"
        hint = f"did you mean {key_of((*above, near))}?" if near else f"it has {some(known)}"
        for section in known:
            if str(last).startswith(f"{section}_"):
                meant = key_of((*above, section, str(last)[len(section) + 1 :]))
                hint = f"did you mean {meant}? in a variable two underscores end a section"
        self._error(codes.CONFIG_KEY_UNKNOWN, message, path, hint, at=place)

    def _reject(
        self, schema: Any, given: dict[str, object], path: Path, error: ValueError | QiError
    ) -> object:
        """Say why `__post_init__` refused, without the secrets that its text may quote.

        The exception becomes no cause: it would carry its text along.
        """
        reason = error.message if isinstance(error, QiError) else str(error)
        for secret in sorted(self._hidden_texts(given, path), key=len, reverse=True):
            reason = reason.replace(secret, MASK).replace(repr(secret)[1:-1], MASK)
        reason = redact_text(reason)[:_MAX_REASON] or type(error).__name__
        place = f" ({self.data.place_of(path)})" if path else ""
        message = f"{key_of(path) or schema.__name__} is refused: {reason}{place}"
        return self._error(codes.CONFIG_VALUE_REJECTED, message, path)

    def _hidden_texts(self, value: Any, path: Path) -> Iterator[str]:
        """Give the text of every secret in what `__post_init__` could see."""
        if isinstance(value, Secret):
            self.secrets.add(path)
            value = value.reveal()
        if is_dataclass(value):
            value = {field.name: getattr(value, field.name, None) for field in fields(value)}
        if isinstance(value, list | tuple | set | frozenset):
            value = dict(enumerate(value))
        if isinstance(value, dict):
            for name, inner in value.items():
                yield from self._hidden_texts(inner, (*path, name))
        elif value not in (None, "") and self._is_hidden(path):
            yield str(value)


def _json(text: str) -> object:
    if not text.lstrip().startswith(("[", "{")):
        return None
    try:
        return parsed(text, "json", "")
    except QiError:
        return None
