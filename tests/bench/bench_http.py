"""The HTTP client around its transport: what it costs beside httpx2 asked directly.

The server stands in a thread of its own, and CPU time is the asking thread's alone.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from typing import Any

import httpx2
from harness import Row, compare

from qicore_core import unwrap
from qicore_http import Headers, HttpRequest, open_http
from qicore_http.conformance import Server, reply
from qicore_httpx import HttpxTransport
from qicore_httpx.settings import HttpxSettings

CALLS = 20  # awaited in one run of the loop, so that starting it weighs nothing
ANSWER = reply(200, b'{"id": 1, "name": "Ada"}' * 7, "content-type: application/json")


def measure() -> list[Row]:
    """Compare a GET by the client with the same GET by httpx2."""
    ready, ended = threading.Event(), threading.Event()
    ports: list[int] = []
    thread = threading.Thread(target=asyncio.run, args=(_serve(ports, ready, ended),))
    thread.start()
    ready.wait()
    try:
        with asyncio.Runner() as loop:
            costs = _costs(loop, f"http://127.0.0.1:{ports[0]}/x")
    finally:
        ended.set()
        thread.join()
    return [
        Row("GET by the client", "its transport", costs["ours"], costs["transport"], 1.03),
        Row("GET by the client", "httpx2 itself", costs["ours"], costs["httpx2"], 1.25),
    ]


def _costs(loop: asyncio.Runner, url: str) -> dict[str, float]:
    ours = unwrap(loop.run(_opened()))
    transport = HttpxTransport(HttpxSettings())
    request = HttpRequest("GET", url, Headers({"accept-encoding": "identity"}))

    async def send() -> bytes:
        reply = unwrap(await transport.send(request))
        body = b"".join([unwrap(piece) async for piece in reply])
        await reply.aclose()
        return body

    peer = httpx2.AsyncClient(headers={"accept-encoding": "identity"})
    try:
        return {
            name: cost / CALLS
            for name, cost in compare(
                {
                    "ours": _many(loop, lambda: ours.get(url)),
                    "transport": _many(loop, send),
                    "httpx2": _many(loop, lambda: peer.get(url, timeout=30.0)),
                },
                rounds=30,
                inner=1,
            ).items()
        }
    finally:
        loop.run(ours.close())
        loop.run(transport.close())
        loop.run(peer.aclose())


async def _opened() -> Any:
    return await open_http(client="httpx")


async def _serve(ports: list[int], ready: threading.Event, ended: threading.Event) -> None:
    async with Server() as server:
        server.on("/x", ANSWER)
        ports.append(server.port)
        ready.set()
        await asyncio.to_thread(ended.wait)


def _many(
    loop: asyncio.Runner, call: Callable[[], Coroutine[Any, Any, object]]
) -> Callable[[], object]:
    async def many() -> None:
        for _ in range(CALLS):
            await call()

    return lambda: loop.run(many())
