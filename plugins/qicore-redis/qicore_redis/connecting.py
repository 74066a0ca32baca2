"""How connections are made: redis-py's part. Imports redis-py; loaded with the first connection."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from typing import Any, Final

from redis.asyncio import ConnectionPool, Sentinel, connection, sentinel
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from .line import Line
from .settings import RedisSettings

__all__ = ["close_guards", "connections", "keep_alive", "open_line"]

_PROBES: Final = 3  # of keep-alive; unanswered, they end the connection
_PROBE_EVERY: Final = 5  # seconds


def connections(settings: RedisSettings, protocol: int = 2) -> ConnectionPool:
    """Make what makes connections to the server that is named; which are free is others' business.

    Args:
        settings: where it is.
        protocol: 2, or 3 for a connection on which the server speaks unasked.
    """
    options: dict[str, Any] = {
        "username": settings.username,
        "password": settings.password.reveal() if settings.password else None,
        "db": settings.db,
        "protocol": protocol,
        "socket_timeout": settings.socket_timeout,
        "socket_connect_timeout": settings.connect_timeout,
    }
    if settings.path is not None:
        return ConnectionPool(
            connection_class=connection.UnixDomainSocketConnection, path=settings.path, **options
        )
    options |= keep_alive(settings)
    tls = _tls(settings)
    options |= tls
    if settings.service is not None:
        find: Any = Sentinel  # redis-py has no types for these two
        guarded: Any = sentinel.SentinelConnectionPool
        guards = find(settings.servers, sentinel_kwargs=_guard(settings) | tls)
        pool: ConnectionPool = guarded(settings.service, guards, **options)
        return pool
    host, port = settings.servers[0]
    if options.pop("ssl", False):
        options["connection_class"] = connection.SSLConnection
    return ConnectionPool(host=host, port=port, **options)


async def open_line(
    pool: ConnectionPool,
    settings: RedisSettings,
    on_lost: Callable[[Line], object],
    on_push: Callable[[list[Any]], object] | None = None,
    /,
) -> Line:
    """Open a connection."""
    make: Any = pool.make_connection  # untyped
    made = make()
    try:
        async with asyncio.timeout(settings.connect_timeout):
            await made.connect()
    except BaseException:
        await made.disconnect(nowait=True)
        raise
    return Line(made, settings.socket_timeout, on_lost, on_push)


async def close_guards(pool: ConnectionPool, /) -> None:
    """Close the connections to the sentinels, where there are any."""
    guards = getattr(pool, "sentinel_manager", None)
    if guards is not None:
        await guards.aclose()


def _tls(settings: RedisSettings) -> dict[str, Any]:
    if not settings.is_tls:
        return {}
    return {
        "ssl": True,
        "ssl_ca_certs": settings.ssl_ca_certs,
        "ssl_certfile": settings.ssl_certfile,
        "ssl_keyfile": settings.ssl_keyfile,
        "ssl_check_hostname": True,
    }


def _guard(settings: RedisSettings) -> dict[str, Any]:
    """Say how a sentinel is asked: once, in its share of the time, so that the next one has its."""
    share = settings.connect_timeout / (len(settings.servers) + 1)  # and the master has one
    password = settings.sentinel_password
    return {
        "username": settings.sentinel_username,
        "password": password.reveal() if password else None,
        "socket_timeout": share,
        "socket_connect_timeout": share,
        "retry": Retry(NoBackoff(), 0),
    }


def keep_alive(settings: RedisSettings) -> dict[str, Any]:
    """Have the system ask whether a silent server is still there."""
    idle = getattr(socket, "TCP_KEEPIDLE", None)  # not on every system
    if idle is None:
        return {"socket_keepalive": True}
    return {
        "socket_keepalive": True,
        "socket_keepalive_options": {
            idle: max(1, round(settings.health_check_interval)),
            socket.TCP_KEEPINTVL: _PROBE_EVERY,
            socket.TCP_KEEPCNT: _PROBES,
        },
    }
