"""What was said, by whom: `ConfigData`, the ordered layers of a configuration.

To merge is to put layers one after the other: associative, with no layers as the identity, for
every input. The usual recursive merge is not: of `{a: {x}}`, `{a: 5}` and `{a: {y}}` it makes two
different things, as it is bracketed. What one reads is the left fold of the layers, made once: a
later one wins, sections merge deep, and everything else, lists and None included, replaces. This
room must never learn about schemas.
"""

from __future__ import annotations

from .. import codes
from ..error import QiError
from ..result import failure, success
from .environment import arguments_layer, dotenv_layer, environment_layer
from .key import key_of, nearest, path_of, shown
from .origin import ABSENT, Layer, explain, look, sayings
from .sources import file_layer, object_layer, own, text_layer
from .trouble import config_error, several

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from os import PathLike
    from typing import Any, ParamSpec, final

    from ..result import Result
    from .key import Path
    from .origin import Explanation

    P = ParamSpec("P")
else:
    from ..lean import final

__all__ = ["ConfigData"]


@final
class ConfigData:
    """A configuration as its layers; a later one wins.

    >>> data = ConfigData.merge([
    ...     ConfigData.from_object({"db": {"host": "here", "port": 5432}}, "defaults").unwrap(),
    ...     ConfigData.from_environment("APP_", {"APP_DB__HOST": "db.internal"}).unwrap(),
    ... ])
    >>> data.get("db.host"), data.get("db.port")
    (Success('db.internal'), Success(5432))
    >>> print(data.explain("db.host"))
    db.host = 'db.internal' from APP_DB__HOST
      shadows 'here' from defaults

    A key is the names of its sections and its own with dots between; a name that has a dot in it
    stands in double quotes. Two are equal when their layers are: values and the names of sources.
    """

    __slots__ = ("_folded", "_layers")

    def __init__(self, layers: Iterable[Layer] = (), /) -> None:
        self._layers = tuple(layers)
        self._folded: dict[str, object] | None = None

    @staticmethod
    def empty() -> ConfigData:
        """Make one without layers: the identity of merging."""
        return ConfigData()

    @staticmethod
    def from_object(values: Mapping[str, object], /, source: str = "object") -> Result[ConfigData]:
        """Make one of nested mappings, which are copied.

        Args:
            values: keys are text; mappings become sections, all else is a value.
            source: what `explain` and errors call it.

        Errors:
            CONFIG_TYPE_MISMATCH: a key is no text, or the whole is no mapping.
            CONFIG_LIMIT_EXCEEDED: it is nested deeper than 64 levels, or in itself.
        """
        return _made(object_layer, values, source)

    @staticmethod
    def from_string(text: str, format: str, /, source: str = "text") -> Result[ConfigData]:
        """Read a text in a format: "toml", "json", or one that a plugin reads.

        Errors:
            CONFIG_PARSE_ERROR: it cannot be read; context has file (the source), line and column.
            CONFIG_FORMAT_UNKNOWN: nothing here reads the format; the hint says which plugin does.
            CONFIG_LIMIT_EXCEEDED: it is larger than 10 MiB or nested deeper than 64 levels.

        >>> ConfigData.from_string("port = 80", "toml").unwrap().get("port")
        Success(80)
        """
        return _made(text_layer, text, format, source)

    @staticmethod
    def from_file(file: str | PathLike[str], /, format: str | None = None) -> Result[ConfigData]:
        """Read a local file in the format that its ending says, unless `format` does.

        Errors:
            CONFIG_FILE_NOT_FOUND: there is no such file.
            CONFIG_FILE_UNREADABLE: it is a directory, or may not be read.
            CONFIG_PARSE_ERROR, CONFIG_FORMAT_UNKNOWN, CONFIG_LIMIT_EXCEEDED: as `from_string`.
        """
        return _made(file_layer, file, format)

    @staticmethod
    def from_environment(
        prefix: str, /, environ: Mapping[str, str] | None = None
    ) -> Result[ConfigData]:
        """Read the environment variables with a prefix: `APP_DB__HOST` says `db.host`.

        Values stay text until a schema reads them. A variable that ends in `_FILE` after the name
        of a secret, such as `APP_DB__PASSWORD_FILE`, names a file that holds the value.

        Args:
            prefix: "APP_" and "APP" are the same.
            environ: what to read in place of the environment of this process.

        Errors:
            CONFIG_ENV_CONFLICT: two variables say one key, or one makes a value of what another
                makes a section, or a name has an empty part. All such are in `errors`.
            CONFIG_FILE_NOT_FOUND, CONFIG_FILE_UNREADABLE: of a `_FILE` variable.
        """
        return _made(environment_layer, prefix, environ)

    @staticmethod
    def from_dotenv(file: str | PathLike[str], prefix: str, /) -> Result[ConfigData]:
        """Read the variables with a prefix from a .env file; nothing is set in the environment.

        A line is `NAME=value`, `export NAME="with escapes"`, `NAME='as it is'` or a comment.
        Nothing is interpolated; a text in quotes may go on over several lines.

        Errors:
            CONFIG_PARSE_ERROR: a line is none of these.
            CONFIG_ENV_CONFLICT: a name stands twice, or as `from_environment`.
            CONFIG_FILE_NOT_FOUND, CONFIG_FILE_UNREADABLE: as `from_file`.
        """
        return _made(dotenv_layer, file, prefix)

    @staticmethod
    def from_args(arguments: Iterable[str], /) -> Result[ConfigData]:
        """Read arguments such as "db.host=x" or "--db.host=x"; of two for one key the later holds.

        Errors:
            CONFIG_PARSE_ERROR: one has no key or no "="; it is named by its number alone.
        """
        return _made(arguments_layer, arguments)

    @staticmethod
    def merge(parts: Iterable[ConfigData], /) -> ConfigData:
        """Put the layers of all one after the other: the last has the last word."""
        return ConfigData([layer for part in parts for layer in part._layers])

    def __add__(self, other: ConfigData, /) -> ConfigData:
        if not isinstance(other, ConfigData):
            return NotImplemented
        return ConfigData(self._layers + other._layers)

    def get(self, key: str, /) -> Result[Any]:
        """Give the value of a key; of a section a dict, of a variable the text as it is.

        Errors:
            CONFIG_KEY_NOT_FOUND: nothing says it; the hint gives the nearest key.
        """
        path = path_of(key)
        value = self._find(path)
        return failure(self._missing(path)) if value is ABSENT else success(own(value))

    def get_or(self, key: str, default: Any, /) -> Any:
        """Give the value of a key, or the default where nothing says it; None can be said, too."""
        value = self._find(path_of(key))
        return default if value is ABSENT else own(value)

    def section(self, key: str, /) -> Result[ConfigData]:
        """Give a section as a ConfigData of its own, which still knows who said what.

        Errors:
            CONFIG_KEY_NOT_FOUND: nothing says it.
            CONFIG_TYPE_MISMATCH: it is a value.
        """
        path = path_of(key)
        value = self._find(path)
        if value is ABSENT:
            return failure(self._missing(path))
        if not isinstance(value, dict):
            place = self.place_of(path)
            said = f"{key} must be a section, got {shown(path, value)} ({place})"
            return failure(config_error(codes.CONFIG_TYPE_MISMATCH, said, key=key, at=place))
        inner: list[Layer] = []
        for layer, found, _ in sayings(self._layers, path):
            if not isinstance(found, dict):
                break  # a value replaced what is below
            inner.insert(0, Layer(layer.source, found, (*layer.at, *path)))
        return success(ConfigData(inner))

    def keys(self) -> tuple[str, ...]:
        """Give the key of every value, as `get` takes it; an empty section is one too."""
        walked = _walk(self._fold(), ())
        return tuple(
            [key_of(path) for path, value in walked if type(value) is not dict or not value]
        )

    def as_dict(self) -> dict[str, Any]:
        """Give all of it as nested dicts of your own, secrets included."""
        return own(self._fold())  # type: ignore[no-any-return]  # a dict gives a dict

    def explain(self, key: str, /) -> Explanation:
        """Tell which line or variable says a key, and what it shadows.

        Values are masked where a part of the key is the name of a secret, or they look like one.
        """
        return explain(self._layers, path_of(key), self._known())

    def place_of(self, path: Path, /) -> str:
        """Name the line or the variable that says a path, or the value or section around it."""
        for layer, _, _ in sayings(self._layers, path):
            return layer.place_of(path)
        return self.place_of(path[:-1]) if path else "nowhere"

    def validate_required(self, *keys: str) -> Result[ConfigData]:
        """Give this ConfigData if every one of the keys is set.

        Errors:
            CONFIG_VALIDATION_FAILED: some are not; `errors` has a CONFIG_KEY_NOT_FOUND for each.
        """
        paths = [path_of(key) for key in keys]
        errors = [self._missing(path) for path in paths if self._find(path) is ABSENT]
        if errors:
            return failure(several(errors, codes.CONFIG_VALIDATION_FAILED))
        return success(self)

    def _missing(self, path: tuple[str, ...]) -> QiError:
        key = key_of(path)
        near = nearest(key, self._known())
        hint = f"did you mean {near}?" if near else self.how_to_set(path)
        return config_error(codes.CONFIG_KEY_NOT_FOUND, f"{key} is not set", hint, key=key)

    def how_to_set(self, path: Path, /) -> str | None:
        """Say where a path could be said: the last file's key, the last environment's variable."""
        ways: dict[str, str] = {}
        for layer in self._layers:
            source, full = layer.source, (*layer.at, *path)
            if source.prefix:
                ways["variable"] = source.prefix + "__".join(map(str, full)).upper()
            elif source.text is not None:
                ways["file"] = f"{key_of(full)} in {source.name}"
        return f"set {' or '.join(ways.values())}" if ways else None

    def _known(self) -> Iterator[str]:
        return (key_of(path) for path, _ in _walk(self._fold(), ()))

    def _find(self, path: tuple[str, ...]) -> object:
        value, end = look(self._fold(), path)
        return value if end == len(path) else ABSENT

    def _fold(self) -> dict[str, object]:
        folded = self._folded
        if folded is None:
            folded = {}
            for layer in self._layers:
                folded = _over(folded, layer.values) if folded else layer.values
            self._folded = folded
        return folded

    def __eq__(self, other: object, /) -> bool:
        if not isinstance(other, ConfigData):
            return NotImplemented
        mine, theirs = [
            [(layer.source.name, layer.values) for layer in one._layers] for one in (self, other)
        ]
        return mine == theirs

    __hash__ = None  # type: ignore[assignment]  # it holds dicts

    def __repr__(self) -> str:
        names = [layer.source.name for layer in self._layers]
        return f"<ConfigData: {', '.join(names) or 'empty'}>"


def _made(make: Callable[P, Layer], /, *args: P.args, **kwargs: P.kwargs) -> Result[ConfigData]:
    try:
        return success(ConfigData((make(*args, **kwargs),)))
    except QiError as error:
        error.__context__ = None  # a parser's exception holds the whole text, secrets included
        return failure(error)


def _over(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    """Lay a tree over another; what neither changes is shared, as no tree is ever changed."""
    out = below.copy()
    for key, value in above.items():
        if value.__class__ is dict:
            under: Any = out.get(key)
            if under.__class__ is dict:
                value = _over(under, value)
        out[key] = value
    return out


def _walk(value: object, path: Path) -> Iterator[tuple[Path, object]]:
    """Go through a tree: every section and every value, in order."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield (*path, key), inner
            yield from _walk(inner, (*path, key))
