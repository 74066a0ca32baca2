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
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, Final, TypeVar, final
from urllib.parse import SplitResult, urlsplit

from qicore_core import ErrorCategory, ErrorMap, Failure, QiError, Result, failure, success

from .errors import NETWORK_ERROR, TIMEOUT_ERROR, not_connected, tls_error
from .message import Headers, HttpRequest
from .transport import HttpReply

__all__ = ["StdlibTransport"]

T = TypeVar("T")
_PIECE: Final = 64 * 1024
_THREADS: Final = 32
_FOLD: Final = re.compile(r"\r?\n[ \t]+")
_DIGITS: Final = re.compile(r"[0-9]+")

ERRORS: Final = ErrorMap(
    "http",
    {
        TimeoutError: (TIMEOUT_ERROR, ErrorCategory.TIMEOUT, "the server did not answer in time"),
        ssl.SSLError: tls_error,
        OSError: (NETWORK_ERROR, ErrorCategory.NETWORK, "the connection failed"),
        http.client.HTTPException: (
            NETWORK_ERROR,
            ErrorCategory.NETWORK,
            "the server's answer was cut short or is no HTTP",
        ),
    },
)


@final
class StdlibTransport:
    """Sends requests by http.client, up to 32 at a time.

    Args:
        verify: what checks certificates; None is the system's trust.
    """

    __slots__ = ("_context", "_is_closed", "_links", "_pool")

    def __init__(self, verify: ssl.SSLContext | None = None) -> None:
        self._context = verify
        self._is_closed = False
        self._links: set[_Link] = set()
        self._pool = ThreadPoolExecutor(_THREADS, "qicore-http")  # starts none before it is used

    async def send(self, request: HttpRequest, /) -> Result[HttpReply]:
        """Send a request on a connection of its own."""
        if self._is_closed:
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
        connection.response_class = _Response
        return connection

    async def _answer(
        self, link: _Link, parts: SplitResult, request: HttpRequest
    ) -> Result[http.client.HTTPResponse]:
        connected = await ERRORS.run(link.connect)
        if isinstance(connected, Failure):
            return _placed(connected, sent=False)
        if parts.scheme == "https":
            context = self._context
            assert context is not None  # noqa: S101  # made with the connection
            secured = await ERRORS.run(link.secure, context)
            if isinstance(secured, Failure):
                return _placed(secured, sent=False)
        answered = await ERRORS.run(link.do, partial(_exchange, link, parts, request))
        return _placed(answered, sent=True) if isinstance(answered, Failure) else answered

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
        self._links.discard(link)
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

    async def connect(self) -> None:
        """Connect to the first address that answers; cancelling ends it at once."""
        loop, connection = asyncio.get_running_loop(), self.connection
        async with asyncio.timeout(connection.timeout):
            found = await loop.getaddrinfo(
                connection.host, connection.port, type=socket.SOCK_STREAM
            )
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
            wrapped = context.wrap_socket(connection.sock, server_hostname=connection.host)
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


class _Response(http.client.HTTPResponse):
    """An answer that is read as it must be, where http.client is too kind.

    Interim answers are passed over, not 100 alone; and a head that leaves a doubt about where the
    body ends is no answer. Source: RFC 9112, section 6.3.
    """

    def begin(self) -> None:
        """Read the head."""
        super().begin()
        lengths = {value.strip() for value in self.headers.get_all("content-length", ())}
        codings = [value.strip().lower() for value in self.headers.get_all("transfer-encoding", ())]
        if (
            self.status == 101  # nobody asked to switch
            or self.headers.defects
            or len(lengths) > 1
            or not all(_DIGITS.fullmatch(value) for value in lengths)
            or codings not in ([], ["chunked"])
            or any("\0" in value for value in self.headers.values())
        ):
            raise http.client.HTTPException("the head of the answer cannot be read")

    def _read_status(self) -> tuple[str, int, str]:
        while True:
            status: tuple[str, int, str] = super()._read_status()  # type: ignore[misc]  # not in typeshed
            if not 101 < status[1] < 200:
                return status
            http.client.parse_headers(self.fp)


def _exchange(link: _Link, parts: SplitResult, request: HttpRequest) -> http.client.HTTPResponse:
    connection = link.connection
    path = parts.path + (f"?{parts.query}" if parts.query else "")
    connection.putrequest(request.method, path, skip_accept_encoding=True)
    for name, value in request.headers.pairs():
        connection.putheader(name, value.encode())
    if request.states_length:
        connection.putheader("content-length", str(len(request.body)))
    connection.putheader("connection", "close")
    connection.endheaders(request.body or None)
    # Kept here, in the thread: whoever asked for it may have been cancelled meanwhile.
    link.response = connection.getresponse()
    return link.response


def _read(response: http.client.HTTPResponse) -> bytes:
    piece = response.read1(_PIECE)
    if not piece and response.length:
        raise http.client.IncompleteRead(b"", response.length)
    return piece


def _placed(failed: Failure, *, sent: bool) -> Failure:
    error: QiError = failed.error
    return failure(error if "sent" in error.context else error.with_context(sent=sent))


def _text(value: str) -> str:
    """Read a field as UTF-8 where it is that, as http.client reads all as Latin-1; unfold it."""
    value = _FOLD.sub(" ", value)
    try:
        return value.encode("latin-1").decode()
    except UnicodeError:
        return value
