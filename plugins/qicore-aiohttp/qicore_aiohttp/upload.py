"""A body on its way out, in pieces, none of which waits for ever. Imports aiohttp."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Final, final

from aiohttp import Payload
from aiohttp.abc import AbstractStreamWriter

from qicore_http import Body, HttpRequest

__all__ = ["Upload", "payload_of"]

_PIECE: Final = 64 * 1024


def payload_of(request: HttpRequest, /) -> bytes | Upload | None:
    """Give what aiohttp sends as the body of a request; a small one goes along with the head."""
    body = request.body
    if isinstance(body, bytes) and len(body) <= _PIECE:
        return body or None
    return Upload(body, request.idle_timeout)


@final
class Upload(Payload):
    """Sends a body in pieces, and breaks the connection where it cannot be sent whole.

    aiohttp itself waits for ever for a server that reads no more, and leaves a body that it sends
    no further open.

    Args:
        body: what is sent.
        seconds: how long the server may read nothing.
    """

    def __init__(self, body: bytes | Body, seconds: float, /) -> None:
        super().__init__(body)
        self._size = len(body) if isinstance(body, bytes) else body.length
        self._body = body
        self._seconds = seconds

    async def write(self, writer: AbstractStreamWriter) -> None:
        """Send it."""
        transport = writer.transport
        try:
            async with aclosing(_pieces_of(self._body)) as pieces:
                async for piece in pieces:
                    async with asyncio.timeout(self._seconds):
                        await writer.write(piece)
                        await writer.drain()
        except BaseException:
            if transport is not None:
                transport.abort()  # to close it would wait for what nobody reads
            raise

    def decode(self, encoding: str = "utf-8", errors: str = "strict") -> str:
        """Refuse: a body is sent, never shown."""
        raise TypeError("a body is sent, and not shown")


async def _pieces_of(body: bytes | Body) -> AsyncGenerator[bytes | memoryview]:
    if isinstance(body, bytes):
        view = memoryview(body)
        for start in range(0, len(view), _PIECE):
            yield view[start : start + _PIECE]
        return
    async for piece in body:
        yield piece
