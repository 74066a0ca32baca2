"""What can be set on a SQLite database, and the one place that checks it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from math import isfinite
from typing import Any, Final, Literal, final
from urllib.parse import parse_qsl, unquote

from qicore_core import QiError, Result, failure, success
from qicore_sql.errors import SETTINGS_INVALID

__all__ = ["MEMORY", "SqliteSettings"]

MEMORY: Final = ":memory:"


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class SqliteSettings:
    """Where the database is, and how it is used.

    Attributes:
        path: the file; ":memory:" for none.
        readers: how many threads read; a database in memory has one thread for all.
        durability: "full": what was acknowledged is there after the power failed; "normal": after
            the process was killed, and the last writes may be missing after the power failed.
        busy_timeout: seconds to wait for a lock that another process holds.
        idle_timeout: seconds that a transaction may wait for its next statement, as all other
            writers wait for it.
        statement_cache: how many compiled statements each connection keeps.
    """

    path: str = MEMORY
    readers: int = 2
    durability: Literal["full", "normal"] = "full"
    busy_timeout: float = 5.0
    idle_timeout: float = 5.0
    statement_cache: int = 256

    @property
    def is_in_memory(self) -> bool:
        """Whether there is no file."""
        return self.path == MEMORY

    @classmethod
    def read(cls, url: str, given: Mapping[str, object], /) -> Result[SqliteSettings]:
        """Read them from a URL and from settings; settings win.

        >>> SqliteSettings.read("sqlite:///app.db?readers=4", {}).unwrap().readers
        4

        Errors:
            DB_SETTINGS_INVALID: the URL has a host, or a setting is wrong.
        """
        place, _, query = url.partition("?")
        path = _path(place.partition(":")[2])
        if path is None:
            return failure(
                _invalid(
                    "the URL",
                    "sqlite:///file.db, sqlite:////folder/file.db, or sqlite:// in memory",
                )
            )
        said: dict[str, Any] = {**dict(parse_qsl(query, keep_blank_values=True)), **given}
        known = [field.name for field in fields(cls) if field.name != "path"]
        read: dict[str, Any] = {}
        for name, value in said.items():
            if name not in known:
                return failure(_invalid(f"the setting {name}", f"one of {', '.join(known)}"))
            taken = _READERS[name](value)
            if taken is None:
                return failure(_invalid(f"the setting {name}", f"{_WANTED[name]}, got {value!r}"))
            read[name] = taken
        return success(cls(path=path, **read))


def _path(place: str) -> str | None:
    """Give the path of a URL without its scheme, or None where it is none."""
    if place in ("", "//", "///", f"///{MEMORY}"):
        return MEMORY
    path = unquote(place.removeprefix("///"))
    return path if place.startswith("///") and "\0" not in path else None


def _whole(value: Any, least: int) -> int | None:
    if isinstance(value, bool) or not str(value).isdecimal():
        return None
    return int(value) if least <= int(value) <= 10_000 else None


def _seconds(value: Any) -> float | None:
    try:
        seconds = float(value)
    except (TypeError, ValueError):
        return None
    fits = not isinstance(value, bool) and isfinite(seconds) and 0.0 <= seconds <= 86_400.0
    return seconds if fits else None


_READERS: Final[Mapping[str, Any]] = {
    "readers": lambda value: _whole(value, 1),
    "durability": lambda value: value if value in ("full", "normal") else None,
    "busy_timeout": _seconds,
    "idle_timeout": _seconds,
    "statement_cache": lambda value: _whole(value, 0),
}
_WANTED: Final = {
    "readers": "a whole number from 1 to 10000",
    "durability": '"full" or "normal"',
    "busy_timeout": "a number of seconds, at most a day",
    "idle_timeout": "a number of seconds, at most a day",
    "statement_cache": "a whole number from 0 to 10000",
}


def _invalid(what: str, wanted: str) -> QiError:
    return QiError.configuration(
        SETTINGS_INVALID, f"{what} of the database is wrong: {wanted}", source="sqlite"
    )
