"""What this distribution brings to the plugin system: caches on Redis and Valkey."""

from __future__ import annotations

from collections.abc import Mapping

from qicore_cache import CACHE, CacheStore
from qicore_core import Failure, Opening, Parts, PluginInfo, Registry, Result, hookimpl

from .settings import SCHEMES, RedisSettings
from .store import RedisStore

__all__ = ["open_store", "qicore_plugin_info", "qicore_register_adapters"]


@hookimpl
def qicore_plugin_info(info: PluginInfo) -> None:
    """Say what `redis:` is."""
    info.summary = "Redis and Valkey: one server, Sentinel or Cluster"
    info.settings = {
        "default_ttl": "seconds that an entry is kept where nothing else is named",
        "max_connections": "how many connections at most, in each event loop",
        "socket_timeout": "seconds that the replies of one exchange may take",
        "connect_timeout": "seconds that connecting may take",
        "health_check_interval": "seconds of silence before the server is asked for a sign of life",
        "db": "which database of the server",
        "username": "who asks",
        "password": "proves it",
        "ssl_ca_certs": "a file of certificates to trust, for rediss:",
        "ssl_certfile": "a file of our own certificate",
        "ssl_keyfile": "a file of its key",
        "sentinel_username": "who asks the sentinels",
        "sentinel_password": "proves it",
    }


@hookimpl
def qicore_register_adapters(registry: Registry) -> None:
    """Register every way to name servers."""
    for scheme in SCHEMES:
        registry.add(CACHE, scheme, open_store)


def open_store(url: str, settings: Mapping[str, object], parts: Parts, /) -> Opening[CacheStore]:
    """Open the store; redis-py is imported here, and the server is asked for a sign of life.

    Errors:
        CACHE_SETTINGS_INVALID: the URL or a setting is wrong.
        CACHE_CONNECTION_FAILED: no server, not this user, or no TLS.
    """

    async def start() -> Result[CacheStore]:
        read = RedisSettings.read(url, settings)
        return read if isinstance(read, Failure) else await RedisStore.open(read.value, parts)

    return Opening(start)
