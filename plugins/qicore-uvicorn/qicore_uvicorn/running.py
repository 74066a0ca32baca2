"""What there is while a server runs, and how it comes to its end in time."""

from __future__ import annotations

import asyncio
import socket
from time import monotonic
from typing import Final, final

import uvicorn

from qicore_core import QiError, Result, failure

from .connections import Connections
from .errors import DRAIN_TIMEOUT, STOP_FAILED, failed
from .gate import Gate
from .lifespan import Lifespan

__all__ = ["Running", "end", "overdue"]

_AT_LEAST: Final = 1.0  # seconds that an application has to shut down, however long draining took


@final
class Running:
    """What there is while a server runs."""

    def __init__(self, listener: socket.socket, gate: Gate, server: uvicorn.Server) -> None:
        self.socket = listener
        self.gate = gate
        self.uvicorn = server
        self.since = monotonic()
        self._ticking = asyncio.create_task(self._tick(), name="server-date")

    @property
    def connections(self) -> Connections:
        """Those that are open."""
        return self.uvicorn.server_state.connections  # type: ignore[return-value]  # we made it

    @property
    def tasks(self) -> set[asyncio.Task[None]]:
        """The requests under way, those of an application that is being replaced among them."""
        return self.uvicorn.server_state.tasks

    async def drain(self, until: float) -> int:
        """Close the idle connections and wait for the others; give how many requests are left."""
        self.connections.shut()
        left = await self.gate.served.drain(until)
        if not left:
            try:
                async with asyncio.timeout_at(until):
                    await self.connections.is_empty.wait()
            except TimeoutError:
                pass  # every request is answered; who does not read the answer is cut
        return left

    def cut(self) -> None:
        """End what is under way."""
        self._ticking.cancel()
        for task in self.tasks:
            task.cancel()
        self.connections.cut()

    async def _tick(self) -> None:
        """Keep the Date of the answers."""
        while True:
            await asyncio.sleep(1.0)
            await self.uvicorn.on_tick(0)


async def end(lifespan: Lifespan, allowed: float) -> Result[None]:
    """Shut an application down; it has at least a second."""
    try:
        async with asyncio.timeout(max(allowed, _AT_LEAST)):
            return await lifespan.shutdown()
    except TimeoutError as error:
        return failure(failed(STOP_FAILED, "the application did not shut down in time", error))


def overdue(left: int, allowed: float) -> QiError:
    """Say that requests had to be cancelled."""
    return QiError.timeout(
        DRAIN_TIMEOUT,
        f"after {allowed:g} s the requests still under way were cancelled: {left}",
        hint="raise the timeout, or look at what they wait for",
        source="server",
        in_flight=left,
    )
