"""One exchange with a server: sent, redirected, read within bounds, and judged."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from time import perf_counter
from typing import Final
from urllib.parse import urlsplit

from qicore_core import Failure, QiError, Result, failure, success
from qicore_core.error.qi_error import again
from qicore_core.secret import is_secret_name

from .body import Body
from .decode import decoded
from .errors import (
    INVALID_REQUEST,
    NETWORK_ERROR,
    RESPONSE_TOO_LARGE,
    SSL_ERROR,
    TIMEOUT_ERROR,
    TOO_MANY_REDIRECTS,
)
from .message import HttpRequest, HttpResponse, shown
from .settings import HttpSettings
from .transport import HttpReply, HttpTransport
from .url import is_same_origin, redirect_of
from .verdict import judged, whole_number

__all__ = ["REDIRECTS", "begin", "exchange", "raw"]

_ALL: Final = frozenset(range(100, 1000))
REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_BODY_FIELDS: Final = ("content-type", "content-encoding", "content-language", "content-location")
_OF_A_PLACE: Final = (NETWORK_ERROR, TIMEOUT_ERROR, SSL_ERROR)


async def exchange(
    transport: HttpTransport,
    settings: HttpSettings,
    request: HttpRequest,
    accept: frozenset[int] | None,
    /,
) -> Result[HttpResponse]:
    """Send a request and read its answer whole.

    Errors:
        HTTP_ERROR: the status is no success; the context has it, and an excerpt of the body.
        RESPONSE_TOO_LARGE, TOO_MANY_REDIRECTS, INVALID_URL (of a redirect), and what the transport
        fails with.
    """
    began = perf_counter()
    opened = await _open(transport, settings, request)
    if isinstance(opened, Failure):
        return opened
    reply, last = opened.value
    try:
        body = await _read(reply, settings.max_response_bytes, last)
    finally:
        await reply.aclose()
    if isinstance(body, Failure):
        return body
    elapsed = perf_counter() - began
    response = HttpResponse(reply.status, reply.headers, body.value, last.url, elapsed)
    return judged(response, request.method, accept)


async def raw(
    transport: HttpTransport,
    settings: HttpSettings,
    request: HttpRequest,
    accept: frozenset[int] | None,
    /,
) -> Result[HttpResponse]:
    """Send a request and give whatever is answered, for a cache: 304 and 404 are answers.

    Errors:
        As in `exchange`, of statuses only those that another attempt or a stale answer may mend.
    """
    answered = await exchange(transport, settings, request, _ALL)
    if isinstance(answered, Failure):
        return answered
    status = answered.value.status
    is_outage = status >= 500 or status in (408, 425, 429)
    if is_outage and status not in (accept or ()):
        return judged(answered.value, request.method, None)
    return answered


async def begin(
    transport: HttpTransport,
    settings: HttpSettings,
    request: HttpRequest,
    accept: frozenset[int] | None,
    /,
) -> Result[HttpReply]:
    """Send a request and give its answer with the body unread, if the status is a success.

    Errors:
        As in `exchange`, but for the body's.
    """
    opened = await _open(transport, settings, request)
    if isinstance(opened, Failure):
        return opened
    reply, last = opened.value
    head = HttpResponse(reply.status, reply.headers, b"", last.url)
    verdict = judged(head, request.method, accept)
    if isinstance(verdict, Failure):
        await reply.aclose()
        return verdict
    return success(HttpReply(reply.status, reply.headers, _placed(reply, last), reply.aclose))


async def _open(
    transport: HttpTransport, settings: HttpSettings, request: HttpRequest
) -> Result[tuple[HttpReply, HttpRequest]]:
    """Send a request, follow redirects, and give the last one and its reply, unread."""
    for _ in range(settings.max_redirects + 1):
        sent = await transport.send(request)
        if isinstance(sent, Failure):
            return _at(request, sent)
        reply = sent.value
        location = reply.headers.get("location") if reply.status in REDIRECTS else None
        if not location or settings.max_redirects == 0:
            plain = decoded(reply, settings.max_decompression_ratio)
            if isinstance(plain, Failure):
                await reply.aclose()
                return plain
            return success((plain.value, request))
        await reply.aclose()
        next_request = _redirected(request, reply.status, location)
        if isinstance(next_request, Failure):
            return next_request
        request = next_request.value
    return failure(
        QiError.bad_data(
            TOO_MANY_REDIRECTS,
            f"{shown(request.url)} was redirected more than {settings.max_redirects} times",
            hint="look for a loop, or raise max_redirects",
            source="http",
        )
    )


def _redirected(request: HttpRequest, status: int, location: str) -> Result[HttpRequest]:
    """Make the request that a redirect asks for, without credentials for another origin.

    Source: RFC 9110, section 15.4.
    """
    target = redirect_of(request.url, location)
    if isinstance(target, Failure):
        return target
    url, headers, body = target.value.url, request.headers, request.body
    method = request.method
    if (status == 303 and method != "HEAD") or (status in (301, 302) and method == "POST"):
        method, body, headers = "GET", b"", headers.without(*_BODY_FIELDS)
    if isinstance(body, Body) and not body.is_replayable:
        return failure(
            QiError.validation(
                INVALID_REQUEST,
                f"{shown(request.url)} wants the body at another place, and it can be read once",
                hint="send it to the place itself, or as bytes or a file",
                source="http",
                status=status,
            )
        )
    if not is_same_origin(request.url, url):
        secret = [name for name in headers if is_secret_name(name)]
        headers = headers.without(*request.private, *secret)
    return success(replace(request, method=method, url=url, headers=headers, body=body))


def _at(request: HttpRequest, failed: Failure) -> Failure:
    """Say which request failed, without its query; what the caller's own body raised is a bug."""
    error: QiError = failed.error
    if isinstance(request.body, Body) and request.body.failed is not None:
        if not isinstance(request.body.failed, QiError):
            raise request.body.failed
        error = request.body.failed
    error = error.with_context(method=request.method, url=shown(request.url))
    if error.code in _OF_A_PLACE:
        parts = urlsplit(request.url)
        port = parts.port or (443 if parts.scheme == "https" else 80)
        error = again(error, message=f"{parts.hostname}:{port}: {error.message}")
    return failure(error)


async def _placed(reply: HttpReply, request: HttpRequest) -> AsyncIterator[Result[bytes]]:
    """Give the pieces of a body; where it breaks off, with the place."""
    async for piece in reply:
        yield _at(request, piece) if isinstance(piece, Failure) else piece


async def _read(reply: HttpReply, limit: int, request: HttpRequest) -> Result[bytes]:
    has_body = request.method != "HEAD" and reply.status not in (204, 304)
    stated = whole_number(reply.headers.get("content-length")) if has_body else None
    if stated is not None and stated > limit:
        return failure(_too_large(request.url, limit))
    pieces: list[bytes] = []
    size = 0
    async for piece in reply:
        if isinstance(piece, Failure):
            return _at(request, piece)
        size += len(piece.value)
        if size > limit:
            return failure(_too_large(request.url, limit))
        pieces.append(piece.value)
    return success(b"".join(pieces))


def _too_large(url: str, limit: int) -> QiError:
    return QiError.bad_data(
        RESPONSE_TOO_LARGE,
        f"the answer of {shown(url)} has more than {limit} bytes",
        hint="stream it, or raise max_response_bytes",
        source="http",
    )
