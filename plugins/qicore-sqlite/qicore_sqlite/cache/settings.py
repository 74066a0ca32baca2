"""Where a cache's file is, and what can be set on it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, final

from qicore_cache.errors import SETTINGS_INVALID
from qicore_cache.settings import CacheSettings
from qicore_core import Result

from ..settings import MEMORY, SqliteSettings, read_file

__all__ = ["SqliteCacheSettings"]

_MOST: Final = 2**40  # entries, and bytes
_DAY: Final = 86_400.0  # seconds


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class SqliteCacheSettings:
    """Where the cache is, and how much it keeps.

    Attributes:
        path: the file; ":memory:" for none.
        max_entries: how many entries, of all namespaces together.
        max_bytes: how many bytes they may take, by estimate; the file has some room besides.
        busy_timeout: seconds to wait for a lock that another process holds; less than a database
            waits, as whoever asks a cache can compute instead.
    """

    path: str = MEMORY
    max_entries: int = 100_000
    max_bytes: int = 256 * 1024 * 1024
    busy_timeout: float = 1.0

    def __post_init__(self) -> None:
        for name in ("max_entries", "max_bytes"):
            if not 1 <= getattr(self, name) <= _MOST:
                raise ValueError(f"{name} is from 1 to {_MOST}, got {getattr(self, name)}")
        if not 0.0 <= self.busy_timeout <= _DAY:
            raise ValueError(f"busy_timeout is seconds, up to a day, got {self.busy_timeout}")

    @property
    def database(self) -> SqliteSettings:
        """What is opened: one reader, as more cost each read; what a power failure takes, it may.

        A COMMIT of a cache does not wait for the disk; the file is whole all the same.
        """
        return SqliteSettings(
            path=self.path, readers=1, durability="normal", busy_timeout=self.busy_timeout
        )

    @classmethod
    def read(cls, url: str, given: Mapping[str, object], /) -> Result[SqliteCacheSettings]:
        """Read them from a URL and from settings; settings win.

        >>> SqliteCacheSettings.read("sqlite:///cache.db?max_entries=500", {}).unwrap().max_entries
        500

        Errors:
            CACHE_SETTINGS_INVALID: the URL has a host, or settings are wrong.
        """
        return read_file(cls, url, given, kind="cache", code=SETTINGS_INVALID, also=CacheSettings)
