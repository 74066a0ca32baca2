"""The session behind the transport, and how it is asked. Imports aiohttp."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from typing import Any, Final

import aiohttp
from aiohttp.connector import NEEDS_CLEANUP_CLOSED, Connection
from multidict import CIMultiDict
from yarl import URL

from qicore_core import Result
from qicore_http import Headers, HttpRequest
from qicore_http.ending import ends_with_its_connection, to_its_end
from qicore_http.proxy import Proxy

from .errors import ERRORS
from .settings import AiohttpSettings
from .upload import payload_of

__all__ = ["ask", "body_of", "session_of"]

_MAX_HEAD: Final = 64 * 1024
_WITH_BODY: Final = ("PATCH", "POST", "PUT")


def session_of(settings: AiohttpSettings, /) -> aiohttp.ClientSession:
    """Make a session, in the event loop that runs, that adds nothing to a request.

    It is our own also where the caller has one: theirs lends its connector and its proxy.
    """
    theirs = settings.client_object
    return aiohttp.ClientSession(
        connector=_connector_of(settings) if theirs is None else theirs.connector,
        connector_owner=theirs is None,
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,
        requote_redirect_url=False,
        trust_env=False,
        loop=asyncio.get_running_loop(),  # a connector of another one is refused
        max_line_size=_MAX_HEAD,
        max_field_size=_MAX_HEAD,
        middlewares=(_once,),
        request_class=_Request,
        proxy=None if theirs is None else _proxy_of(theirs),
    )


async def ask(
    session: aiohttp.ClientSession, request: HttpRequest, via: Proxy | None, /
) -> aiohttp.ClientResponse:
    """Send a request, byte for byte as it is, and give the answer's head.

    One to an address has it in place of the host in its URL, and the host beside it. So the pool
    keeps its connections apart from all others: by the name as well as by the address.
    """
    url, name = URL(request.url, encoded=True), None  # else yarl would write it anew
    headers = request.headers.pairs()
    if request.address is not None:
        name = url.raw_host
        headers = (("Host", url.host_port_subcomponent or ""), *headers)
        url = url.with_host(request.address)
    by: dict[str, Any] = {}
    if via is not None:
        by = {"proxy": URL(via.url)}
        if url.scheme == "https":
            by["proxy_headers"] = via.told  # aiohttp writes to it
        else:
            headers = (*via.told.items(), *headers)
    seconds = request.idle_timeout
    return await session.request(
        request.method,
        url,
        headers=headers,
        data=payload_of(request),
        allow_redirects=False,
        timeout=aiohttp.ClientTimeout(total=None, connect=seconds, sock_read=seconds),
        server_hostname=name,
        **by,
    )


def body_of(
    method: str, response: aiohttp.ClientResponse, headers: Headers, /
) -> AsyncIterator[Result[bytes]]:
    """Give the bytes of an answer as they come."""
    pieces = response.content.iter_any()
    connection = response.connection
    if connection is None or not ends_with_its_connection(method, response.status, headers):
        return ERRORS.stream(pieces)
    protocol, transport = connection.protocol, connection.transport
    secured = None if transport is None else transport.get_extra_info("ssl_object")
    return to_its_end(ERRORS.stream(_until_lost(pieces, protocol)), secured)


async def _until_lost(pieces: AsyncIterator[bytes], protocol: Any) -> AsyncIterator[bytes]:
    """Give the bytes of an answer that its connection ends; aiohttp takes a reset for an end."""
    async for piece in pieces:
        yield piece
    lost = None if protocol is None else protocol.exception()
    if isinstance(lost, aiohttp.ClientOSError):
        raise lost


def _connector_of(settings: AiohttpSettings) -> aiohttp.TCPConnector:
    return aiohttp.TCPConnector(
        ssl=settings.trust or True,
        limit=settings.max_connections,
        resolver=aiohttp.ThreadedResolver(),  # aiodns, where installed, reads no /etc/nsswitch
        enable_cleanup_closed=NEEDS_CLEANUP_CLOSED,  # elsewhere it is a warning
    )


def _proxy_of(session: aiohttp.ClientSession) -> URL | None:
    """Give the proxy of a session, to which aiohttp has no public name."""
    said = session._default_proxy
    if said is None:
        return None
    proxy, auth = URL(said), session._default_proxy_auth
    return proxy if auth is None else proxy.with_user(auth.login).with_password(auth.password)


class _Request(aiohttp.ClientRequest):
    """A request to which nothing is added, on a connection of which nothing is left.

    aiohttp keeps what a server says on an idle connection, and would give it to the next request;
    and one whose server has answered, and then reads no more of what was sent.
    """

    _skip_auto_headers = CIMultiDict({"Content-Type": None})

    def update_auto_headers(self, skip_auto_headers: Iterable[str] | None) -> None:
        """Add none; to let aiohttp skip all that it has costs a tenth of a request."""

    async def send(self, conn: Connection) -> aiohttp.ClientResponse:
        """Send it, where nothing is left."""
        protocol, transport = conn.protocol, conn.transport
        if protocol is None or transport is None or protocol.should_close:
            raise _Stale
        if transport.get_write_buffer_size():
            protocol.abort()  # to close it would wait for what nobody reads
            raise _Stale
        return await super().send(conn)


class _Stale(Exception):  # noqa: N818  # it never leaves this module
    """A connection that cannot be used; another can."""


async def _once(
    request: aiohttp.ClientRequest, send: aiohttp.ClientHandlerType
) -> aiohttp.ClientResponse:
    """Send a request once, without a length where there is no body.

    aiohttp would send it again where a kept connection breaks; it does not do so with what is no
    error of its own. Its length of 0 is for methods that have a body. Source: RFC 9110, 8.6.
    """
    if not request.body and request.method not in _WITH_BODY:
        request.headers.pop("Content-Length", None)
    while True:
        try:
            return await send(request)
        except _Stale:
            continue  # that connection is closed now, and the pool has one fewer
        except (aiohttp.ClientError, OSError) as exception:
            error = ERRORS.translate(exception)
            assert error is not None  # noqa: S101  # both are in the table
            raise error from None
