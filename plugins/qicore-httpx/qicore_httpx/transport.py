"""The `httpx` transport: httpx2's pool and protocol, and nothing else of it.

httpx2 writes URLs with their queries, and headers, to the loggers of `logging`. What it would say
of our requests is kept back; what it says of anybody else's is not touched.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from contextvars import ContextVar
from typing import TYPE_CHECKING, Final, final

from qicore_core import Failure, Result, failure, success
from qicore_http import Headers, HttpReply, HttpRequest
from qicore_http.errors import not_connected

from .settings import HttpxSettings

if TYPE_CHECKING:
    import httpx2

__all__ = ["HttpxTransport"]

_WITH_BODY: Final = ("POST", "PUT", "PATCH")
_LOGGERS: Final = ("httpx2", *(f"httpcore2.{name}" for name in (
    "connection", "http11", "http2", "proxy", "socks",
)))  # fmt: skip
_is_ours: Final[ContextVar[bool]] = ContextVar("qicore_httpx_is_ours", default=False)


@final
class HttpxTransport:
    """Sends requests by an httpx2.AsyncClient.

    Args:
        settings: how servers are reached, or by which client.
    """

    __slots__ = ("_client", "_errors", "_is_borrowed", "_request")

    def __init__(self, settings: HttpxSettings) -> None:
        import httpx2  # late: the SDK is for those who open the transport

        from .errors import ERRORS  # late: it names httpx2's exceptions

        self._errors = ERRORS
        self._request = httpx2.Request
        self._is_borrowed = settings.client_object is not None
        self._client = settings.client_object or httpx2.AsyncClient(
            verify=settings.verify or httpx2.create_ssl_context(), trust_env=False
        )
        for name in _LOGGERS:
            logging.getLogger(name).addFilter(_is_not_ours)  # the same one twice is one

    async def send(self, request: HttpRequest, /) -> Result[HttpReply]:
        """Send a request on a connection of the pool."""
        if self._client.is_closed:
            return failure(not_connected("the httpx2 client"))
        token = _is_ours.set(True)
        try:
            answered = await self._errors.run(self._send, request)
        finally:
            _is_ours.reset(token)
        if isinstance(answered, Failure):
            return answered
        response = answered.value
        headers = Headers(response.headers.multi_items())
        return success(
            HttpReply(response.status_code, headers, self._pieces(response), response.aclose)
        )

    async def close(self) -> None:
        """Close every connection, unless the client is the caller's."""
        if not self._is_borrowed:
            await self._client.aclose()

    async def _send(self, request: HttpRequest) -> httpx2.Response:
        fields = [(name.encode(), value.encode()) for name, value in request.headers.pairs()]
        if not request.body and request.method in _WITH_BODY:
            fields.append((b"content-length", b"0"))
        seconds = request.idle_timeout
        made = self._request(
            request.method,
            request.url,
            headers=fields,
            content=request.body or None,
            extensions={"timeout": dict.fromkeys(("connect", "read", "write", "pool"), seconds)},
        )
        return await self._client.send(made, stream=True, auth=None, follow_redirects=False)

    async def _pieces(self, response: httpx2.Response) -> AsyncIterator[Result[bytes]]:
        pieces = self._errors.stream(response.aiter_raw())
        while True:
            token = _is_ours.set(True)
            try:
                piece = await anext(pieces, None)
            finally:
                _is_ours.reset(token)
            if piece is None:
                return
            yield piece


def _is_not_ours(_: logging.LogRecord) -> bool:
    return not _is_ours.get()
