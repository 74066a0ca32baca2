"""The HTTP client around its transport: what it adds to the very same transport, asked directly.

Client and transport share one pool of kept connections and send the same headers; httpx2 has a
client of its own. The server is another process, so that the CPU time is that of asking alone.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Generator
from contextlib import contextmanager
from multiprocessing import get_context
from multiprocessing.connection import Connection
from typing import Any

import httpx2
from harness import Row, compare

from qicore_core import CircuitBreakerConfig, Policy, unwrap
from qicore_http import Headers, HttpClient, HttpRequest
from qicore_http.conformance import Server, reply
from qicore_http.settings import HttpSettings
from qicore_httpx import HttpxTransport
from qicore_httpx.settings import HttpxSettings

CALLS = 20  # awaited in one run of the loop, so that starting it weighs nothing
ANSWER = reply(200, b'{"id": 1, "name": "Ada"}' * 7, "content-type: application/json")
SENT = {"accept-encoding": "identity"}  # what the client sends by itself
UNTIMED = Policy(retry=3, breaker=CircuitBreakerConfig())


def measure() -> list[Row]:
    """Compare a GET by the client with the same GET by its transport, and by httpx2."""
    with _server() as url, asyncio.Runner() as loop:
        costs = _costs(loop, url)
    ours, transport = costs["client"], costs["transport"]
    return [
        Row("GET by the client", "its transport", ours, transport, 1.03),
        Row("GET without a deadline", "its transport", costs["untimed"], transport, 1.03),
        Row("GET by the client", "httpx2 itself", ours, costs["httpx2"], 1.25),
    ]


def _costs(loop: asyncio.Runner, url: str) -> dict[str, float]:
    transport = HttpxTransport(HttpxSettings())
    client = HttpClient(transport, HttpSettings())
    untimed = HttpClient(transport, HttpSettings(policy=UNTIMED))
    request = HttpRequest("GET", url, Headers(SENT))
    peer = httpx2.AsyncClient(headers=SENT, trust_env=False)

    async def send() -> bytes:
        reply = unwrap(await transport.send(request))
        body = b"".join([unwrap(piece) async for piece in reply])
        await reply.aclose()
        return body

    try:
        costs = compare(
            {
                "client": _many(loop, lambda: client.get(url)),
                "untimed": _many(loop, lambda: untimed.get(url)),
                "transport": _many(loop, send),
                "httpx2": _many(loop, lambda: peer.get(url, timeout=30.0)),
            },
            rounds=60,
            inner=1,
        )
    finally:
        loop.run(transport.close())
        loop.run(peer.aclose())
    return {name: cost / CALLS for name, cost in costs.items()}


def _many(
    loop: asyncio.Runner, call: Callable[[], Coroutine[Any, Any, object]]
) -> Callable[[], object]:
    async def many() -> None:
        for _ in range(CALLS):
            await call()

    return lambda: loop.run(many())


@contextmanager
def _server() -> Generator[str]:
    """Run the server in another process, and give the URL of its answer."""
    context = get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_serve, args=(theirs,))
    process.start()
    theirs.close()  # or a server that could not start would be waited for
    try:
        yield ours.recv()
    finally:
        ours.send(None)
        process.join()


def _serve(parent: Connection) -> None:
    async def main() -> None:
        async with Server() as server:
            server.on("/x", ANSWER)
            parent.send(server.url + "/x")
            await asyncio.to_thread(parent.recv)

    asyncio.run(main())
