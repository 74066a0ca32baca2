"""Layers from what a program has at hand: an object, a text, a file. Bounded in size and depth.

A function here gives a layer or raises a QiError; `ConfigData` makes Results of them. Values are
copied on the way in, so that nobody else can change a layer.
"""

from __future__ import annotations

from os import fspath
from os.path import basename

from ..codes import (
    CONFIG_FILE_NOT_FOUND,
    CONFIG_FILE_UNREADABLE,
    CONFIG_LIMIT_EXCEEDED,
    CONFIG_PARSE_ERROR,
    CONFIG_TYPE_MISMATCH,
)
from ..error import QiError
from ..result import unwrap
from .key import key_of
from .lines import json_offsets, line_and_column, repeated_json_key, toml_offsets
from .origin import Layer, Source
from .readers import format_reader

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from os import PathLike
    from typing import Any, Final

    from .key import Path

__all__ = [
    "MAX_BYTES",
    "MAX_DEPTH",
    "file_layer",
    "object_layer",
    "own",
    "parse_error",
    "read_text",
    "text_layer",
]

MAX_BYTES: Final = 10 * 1024 * 1024
MAX_DEPTH: Final = 64
# Texts and comments of TOML, also such as never end: each is read once, so time is linear.
_TOML_QUOTED: Final = (
    r'(?s)"""(?:[^"\\]++|\\.|"(?!""))*+(?:"{3,5})?'
    r"|'''.*?(?:'{3,5}|\Z)"
    r'|"(?:[^"\\\n]++|\\.)*+"?'
    r"|'[^'\n]*+'?"
    r"|#[^\n]*+"
)


def object_layer(values: Mapping[str, object], name: str, /) -> Layer:
    """Make a layer of a mapping."""
    return Layer(Source(name), _section(values, name))


def file_layer(file: str | PathLike[str], format: str | None = None, /) -> Layer:
    """Make a layer of a file; its ending says the format unless that is given."""
    name = fspath(file)
    ending = basename(name).rpartition(".")[2] if "." in basename(name) else ""
    return text_layer(read_text(name), format or ending, name)


def text_layer(text: str, format: str, name: str, /) -> Layer:
    """Make a layer of a text in a format: "toml", "json" or one that a plugin reads."""
    format = format.lower()
    if len(text) > MAX_BYTES:
        raise _too_large(name)
    values: object
    if format == "toml":
        values, offsets = _read_toml(text, name), toml_offsets
    elif format == "json":
        values, offsets = _read_json(text, name), json_offsets
    else:
        read = unwrap(format_reader(format, name))
        values, offsets = unwrap(read(text)), None
    return Layer(Source(name, text=text, offsets=offsets), _section(values, name))


def read_text(file: str, /, sought_by: str | None = None) -> str:
    """Read a whole file of bounded size as UTF-8.

    Args:
        file: its name.
        sought_by: the variable that names it, where one does.
    """
    said = f"{file} (named by {sought_by})" if sought_by else file
    try:
        with open(file, "rb") as opened:
            data = opened.read(MAX_BYTES + 1)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise QiError.configuration(
            CONFIG_FILE_NOT_FOUND,
            f"the file {said} does not exist",
            cause=error,
            hint="check its path; a relative one starts at the working directory",
            file=file,
        ) from None
    except (OSError, ValueError) as error:  # a ValueError is a NUL in the name
        raise QiError.configuration(
            CONFIG_FILE_UNREADABLE,
            f"the file {said} cannot be read: {getattr(error, 'strerror', error)}",
            cause=error,
            hint="it must be a file that this program may read",
            file=file,
        ) from None
    if len(data) > MAX_BYTES:
        raise _too_large(said)
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = data[: error.start]
        line, column = before.count(b"\n") + 1, error.start - before.rfind(b"\n")
        raise parse_error(said, "this is not UTF-8 text", line, column) from None


def parse_error(
    name: str, reason: str, line: int | None = None, column: int | None = None, /
) -> QiError:
    """Make the error that says where a text cannot be read."""
    if line is None:
        return QiError.configuration(CONFIG_PARSE_ERROR, f"{name}: {reason}", file=name)
    return QiError.configuration(
        CONFIG_PARSE_ERROR,
        f"{name}:{line}:{column}: {reason}",
        hint=f"mend line {line}",
        file=name,
        line=line,
        column=column,
    )


