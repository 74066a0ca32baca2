"""What this distribution brings to caches: `sqlite:`."""

from __future__ import annotations

from collections.abc import Mapping

from qicore_cache import CACHE, CacheStore
from qicore_core import Failure, Opening, Parts, PluginInfo, Registry, Result, hookimpl

from .settings import SqliteCacheSettings
from .store import SqliteStore

__all__ = ["open_store", "qicore_plugin_info", "qicore_register_adapters"]


@hookimpl
def qicore_plugin_info(info: PluginInfo) -> None:
    """Say what `sqlite:` is."""
    info.summary = "a cache in a SQLite file: it stays, is bounded, and processes share it"
    info.needs_url = True  # without a file it is `memory:`, and slower
    info.settings = {
        "max_entries": "how many entries",
        "max_bytes": "how many bytes of them",
        "busy_timeout": "seconds to wait for a lock of another process",
    }


@hookimpl
def qicore_register_adapters(registry: Registry) -> None:
    """Register `sqlite:`."""
    registry.add(CACHE, "sqlite", open_store)


def open_store(url: str, settings: Mapping[str, object], parts: Parts, /) -> Opening[CacheStore]:
    """Open a cache: `sqlite:///cache.db`, or `sqlite://` in memory.

    Errors:
        CACHE_SETTINGS_INVALID: see SqliteCacheSettings.
        CACHE_CONNECTION_FAILED: the file cannot be opened, is no database, or has tables of others
            where the cache's would be.
    """

    async def start() -> Result[CacheStore]:
        read = SqliteCacheSettings.read(url, settings)
        return read if isinstance(read, Failure) else await SqliteStore.open(read.value, parts)

    return Opening(start)
