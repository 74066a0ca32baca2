"""The httpx2 transport that can be told which address to connect to. Imports httpx2.

A request to one address has it in front of its host, as a label that no host of a URL begins with.
So the pool keeps connections to checked addresses apart from all others, and those of one name from
those of another: the certificate of one is no proof of the other.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Iterable
from ipaddress import ip_address
from typing import Any, Final, final
from urllib.parse import urlsplit

import httpcore2
import httpx2

__all__ = ["PinningTransport", "pinned"]

_MARK: Final = "-"
_LIMITS: Final = httpx2.Limits(
    max_connections=100, max_keepalive_connections=20, keepalive_expiry=5.0
)


def pinned(url: str, address: str, /) -> tuple[str, str, str]:
    """Give the URL that leads to an address, and the Host and the name in TLS that are its own."""
    parts = urlsplit(url)
    name = parts.hostname or ""
    label = f"{_MARK}{ip_address(address).packed.hex()}"
    port = "" if parts.port is None else f":{parts.port}"
    host = f"{label}.{name.replace(':', '_')}{port}"  # an IPv6 address would need its brackets
    return parts._replace(netloc=host).geturl(), parts.netloc, name


@final
class PinningTransport(httpx2.AsyncHTTPTransport):
    """httpx2's own transport, on a pool whose connections go where `pinned` says.

    Args:
        context: what checks certificates.
    """

    def __init__(self, context: ssl.SSLContext) -> None:
        super().__init__(verify=context)
        # Without this the names that `pinned` makes lead nowhere, as no name server knows them.
        self._pool = _Pool(
            ssl_context=context,
            max_connections=_LIMITS.max_connections,
            max_keepalive_connections=_LIMITS.max_keepalive_connections,
            keepalive_expiry=_LIMITS.keepalive_expiry,
            network_backend=_PinningBackend(),
        )


class _Pool(httpcore2.AsyncConnectionPool):
    """A pool that closes all that it means to, also where its caller is cancelled meanwhile."""

    async def _close_connections(self, closing: list[Any]) -> None:
        # httpcore2's shield holds off anyio's cancellations and not asyncio's own: the first one
        # would leave the rest open, in nobody's hands.
        cancelled: asyncio.CancelledError | None = None
        for connection in closing:
            try:
                await connection.aclose()
            except asyncio.CancelledError as error:
                cancelled = error
        if cancelled is not None:
            raise cancelled


class _PinningBackend(httpcore2.AsyncNetworkBackend):
    def __init__(self) -> None:
        self._inner: Any = httpcore2.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        if host.startswith(_MARK):
            packed = bytes.fromhex(host.partition(".")[0].removeprefix(_MARK))
            host = str(ip_address(packed))
        stream: httpcore2.AsyncNetworkStream = await self._inner.connect_tcp(
            host, port, timeout, local_address, socket_options
        )
        return stream

    async def sleep(self, seconds: float) -> None:
        await self._inner.sleep(seconds)
