"""The `stdlib` transport: http.client in threads, for programs that want no other library.

A connection for each request, closed after it: simple and safe, not fast. Certificates are checked
with the system's trust. Connecting needs no thread, and a task that is cancelled shuts its
connection down, which ends the thread's waiting: so no number of cancelled requests takes the
threads away from those that follow.
"""

from __future__ import annotations

import asyncio
import http.client
import re
import socket
import ssl
from collections.abc import AsyncIterator, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from typing import Any, Final, TypeVar, final
from urllib.parse import SplitResult, urlsplit

from qicore_core import ErrorMap, Failure, QiError, Result, failure, success

from .body import Body
from .errors import (
    network_error,
    not_connected,
    reason_of,
    timeout_error,
    tls_error,
    unreadable,
)
from .message import Headers, HttpRequest
from .proxy import by_proxy, proxy_refused
from .settings import TransportSettings
from .strict import StrictResponse
from .transport import HttpReply

__all__ = ["StdlibTransport"]

T = TypeVar("T")
_PIECE: Final = 64 * 1024
_THREADS: Final = 32
_FOLD: Final = re.compile(r"\r?\n[ \t]+")


def _broken(error: Exception) -> QiError:
    return network_error(reason_of(error), sent=True)


def _silent(error: Exception) -> QiError:
    return timeout_error("the server did not answer in time", sent=True)


ERRORS: Final = ErrorMap(
    "http",
    {
        TimeoutError: _silent,
        ssl.SSLEOFError: unreadable,
        ssl.SSLError: tls_error,
        OSError: _broken,
        http.client.HTTPException: unreadable,
    },
)


@final
class StdlibTransport:
    """Sends requests by http.client, up to 32 at a time.

    Args:
        settings: how servers are reached.
    """

    __slots__ = ("_context", "_is_closed", "_links", "_places", "_pool", "_settings", "_via")

    def __init__(self, settings: TransportSettings | None = None, /) -> None:
        self._settings = settings or TransportSettings()
        self._via = self._settings.via
        self._context = self._settings.trust
        self._places = asyncio.Semaphore(self._settings.max_connections)
        self._is_closed = False
        self._links: set[_Link] = set()
        self._pool = ThreadPoolExecutor(_THREADS, "qicore-http")  # starts none before it is used

    async def send(self, request: HttpRequest, /) -> Result[HttpReply]:
        """Send a request on a connection of its own."""
        if request.address is not None and (why := self._settings.unpinnable):
            return failure(why)
        try:
            async with asyncio.timeout(request.idle_timeout):
                await self._places.acquire()
        except TimeoutError:
            return failure(timeout_error("no connection could be had in time", sent=False))
        if self._is_closed:
            self._places.release()
            return failure(not_connected())
        parts = urlsplit(request.url)
        link = _Link(self._connection(parts, request.idle_timeout), self._pool)
        self._links.add(link)
        try:
            answered = await self._answer(link, parts, request)
        except BaseException:
            self._drop(link)  # cancelled
            raise
        if isinstance(answered, Failure):
            self._drop(link)
            return answered
        response = answered.value
        fields = [(name, _text(value)) for name, value in response.getheaders()]

        async def close() -> None:
            self._drop(link)

        pieces = self._pieces(link, response)
        return success(HttpReply(response.status, Headers(fields), pieces, close))

    async def close(self) -> None:
        """Close every connection; what waits for one fails."""
        self._is_closed = True
        for link in list(self._links):
            self._drop(link)
        self._pool.shutdown(wait=False)

    def _connection(self, parts: SplitResult, seconds: float) -> http.client.HTTPConnection:
        # Without a port http.client would look for one in the host, and find it in an IPv6 address.
        host = parts.hostname or ""
        port = parts.port or (443 if parts.scheme == "https" else 80)
        if parts.scheme == "http":
            connection = http.client.HTTPConnection(host, port, timeout=seconds)
        else:
            if self._context is None:
                self._context = ssl.create_default_context()
            connection = http.client.HTTPSConnection(
                host, port, timeout=seconds, context=self._context
            )
        connection.response_class = StrictResponse
        return connection

    async def _answer(
        self, link: _Link, parts: SplitResult, request: HttpRequest
    ) -> Result[http.client.HTTPResponse]:
        connected = await ERRORS.run(self._reach, link, parts, request.address)
        if isinstance(connected, Failure):
            unsent = _placed(connected, sent=False)
            return unsent if self._via is None else failure(by_proxy(unsent.error))
        target = f"{parts.path}?{parts.query}" if parts.query else parts.path
        if self._via is not None and parts.scheme == "http":
            target = parts.geturl()
            request = replace(request, headers=request.headers.with_fields(self._via.told))
        answered = await ERRORS.run(_exchange, link, target, request)
        return _placed(answered, sent=True) if isinstance(answered, Failure) else answered

    async def _reach(self, link: _Link, parts: SplitResult, address: str | None) -> None:
        """Connect to the server, or by the proxy, and make it secure where the URL says so."""
        connection = link.connection
        place = (address or connection.host, connection.port)
        await link.connect(*(place if self._via is None else self._via.place))
        if parts.scheme == "https":
            if self._via is not None:
                await link.do(partial(_tunnel, link, self._via.told))
            context = self._context
            assert context is not None  # noqa: S101  # made with the connection
            await link.secure(context)

    async def _pieces(
        self, link: _Link, response: http.client.HTTPResponse
    ) -> AsyncIterator[Result[bytes]]:
        while True:
            try:
                read = await ERRORS.run(link.do, partial(_read, response))
            except BaseException:
                self._drop(link)
                raise
            if isinstance(read, Failure):
                yield _placed(read, sent=True)
                return
            if not read.value:
                return
            yield read

    def _drop(self, link: _Link) -> None:
        if link in self._links:
            self._links.remove(link)
            self._places.release()
        link.close()


