"""The httpx2 transport that can be told which address to connect to. Imports httpx2.

A request to one address has it in front of its host, as a label that no host of a URL begins with.
So the pool keeps connections to checked addresses apart from all others, and those of one name from
those of another: the certificate of one is no proof of the other.
"""

from __future__ import annotations

from ipaddress import ip_address
from typing import Any, Final, final
from urllib.parse import urlsplit

import httpcore2
import httpx2

from .forgotten import reset_what_nobody_reads
from .settings import HttpxSettings
from .stream import Network

__all__ = ["PinningTransport", "address_of", "pinned"]

_MARK: Final = "-"
_MAX_KEPT: Final = 20
_KEPT_FOR: Final = 5.0  # seconds


def pinned(url: str, address: str, /) -> tuple[str, str, str]:
    """Give the URL that leads to an address, and the Host and the name in TLS that are its own."""
    parts = urlsplit(url)
    name = parts.hostname or ""
    label = f"{_MARK}{ip_address(address).packed.hex()}"
    port = "" if parts.port is None else f":{parts.port}"
    host = f"{label}.{name.replace(':', '_')}{port}"  # an IPv6 address would need its brackets
    return parts._replace(netloc=host).geturl(), parts.netloc, name


def address_of(host: str, /) -> str:
    """Give the address that a host made by `pinned` leads to, and any other host as it is."""
    if not host.startswith(_MARK):
        return host
    return str(ip_address(bytes.fromhex(host.partition(".")[0].removeprefix(_MARK))))


@final
class PinningTransport(httpx2.AsyncHTTPTransport):
    """httpx2's own transport, on a pool whose connections go where `pinned` says.

    Args:
        settings: how servers are reached.
    """

    def __init__(self, settings: HttpxSettings) -> None:
        context, via = settings.trust or httpx2.create_ssl_context(), settings.via
        super().__init__(verify=context)
        # Without this the names that `pinned` makes lead nowhere, as no name server knows them.
        self._pool = _Pool(
            ssl_context=context,
            proxy=None if via is None else httpcore2.Proxy(via.url, headers=[*via.told.items()]),
            max_connections=settings.max_connections,
            max_keepalive_connections=_MAX_KEPT,
            keepalive_expiry=_KEPT_FOR,
            http2=settings.http2,
            network_backend=Network(address_of),
        )


class _Pool(httpcore2.AsyncConnectionPool):
    """A pool that keeps no connection on which more came than asked for."""

    def create_connection(self, origin: httpcore2.Origin) -> httpcore2.AsyncConnectionInterface:
        """Make a connection that has expired also where it cannot be used any more."""
        made: Any = super().create_connection(origin)
        has_expired = made.has_expired
        made.has_expired = lambda: has_expired() or _is_spent(made)
        if getattr(made, "_connected", None) is False:
            _close_unmade(made)
        reset_what_nobody_reads(made)
        return made  # type: ignore[no-any-return]  # Any for what is set on it

    async def _close_connections(self, closing: list[Any]) -> None:
        """Close them without httpcore2's shield: closing waits for nothing, and it costs time."""
        for connection in closing:
            await connection.aclose()


def _close_unmade(tunnel: Any) -> None:
    """Have a tunnel that does not come to be closed.

    httpcore2 leaves it as busy with its CONNECT: so it would keep its place in the pool for ever.
    """
    handle = tunnel.handle_async_request

    async def handled(request: httpcore2.Request) -> httpcore2.Response:
        try:
            return await handle(request)  # type: ignore[no-any-return]  # Any for what is set on it
        except BaseException:
            if not tunnel._connected:
                await tunnel.aclose()
            raise

    tunnel.handle_async_request = handled


def _is_spent(connection: Any) -> bool:
    """Tell whether h11 holds bytes of no answer, or an idle one of HTTP/2 was closed.

    h11 would take them for the next answer's; of the other httpcore2 does not ask. One that cannot
    be asked, as a later version calls its parts otherwise, serves one request alone.
    """
    if hasattr(connection, "_connection"):
        inner = connection._connection
        return inner is not None and _is_spent(inner)
    if hasattr(connection, "_h11_state"):
        return bool(connection._h11_state.trailing_data[0])
    if hasattr(connection, "_h2_state"):
        stream = connection._network_stream
        return bool(connection.is_idle() and stream.get_extra_info("is_over"))
    return bool(connection.is_idle())
