"""One exchange with a server: sent, redirected, read within bounds, and judged."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC
from email.utils import parsedate_to_datetime
from time import perf_counter, time
from typing import Final

from qicore_core import Failure, QiError, Result, failure, success
from qicore_core.error.qi_error import make_error
from qicore_core.secret import is_secret_name

from .decode import decoded
from .errors import HTTP_ERROR, RESPONSE_TOO_LARGE, TOO_MANY_REDIRECTS, category_of
from .message import HttpRequest, HttpResponse, shown
from .settings import HttpSettings
from .transport import HttpReply, HttpTransport
from .url import is_same_origin, redirect_of

__all__ = ["begin", "exchange", "retry_after"]

_DIGITS: Final = re.compile(r"[0-9]{1,18}")
_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_BODY_FIELDS: Final = ("content-type", "content-encoding", "content-language", "content-location")


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
    reply, url = opened.value
    try:
        body = await _read(reply, settings.max_response_bytes, url, request.method)
    finally:
        await reply.aclose()
    if isinstance(body, Failure):
        return body
    response = HttpResponse(reply.status, reply.headers, body.value, url, perf_counter() - began)
    return _judged(response, request.method, accept)


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
    reply, url = opened.value
    head = HttpResponse(reply.status, reply.headers, b"", url)
    judged = _judged(head, request.method, accept)
    if isinstance(judged, Failure):
        await reply.aclose()
        return judged
    return success(reply)


async def _open(
    transport: HttpTransport, settings: HttpSettings, request: HttpRequest
) -> Result[tuple[HttpReply, str]]:
    """Send a request, follow redirects, and give the last reply, its body unread, and its URL."""
    for _ in range(settings.max_redirects + 1):
        sent = await transport.send(request)
        if isinstance(sent, Failure):
            return _at(request, sent)
        reply = sent.value
        location = reply.headers.get("location") if reply.status in _REDIRECTS else None
        if not location or settings.max_redirects == 0:
            plain = decoded(reply)
            if isinstance(plain, Failure):
                await reply.aclose()
                return plain
            return success((plain.value, request.url))
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
    if not is_same_origin(request.url, url):
        secret = [name for name in headers if is_secret_name(name)]
        headers = headers.without(*request.private, *secret)
    return success(replace(request, method=method, url=url, headers=headers, body=body))


def _at(request: HttpRequest, failed: Failure) -> Failure:
    """Say which request failed, without its query."""
    return failure(failed.error.with_context(method=request.method, url=shown(request.url)))


async def _read(reply: HttpReply, limit: int, url: str, method: str) -> Result[bytes]:
    stated = reply.headers.get("content-length", "")
    has_body = method != "HEAD" and reply.status not in (204, 304)
    if has_body and _DIGITS.fullmatch(stated) and int(stated) > limit:
        return failure(_too_large(url, limit))
    pieces: list[bytes] = []
    size = 0
    async for piece in reply:
        if isinstance(piece, Failure):
            return piece
        size += len(piece.value)
        if size > limit:
            return failure(_too_large(url, limit))
        pieces.append(piece.value)
    return success(b"".join(pieces))


def _judged(
    response: HttpResponse, method: str, accept: frozenset[int] | None
) -> Result[HttpResponse]:
    """Give a response as a success, or as the Failure that its status is."""
    status = response.status
    if status < 400 if accept is None else status in accept:
        return success(response)
    return failure(
        make_error(
            HTTP_ERROR,
            f"{method} {shown(response.url)} answered {status}",
            category_of(status),
            "http",
            {
                "status": status,
                "method": method,
                "url": shown(response.url),
                "excerpt": response.excerpt,
            },
            retryable=None if status in (408, 425, 429, 502, 503, 504) else False,
            retry_after=retry_after(response.headers.get("retry-after", "")),
            public_message=f"an upstream service answered {status}",
        )
    )


def retry_after(text: str, /) -> float | None:
    """Read a Retry-After, in seconds or as a date. Source: RFC 9110, section 10.2.3.

    >>> retry_after("120"), retry_after("soon")
    (120.0, None)
    """
    text = text.strip()
    if _DIGITS.fullmatch(text):
        return float(text)
    try:
        when = parsedate_to_datetime(text)
        when = when if when.tzinfo else when.replace(tzinfo=UTC)  # "-0000": of no known place
        return max(0.0, when.timestamp() - time())
    except (TypeError, ValueError, OverflowError):
        return None


def _too_large(url: str, limit: int) -> QiError:
    return QiError.bad_data(
        RESPONSE_TOO_LARGE,
        f"the answer of {shown(url)} has more than {limit} bytes",
        hint="stream it, or raise max_response_bytes",
        source="http",
    )