def _section(values: Any, name: str) -> dict[str, object]:
    if not _is_mapping(values):
        raise QiError.configuration(
            CONFIG_TYPE_MISMATCH,
            f"{name} must hold a section of keys and values, got {type(values).__name__}",
        )
    return own(values)  # type: ignore[no-any-return]  # a mapping gives a dict


def own(value: Any, path: Path = (), /) -> Any:
    """Copy the mappings, lists and tuples of a value; a mapping becomes a dict."""
    kind = type(value)
    if kind is dict or _is_mapping(value):
        _check_depth(path)
        out: dict[str, object] = {}
        for key in value.keys():  # noqa: SIM118  # only keys() and [] are asked of a mapping here
            if not isinstance(key, str):
                raise QiError.configuration(
                    CONFIG_TYPE_MISMATCH,
                    f"a key is text, got {key!r} in {key_of(path) or 'the top'}",
                )
            out[key] = own(value[key], (*path, key))
        return out
    if kind is list or kind is tuple:
        _check_depth(path)
        return kind([own(item, (*path, number)) for number, item in enumerate(value)])
    return value


def _is_mapping(value: object) -> bool:
    return hasattr(value, "keys") and hasattr(value, "__getitem__") and not isinstance(value, type)


def _check_depth(path: Path) -> None:
    if len(path) > MAX_DEPTH:
        raise _too_deep(key_of(path[:4]) + "...")


def _read_toml(text: str, name: str) -> object:
    from tomllib import TOMLDecodeError, loads  # late: 3 ms, and not every program has a file

    _refuse_long_keys(text, name)
    try:
        return loads(text)
    except TOMLDecodeError as error:
        reason, _, at = str(error).rpartition(" (at ")
        if at == "end of document)":
            raise parse_error(name, reason, *line_and_column(text, len(text))) from None
        line, column = [int("".join(filter(str.isdigit, part))) for part in at.split(",")]
        raise parse_error(name, reason, line, column) from None
    except RecursionError:
        raise _too_deep(name) from None
    except ValueError as error:  # such as an integer of more digits than Python reads
        raise parse_error(name, str(error)) from None


def _refuse_long_keys(text: str, name: str) -> None:
    """Refuse a key of very many parts: tomllib takes time by its square, 30 s for 80 kB."""
    if all(line.count(".") <= MAX_DEPTH for line in text.split("\n")):
        return
    from re import search, sub  # late: such lines are rare; tomllib has loaded it

    bare = sub(_TOML_QUOTED, lambda found: "k" + "\n" * found[0].count("\n"), text)
    found = search(rf"(?<![\w-])(?:[\w-]++[ \t]*+\.[ \t]*+){{{MAX_DEPTH + 1}}}", bare)
    if found:
        raise _too_deep(f"{name}:{line_and_column(bare, found.start())[0]}")


def _read_json(text: str, name: str) -> object:
    from json import JSONDecodeError, loads  # late: 2 ms, and not every program has a file

    try:
        return loads(text, object_pairs_hook=_without_repetition)
    except JSONDecodeError as error:
        raise parse_error(name, error.msg, error.lineno, error.colno) from None
    except RecursionError:
        raise _too_deep(name) from None
    except _RepeatedKeyError:
        key, offset = repeated_json_key(text)
        raise parse_error(
            name, f"the key {key!r} stands here again", *line_and_column(text, offset)
        ) from None
    except ValueError as error:  # such as an integer of more digits than Python reads
        raise parse_error(name, str(error)) from None


class _RepeatedKeyError(Exception):
    """Two values for one key: json would take the last and say nothing."""


def _without_repetition(pairs: list[tuple[str, object]]) -> dict[str, object]:
    out = dict(pairs)
    if len(out) != len(pairs):
        raise _RepeatedKeyError
    return out


def _too_deep(what: str) -> QiError:
    return QiError.configuration(
        CONFIG_LIMIT_EXCEEDED,
        f"{what} is nested deeper than {MAX_DEPTH} levels",
        hint="a configuration this deep is a mistake or refers to itself",
    )


def _too_large(what: str) -> QiError:
    return QiError.configuration(
        CONFIG_LIMIT_EXCEEDED,
        f"{what} is larger than {MAX_BYTES // 1024 // 1024} MiB",
        hint="a configuration this large is a mistake; name the data file in it instead",
    )
