"""The way to the servers, from whichever event loop asks: connections belong to their loop.

redis-py connects, speaks TLS, logs in, and finds masters and slots. Exchanges with one server go
past its client, which costs more than they do: see `line.py`.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Coroutine, Sequence
from typing import Any, Protocol, TypeAlias, final

from .settings import RedisSettings

__all__ = ["ClosedError", "Command", "Roads"]

Command: TypeAlias = tuple[str | bytes | int, ...]


class ClosedError(ConnectionError):
    """Says that our own side closed the connections, before something was asked."""


class Road(Protocol):
    """How commands reach a server, or the right one of several, in one event loop."""

    def send(self, commands: Sequence[Command], /) -> Coroutine[Any, Any, list[Any]]:
        """Give the reply to each command; where the server refuses one, the first error raises."""
        ...

    def get(self, head: Command, key: str, /) -> Awaitable[list[Any]]:
        """Give the replies to a command and to the GET of a key."""
        ...

    def scan(self, pattern: str, /) -> AsyncIterator[list[bytes]]:
        """Give the keys that match, some at a time; one may come twice."""
        ...

    async def close(self) -> None:
        """Close every connection."""
        ...


@final
class Roads:
    """The roads of all event loops that have asked."""

    __slots__ = ("_is_closed", "_of", "_process", "settings")

    def __init__(self, settings: RedisSettings, /) -> None:
        self.settings = settings
        self._of: dict[asyncio.AbstractEventLoop, Road] = {}
        self._is_closed = False
        self._process = os.getpid()

    def send(self, *commands: Command) -> Coroutine[Any, Any, list[Any]]:
        """Give the reply to each command; where the server refuses one, the first error raises."""
        road = self._of.get(asyncio.get_running_loop()) or self._new_road()
        return road.send(commands)  # no await: a frame less on the hot path

    def get(self, head: Command, key: str, /) -> Awaitable[list[Any]]:
        """Give the replies to a command and to the GET of a key; those of one turn go together."""
        road = self._of.get(asyncio.get_running_loop()) or self._new_road()
        return road.get(head, key)

    def scan(self, pattern: str, /) -> AsyncIterator[list[bytes]]:
        """Give the keys that match, some at a time; one may come twice."""
        return (self._of.get(asyncio.get_running_loop()) or self._new_road()).scan(pattern)

    async def close(self) -> None:
        """Close every connection, each in its loop.

        A loop that stands still keeps its own, and so do those of the process of before a fork,
        which only seem to run in this one.
        """
        self._is_closed = True
        here, closing = asyncio.get_running_loop(), list[asyncio.Future[None]]()
        while self._of:
            loop, road = self._of.popitem()
            if loop is here:
                await road.close()
            elif loop.is_running() and os.getpid() == self._process:
                there = asyncio.run_coroutine_threadsafe(road.close(), loop)
                closing.append(asyncio.wrap_future(there))
        if closing:
            await asyncio.wait(closing, timeout=self.settings.socket_timeout)

    def _new_road(self) -> Road:
        """Make the road of the loop that runs; nothing is connected before it is asked."""
        if self._is_closed:
            raise ClosedError("the connections were closed")
        for other in [other for other in self._of if other.is_closed()]:
            del self._of[other]  # its connections ended with it
        road = self._of[asyncio.get_running_loop()] = _road(self.settings)
        return road


def _road(settings: RedisSettings) -> Road:
    if settings.is_cluster:
        from .cluster import Cluster  # late, as is all that imports redis-py

        return Cluster(settings)
    from .connecting import connections
    from .lines import Lines

    return Lines(connections(settings), settings)
