"""What the server and the proxy of the laws are both: something that accepts on 127.0.0.1."""

from __future__ import annotations

import asyncio
from ssl import SSLContext
from typing import Any, Final, Self

__all__ = ["Accepting"]

_LINE: Final = 1 << 20


class Accepting:
    """Stands on 127.0.0.1 while it is entered; leaving ends every connection.

    Attributes:
        port: where it is; known once entered.
        connections: how many were opened.
    """

    def __init__(self, context: SSLContext | None = None) -> None:
        self.port = 0
        self.connections = 0
        self._context = context
        self._open: set[asyncio.Task[Any]] = set()

    @property
    def url(self) -> str:
        """Where it is, as a URL without a user and a path."""
        return f"{'https' if self._context else 'http'}://127.0.0.1:{self.port}"

    @property
    def open(self) -> int:
        """How many connections are open now."""
        return len(self._open)

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, /) -> None:
        """Serve one connection to its end."""
        raise NotImplementedError

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
            await self.talk(reader, writer)
        except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass  # the other side went away, or its head has no end
        except asyncio.CancelledError:
            pass  # this side ends
        finally:
            self._open.discard(task)
            if writer.transport.is_closing():
                writer.transport.abort()
            else:
                writer.close()
