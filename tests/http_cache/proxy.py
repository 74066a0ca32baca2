"""A proxy on 127.0.0.1 that asks its origin by one client, through that client's response cache.

    python tests/http_cache/proxy.py CLIENT ORIGIN

CLIENT is a transport of ours, `hishel` (as a private cache, as ours is) or `hishel-shared`. The
proxy prints its own URL and serves until it is ended. It adds nothing to what the client gives and
takes away only what belongs to a connection: what the suite sees is the cache.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NamedTuple, TypeAlias

HOP_BY_HOP = frozenset((
    "connection", "content-length", "keep-alive", "proxy-connection", "te", "trailer",
    "transfer-encoding", "upgrade",
))  # fmt: skip
NO_BODY = frozenset((204, 304))
TIMEOUT = 20.0


class Request(NamedTuple):
    """What came in."""

    method: str
    target: str
    fields: dict[str, str]
    body: bytes


class Answer(NamedTuple):
    """What goes back."""

    status: int
    fields: Iterable[tuple[str, str]]
    body: bytes


Ask: TypeAlias = Callable[[Request], Awaitable[Answer]]


async def main(client: str, origin: str) -> None:
    """Serve, and say where."""
    opened = hishel(origin, client) if client.startswith("hishel") else ours(origin, client)
    async with opened as ask:

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            try:
                request = await read(reader)
                writer.write(written(request, await ask(request)))
                await writer.drain()
            except (asyncio.IncompleteReadError, ConnectionError):
                pass  # the suite has gone, and notes that itself
            finally:
                writer.close()

        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        async with server:
            print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)
            await server.serve_forever()


@asynccontextmanager
async def ours(origin: str, transport: str) -> AsyncGenerator[Ask, None]:
    """Ask by `open_http`, with nothing between cache and origin that would ask twice."""
    from qicore_core import Failure, Policy, Result, success
    from qicore_http import open_http

    class Shelf:
        """A cache that keeps everything."""

        def __init__(self) -> None:
            self.held: dict[str, object] = {}

        async def get(self, key: str, /) -> Result[object]:
            return success(self.held.get(key))

        async def set(
            self, key: str, value: object, /, *, ttl: float | None = None
        ) -> Result[None]:
            self.held[key] = value
            return success()

    opened = open_http(
        origin,
        client=transport,
        policy=Policy(timeout=TIMEOUT),
        max_redirects=0,
        accept_status=frozenset(range(100, 1000)),
        cache=Shelf(),
    )
    async with opened as client:

        async def ask(request: Request) -> Answer:
            answered = await client.request(
                request.method, request.target, headers=request.fields, content=request.body or None
            )
            if isinstance(answered, Failure):
                return bad_gateway(request, answered.error)
            response = answered.value
            pairs = response.headers.pairs()  # a body is given decoded
            fields = [(name, value) for name, value in pairs if name.lower() != "content-encoding"]
            return Answer(response.status, fields, response.body)

        yield ask


@asynccontextmanager
async def hishel(origin: str, client: str) -> AsyncGenerator[Ask, None]:
    """Ask by httpx2 with hishel's transport: its rules of RFC 9111, its storage in a file."""
    import httpx2
    from hishel import AsyncSqliteStorage
    from hishel.httpx2 import AsyncCacheTransport

    with tempfile.TemporaryDirectory() as folder:
        transport = AsyncCacheTransport(
            httpx2.AsyncHTTPTransport(),
            storage=AsyncSqliteStorage(database_path=Path(folder, "hishel.db")),
            rfc={"shared": client == "hishel-shared"},
        )
        async with httpx2.AsyncClient(transport=transport, timeout=TIMEOUT) as asking:

            async def ask(request: Request) -> Answer:
                try:
                    fields = [(name, value.encode()) for name, value in request.fields.items()]
                    made = httpx2.Request(
                        request.method,
                        origin + request.target,
                        headers=[(name.encode(), value) for name, value in fields],
                        content=request.body or None,
                    )
                    response = await asking.send(made, stream=True)
                    body = b"".join([piece async for piece in response.aiter_raw()])
                    await response.aclose()
                except Exception as error:  # noqa: BLE001  # a peer's trouble is its answer
                    return bad_gateway(request, error)
                return Answer(response.status_code, response.headers.multi_items(), body)

            yield ask


def bad_gateway(request: Request, error: object) -> Answer:
    """Say that the origin gave nothing that the client would take."""
    print(request.fields.get("test-id"), repr(error), file=sys.stderr, flush=True)
    return Answer(502, (), str(error).encode())


async def read(reader: asyncio.StreamReader) -> Request:
    """Read the one request of a connection; the suite says how long its bodies are."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    first, *lines = head[:-4].split("\r\n")
    method, target, _ = first.split(" ", 2)
    fields: dict[str, str] = {}
    length = 0
    for line in lines:
        name, _, value = line.partition(":")
        name, value = name.lower(), value.strip()
        if name == "content-length":
            length = int(value)
        if name not in HOP_BY_HOP and name != "host":
            fields[name] = f"{fields[name]}, {value}" if name in fields else value
    return Request(method, target, fields, await reader.readexactly(length))


def written(request: Request, answer: Answer) -> bytes:
    """Write an answer as bytes."""
    lines = [f"HTTP/1.1 {answer.status} X", "connection: close"]
    lines += [f"{name}: {value}" for name, value in answer.fields if name.lower() not in HOP_BY_HOP]
    has_body = request.method != "HEAD" and answer.status not in NO_BODY
    if has_body:
        lines.append(f"content-length: {len(answer.body)}")
    head = "\r\n".join([*lines, "", ""]).encode("latin-1", "replace")
    return head + answer.body if has_body else head


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
