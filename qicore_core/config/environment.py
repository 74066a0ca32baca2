"""Layers from words: environment variables, a .env file, arguments; text until a schema reads it.

`APP_DB__HOST` says `db.host`: the prefix is taken off, two underscores part, the rest is in lower
case. An environment is a set, so no order may decide: what contradicts itself is an error that
names both variables.
"""

from __future__ import annotations

import os

from ..codes import CONFIG_ENV_CONFLICT, CONFIG_LIMIT_EXCEEDED, CONFIG_PARSE_ERROR
from ..error import QiError
from ..secret import is_secret_name
from .key import key_of, path_of
from .origin import Layer, Source
from .sources import MAX_DEPTH, parse_error, read_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from os import PathLike
    from typing import Final

    from .key import Path

__all__ = ["arguments_layer", "dotenv_layer", "environment_layer"]

_SPACE: Final = r"[ \t]*+(?:#[^\n]*+)?"
_DOTENV: Final = (
    rf"(?s)(?:[ \t]*+(?:export[ \t]++)?([A-Za-z_][A-Za-z0-9_]*+)[ \t]*+="
    rf"(?:[ \t]*+(?:\"((?:[^\"\\]++|\\.)*+)\"|'([^']*+)'){_SPACE}"
    rf"|(?![ \t]*+[\"'])([^\n]*+))|{_SPACE})(?:\r?\n|\r?\Z)"
)
_ESCAPES: Final = {"n": "\n", "r": "\r", "t": "\t", "\\": "\\", '"': '"', "$": "$"}


def environment_layer(prefix: str, environ: Mapping[str, str] | None, /) -> Layer:
    """Make a layer of the variables with a prefix; by default those of this process."""
    prefix = _whole(prefix)
    variables = os.environ if environ is None else environ
    return _nested(prefix, variables, f"environment {prefix}*", lambda name: name)


def dotenv_layer(file: str | PathLike[str], prefix: str, /) -> Layer:
    """Make a layer of the variables with a prefix that a .env file sets."""
    name = os.fspath(file)
    variables, lines = _read_dotenv(read_text(name), name)
    return _nested(_whole(prefix), variables, name, lambda variable: f"{name}:{lines[variable]}")


def arguments_layer(arguments: Iterable[str], /) -> Layer:
    """Make a layer of arguments such as "db.host=x"; of two for one key the later holds."""
    values: dict[str, object] = {}
    places: dict[Path, str] = {}
    for number, argument in enumerate(arguments, 1):
        key, sign, value = argument.removeprefix("--").partition("=")
        if not (key and sign):
            raise QiError.configuration(
                CONFIG_PARSE_ERROR,
                f"argument {number} says no key=value",  # not what it says: it may be a password
                hint="write it as db.host=localhost",
                argument=number,
            )
        path = path_of(key)
        if len(path) > MAX_DEPTH:
            raise _too_deep(f"argument {number}")
        _put(values, path, value)
        _note(places, path, f"argument {key}")
    return Layer(Source("arguments", places, is_text=True), values)


def _nested(
    prefix: str, variables: Mapping[str, str], source: str, place_of: Callable[[str], str]
) -> Layer:
    errors: list[QiError] = []
    named = _named(prefix, variables, errors)
    values: dict[str, object] = {}
    places: dict[Path, str] = {}
    for path, name in named.items():
        try:
            _put(values, path, _value(name, variables[name]))
        except QiError as error:
            errors.append(error)
        _note(places, path, place_of(name))
    if errors:
        raise errors[0] if len(errors) == 1 else QiError.aggregate(errors, code=CONFIG_ENV_CONFLICT)
    return Layer(Source(source, places, is_text=True, prefix=prefix), values)


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
            errors.append(_too_deep(f"the name of {name[:MAX_DEPTH]}..."))
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
    path = tuple(name[len(prefix) :].lower().split("__"))
    return (*path[:-1], path[-1][: -len("_file")]) if _names_file(name) else path


def _names_file(name: str) -> bool:
    """Tell whether a variable names a file with a secret in it; LOG_FILE is a setting itself."""
    last = name.rpartition("__")[2].lower()
    return last.endswith("_file") and is_secret_name(last[: -len("_file")])


def _value(name: str, value: str) -> str:
    return read_text(value, name).rstrip("\r\n") if _names_file(name) else value


def _put(values: dict[str, object], path: tuple[str, ...], value: str) -> None:
    for part in path[:-1]:
        inner = values.get(part)
        if not isinstance(inner, dict):
            inner = values[part] = {}
        values = inner
    values[path[-1]] = value


def _note(places: dict[Path, str], path: Path, place: str) -> None:
    """Remember who said a path; a section is where the first of its keys is."""
    for end in range(1, len(path)):
        places.setdefault(path[:end], place)
    places[path] = place


def _too_deep(what: str) -> QiError:
    return QiError.configuration(
        CONFIG_LIMIT_EXCEEDED,
        f"{what} has more than {MAX_DEPTH} parts",
        hint="a key this long is a mistake",
    )


def _conflict(message: str, *names: str) -> QiError:
    return QiError.configuration(
        CONFIG_ENV_CONFLICT,
        message,
        hint=f"unset {names[0]}" + "".join([f" or {name}" for name in names[1:]]),
        variables=list(names),
    )


def _read_dotenv(text: str, file: str) -> tuple[dict[str, str], dict[str, int]]:
    import re  # late: 7 ms, and not every program has a .env file

    pattern = re.compile(_DOTENV)
    variables: dict[str, str] = {}
    lines: dict[str, int] = {}
    at, line = 0, 1
    while at < len(text):
        found = pattern.match(text, at)
        if found is None:
            raise parse_error(file, "this is no NAME=value", line, 1)
        name, double, single, bare = found.groups()
        if name in variables:
            raise _conflict(f"{file}:{line}: {name} was set in line {lines[name]} before", name)
        if name is not None:
            lines[name] = line
            if double is not None:
                escape = r"(?s)\\(.)"
                variables[name] = re.sub(escape, lambda at: _ESCAPES.get(at[1], at[0]), double)
            elif single is not None:
                variables[name] = single
            else:
                variables[name] = re.split(r"(?<=\s)#", bare)[0].strip()
        line += text.count("\n", at, found.end())
        at = found.end()
    return variables, lines
