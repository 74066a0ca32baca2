"""The name of a setting: "db.host" as a key, ("db", "host") as a path; what may be shown of it.

A part with a dot or a quote in it stands in double quotes, as in TOML: `hosts."example.org"`. A
number in a path is the place in a list and is written `servers[0]`.
"""

from __future__ import annotations

from ..error.foreign import repr_of
from ..secret import MASK, is_secret_name, redact

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Final, TypeAlias

    Path: TypeAlias = tuple[str | int, ...]

__all__ = ["key_of", "names_secret", "nearest", "path_of", "printable", "shown"]

_MAX_SHOWN: Final = 80  # characters of a value in a message
_MAX_COMPARED: Final = 1000  # names: difflib takes 20 µs for each


def path_of(key: str, /) -> tuple[str, ...]:
    """Read a key; every text is one.

    >>> path_of('hosts."example.org".port')
    ('hosts', 'example.org', 'port')
    """
    if '"' not in key:
        return tuple(key.split("."))
    path: list[str] = []
    part, is_quoted, characters = "", False, iter(key)
    for character in characters:
        if character == "\\" and is_quoted:
            part += next(characters, "")
        elif character == '"':
            is_quoted = not is_quoted
        elif character == "." and not is_quoted:
            path.append(part)
            part = ""
        else:
            part += character
    return (*path, part)


def key_of(path: Path, /) -> str:
    """Write a path as a key, so that `path_of` reads it back.

    >>> key_of(("hosts", "example.org")), key_of(("servers", 0, "host"))
    ('hosts."example.org"', 'servers[0].host')
    """
    key = ""
    for number, part in enumerate(path):
        if isinstance(part, int):
            key += f"[{part}]"
            continue
        if "." in part or '"' in part:
            part = '"' + part.replace("\\", "\\\\").replace('"', '\\"') + '"'
        key += f".{part}" if number else part
    return key


def printable(text: str, /) -> str:
    """Escape what no terminal should be sent: control characters, half of a surrogate pair."""
    escaped = [one if one.isprintable() else one.encode("unicode_escape").decode() for one in text]
    return "".join(escaped)


def nearest(name: str, known: Iterable[str], /) -> str | None:
    """Give the known name that a mistyped one most likely stands for, or None where none is near.

    >>> nearest("hots", ["host", "port"])
    'host'
    """
    from difflib import get_close_matches  # late: only where something is already wrong

    by_lower = {one.lower(): one for one, _ in zip(known, range(_MAX_COMPARED), strict=False)}
    found = get_close_matches(name[:_MAX_SHOWN].lower(), by_lower, 1)
    return by_lower[found[0]] if found else None


def names_secret(path: Path, /) -> bool:
    """Tell whether a part of the path is the name of a secret."""
    return any(isinstance(part, str) and is_secret_name(part) for part in path)


def shown(path: Path, value: object, /) -> str:
    """Write what of a value may stand in a message: no secret, one line, not long."""
    if isinstance(value, dict):
        return "a section"
    if value is not None and names_secret(path):
        return MASK
    text = repr_of(redact(value))
    return text if len(text) <= _MAX_SHOWN else f"{text[: _MAX_SHOWN - 1]}…"
