"""One connection of the `stdlib` transport, and the thread that works on it while there is one."""

from __future__ import annotations

import asyncio
import http.client
import socket
import ssl
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, Final, TypeVar, final

from .body import Body
from .message import HttpRequest
from .proxy import proxy_refused
from .strict import StrictResponse

__all__ = ["Link"]

T = TypeVar("T")
_PIECE: Final = 64 * 1024
_AT_ONCE: Final = 0.05  # seconds
_GONE: Final = (BrokenPipeError, ConnectionResetError, ssl.SSLEOFError)


@final
class Link:
    """One connection.

    Args:
        connection: not yet connected.
        pool: the threads.

    Attributes:
        connection: as above.
    """

    __slots__ = ("_is_closed", "_pool", "_response", "_sock", "_work", "connection")

    def __init__(self, connection: http.client.HTTPConnection, pool: ThreadPoolExecutor, /) -> None:
        self.connection = connection
        self._response: http.client.HTTPResponse | None = None
        self._pool = pool
        self._sock: socket.socket | None = None
        self._work: Any = None
        self._is_closed = False

    async def connect(self, host: str, port: int) -> None:
        """Connect to the first address that answers; cancelling ends it at once."""
        loop, connection = asyncio.get_running_loop(), self.connection
        async with asyncio.timeout(connection.timeout):
            found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
            failed: OSError | None = None
            for family, kind, protocol, _, address in found:
                sock = socket.socket(family, kind, protocol)
                sock.setblocking(False)
                self._sock = connection.sock = sock
                try:
                    await loop.sock_connect(sock, address)
                except OSError as error:
                    sock.close()
                    failed = error
                    continue
                sock.settimeout(connection.timeout)
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                return
            raise failed or OSError("the host has no address")

    async def tunnel(self, told: Mapping[str, str]) -> None:
        """Ask the proxy for a connection to the server. Source: RFC 9110, section 9.3.6."""
        connection = self.connection
        host = f"[{connection.host}]" if ":" in connection.host else connection.host
        fields = {"host": f"{host}:{connection.port}", **told}
        lines = [f"{name}: {fields[name]}" for name in fields]
        asked = "\r\n".join([f"CONNECT {fields['host']} HTTP/1.1", *lines, "", ""]).encode()

        def ask() -> int:
            connection.sock.sendall(asked)
            answer = StrictResponse(connection.sock, method="CONNECT")
            try:
                answer.begin()
            finally:
                answer.close()
            return answer.status

        status = await self._do(ask)
        if not 200 <= status < 300:
            raise proxy_refused(status)

    async def secure(self, context: ssl.SSLContext) -> None:
        """Shake hands."""
        connection = self.connection

        def shake() -> None:
            # Else an end that TLS does not know of, as anybody can make one, is taken for one.
            wrapped = context.wrap_socket(
                connection.sock, server_hostname=connection.host, suppress_ragged_eofs=False
            )
            self._sock = connection.sock = wrapped

        await self._do(shake)

    async def exchange(self, target: str, request: HttpRequest) -> http.client.HTTPResponse:
        """Send a request, and read the head of its answer."""
        body = request.body
        if isinstance(body, bytes):
            return await self._do(partial(self._speak, target, request, body))
        await self._do(partial(self._begin, target, request, None))
        send = self.connection.send
        try:
            async for piece in body:
                data = piece if body.length is not None else b"%x\r\n%b\r\n" % (len(piece), piece)
                await self._do(partial(send, data))
            if body.length is None:
                await self._do(partial(send, b"0\r\n\r\n"))
        except (*_GONE, TimeoutError) as error:
            if body.failed is not None:
                raise
            return await self._do(partial(self._hear_why, error))
        return await self._do(self._hear)

    async def read(self) -> bytes:
        """Read a piece of the answer's body; b"" is its end."""
        response = self._response
        assert response is not None  # noqa: S101  # its head was read

        def read() -> bytes:
            piece = response.read1(_PIECE)
            if not piece and response.length:
                raise http.client.IncompleteRead(b"", response.length)
            return piece

        return await self._do(read)

    def close(self) -> None:
        """Close the connection: now, or when the thread that this wakes has done with it."""
        if self._is_closed:
            return
        self._is_closed = True
        if self._sock is not None:
            try:
                socket.socket.shutdown(self._sock, socket.SHUT_RDWR)  # SSLSocket's own would race
            except OSError:
                pass  # it is not connected, or no longer
        if self._work is None:
            self._let_go()
        else:
            self._work.add_done_callback(self._let_go)

    async def _do(self, fn: Callable[[], T]) -> T:
        """Do something in a thread."""
        if self._is_closed:
            raise ConnectionAbortedError("the connection was closed")
        self._work = self._pool.submit(fn)
        return await asyncio.wrap_future(self._work)

    def _let_go(self, _: object = None) -> None:
        if self._response is not None:
            self._response.close()
        self.connection.close()

    # What follows is done in the thread.

    def _speak(self, target: str, request: HttpRequest, body: bytes) -> http.client.HTTPResponse:
        if len(body) <= _PIECE:  # one packet with the head, as a rule
            self._begin(target, request, body)
            return self._hear()
        self._begin(target, request, None)
        try:
            for start in range(0, len(body), _PIECE):  # so that the timeout is for each piece
                self.connection.send(memoryview(body)[start : start + _PIECE])
        except (*_GONE, TimeoutError) as error:
            return self._hear_why(error)
        return self._hear()

    def _begin(self, target: str, request: HttpRequest, body: bytes | None) -> None:
        connection = self.connection
        connection.putrequest(request.method, target, skip_accept_encoding=True)
        for name, value in request.headers.pairs():
            connection.putheader(name, value.encode())
        if request.length is not None:
            connection.putheader("content-length", str(request.length))
        elif isinstance(request.body, Body):
            connection.putheader("transfer-encoding", "chunked")
        connection.putheader("connection", "close")
        connection.endheaders(body or None)

    def _hear(self) -> http.client.HTTPResponse:
        # Kept here, in the thread: whoever asked for it may have been cancelled meanwhile.
        self._response = self.connection.getresponse()
        return self._response

    def _hear_why(self, error: OSError) -> http.client.HTTPResponse:
        """Read what a server that takes no more of a body may have said: 413 as a rule."""
        sock = self.connection.sock
        if isinstance(error, TimeoutError):
            sock.settimeout(_AT_ONCE)  # it had its time
        response = self._hear()
        sock.settimeout(self.connection.timeout)
        return response
