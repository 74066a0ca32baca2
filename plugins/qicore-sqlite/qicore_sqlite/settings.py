"""Where a SQLite database is, and what can be set on it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal, TypeVar, final
from urllib.parse import parse_qsl, unquote

from qicore_core import QiError, Result, failure
from qicore_core.config.settings import read_settings
from qicore_sql.errors import SETTINGS_INVALID
from qicore_sql.settings import DatabaseSettings

__all__ = ["MEMORY", "SqliteSettings", "read_file"]

S = TypeVar("S")

MEMORY: Final = ":memory:"
_MOST: Final = 10_000  # threads, and statements
_DAY: Final = 86_400.0  # seconds


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

    def __post_init__(self) -> None:
        for name, least in (("readers", 1), ("statement_cache", 0)):
            if not least <= getattr(self, name) <= _MOST:
                raise ValueError(f"{name} is from {least} to {_MOST}, got {getattr(self, name)}")
        for name in ("busy_timeout", "idle_timeout"):
            if not 0.0 <= getattr(self, name) <= _DAY:
                raise ValueError(f"{name} is seconds, up to a day, got {getattr(self, name)}")

    @classmethod
    def read(cls, url: str, given: Mapping[str, object], /) -> Result[SqliteSettings]:
        """Read them from a URL and from settings; settings win.

        >>> SqliteSettings.read("sqlite:///app.db?readers=4", {}).unwrap().readers
        4

        Errors:
            DB_SETTINGS_INVALID: the URL has a host, or settings are wrong.
        """
        return read_file(cls, url, given, kind="sql", code=SETTINGS_INVALID, also=DatabaseSettings)


def read_file(
    schema: type[S], url: str, given: Mapping[str, object], /, *, kind: str, code: str, also: type
) -> Result[S]:
    """Read what is set on a file: its path from the URL alone, the rest from there and `given`.

    Args:
        schema: the settings, with a `path`.
        url: where it is; its query is read too.
        given: what was set besides; it wins.
        kind: whose, for messages.
        code: the domain's for settings that are wrong.
        also: the domain's own settings.
    """
    place, _, query = url.partition("?")
    path = _path_of(place)
    said = {**dict(parse_qsl(query, keep_blank_values=True)), **given}
    if path is None or "path" in said:
        return failure(_no_path(kind, code))
    return read_settings(
        schema, {"path": path, **said}, "sqlite:", kind=kind, code=code, also=[also]
    )


def _path_of(url: str, /) -> str | None:
    """Give the path of a URL without its query, or None where it is none."""
    place = url.partition(":")[2]
    if place in ("", "//", "///", f"///{MEMORY}"):
        return MEMORY
    try:
        path = unquote(place.removeprefix("///"), errors="strict")
        path.encode()
    except UnicodeError:
        return None
    return path if place.startswith("///") and "\0" not in path else None


def _no_path(kind: str, code: str) -> QiError:
    example = "cache.db" if kind == "cache" else "file.db"
    return QiError.configuration(
        code,
        f"the path of a file stands in its URL: sqlite:///{example}, sqlite:////folder/{example}, "
        "or sqlite:// in memory",
        source=kind,
    )
