"""Layers from words: environment variables, a .env file, arguments; text until a schema reads it.

`APP_DB__HOST` says `db.host`: the prefix is taken off, two underscores part, the rest is in lower
case. An environment is a set, so no order may decide: what contradicts itself is an error that
names both variables.
"""

from __future__ import annotations

import os

from .. import codes
from ..error import QiError
from ..secret import is_secret_name
from .key import key_of, path_of
from .origin import Layer, Source, Word
from .sources import read_text
from .trouble import MAX_DEPTH, config_error, parse_error, several, too_deep

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from os import PathLike
    from typing import Final

    from .key import Path

__all__ = ["arguments_layer", "dotenv_layer", "environment_layer"]

_FILE: Final = "_file"
_SPACE: Final = r"[ \t]*+(?:#[^\n]*+)?"
_DOTENV: Final = (
    rf"(?s)(?:[ \t]*+(?:export[ \t]++)?([A-Za-z_][A-Za-z0-9_]*+)[ \t]*+="
    rf"(?:[ \t]*+(?:\"((?:[^\"\\\0]++|\\.)*+)\"|'([^'\0]*+)'){_SPACE}"
    rf"|(?![ \t]*+[\"'])([^\n\0]*+))|{_SPACE})(?:\r?\n|\r?\Z)"
)
_ESCAPES: Final = {"n": "\n", "r": "\r", "t": "\t", "\\": "\\", '"': '"', "$": "$"}


class _Words:
    """What was said word by word, and who said it; a section is where the first of its keys is."""

    __slots__ = ("places", "values")

    def __init__(self) -> None:
        self.places: dict[Path, str] = {}
        self.values: dict[str, object] = {}

    def say(self, path: tuple[str, ...], value: str, place: str) -> None:
        values = self.values
        for end, part in enumerate(path[:-1], 1):
            self.places.setdefault(path[:end], place)
            inner = values.get(part)
            if not isinstance(inner, dict):
                inner = values[part] = {}
            values = inner
        self.places[path] = place
        values[path[-1]] = Word(value)


def environment_layer(prefix: str, environ: Mapping[str, str] | None, /) -> Layer:
    """Make a layer of the variables with a prefix; by default those of this process."""
    prefix = _whole(prefix)
    variables = os.environ if environ is None else environ
    return _nested(prefix, variables, f"environment {prefix}*", {})


def dotenv_layer(file: str | PathLike[str], prefix: str, /) -> Layer:
    """Make a layer of the variables with a prefix that a .env file sets."""
    name = os.fspath(file)
    variables, places = _read_dotenv(read_text(name), name)
    return _nested(_whole(prefix), variables, name, places)


def arguments_layer(arguments: Iterable[str], /) -> Layer:
    """Make a layer of arguments such as "db.host=x"; of two for one key the later holds."""
    words = _Words()
    for number, argument in enumerate(arguments, 1):
        key, sign, value = argument.removeprefix("--").partition("=")
        if not (key and sign):
            raise config_error(
                codes.CONFIG_PARSE_ERROR,
                f"argument {number} says no key=value",  # not what it says: it may be a password
                "write it as db.host=localhost",
                argument=number,
            )
        path = path_of(key)
        if len(path) > MAX_DEPTH:
            raise too_deep(f"argument {number}")
        words.say(path, value, f"argument {key}")
    return Layer(Source("arguments", words.places, prefix=""), words.values)


def _nested(
    prefix: str, variables: Mapping[str, str], source: str, places: Mapping[str, str]
) -> Layer:
    errors: list[QiError] = []
    words = _Words()
    for path, name in _named(prefix, variables, errors).items():
        try:
            value = variables[name]
            if _names_file(name):
                value = read_text(value, name).rstrip("\r\n")
            words.say(path, value, places.get(name, name))
        except QiError as error:
            errors.append(error)
    if errors:
        raise errors[0] if len(errors) == 1 else several(errors, codes.CONFIG_ENV_CONFLICT)
    return Layer(Source(source, words.places, prefix), words.values)


def _named(
    prefix: str, variables: Mapping[str, str], errors: list[QiError]
) -> dict[tuple[str, ...], str]:
    """Give the variable that says each path, in the order of their names."""
    named: dict[tuple[str, ...], str] = {}
    for name in sorted([name for name in variables if name.startswith(prefix)]):
        path = _path(name, prefix)
        if not all(part and part[0] != "_" and part[-1] != "_" for part in path):
            errors.append(_conflict(f"{name} has an empty part in its name", name))
        elif len(path) > MAX_DEPTH:
            errors.append(too_deep(f"the name of {name[:MAX_DEPTH]}..."))
        elif path in named:
            said = f"{named[path]} and {name} both say {key_of(path)}"
            errors.append(_conflict(said, named[path], name))
        elif variables[name] or not _names_file(name):
            named[path] = name
    for path, name in list(named.items()):
        for end in range(1, len(path)):
            other = named.get(path[:end])
            if other is not None and variables[other]:
                said = f"{other} makes {key_of(path[:end])} a value and {name} makes it a section"
                errors.append(_conflict(said, other, name))
            elif other is not None:
                del named[path[:end]]  # empty means unset where a section is wanted
    return named


def _whole(prefix: str) -> str:
    if not prefix.strip("_"):
        raise ValueError("a prefix is needed, such as 'APP_': every variable is no configuration")
    return prefix if prefix.endswith("_") else f"{prefix}_"


def _path(name: str, prefix: str) -> tuple[str, ...]:
    """Read a variable's name: `DB__HOST` says `db.host`, `DB__PASSWORD_FILE` `db.password`."""
    said = name[len(prefix) :].lower()
    return tuple((said.removesuffix(_FILE) if _names_file(name) else said).split("__"))


def _names_file(name: str) -> bool:
    """Tell whether a variable names a file with a secret in it; LOG_FILE is a setting itself."""
    last = name.rpartition("__")[2].lower()
    return last.endswith(_FILE) and is_secret_name(last.removesuffix(_FILE))


def _conflict(message: str, *names: str) -> QiError:
    hint = f"unset {' or '.join(names)}"
    return config_error(codes.CONFIG_ENV_CONFLICT, message, hint, variables=list(names))


def _read_dotenv(text: str, file: str) -> tuple[dict[str, str], dict[str, str]]:
    """Give the variables and the place of each."""
    import re  # late: 7 ms, and not every program has a .env file

    pattern = re.compile(_DOTENV)
    variables: dict[str, str] = {}
    places: dict[str, str] = {}
    at, line = 0, 1
    while at < len(text):
        found = pattern.match(text, at)
        if found is None:
            hint = f'mend line {line}: NAME=value, or NAME="..." with its closing quote'
            raise parse_error(file, (line, 1), "this is no NAME=value", hint)
        name, double, single, bare = found.groups()
        if name in variables:
            before = places[name].rpartition(":")[2]
            raise _conflict(f"{file}:{line}: {name} was set in line {before} before", name)
        if name is not None:
            places[name] = f"{file}:{line}"
            if double is not None:
                escape = r"(?s)\\(.)"
                variables[name] = re.sub(escape, lambda at: _ESCAPES.get(at[1], at[0]), double)
            elif single is not None:
                variables[name] = single
            else:
                variables[name] = re.split(r"(?<=\s)#", bare)[0].strip()
        line += text.count("\n", at, found.end())
        at = found.end()
    return variables, places
