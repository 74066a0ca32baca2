"""The `httpx` transport: httpx2's pool and protocol, and nothing else of it.

A client of the caller's may be one of httpx, where everything is called alike. They and hpack write
URLs with their queries, and headers, to the loggers of `logging`. What they would say of our
requests is kept back; what they say of anybody else's is not touched.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Mapping
from contextvars import ContextVar, Token
from typing import TYPE_CHECKING, Any, Final, final

from qicore_core import Failure, Result, failure, success
from qicore_http import Headers, HttpReply, HttpRequest
from qicore_http.ending import ends_with_its_connection, to_its_end
from qicore_http.errors import network_error, not_connected
from qicore_http.proxy import by_proxy, proxy_refused

if TYPE_CHECKING:
    import httpx2

    from .settings import HttpxSettings

__all__ = ["HttpxTransport"]

_WAITS: Final = ("connect", "read", "write", "pool")
_LOGGERS: Final = (
    "httpx2", "httpcore2.connection", "httpcore2.http11", "httpcore2.http2", "httpcore2.proxy",
    "httpcore2.socks", "httpx", "httpcore.connection", "httpcore.http11", "httpcore.http2",
    "httpcore.proxy", "httpcore.socks", "hpack.hpack", "hpack.table",
)  # fmt: skip


@final
class HttpxTransport:
    """Sends requests by an httpx2.AsyncClient, from the event loop that it first sends from.

    Args:
        settings: how servers are reached, or by which client.
    """

    __slots__ = (
        "_client", "_errors", "_is_borrowed", "_is_proxied", "_loop", "_pinned", "_request",
        "_refused", "_settings",
    )  # fmt: skip

    def __init__(self, settings: HttpxSettings, /) -> None:
        import httpx2  # late: the SDK is for those who open the transport

        from .errors import ERRORS, errors_of  # late: these name what is httpx2's
        from .pool import PinningTransport, pinned

        vendor: Any = settings.vendor
        self._errors = ERRORS if vendor is httpx2 else errors_of(vendor)
        self._pinned = pinned
        self._request = vendor.Request
        self._refused = vendor.ProxyError
        self._loop: asyncio.AbstractEventLoop | None = None
        self._settings = settings
        self._is_borrowed = settings.client_object is not None
        self._is_proxied = settings.proxy is not None
        self._client: Any = settings.client_object or httpx2.AsyncClient(
            transport=PinningTransport(settings), trust_env=False
        )
        for name in _LOGGERS:
            logging.getLogger(name).addFilter(_is_not_ours)  # the same one twice is one

    async def send(self, request: HttpRequest, /) -> Result[HttpReply]:
        """Send a request on a connection of the pool.

        Raises:
            RuntimeError: another event loop sent before; connections belong to one.
        """
        if self._client.is_closed:
            return failure(not_connected("the client of your own"))
        if request.address is not None and (why := self._settings.unpinnable):
            return failure(why)
        self._keep_to(asyncio.get_running_loop())
        may_refuse = self._is_proxied or self._is_borrowed
        send = self._send_by_proxy if may_refuse else self._send
        with _Quiet():
            answered = await self._errors.run(send, request)
        if isinstance(answered, Failure):
            return failure(by_proxy(answered.error)) if self._is_proxied else answered
        response = answered.value
        headers = Headers(response.headers.multi_items())
        pieces = self._pieces(response)
        is_endless = ends_with_its_connection(request.method, response.status_code, headers)
        if is_endless and response.http_version != "HTTP/2":
            stream = response.extensions["network_stream"]
            pieces = to_its_end(pieces, stream.get_extra_info("ssl_object"))
        return success(HttpReply(response.status_code, headers, pieces, response.aclose))

    async def close(self) -> None:
        """Close every connection, unless the client is the caller's."""
        if not self._is_borrowed:
            await self._client.aclose()

    async def _send(self, request: HttpRequest, heard: object = None) -> httpx2.Response:
        url, body = request.url, request.body
        fields = [(name.encode(), value.encode()) for name, value in request.headers.pairs()]
        if request.length is not None:
            fields.append((b"content-length", b"%d" % request.length))
        extensions: dict[str, object] = {"timeout": dict.fromkeys(_WAITS, request.idle_timeout)}
        if heard is not None:
            extensions["trace"] = heard
        if request.address is not None:
            url, host, extensions["sni_hostname"] = self._pinned(url, request.address)
            fields.append((b"host", host.encode()))
        made = self._request(
            request.method, url, headers=fields, content=body or None, extensions=extensions
        )
        sent = self._client.send(made, stream=True, auth=None, follow_redirects=False)
        return await sent  # type: ignore[no-any-return]  # whichever vendor's it is

    async def _send_by_proxy(self, request: HttpRequest) -> httpx2.Response:
        """Send a request, and say by its status how the proxy refused it, if it did."""
        statuses: list[int] = []

        async def heard(event: str, told: Mapping[str, Any]) -> None:
            if event == "http11.receive_response_headers.complete":
                statuses.append(told["return_value"][1])

        try:
            return await self._send(request, heard)
        except self._refused:
            if not statuses:  # one of SOCKS, which has none
                raise network_error("the proxy makes no connection", sent=False) from None
            raise proxy_refused(statuses[-1]) from None

    async def _pieces(self, response: httpx2.Response) -> AsyncIterator[Result[bytes]]:
        pieces = self._errors.stream(response.aiter_raw())
        while True:
            with _Quiet():  # around each wait alone: a generator's block is its caller's as well
                piece = await anext(pieces, None)
            if piece is None:
                return
            yield piece

    def _keep_to(self, loop: asyncio.AbstractEventLoop) -> None:
        if self._loop is None:
            self._loop = loop
        if self._loop is not loop:
            raise RuntimeError(
                "an http client keeps to the event loop that it was first used in: open one in "
                "each, or make all calls by one `blocking()`"
            )


class _Quiet:
    """A block in which httpx2 writes no log."""

    __slots__ = ("_token",)

    _token: Token[bool]

    def __enter__(self) -> None:
        self._token = _is_ours.set(True)

    def __exit__(self, *_: object) -> None:
        _is_ours.reset(self._token)


def _is_not_ours(_: logging.LogRecord) -> bool:
    return not _is_ours.get()


_is_ours: Final[ContextVar[bool]] = ContextVar("qicore_httpx_is_ours", default=False)
