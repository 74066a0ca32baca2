"""A small real HTTP proxy for the laws: it tunnels (CONNECT), forwards, and may ask who."""

from __future__ import annotations

import asyncio
from base64 import b64encode
from collections.abc import Mapping
from typing import Final
from urllib.parse import urlsplit

from .accepting import Accepting
from .server import reply

__all__ = ["ProxyServer"]

_PIECE: Final = 1 << 16


class ProxyServer(Accepting):
    """Stands on 127.0.0.1 and carries what it is asked to, one exchange or tunnel a connection.

    Args:
        user: who may use it, "name:password"; None is everybody.
        names: the hosts that it alone knows, and their addresses.

    Attributes:
        seen: method and target of what it was asked, in order.
        refuses: the status that it answers everything with, or None.
    """

    def __init__(self, user: str | None = None, names: Mapping[str, str] | None = None) -> None:
        super().__init__()
        self.seen: list[tuple[str, str]] = []
        self.refuses: int | None = None
        self._asks = None if user is None else f"Basic {b64encode(user.encode()).decode()}"
        self._names = dict(names or {})

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, /) -> None:
        """Carry one exchange or tunnel."""
        first, *lines = (await reader.readuntil(b"\r\n\r\n")).decode()[:-4].split("\r\n")
        method, target, _ = first.split(" ", 2)
        self.seen.append((method, target))
        fields = [(line.partition(":")[0].lower(), line) for line in lines]
        told = [line.partition(":")[2].strip() for name, line in fields if name == _ASKED]
        status = 407 if self._asks is not None and told != [self._asks] else self.refuses
        if status is not None:
            writer.write(reply(status, b"", "connection: close"))
            await writer.drain()
            return
        parts = urlsplit(f"//{target}" if method == "CONNECT" else target)
        host = parts.hostname or ""
        inner, outer = await asyncio.open_connection(self._names.get(host, host), parts.port or 80)
        try:
            if method == "CONNECT":
                writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
            else:
                path = parts._replace(scheme="", netloc="").geturl()
                kept = [line for name, line in fields if name not in (_ASKED, "connection")]
                head = [f"{method} {path} HTTP/1.1", *kept, "connection: close", "", ""]
                outer.write("\r\n".join(head).encode())
            up = asyncio.create_task(_pipe(reader, outer))
            try:
                if method != "CONNECT":
                    said = await inner.readuntil(b"\r\n\r\n")
                    writer.write(said[:-2] + b"connection: close\r\n\r\n")
                await _pipe(inner, writer)
            finally:
                up.cancel()
                await asyncio.wait([up])
        finally:
            outer.close()


_ASKED: Final = "proxy-authorization"


async def _pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(_PIECE):
            writer.write(data)
            await writer.drain()
    except OSError:
        pass  # one of the two went away
