"""What this distribution brings to the plugin system: the kind itself, and `memory:`."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import parse_qsl

from qicore_core import (
    Failure,
    Opening,
    Parts,
    PluginInfo,
    QiError,
    Registry,
    Result,
    failure,
    hookimpl,
    success,
)
from qicore_core.config.settings import read_settings

from .door import CACHE
from .errors import SETTINGS_INVALID
from .memory import MemoryStore
from .settings import CacheSettings, MemorySettings
from .store import CacheStore

__all__ = ["open_store", "qicore_plugin_info", "qicore_register_adapters"]


@hookimpl
def qicore_plugin_info(info: PluginInfo) -> None:
    """Say what `memory:` is."""
    info.summary = "a cache inside the process, bounded, evicted by SIEVE"
    info.settings = {"max_entries": "how many entries", "max_bytes": "how many bytes of them"}


@hookimpl
def qicore_register_adapters(registry: Registry) -> None:
    """Register `memory:`."""
    registry.add(CACHE, "memory", open_store)


def open_store(url: str, settings: Mapping[str, object], parts: Parts, /) -> Opening[CacheStore]:
    """Open a store of its own; nothing is shared between two of them.

    Errors:
        CACHE_SETTINGS_INVALID: a setting is unknown or out of range, or the URL has a path.
    """

    async def start() -> Result[CacheStore]:
        where, _, query = url.partition("?")
        if where not in ("memory:", "memory://"):
            return failure(_has_a_path(where))
        values = {**dict(parse_qsl(query, keep_blank_values=True)), **settings}
        read = read_settings(
            MemorySettings, values, "memory:", kind="cache", code=SETTINGS_INVALID,
            also=[CacheSettings],
        )  # fmt: skip
        if isinstance(read, Failure):
            return read
        own = read.value
        return success(
            MemoryStore(
                max_entries=own.max_entries, max_bytes=own.max_bytes, now=parts.clock.monotonic
            )
        )

    return Opening(start)


def _has_a_path(where: str) -> QiError:
    return QiError.configuration(
        SETTINGS_INVALID,
        f"memory: has no path, got {where!r}: each opening is a cache of its own",
        hint="write memory: or memory:?max_entries=500, and share the opened cache",
        source="cache",
    )
