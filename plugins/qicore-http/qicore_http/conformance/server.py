"""A small real HTTP server for the laws: it says exactly what it is told to, right or wrong.

It stands on 127.0.0.1, keeps what it was asked, and writes bytes as they are given, so that an
answer can be as broken as one in the wild. It is for tests, and bounded: by their patience.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from inspect import iscoroutinefunction
from ssl import SSLContext
from typing import Any, Final, NamedTuple, Self, TypeAlias

__all__ = ["Seen", "Server", "Speaks", "reply"]


class Seen(NamedTuple):
    """What the server was asked.

    Attributes:
        method: as it came.
        target: path and query, as they came.
        fields: name in lower case and value of each header, in order.
        body: its bytes.
    """

    method: str
    target: str
    fields: list[tuple[str, str]]
    body: bytes

    def all(self, name: str) -> list[str]:
        """Give every value of a header."""
        return [value for key, value in self.fields if key == name]


Speaks: TypeAlias = Callable[[Seen, asyncio.StreamWriter], Awaitable[None]]
Answer: TypeAlias = bytes | Callable[[Seen], bytes] | Speaks
_LINE: Final = 1 << 20
_PIECE: Final = 1 << 16


def reply(status: int = 200, body: bytes = b"", *fields: str, length: int | None = None) -> bytes:
    r"""Write an answer.

    >>> reply(204, b"", "x-a: 1")
    b'HTTP/1.1 204 OK\r\ncontent-length: 0\r\nx-a: 1\r\n\r\n'
    """
    size = len(body) if length is None else length
    lines = [f"HTTP/1.1 {status} OK", f"content-length: {size}", *fields, "", ""]
    return "\r\n".join(lines).encode() + body


class Server:
    """Answers by path; a path without an answer gets its request back as JSON.

    Args:
        context: makes it speak TLS.

    Attributes:
        port: where it is; known once entered.
        seen: what it was asked, in order.
        connections: how many were opened.
    """

    def __init__(self, context: SSLContext | None = None) -> None:
        self.port = 0
        self.seen: list[Seen] = []
        self.connections = 0
        self._answers: dict[str, Any] = {}  # as `on` takes them
        self._context = context
        self._open: set[asyncio.Task[Any]] = set()

    @property
    def url(self) -> str:
        """Where it is, as a URL without a path."""
        return f"{'https' if self._context else 'http'}://127.0.0.1:{self.port}"

    @property
    def open(self) -> int:
        """How many connections are open now."""
        return len(self._open)

    def on(self, path: str, answer: Answer) -> None:
        """Say what a path answers: bytes, a function that gives them, or one that writes them.

        One that writes them is an `async def`; its connection is left open unless it closes it.
        """
        self._answers[path] = answer

    def count(self, path: str) -> int:
        """Say how often a path was asked."""
        return sum(seen.target.partition("?")[0] == path for seen in self.seen)

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(
            self._accept, "127.0.0.1", 0, limit=_LINE, ssl=self._context
        )
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for task in self._open:
            task.cancel()
        if self._open:
            await asyncio.wait(self._open)
        await self._server.wait_closed()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task: asyncio.Task[Any] = asyncio.current_task()  # type: ignore[assignment]  # in one
        self.connections += 1
        self._open.add(task)
        try:
            while await self._turn(reader, writer):
                pass
        except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass  # the client went away, or its head has no end
        except asyncio.CancelledError:
            pass  # the server ends
        finally:
            self._open.discard(task)
            if writer.transport.is_closing():
                writer.transport.abort()
            else:
                writer.close()

    async def _turn(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Read a request and answer it; False ends the connection."""
        begin = await reader.readexactly(1)
        if not begin.isalpha():  # a client that speaks TLS gets what a web server would say
            writer.write(reply(400, b"", "connection: close"))
            return False
        head = (begin + await reader.readuntil(b"\r\n\r\n")).decode("utf-8", "surrogateescape")
        first, *lines = head[:-4].split("\r\n")
        method, target, _ = first.split(" ", 2)
        fields = [
            (name.lower(), value.strip())
            for name, _, value in (line.partition(":") for line in lines)
        ]
        size = int(dict(fields).get("content-length", "0"))
        seen = Seen(method, target, fields, await reader.readexactly(size))
        self.seen.append(seen)
        answer = self._answers.get(target.partition("?")[0], _echo)
        if iscoroutinefunction(answer):
            await answer(seen, writer)
            while not writer.is_closing() and await reader.read(_PIECE):
                pass  # until the client goes
            return False
        writer.write(answer if isinstance(answer, bytes) else answer(seen))
        await writer.drain()
        return dict(fields).get("connection", "") != "close"


def _echo(seen: Seen) -> bytes:
    told = {
        "method": seen.method,
        "target": seen.target,
        "headers": dict(seen.fields),
        "body": seen.body.decode("latin-1"),
    }
    body = b"" if seen.method == "HEAD" else json.dumps(told).encode()
    return reply(200, body, "content-type: application/json")
