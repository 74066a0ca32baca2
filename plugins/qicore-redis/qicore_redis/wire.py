"""The way to the servers: commands out in one packet, a reply for each, on one connection.

redis-py connects, speaks TLS and RESP, finds masters and slots. Its client on top of that is left
out: it makes a task of each write and counts a dozen things, which costs more than the exchange.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, final

from .settings import RedisSettings

if TYPE_CHECKING:
    from redis.asyncio import ConnectionPool, RedisCluster
    from redis.asyncio.connection import AbstractConnection

__all__ = ["Command", "Wire", "open_wire"]

Command: TypeAlias = Sequence[str | bytes | int]


class Wire(Protocol):
    """How commands reach a server, or the right one of several."""

    async def send(self, *commands: Command) -> list[Any]:
        """Give the reply to each command; where the server refuses one, the first error raises."""
        ...

    async def read(self, keys: Sequence[str]) -> list[bytes | None]:
        """Give what stands under each key, None where nothing does."""
        ...

    def scan(self, pattern: str) -> AsyncIterator[list[bytes]]:
        """Give the keys that match, some at a time; one may come twice."""
        ...

    async def close(self) -> None:
        """Close every connection."""
        ...


def open_wire(settings: RedisSettings) -> Wire:
    """Make the way that the settings name; nothing is connected yet."""
    from redis.asyncio import RedisCluster  # late: the SDK is for those who open the store
    from redis.asyncio.cluster import ClusterNode
    from redis.asyncio.retry import Retry
    from redis.backoff import NoBackoff

    if settings.scheme == "redis+cluster":
        return _ClusterWire(
            RedisCluster(
                startup_nodes=[ClusterNode(host, port) for host, port in settings.servers],
                **_options(settings),
                max_connections=settings.max_connections,
                socket_timeout=settings.socket_timeout,
                retry=Retry(NoBackoff(), 1),  # one, for slots that moved
            ),
            settings,
        )
    return _PoolWire(_pool(settings), settings)


def _options(settings: RedisSettings) -> dict[str, Any]:
    password = settings.password.reveal() if settings.password else None
    return {
        "username": settings.username,
        "password": password,
        "socket_connect_timeout": settings.connect_timeout,
        "protocol": 2,
    }


def _pool(settings: RedisSettings) -> ConnectionPool:
    from redis.asyncio import ConnectionPool, Sentinel, connection, sentinel

    options = {
        **_options(settings),
        "db": settings.db,
        "socket_timeout": None,  # `send` keeps the time, for the whole of an exchange
        "max_connections": settings.max_connections,
    }
    if settings.scheme == "redis+sentinel":
        guards = Sentinel(settings.servers, socket_timeout=settings.connect_timeout)
        return sentinel.SentinelConnectionPool(
            settings.service, guards, **options, check_connection=False
        )
    if settings.path is not None:
        return ConnectionPool(
            connection_class=connection.UnixDomainSocketConnection, path=settings.path, **options
        )
    host, port = settings.servers[0]
    if settings.scheme == "rediss":
        options["ssl_ca_certs"] = settings.ssl_ca_certs
        options["ssl_check_hostname"] = True
        return ConnectionPool(
            connection_class=connection.SSLConnection, host=host, port=port, **options
        )
    return ConnectionPool(host=host, port=port, **options)


@final
class _PoolWire:
    """One server, or the one that the sentinels call the master.

    The pool makes connections; which of them is free is kept here, as the pool's own book-keeping
    costs as much as a tenth of an exchange.
    """

    __slots__ = ("_demoted", "_idle", "_is_closed", "_places", "_pool", "_refused", "_timeout")

    def __init__(self, pool: ConnectionPool, settings: RedisSettings) -> None:
        from redis.exceptions import ReadOnlyError, ResponseError  # late, as above

        self._pool = pool
        self._idle: list[AbstractConnection] = []
        self._places = asyncio.Semaphore(settings.max_connections)
        self._timeout = settings.socket_timeout
        self._refused = ResponseError
        self._demoted = ReadOnlyError
        self._is_closed = False

    async def send(self, *commands: Command) -> list[Any]:
        async with asyncio.timeout(self._timeout), self._places:
            connection = self._idle.pop() if self._idle else self._pool.make_connection()
            try:
                if not connection.is_connected:
                    await connection.connect()
                elif await connection.can_read():  # the server has closed it, or talks unasked
                    await connection.disconnect(nowait=True)
                    await connection.connect()
                await connection.send_packed_command(connection.pack_commands(commands))
                replies = [await self._reply(connection) for _ in commands]
            except BaseException:
                await connection.disconnect(nowait=True)  # it is in the middle of something
                raise
            if self._is_closed or any([isinstance(reply, self._demoted) for reply in replies]):
                await connection.disconnect(nowait=True)  # sentinels know another master by now
            else:
                self._idle.append(connection)
        for reply in replies:
            if isinstance(reply, self._refused):
                raise reply
        return replies

    async def read(self, keys: Sequence[str]) -> list[bytes | None]:
        return (await self.send(("MGET", *keys)))[0]

    async def scan(self, pattern: str) -> AsyncIterator[list[bytes]]:
        cursor = b"0"
        while True:
            [(cursor, keys)] = await self.send(("SCAN", cursor, "MATCH", pattern, "COUNT", 1000))
            yield keys
            if cursor == b"0":
                return

    async def close(self) -> None:
        self._is_closed = True  # what is under way ends, and then closes its connection
        while self._idle:
            await self._idle.pop().disconnect()

    async def _reply(self, connection: AbstractConnection) -> Any:
        try:
            return await connection.read_response()
        except self._refused as refusal:
            return refusal


@final
class _ClusterWire:
    """A cluster: redis-py finds the node of each key, and asks the nodes side by side."""

    __slots__ = ("_cluster", "_places", "_timeout")

    def __init__(self, cluster: RedisCluster, settings: RedisSettings) -> None:
        self._cluster = cluster
        self._places = asyncio.Semaphore(settings.max_connections)
        self._timeout = settings.socket_timeout

    async def send(self, *commands: Command) -> list[Any]:
        async with asyncio.timeout(self._timeout), self._places:
            pipeline = self._cluster.pipeline()
            for command in commands:
                pipeline.execute_command(*command)
            return list(await pipeline.execute())

    async def read(self, keys: Sequence[str]) -> list[bytes | None]:
        async with asyncio.timeout(self._timeout), self._places:
            return list(await self._cluster.mget_nonatomic(keys))

    async def scan(self, pattern: str) -> AsyncIterator[list[bytes]]:
        async for key in self._cluster.scan_iter(match=pattern, count=1000):
            yield [key]

    async def close(self) -> None:
        await self._cluster.aclose()
