"""What a program's own functions see of requests and answers, on their way out and in.

They are called for each attempt and at each redirect, so that a signature is always fresh. What
they raise is a bug of theirs and passes.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from inspect import isawaitable
from typing import Any, TypeAlias, final

from qicore_core import Failure, Result

from .message import HttpRequest, HttpResponse
from .transport import HttpReply, HttpTransport

__all__ = ["Hooked", "OnRequest", "OnResponse"]

OnRequest: TypeAlias = Callable[[HttpRequest], HttpRequest | Awaitable[HttpRequest]]
"""Gives the request that is sent: the same one, or `request.with_headers({...})`."""
OnResponse: TypeAlias = Callable[[HttpRequest, HttpResponse], Awaitable[None] | None]
"""Sees a request and its answer's status and headers; the body is not read yet."""


@final
class Hooked:
    """A transport that shows what goes through it."""

    __slots__ = ("_inner", "_on_request", "_on_response")

    def __init__(
        self, inner: HttpTransport, on_request: OnRequest | None, on_response: OnResponse | None
    ) -> None:
        self._inner = inner
        self._on_request = on_request
        self._on_response = on_response

    async def send(self, request: HttpRequest, /) -> Result[HttpReply]:
        """Send what the first function makes of a request, and show the second what came."""
        if self._on_request is not None:
            made: Any = self._on_request(request)
            request = await made if isawaitable(made) else made
            if not isinstance(request, HttpRequest):
                got = type(request).__name__
                raise TypeError(f"on_request gives the HttpRequest that is sent, got {got}")
        sent = await self._inner.send(request)
        if self._on_response is None or isinstance(sent, Failure):
            return sent
        reply = sent.value
        try:
            seen: Any = self._on_response(
                request, HttpResponse(reply.status, reply.headers, b"", request.url)
            )
            if isawaitable(seen):
                await seen
        except BaseException:
            await reply.aclose()
            raise
        return sent

    async def close(self) -> None:
        """Close the transport below."""
        await self._inner.close()
