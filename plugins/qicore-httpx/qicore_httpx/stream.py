"""The connections below httpx2's protocols, by asyncio itself. Imports httpcore2.

They take what comes when it comes, also while nobody reads. So it is known of an idle one that its
server has spoken unasked or has gone, of one with TLS as well: in the buffers of httpcore2's own
streams that could hide. And they cost less.
"""

from __future__ import annotations

import asyncio
import re
import socket
import ssl
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any, Final, final

import httpcore2

__all__ = ["Network"]

_PIECE: Final = 64 * 1024
_MOST: Final = 256 * 1024  # bytes that wait to be read
# The head of an answer that is neither interim nor a success.
_REFUSAL: Final = re.compile(
    rb"(?:HTTP/1\.[01] 1\d\d[^\r\n]*\r?\n(?:[^\r\n]+\r?\n)*\r?\n)*HTTP/1\.[01] [3-9]"
)
_FOR_ONE_OF_SEVERAL: Final = 2.0  # seconds to wait for an address where there is another


@final
class Network(httpcore2.AsyncNetworkBackend):
    """Opens connections.

    Args:
        address_of: what gives the address or the name to connect to for a host of a URL.
    """

    def __init__(self, address_of: Callable[[str], str]) -> None:
        self._address_of = address_of

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        """Connect to the first address that answers.

        One after the other: asyncio's own race between them loses a connection where it is
        cancelled, and the reason why the last one failed.
        """
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(timeout):
                place = self._address_of(host)
                found = await loop.getaddrinfo(place, port, type=socket.SOCK_STREAM)
                *others, last = [str(address[0]) for *_, address in found]
                for address in others:
                    with suppress(OSError):  # also of time
                        async with asyncio.timeout(_FOR_ONE_OF_SEVERAL):
                            return (await loop.create_connection(_Stream, address, port))[1]
                return (await loop.create_connection(_Stream, last, port))[1]
        except TimeoutError as error:
            raise httpcore2.ConnectTimeout from error
        except OSError as error:
            raise httpcore2.ConnectError from error

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        await asyncio.sleep(seconds)


@final
class _Stream(asyncio.Protocol, httpcore2.AsyncNetworkStream):
    """One connection: what came and was not read, and whether more may be written."""

    _transport: asyncio.Transport

    def __init__(self) -> None:
        self._held = bytearray()
        self._is_over = False
        self._lost: Exception | None = None
        self._heard = asyncio.Event()
        self._has_room = asyncio.Event()
        self._has_room.set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]  # one of a socket

    def data_received(self, data: bytes) -> None:
        self._held += data
        self._heard.set()
        if not self._has_room.is_set() and self._is_refused:
            self._has_room.set()  # whoever waits to write reads why instead
        if len(self._held) > _MOST:
            self._transport.pause_reading()

    def eof_received(self) -> None:
        self._is_over = True
        self._heard.set()
        self._has_room.set()  # as above

    def connection_lost(self, exc: Exception | None) -> None:
        self._lost = exc
        self.eof_received()

    def pause_writing(self) -> None:
        self._has_room.clear()

    def resume_writing(self) -> None:
        self._has_room.set()

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        if self._held:
            await asyncio.sleep(0)  # else what is read as fast as it comes holds up all others
        elif not self._is_over:
            self._heard.clear()
            try:
                async with asyncio.timeout(timeout):
                    await self._heard.wait()
            except TimeoutError as error:
                raise httpcore2.ReadTimeout from error
        if not self._held and self._lost is not None:
            raise self._ended(httpcore2.ReadError)
        data = bytes(self._held[:max_bytes])
        del self._held[:max_bytes]
        if len(self._held) <= _MOST:
            self._transport.resume_reading()
        return data

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        view = memoryview(buffer)
        for start in range(0, len(view), _PIECE):  # so that the timeout is for each piece
            if not self._has_room.is_set() and not self._is_refused:
                try:
                    async with asyncio.timeout(timeout):
                        await self._has_room.wait()
                except TimeoutError as error:
                    raise httpcore2.WriteTimeout from error
            if self._is_refused:
                raise self._ended(httpcore2.WriteError)  # httpcore2 reads on
            self._transport.write(view[start : start + _PIECE])

    async def aclose(self) -> None:
        # Nothing is waited for: httpcore2 closes one after the other, and a task that is cancelled
        # where it waits would leave the rest open. To close it as asyncio does would wait for what
        # nobody reads.
        self._transport.abort()

    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(timeout):
                secured = await loop.start_tls(
                    self._transport, self, ssl_context, server_hostname=server_hostname
                )
        except TimeoutError as error:
            raise httpcore2.ConnectTimeout from error
        except OSError as error:  # an ssl.SSLError is one
            raise httpcore2.ConnectError from error
        if secured is None or self._held:  # it has gone, or said something before it was secure
            (secured or self._transport).abort()
            raise self._ended(httpcore2.ConnectError)
        self._transport = secured
        return self

    def get_extra_info(self, info: str) -> Any:
        if info == "is_readable":  # asked of an idle one: whether it can serve no more
            return bool(self._held or self._is_over or self._transport.get_write_buffer_size())
        if info == "is_over":
            return self._is_over
        if info == "has_room":
            return self._has_room.is_set()
        return self._transport.get_extra_info(_NAMES.get(info, info))

    @property
    def _is_refused(self) -> bool:
        """Tell whether the server takes no more: it has gone, or has said that it will not."""
        return self._is_over or (bool(self._held) and _REFUSAL.match(self._held) is not None)

    def _ended(self, kind: type[Exception]) -> Exception:
        error = kind()
        error.__context__ = self._lost  # the pool takes causes away, by `raise ... from None`
        return error


_NAMES: Final = {"client_addr": "sockname", "server_addr": "peername"}
