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
from typing import Any, Final, NamedTuple, TypeAlias

from .accepting import Accepting

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
_PIECE: Final = 1 << 16


def reply(status: int = 200, body: bytes = b"", *fields: str, length: int | None = None) -> bytes:
    r"""Write an answer.

    >>> reply(204, b"", "x-a: 1")
    b'HTTP/1.1 204 OK\r\ncontent-length: 0\r\nx-a: 1\r\n\r\n'
    """
    size = len(body) if length is None else length
    lines = [f"HTTP/1.1 {status} OK", f"content-length: {size}", *fields, "", ""]
    return "\r\n".join(lines).encode() + body


class Server(Accepting):
    """Answers by path; a path without an answer gets its request back as JSON.

    Args:
        context: makes it speak TLS.

    Attributes:
        seen: what it was asked, in order.
    """

    def __init__(self, context: SSLContext | None = None) -> None:
        super().__init__(context)
        self.seen: list[Seen] = []
        self._answers: dict[str, Any] = {}  # as `on` takes them

    def on(self, path: str, answer: Answer) -> None:
        """Say what a path answers: bytes, a function that gives them, or one that writes them.

        One that writes them is an `async def`; its connection is left open unless it closes it.
        """
        self._answers[path] = answer

    def count(self, path: str) -> int:
        """Say how often a path was asked."""
        return sum(seen.target.partition("?")[0] == path for seen in self.seen)

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, /) -> None:
        """Answer one request after the other."""
        while await self._turn(reader, writer):
            pass

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
        stated = dict(fields)
        is_chunked = stated.get("transfer-encoding") == "chunked"
        size = int(stated.get("content-length", "0"))
        body = await (_chunks(reader) if is_chunked else reader.readexactly(size))
        seen = Seen(method, target, fields, body)
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


async def _chunks(reader: asyncio.StreamReader) -> bytes:
    body = b""
    while size := int(await reader.readuntil(b"\r\n"), 16):
        body += (await reader.readexactly(size + 2))[:-2]
    await reader.readuntil(b"\r\n")
    return body


def _echo(seen: Seen) -> bytes:
    told = {
        "method": seen.method,
        "target": seen.target,
        "headers": dict(seen.fields),
        "body": seen.body.decode("latin-1"),
    }
    body = b"" if seen.method == "HEAD" else json.dumps(told).encode()
    return reply(200, body, "content-type: application/json")
