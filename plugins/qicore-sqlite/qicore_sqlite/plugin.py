"""What this distribution brings to the plugin system: `sqlite:`."""

from __future__ import annotations

from collections.abc import Mapping

from qicore_core import Failure, Opening, Parts, PluginInfo, Registry, Result, hookimpl
from qicore_sql import SQL, SqlDriver

from .driver import SqliteDriver
from .settings import SqliteSettings

__all__ = ["open_driver", "qicore_plugin_info", "qicore_register_adapters"]


@hookimpl
def qicore_plugin_info(info: PluginInfo) -> None:
    """Say what `sqlite:` is."""
    info.summary = "SQLite by the standard library: a group-commit writer thread, reader threads"
    info.settings = {
        "readers": "how many threads read",
        "durability": "full: survives power loss; normal: survives the process",
        "busy_timeout": "seconds to wait for a lock of another process",
        "idle_timeout": "seconds that a transaction may wait for its next statement",
        "statement_cache": "how many compiled statements a connection keeps",
    }


@hookimpl
def qicore_register_adapters(registry: Registry) -> None:
    """Register `sqlite:`."""
    registry.add(SQL, "sqlite", open_driver)


def open_driver(url: str, settings: Mapping[str, object], parts: Parts, /) -> Opening[SqlDriver]:
    """Open a database: `sqlite:///file.db`, or `sqlite://` in memory.

    Errors:
        DB_SETTINGS_INVALID: see SqliteSettings.
        DB_CONNECTION_FAILED: the file cannot be opened, or is no database.
    """

    async def start() -> Result[SqlDriver]:
        read = SqliteSettings.read(url, settings)
        return read if isinstance(read, Failure) else await SqliteDriver.open(read.value)

    return Opening(start)
