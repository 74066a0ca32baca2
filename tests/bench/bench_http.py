"""The HTTP client around its transport: what it adds to the very same transport, asked directly.

Client and transport share one pool of kept connections and send the same headers; httpx2 and
aiohttp have a client of their own. The server is another process, so that the CPU time is that of
asking alone. The rows without a budget say what each layer adds to the vendor itself; they are the
table of docs/explanation/what-a-call-costs.md.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Coroutine, Generator
from contextlib import contextmanager
from multiprocessing import get_context
from multiprocessing.connection import Connection
from typing import Any, TypeAlias

import aiohttp
import httpx2
from harness import Row, compare

from qicore_aiohttp import AiohttpTransport
from qicore_aiohttp.settings import AiohttpSettings
from qicore_cache import Cache, open_cache
from qicore_core import CircuitBreakerConfig, Policy, unwrap
from qicore_http import AddressGuard, Headers, HttpClient, HttpRequest, HttpTransport
from qicore_http.conformance import Server, reply
from qicore_http.settings import HttpSettings
from qicore_httpx import HttpxTransport
from qicore_httpx.settings import HttpxSettings

Call: TypeAlias = Callable[[], Coroutine[Any, Any, object]]

CALLS = 20  # awaited in one run of the loop, so that starting it weighs nothing
BODY = b'{"id": 1, "name": "Ada"}' * 7
KIND, KEPT = "content-type: application/json", "cache-control: max-age=3600"
SENT = {"accept-encoding": "identity"}  # what the client sends by itself
UNTIMED = Policy(retry=3, breaker=CircuitBreakerConfig())
LOCAL = AddressGuard(allow=["127.0.0.0/8"])


def measure() -> list[Row]:
    """Compare a GET by the client with the same GET by its transport, and by the vendor."""
    with _server() as url, asyncio.Runner() as loop:
        cache = unwrap(loop.run(_opened()))
        by_httpx2 = _by_httpx2(loop, url, cache)
        by_aiohttp = _by_aiohttp(loop, url, cache)
        loop.run(cache.close())
    ours, transport = by_httpx2["client"], by_httpx2["its transport"]
    untimed = by_httpx2["client: retry, breaker"]
    return [
        Row("GET by the client", "its transport", ours, transport, 1.03),
        Row("GET without a deadline", "its transport", untimed, transport, 1.03),
        Row("GET by the client", "httpx2 itself", ours, by_httpx2["itself"], 1.25),
        *_layers("httpx2", by_httpx2),
        *_layers("aiohttp", by_aiohttp),
    ]


def _layers(vendor: str, costs: dict[str, float]) -> list[Row]:
    """Say what each layer comes to beside the vendor; a layer has no budget of its own."""
    raw = costs.pop("itself")
    return [Row(name, f"{vendor} itself", cost, raw, math.inf) for name, cost in costs.items()]


def _by_httpx2(loop: asyncio.Runner, url: str, cache: Cache[Any]) -> dict[str, float]:
    peer = httpx2.AsyncClient(headers=SENT, trust_env=False)
    try:
        transport = HttpxTransport(HttpxSettings())
        return _costs(loop, url, transport, lambda: peer.get(url, timeout=30.0), cache)
    finally:
        loop.run(peer.aclose())


def _by_aiohttp(loop: asyncio.Runner, url: str, cache: Cache[Any]) -> dict[str, float]:
    async def opened() -> aiohttp.ClientSession:
        return aiohttp.ClientSession(headers=SENT, timeout=aiohttp.ClientTimeout(total=30.0))

    peer = loop.run(opened())

    async def get() -> bytes:
        async with peer.get(url) as answer:
            return await answer.read()

    try:
        return _costs(loop, url, AiohttpTransport(AiohttpSettings()), get, cache)
    finally:
        loop.run(peer.close())


def _costs(
    loop: asyncio.Runner, url: str, transport: HttpTransport, raw: Call, cache: Cache[Any]
) -> dict[str, float]:
    request = HttpRequest("GET", url, Headers(SENT))

    async def send() -> bytes:
        reply = unwrap(await transport.send(request))
        body = b"".join([unwrap(piece) async for piece in reply])
        await reply.aclose()
        return body

    def client(url: str = url, **settings: Any) -> Call:
        client = HttpClient(transport, HttpSettings(**settings))
        return lambda: client.get(url)

    calls: dict[str, Call] = {
        "itself": raw,
        "its transport": send,
        "client: no policy": client(policy=Policy()),
        "client: retry, breaker": client(policy=UNTIMED),
        "client": client(),
        "client, guarded": client(guard=LOCAL),
        "client, cached": client(f"{url}/kept", cache=cache),
    }
    many = {name: _many(loop, call) for name, call in calls.items()}
    try:
        costs = compare(many, rounds=60, inner=1)
    finally:
        loop.run(transport.close())
    return {name: cost / CALLS for name, cost in costs.items()}


def _many(loop: asyncio.Runner, call: Call) -> Callable[[], object]:
    async def many() -> None:
        for _ in range(CALLS):
            await call()

    return lambda: loop.run(many())


async def _opened() -> Any:
    return await open_cache("memory:", namespace="bench")


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
            server.on("/x", reply(200, BODY, KIND))
            server.on("/x/kept", reply(200, BODY, KIND, KEPT))
            parent.send(server.url + "/x")
            await asyncio.to_thread(parent.recv)

    asyncio.run(main())