class _Link:
    """One connection, and the thread that works on it while there is one."""

    __slots__ = ("_is_closed", "_pool", "_sock", "_work", "connection", "response")

    def __init__(self, connection: http.client.HTTPConnection, pool: ThreadPoolExecutor) -> None:
        self.connection = connection
        self.response: http.client.HTTPResponse | None = None
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

    async def secure(self, context: ssl.SSLContext) -> None:
        """Shake hands."""
        connection = self.connection

        def shake() -> None:
            # Else an end that TLS does not know of, as anybody can make one, is taken for one.
            wrapped = context.wrap_socket(
                connection.sock, server_hostname=connection.host, suppress_ragged_eofs=False
            )
            self._sock = connection.sock = wrapped

        await self.do(shake)

    async def do(self, fn: Callable[[], T]) -> T:
        """Do something in a thread."""
        if self._is_closed:
            raise ConnectionAbortedError("the connection was closed")
        self._work = self._pool.submit(fn)
        return await asyncio.wrap_future(self._work)

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

    def _let_go(self, _: object = None) -> None:
        if self.response is not None:
            self.response.close()
        self.connection.close()


async def _exchange(link: _Link, target: str, request: HttpRequest) -> http.client.HTTPResponse:
    body = request.body
    if isinstance(body, bytes):
        return await link.do(lambda: _speak(link, target, request, body))
    await link.do(partial(_begin, link, target, request, None))
    try:
        async for piece in body:
            data = piece if body.length is not None else b"%x\r\n%b\r\n" % (len(piece), piece)
            await link.do(partial(link.connection.send, data))
        if body.length is None:
            await link.do(partial(link.connection.send, b"0\r\n\r\n"))
    except (BrokenPipeError, ConnectionResetError):
        if body.failed is not None:
            raise
        # A server that wants no more may have said why: 413 as a rule.
    return await link.do(partial(_hear, link))


def _speak(link: _Link, target: str, request: HttpRequest, body: bytes) -> http.client.HTTPResponse:
    if len(body) <= _PIECE:  # one packet with the head, as a rule
        _begin(link, target, request, body)
        return _hear(link)
    _begin(link, target, request, None)
    try:
        for start in range(0, len(body), _PIECE):  # so that the timeout is for each piece
            link.connection.send(memoryview(body)[start : start + _PIECE])
    except (BrokenPipeError, ConnectionResetError):
        pass  # it may have said why
    return _hear(link)


def _begin(link: _Link, target: str, request: HttpRequest, body: bytes | None) -> None:
    connection = link.connection
    connection.putrequest(request.method, target, skip_accept_encoding=True)
    for name, value in request.headers.pairs():
        connection.putheader(name, value.encode())
    if request.length is not None:
        connection.putheader("content-length", str(request.length))
    elif isinstance(request.body, Body):
        connection.putheader("transfer-encoding", "chunked")
    connection.putheader("connection", "close")
    connection.endheaders(body or None)


def _tunnel(link: _Link, told: Mapping[str, str]) -> None:
    """Ask the proxy for a connection to the server. Source: RFC 9110, section 9.3.6."""
    connection = link.connection
    host = f"[{connection.host}]" if ":" in connection.host else connection.host
    fields = {"host": f"{host}:{connection.port}", **told}
    lines = [f"CONNECT {fields['host']} HTTP/1.1", *(f"{name}: {fields[name]}" for name in fields)]
    connection.sock.sendall("\r\n".join([*lines, "", ""]).encode())
    answer = StrictResponse(connection.sock, method="CONNECT")
    try:
        answer.begin()
    finally:
        answer.close()
    if not 200 <= answer.status < 300:
        raise proxy_refused(answer.status)


def _hear(link: _Link) -> http.client.HTTPResponse:
    # Kept here, in the thread: whoever asked for it may have been cancelled meanwhile.
    link.response = link.connection.getresponse()
    return link.response


def _read(response: http.client.HTTPResponse) -> bytes:
    piece = response.read1(_PIECE)
    if not piece and response.length:
        raise http.client.IncompleteRead(b"", response.length)
    return piece


def _placed(failed: Failure, *, sent: bool) -> Failure:
    error: QiError = failed.error
    return failure(error.with_context(sent=sent))


def _text(value: str) -> str:
    """Read a field as UTF-8 where it is that, as http.client reads all as Latin-1; unfold it."""
    value = _FOLD.sub(" ", value)
    try:
        return value.encode("latin-1").decode()
    except UnicodeError:
        return value
