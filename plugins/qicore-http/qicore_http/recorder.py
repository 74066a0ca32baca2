"""Exchanges with a real server, recorded to a file for tests.

A recording is JSON for people to read and keep beside their tests. It has no request headers, no
cookies and no field that names a secret, and a secret in a query is masked, in a `location` too.
Bodies are as they came, but for those of redirects, which are not read: look at them before you
keep them.
"""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import AsyncIterator
from hashlib import sha256
from pathlib import Path
from typing import Any, Final, final
from urllib.parse import parse_qsl, urlencode, urlsplit

from qicore_core import Failure, Result, Success, success
from qicore_core.secret import is_secret_name

from .body import Body
from .exchange import REDIRECTS
from .message import HttpRequest
from .transport import HttpReply, HttpTransport

__all__ = ["Recorder", "name_of"]

_UNKEPT: Final = ("set-cookie", "set-cookie2")
_MAX_BODY: Final = 10 * 1024 * 1024


@final
class Recorder:
    """A transport that keeps what goes through it, and writes it when it is closed."""

    __slots__ = ("_exchanges", "_inner", "_path")

    def __init__(self, inner: HttpTransport, path: Path) -> None:
        self._inner = inner
        self._path = path
        self._exchanges: list[dict[str, Any]] = []

    async def send(self, request: HttpRequest, /) -> Result[HttpReply]:
        """Send a request, and keep its answer once that was read whole."""
        body = request.body
        if isinstance(body, Body) and not body.is_replayable:
            return await self._inner.send(request)  # it can be read once, and that is not here
        name = await name_of(request)
        sent = await self._inner.send(request)
        if isinstance(sent, Failure):
            return sent
        reply = sent.value
        is_read = False

        async def pieces() -> AsyncIterator[Result[bytes]]:
            nonlocal is_read
            got, is_read = bytearray(), True
            async for piece in reply:
                if isinstance(piece, Success) and len(got) <= _MAX_BODY:
                    got += piece.value
                yield piece
                if isinstance(piece, Failure):
                    return
            if len(got) <= _MAX_BODY:
                self._exchanges.append(_exchange_of(name, reply, bytes(got)))

        async def close() -> None:
            if not is_read and reply.status in REDIRECTS:
                self._exchanges.append(_exchange_of(name, reply, b""))
            await reply.aclose()

        return success(HttpReply(reply.status, reply.headers, pieces(), close))

    async def close(self) -> None:
        """Write what was kept, and close the transport below."""
        text = json.dumps({"exchanges": self._exchanges}, indent=1, ensure_ascii=False)
        self._path.write_text(text + "\n", "utf-8")
        await self._inner.close()


def _exchange_of(name: str, reply: HttpReply, body: bytes) -> dict[str, Any]:
    fields = [
        (field, _masked(value) if field == "location" else value)
        for field, value in reply.headers.pairs()
        if field not in _UNKEPT and not is_secret_name(field)
    ]
    held: dict[str, Any] = {"request": name, "status": reply.status, "headers": fields}
    try:
        return held | {"text": body.decode()}
    except UnicodeDecodeError:
        return held | {"base64": b64encode(body).decode()}


async def name_of(request: HttpRequest, /) -> str:
    """Say by what a request is known again: method, URL, and a digest of the body."""
    url = _masked(request.url)
    body = request.body
    data = body if isinstance(body, bytes) else b"".join([piece async for piece in body])
    return f"{request.method} {url}" + (f" {sha256(data).hexdigest()[:16]}" if data else "")


def _masked(url: str) -> str:
    """Give a URL without userinfo, and without what its query says of secrets."""
    try:
        parts = urlsplit(url)
    except ValueError:  # a server's word, and no URL
        return "***"
    fields = parse_qsl(parts.query, keep_blank_values=True)
    query = urlencode([(key, "***" if is_secret_name(key) else value) for key, value in fields])
    return parts._replace(netloc=parts.netloc.rpartition("@")[2], query=query).geturl()
