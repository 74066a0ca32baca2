"""The narrow protocol: what an author of an HTTP transport implements.

A transport sends one request and gives the answer's head and a stream of its bytes. Redirects,
retries, limits, timeouts, credentials and JSON belong to `HttpClient` and are the same for every
transport.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Protocol, final

from qicore_core import Result

from .message import Headers, HttpRequest

__all__ = ["HttpReply", "HttpTransport"]


@final
class HttpReply:
    """The head of an answer; iterating gives its body in pieces, as they come.

    The transport leaves any content encoding as it is: the client undoes it, in bounded pieces.
    Whoever has the reply closes it, also where nothing of it was read.

    Attributes:
        status: the three digits.
        headers: its header fields.
    """

    __slots__ = ("_close", "_pieces", "headers", "status")

    def __init__(
        self,
        status: int,
        headers: Headers,
        pieces: AsyncIterator[Result[bytes]],
        close: Callable[[], Awaitable[object]],
        /,
    ) -> None:
        self.status = status
        self.headers = headers
        self._pieces = pieces
        self._close = close

    def __aiter__(self) -> AsyncIterator[Result[bytes]]:
        return self._pieces

    def __anext__(self) -> Awaitable[Result[bytes]]:
        return anext(self._pieces)

    def aclose(self) -> Awaitable[object]:
        """Let go of the body and its connection; twice does no harm."""
        return self._close()


class HttpTransport(Protocol):
    """Sends requests. What goes wrong on the way is a Failure; a status of any kind is a reply.

    A connection that failed before the request was sent has `sent=False` in its error's context. A
    body that ends before its length is a NETWORK_ERROR as the last item of the stream, and so is
    one that has none and that TLS did not end (see `ending.py`). A server that takes no more of a
    body is heard. The transport follows no redirect, retries nothing, sends no header of its own
    but what the connection needs (Content-Length where `request.length` is a number, and a body of
    unknown length in chunks), gives up after `request.idle_timeout` of silence, and stops when it
    is cancelled.

    Where a request has an `address` it connects to that one and asks no name server, with Host and
    the name in TLS (SNI and certificate) still the URL's; no connection that was opened without it,
    or to another address, is used. A transport that cannot answers HTTP_UNSUPPORTED. What the
    request's own body raises passes, or is told by its `failed`.
    """

    async def send(self, request: HttpRequest, /) -> Result[HttpReply]:
        """Send a request and give the head of its answer."""
        ...

    async def close(self) -> None:
        """Close every connection; twice does no harm."""
