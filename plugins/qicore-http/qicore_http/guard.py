"""The guard against requests forged by others (SSRF): which addresses may be reached at all.

A name is resolved once, every address that it has is looked at, and the connection goes to one of
those very addresses: a second answer of the name server changes nothing. This is done again at each
redirect. A URL is never judged by how it is written: "2130706433" and "[::ffff:127.0.0.1]" are the
addresses that they come to.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import replace
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)
from typing import Final, TypeAlias, final
from urllib.parse import urlsplit

from qicore_core import Failure, QiError, Result, failure, success

from .errors import ADDRESS_BLOCKED, NETWORK_ERROR, TIMEOUT_ERROR, network_error, reason_of
from .message import HttpRequest
from .transport import HttpReply, HttpTransport

__all__ = ["AddressGuard", "Guarded", "Resolve", "guard_of"]

Address: TypeAlias = IPv4Address | IPv6Address
Network: TypeAlias = IPv4Network | IPv6Network
Resolve: TypeAlias = Callable[[str, int], Awaitable[Iterable[str]]]
"""Gives the addresses of a host and port; an OSError where it has none."""

# What is not for everybody to reach. Python's own `is_global` differs between its releases.
# Source: IANA IPv4 and IPv6 Special-Purpose Address Registries.
_CLOSED: Final[tuple[Network, ...]] = tuple(
    ip_network(one)
    for one in (
        "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8",
        "168.63.129.16/32",  # public by number, and the host of every virtual machine on Azure
        "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24", "192.0.2.0/24",
        "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24",
        "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4",
        "2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20",
    )
)  # fmt: skip
_OPEN: Final = ip_network("2000::/3")  # all of IPv6 that is for everybody
_NAT64: Final = ip_network("64:ff9b::/96")  # an IPv4 address in its last 32 bits; RFC 6052
_NOT_REACHED: Final = (NETWORK_ERROR, TIMEOUT_ERROR)


@final
class AddressGuard:
    """Says which addresses requests may reach: by default those that all the internet can.

    Loopback, private, link-local (where clouds keep their credentials), multicast and reserved
    addresses are refused, also inside an IPv6 one. A host that has one such address among others is
    refused as a whole.

    Args:
        allow: networks that may be reached nevertheless, "10.1.0.0/16".
        resolve: what gives the addresses of a host; by default the system.

    Raises:
        ValueError: a network is none.

    >>> AddressGuard().blocks("::ffff:169.254.169.254")
    True
    >>> AddressGuard(allow=["10.1.0.0/16"]).blocks("10.1.2.3")
    False
    """

    __slots__ = ("_allow", "_resolve")

    def __init__(self, *, allow: Iterable[str] = (), resolve: Resolve | None = None) -> None:
        if isinstance(allow, str):
            raise ValueError(f'allow= is a list of networks, as ["{allow}"]')
        self._allow: tuple[Network, ...] = tuple([ip_network(one) for one in allow])
        self._resolve = resolve or _resolve

    def blocks(self, address: str, /) -> bool:
        """Tell whether an address must not be reached; what is no address must not."""
        try:
            return self._blocks(ip_address(address))
        except ValueError:
            return True

    async def addresses(self, host: str, port: int, /) -> Result[list[str]]:
        """Resolve a host, and give its addresses if all of them may be reached.

        Errors:
            NETWORK_ERROR: the host has none.
            ADDRESS_BLOCKED: one must not be reached.
        """
        try:
            found = list(dict.fromkeys(await self._resolve(host, port)))
        except OSError as error:
            return failure(network_error(reason_of(error), sent=False).with_cause(error))
        if not found:
            return failure(network_error("there is no such host", sent=False))
        for address in found:
            if self.blocks(address):
                return failure(_blocked(host, address))
        return success(found)

    def _blocks(self, address: Address) -> bool:
        if isinstance(address, IPv6Address):
            inner = _inner(address)
            if inner is not None:
                return self._blocks(inner)
            if address.scope_id is not None:
                return True
        if any(address in network for network in self._allow):
            return False
        if isinstance(address, IPv6Address) and address not in _OPEN:
            return True
        return any(address in network for network in _CLOSED)

    def __repr__(self) -> str:
        return f"AddressGuard(allow={[str(network) for network in self._allow]})"


def guard_of(said: object, /) -> AddressGuard | None:
    """Read what a setting or option says of a guard: one, True for the default, or none.

    Raises:
        TypeError: it is something else.
    """
    if said is None or said is False:
        return None
    if said is True:
        return AddressGuard()
    if not isinstance(said, AddressGuard):
        raise TypeError(f"guard= is an AddressGuard or True, got {type(said).__name__}")
    return said


@final
class Guarded:
    """A transport that reaches only what its guard lets it.

    Where a host has several addresses and one does not answer, the next is tried.
    """

    __slots__ = ("_guard", "_inner")

    def __init__(self, inner: HttpTransport, guard: AddressGuard) -> None:
        self._inner = inner
        self._guard = guard

    async def send(self, request: HttpRequest, /) -> Result[HttpReply]:
        """Send a request to an address that was looked at."""
        parts = urlsplit(request.url)
        port = parts.port or (443 if parts.scheme == "https" else 80)
        found = await self._guard.addresses(parts.hostname or "", port)
        if isinstance(found, Failure):
            return found
        *others, last = found.value
        for address in others:
            sent = await self._inner.send(replace(request, address=address))
            if not isinstance(sent, Failure) or not _was_not_reached(sent.error):
                return sent
        return await self._inner.send(replace(request, address=last))

    async def close(self) -> None:
        """Close the transport below."""
        await self._inner.close()


async def _resolve(host: str, port: int) -> list[str]:
    try:
        ip_address(host)
    except ValueError:  # a name, or an address that is written as none: "127.1"
        loop = asyncio.get_running_loop()
        found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        return [str(address[0]) for *_, address in found]
    return [host]  # the system would say the same, in a thread


def _inner(address: IPv6Address) -> IPv4Address | None:
    """Give the IPv4 address that an IPv6 one stands for."""
    if address in _NAT64:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped


def _was_not_reached(error: QiError) -> bool:
    return error.code in _NOT_REACHED and error.context.get("sent") is False


def _blocked(host: str, address: str) -> QiError:
    return QiError.permission(
        ADDRESS_BLOCKED,
        f"{host} must not be reached: it has the address {address[:60]}, which is not public",
        hint="if it is meant, allow its network: AddressGuard(allow=[...])",
        public_message="the address must not be reached",
        source="http",
        sent=False,
    )
