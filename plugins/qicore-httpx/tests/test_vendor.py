"""The parts of httpcore2 that have no public name: a version that has one no more is told of."""

from __future__ import annotations

import asyncio
import inspect
from typing import Any, Final

import httpcore2
import httpx2
import pytest

from qicore_core.testing import assert_success
from qicore_http import Headers, HttpRequest
from qicore_http.conformance import Server
from qicore_httpx import HttpxTransport
from qicore_httpx.settings import HttpxSettings

ORIGIN: Final = httpcore2.Origin(b"https", b"server.test", 443)
PARTS: Final = (
    ("transport", "_pool", None),
    ("pool", "_close_connections", {"closing": []}),
    ("connection", "_connection", None),
    ("tunnel", "_connection", None),
    ("tunnel", "_connected", None),
    ("http11", "_h11_state", None),
    ("http2", "_h2_state", None),
    ("http2", "_network_stream", None),
    ("http2", "_events", None),
    ("http2", "_response_closed", {"stream_id": 1}),
    ("http2", "_write_outgoing_data", {"request": None}),
)


def _made(kind: str) -> Any:
    stream = httpcore2.AsyncMockStream([])
    if kind == "transport":
        return httpx2.AsyncHTTPTransport()
    if kind == "pool":
        return httpcore2.AsyncConnectionPool()
    if kind == "tunnel":
        proxied = httpcore2.AsyncConnectionPool(proxy=httpcore2.Proxy("http://proxy.test"))
        return proxied.create_connection(ORIGIN)
    if kind == "connection":
        return httpcore2.AsyncHTTPConnection(ORIGIN)
    if kind == "http11":
        return httpcore2.AsyncHTTP11Connection(ORIGIN, stream)
    return httpcore2.AsyncHTTP2Connection(ORIGIN, stream)


@pytest.mark.parametrize(("kind", "name", "taken"), PARTS, ids=lambda one: str(one))
def test_what_the_driver_stands_on_is_there(
    kind: str, name: str, taken: dict[str, Any] | None
) -> None:
    made = _made(kind)
    part = getattr(made, name, _made)
    place = f"{type(made).__name__}.{name} of httpx2 {httpx2.__version__}"
    assert part is not _made, f"there is no {place}: see pool.py and forgotten.py"
    if taken is not None:
        try:
            inspect.signature(part).bind(**taken)
        except TypeError as error:
            pytest.fail(f"{place} is called otherwise ({error}): see forgotten.py")


def test_a_connection_that_cannot_be_asked_serves_one_request(server: Server) -> None:
    async def main() -> None:
        transport = HttpxTransport(HttpxSettings())
        pool = transport._client._transport._pool
        for number in range(1, 4):
            request = HttpRequest("GET", server.url + "/x", Headers(), idle_timeout=5.0)
            reply = assert_success(await transport.send(request))
            async for piece in reply:
                assert_success(piece)
            await reply.aclose()
            assert server.connections == number
            (one,) = pool.connections
            parts = vars(one._connection)
            parts["_renamed"] = parts.pop("_h11_state")
        await transport.close()

    asyncio.run(main())
