"""The httpx2 transport that can be told which address to connect to. Imports httpx2.

A request to one address has it in front of its host, as a label that no host of a URL begins with.
So the pool keeps connections to checked addresses apart from all others, and those of one name from
those of another: the certificate of one is no proof of the other.
"""

from __future__ import annotations

import ssl
from ipaddress import ip_address
from typing import Any, Final, final
from urllib.parse import urlsplit

import httpcore2
import httpx2

from .stream import Network

__all__ = ["PinningTransport", "address_of", "pinned"]

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


def address_of(host: str, /) -> str:
    """Give the address that a host made by `pinned` leads to, and any other host as it is."""
    if not host.startswith(_MARK):
        return host
    return str(ip_address(bytes.fromhex(host.partition(".")[0].removeprefix(_MARK))))


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
            network_backend=Network(address_of),
        )


class _Pool(httpcore2.AsyncConnectionPool):
    """A pool that keeps no connection on which more came than was asked for."""

    def create_connection(self, origin: httpcore2.Origin) -> httpcore2.AsyncConnectionInterface:
        """Make a connection that has expired also where a part of an answer is left."""
        made: Any = super().create_connection(origin)
        has_expired = made.has_expired
        made.has_expired = lambda: has_expired() or _is_left(made)
        return made  # type: ignore[no-any-return]  # Any for what is set on it


def _is_left(connection: object) -> bool:
    """Tell whether h11 holds bytes of no answer; it would take them for the next one's."""
    inner = getattr(connection, "_connection", None)
    if inner is not None:
        return _is_left(inner)
    state = getattr(connection, "_h11_state", None)
    return state is not None and bool(state.trailing_data[0])
