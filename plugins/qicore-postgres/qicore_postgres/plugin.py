"""What this distribution brings to the plugin system: `postgresql:` and its other names."""

from __future__ import annotations

from collections.abc import Mapping

from qicore_core import Failure, Opening, Parts, PluginInfo, Registry, Result, hookimpl
from qicore_sql import SQL, SqlDriver

from .settings import SCHEMES, PostgresSettings

__all__ = ["open_driver", "qicore_plugin_info", "qicore_register_adapters"]


@hookimpl
def qicore_plugin_info(info: PluginInfo) -> None:
    """Say what `postgresql:` is."""
    info.summary = "PostgreSQL by asyncpg: one pool, serialisable transactions, errors by SQLSTATE"
    info.needs_url = True
    info.settings = {
        "min_connections": "how many connections are kept open",
        "max_connections": "how many there are at most",
        "connect_timeout": "seconds that connecting may take",
        "pool_timeout": "seconds to wait for a connection while all are in use",
        "statement_cache": "how many prepared statements a connection keeps; 0 behind pgbouncer",
        "isolation": "of transactions: serializable, repeatable read or read committed",
        "client_object": "a pool of asyncpg that is open already, which you close",
    }


@hookimpl
def qicore_register_adapters(registry: Registry) -> None:
    """Register each scheme."""
    for scheme in SCHEMES:
        registry.add(SQL, scheme, open_driver)


def open_driver(url: str, settings: Mapping[str, object], parts: Parts, /) -> Opening[SqlDriver]:
    """Open a database: `postgresql://user:password@host/name`.

    Errors:
        DB_SETTINGS_INVALID: see PostgresSettings.
        DB_CONNECTION_FAILED: the server cannot be reached, or does not let us in.
    """

    async def start() -> Result[SqlDriver]:
        read = PostgresSettings.read(url, settings)
        if isinstance(read, Failure):
            return read
        from .driver import PostgresDriver  # late: it imports asyncpg

        return await PostgresDriver.open(read.value)

    return Opening(start)
