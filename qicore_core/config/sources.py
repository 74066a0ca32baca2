"""Layers from what a program has at hand: an object, a text, a file. Bounded in size and depth.

A function here gives a layer or raises a QiError; `ConfigData` makes Results of them. Values are
copied on the way in, so that nobody else can change a layer.
"""

from __future__ import annotations

import os

from .. import codes
from ..result import unwrap
from .key import key_of
from .lines import column_of, deep_line, fault
from .origin import Layer, Source, Word
from .readers import format_reader
from .trouble import MAX_BYTES, MAX_DEPTH, config_error, parse_error, too_deep

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from os import PathLike
    from typing import Any, Final

    from ..error import QiError
    from .key import Path

__all__ = ["file_layer", "object_layer", "own", "parsed", "read_text", "text_layer"]


def object_layer(values: Mapping[str, object], name: str, /) -> Layer:
    """Make a layer of a mapping."""
    return Layer(Source(name), _section(values, name))


def file_layer(file: str | PathLike[str], format: str | None = None, /) -> Layer:
    """Make a layer of a file; its ending says the format unless that is given."""
    name = os.fspath(file)
    ending = os.path.basename(name).rpartition(".")[2] if "." in os.path.basename(name) else ""
    return text_layer(read_text(name), format or ending, name)


def text_layer(text: str, format: str, name: str, /) -> Layer:
    """Make a layer of a text in a format: "toml", "json" or one that a plugin reads."""
    format, text = format.lower(), text.removeprefix("\ufeff")  # as some editors begin a text
    if len(text) > MAX_BYTES:
        raise _too_large(name)
    if format in _PARSERS:
        values = parsed(text, format, name)
    else:
        values = unwrap(unwrap(format_reader(format, name))(text))
    return Layer(Source(name, text=text, format=format), _section(values, name))


def parsed(text: str, format: str, name: str, /) -> object:
    """Give what a text in TOML or JSON says."""
    line = deep_line(text)
    if line:
        raise too_deep(f"{name}:{line}")
    try:
        return _PARSERS[format](text, name)
    except ValueError as error:  # of what the parser, or we, refuse without a place
        offset, reason = fault(text, format) or (0, str(error))
        raise parse_error(name, column_of(text, offset), reason) from None


def read_text(file: str, /, variable: str | None = None) -> str:
    """Read a whole file of bounded size as UTF-8.

    Args:
        file: its name.
        variable: the one that names it, if any; then nothing says the name, which may be a secret
            that someone put there in place of a file.
    """
    name = f"the file that {variable} names" if variable else file
    try:
        with open(file, "rb", opener=_at_once) as opened:
            data = opened.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:  # a ValueError is a NUL in the name
        raise _unreadable(file, variable, error) from None
    if len(data) > MAX_BYTES:
        raise _too_large(name)
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = data[: error.start].decode("utf-8-sig")
        place = column_of(before, len(before))
        raise parse_error(name, place, "this is not UTF-8 text", "save it as UTF-8") from None


def _at_once(file: str, flags: int) -> int:
    """Open a regular file; of another kind, such as a pipe, a read might never end."""
    opened = os.open(file, flags | getattr(os, "O_NONBLOCK", 0))
    from stat import S_ISREG  # os has loaded it

    if S_ISREG(os.fstat(opened).st_mode):
        return opened
    os.close(opened)
    raise OSError("it is no regular file")


def _unreadable(file: str, variable: str | None, error: OSError | ValueError) -> QiError:
    if isinstance(error, FileNotFoundError | NotADirectoryError):
        code, reason = codes.CONFIG_FILE_NOT_FOUND, "does not exist"
        hint = "check its path; a relative one starts at the working directory"
    else:
        code, reason = codes.CONFIG_FILE_UNREADABLE, f"cannot be read: {_reason(error)}"
        hint = "it must be a regular file that this program may read"
    if variable:
        hint = f"{variable} takes the path of a file that holds the secret, not the secret"
        return config_error(code, f"the file that {variable} names {reason}", hint)
    return config_error(code, f"the file {file} {reason}", hint, error, file=file)


def _reason(error: OSError | ValueError) -> str:
    return getattr(error, "strerror", None) or str(error)


def _section(values: Any, name: str) -> dict[str, object]:
    if not _is_mapping(values):
        said = f"{name} must hold a section of keys and values, got {type(values).__name__}"
        raise config_error(codes.CONFIG_TYPE_MISMATCH, said, 'write key = "value", or a mapping')
    return own(values, name)  # type: ignore[no-any-return]  # a mapping gives a dict


def own(value: Any, name: str = "", path: Path = (), /) -> Any:
    """Copy the mappings, lists and tuples of a value; a mapping becomes a dict."""
    kind = type(value)
    is_list = kind is list or kind is tuple
    if not is_list and kind is not dict and not _is_mapping(value):
        return str(value) if kind is Word else value
    if len(path) > MAX_DEPTH:
        raise too_deep(f"{name}: {key_of(path[:4])}...")
    if is_list:
        return kind([own(item, name, (*path, number)) for number, item in enumerate(value)])
    out: dict[str, object] = {}
    for key in value.keys():  # noqa: SIM118  # only keys() and [] are asked of a mapping here
        if not isinstance(key, str):
            said = f"{name}: a key is text, got {key!r} in {key_of(path) or 'the top'}"
            raise config_error(codes.CONFIG_TYPE_MISMATCH, said, "write it in quotes")
        out[key] = own(value[key], name, (*path, key))
    return out


def _is_mapping(value: object) -> bool:
    return hasattr(value, "keys") and hasattr(value, "__getitem__") and not isinstance(value, type)


def _read_toml(text: str, name: str) -> object:
    from tomllib import TOMLDecodeError, loads  # late: 3 ms, and not every program has a file

    try:
        return loads(text)
    except TOMLDecodeError as error:
        reason, _, at = str(error).rpartition(" (at ")
        numbers = ["".join(filter(str.isdigit, part)) for part in at.split(",")]
        end = _end(text)
        place = min(end, (int(numbers[0]), int(numbers[1]))) if numbers[0] else end
        raise parse_error(name, place, reason) from None


def _read_json(text: str, name: str) -> object:
    from json import JSONDecodeError, loads  # late: 2 ms, and not every program has a file

    try:
        return loads(text, object_pairs_hook=_without_repetition, parse_constant=_refuse)
    except JSONDecodeError as error:
        place = min((error.lineno, error.colno), _end(text))
        raise parse_error(name, place, error.msg) from None


def _end(text: str) -> tuple[int, int]:
    """Give the last place of a text: parsers name the line after it, which no file has."""
    return column_of(text, len(text.rstrip("\r\n")))


def _without_repetition(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """Refuse two values for one key: json would take the last and say nothing."""
    out = dict(pairs)
    if len(out) != len(pairs):
        raise ValueError("a key stands twice")
    return out


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is no value of JSON")


def _too_large(what: str) -> QiError:
    return config_error(
        codes.CONFIG_LIMIT_EXCEEDED,
        f"{what} is larger than {MAX_BYTES // 1024 // 1024} MiB",
        "a configuration this large is a mistake; name the data file in it instead",
    )


_PARSERS: Final = {"toml": _read_toml, "json": _read_json}
