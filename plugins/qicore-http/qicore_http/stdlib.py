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
import ssl
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Final, final
from urllib.parse import SplitResult, urlsplit

from qicore_core import ErrorMap, Failure, QiError, Result, failure, success

from .errors import (
    network_error,
    not_connected,
    reason_of,
    timeout_error,
    tls_error,
    unreadable,
)
from .link import Link
from .message import Headers, HttpRequest
from .proxy import by_proxy
from .settings import TransportSettings
from .strict import StrictResponse
from .transport import HttpReply

__all__ = ["StdlibTransport"]

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
        self._links: set[Link] = set()
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
        link = Link(self._connection(parts, request.idle_timeout), self._pool)
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

        pieces = self._pieces(link)
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
        self, link: Link, parts: SplitResult, request: HttpRequest
    ) -> Result[http.client.HTTPResponse]:
        connected = await ERRORS.run(self._reach, link, parts, request.address)
        if isinstance(connected, Failure):
            unsent = _placed(connected, sent=False)
            return unsent if self._via is None else failure(by_proxy(unsent.error))
        target = f"{parts.path}?{parts.query}" if parts.query else parts.path
        if self._via is not None and parts.scheme == "http":
            target = parts.geturl()
            request = replace(request, headers=request.headers.with_fields(self._via.told))
        answered = await ERRORS.run(link.exchange, target, request)
        return _placed(answered, sent=True) if isinstance(answered, Failure) else answered

    async def _reach(self, link: Link, parts: SplitResult, address: str | None) -> None:
        """Connect to the server, or by the proxy, and make it secure where the URL says so."""
        connection = link.connection
        place = (address or connection.host, connection.port)
        await link.connect(*(place if self._via is None else self._via.place))
        if parts.scheme == "https":
            if self._via is not None:
                await link.tunnel(self._via.told)
            context = self._context
            assert context is not None  # noqa: S101  # made with the connection
            await link.secure(context)

    async def _pieces(self, link: Link) -> AsyncIterator[Result[bytes]]:
        while True:
            try:
                read = await ERRORS.run(link.read)
            except BaseException:
                self._drop(link)
                raise
            if isinstance(read, Failure):
                yield _placed(read, sent=True)
                return
            if not read.value:
                return
            yield read

    def _drop(self, link: Link) -> None:
        if link in self._links:
            self._links.remove(link)
            self._places.release()
        link.close()


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
