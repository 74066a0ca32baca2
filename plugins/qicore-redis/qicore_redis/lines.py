"""The connections to one server, or to the one that the sentinels call the master."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Sequence
from typing import TYPE_CHECKING, Any, final

from redis.exceptions import ReadOnlyError, RedisError

from .connecting import close_guards, open_line
from .line import Line, Replies, packed
from .settings import RedisSettings

if TYPE_CHECKING:
    from redis.asyncio import ConnectionPool

    from .roads import Command

__all__ = ["Lines"]


@final
class Lines:
    """The connections of one event loop: one, and more where replies are slow in coming.

    Args:
        pool: makes connections.
        settings: how many there may be, and how long things may take.
    """

    __slots__ = ("_gets", "_is_closed", "_lines", "_opening", "_pool", "_settings")

    def __init__(self, pool: ConnectionPool, settings: RedisSettings, /) -> None:
        self._pool = pool
        self._settings = settings
        self._lines: list[Line] = []
        self._gets: dict[Command, list[tuple[str, asyncio.Future[list[Any]]]]] = {}
        self._opening: asyncio.Task[Line] | None = None
        self._is_closed = False

    async def send(self, commands: Sequence[Command], /) -> list[Any]:
        """Give the reply to each command; where the server refuses one, the first error raises."""
        line = self._lines[0] if self._lines and self._lines[0].is_ready else await self._another()
        replies = await line.exchange(packed(commands), len(commands))
        for reply in replies:
            if isinstance(reply, RedisError):
                if isinstance(reply, ReadOnlyError):
                    self._retire(line)  # the sentinels know another master by now
                raise reply
        return replies

    async def exchange(self, commands: Sequence[Command], /) -> list[Any]:
        """Give the reply to each command; one that is refused is the error itself."""
        line = self._lines[0] if self._lines and self._lines[0].is_ready else await self._another()
        return await line.exchange(packed(commands), len(commands))

    def get(self, head: Command, key: str, /) -> Awaitable[list[Any]]:
        """Give the replies to a command and to the GET of a key.

        Where the connection is idle they go straight out. What comes while it is busy, in one turn
        of the loop and with the same command, goes out together, with that command once.
        """
        together = self._gets.get(head)
        if together is None:
            line = self._lines[0] if self._lines else None
            if line is None or not line.load or not line.is_ready:
                return self.send([head, ("GET", key)])
            together = self._gets[head] = []
            asyncio.get_running_loop().call_soon(self._get_together, head, line)
        future: Replies = asyncio.get_running_loop().create_future()
        together.append((key, future))
        return future

    async def scan(self, pattern: str, /) -> AsyncIterator[list[bytes]]:
        """Give the keys that match, some at a time; one may come twice."""
        cursor = b"0"
        while True:
            [(cursor, keys)] = await self.send([("SCAN", cursor, "MATCH", pattern, "COUNT", 1000)])
            yield keys
            if cursor == b"0":
                return

    async def close(self) -> None:
        """Close every connection, when what is under way on it has ended."""
        self._is_closed = True
        if self._opening is not None:
            self._opening.cancel()
            await asyncio.wait([self._opening])
        leaving = list(self._lines)
        for line in leaving:
            self._retire(line)
        if leaving:
            await asyncio.wait([line.lost for line in leaving])
        await close_guards(self._pool)

    async def _another(self) -> Line:
        """Give a line that is ready, a new one, or where there may be no more the least busy."""
        for line in self._lines:
            if line.is_ready:
                return line
        if len(self._lines) >= self._settings.max_connections:
            return min(self._lines, key=lambda line: line.load)
        if self._is_closed:
            raise ConnectionError("the connections were closed")
        if self._opening is None:
            self._opening = asyncio.create_task(self._open(), name="connect to redis")
            self._opening.add_done_callback(self._opened)
        opening = self._opening
        try:
            line = await asyncio.shield(opening)
        except asyncio.CancelledError:
            if opening.cancelled() and self._is_closed:
                raise ConnectionError("the connections were closed") from None
            raise
        if not line.is_open:
            raise ConnectionError("the server closed the connection")
        return line

    async def _open(self) -> Line:
        line = await open_line(self._pool, self._settings, self._lost)
        self._lines.append(line)
        return line

    def _get_together(self, head: Command, line: Line) -> None:
        together = self._gets.pop(head)
        commands: list[Command] = [head, *[("GET", key) for key, _ in together]]

        def hand_out(asked: Replies) -> None:
            error = asked.exception()
            if error is not None:
                for _, future in together:
                    if not future.done():  # else cancelled
                        future.set_exception(type(error)(*error.args))
                return
            said, *found = asked.result()
            for (_, future), reply in zip(together, found, strict=True):
                refusal = said if isinstance(said, RedisError) else reply
                if future.done():
                    continue
                if isinstance(refusal, RedisError):
                    future.set_exception(refusal)
                else:
                    future.set_result([said, reply])

        line.exchange(packed(commands), len(commands)).add_done_callback(hand_out)

    def _opened(self, task: asyncio.Task[Line]) -> None:
        self._opening = None
        if not task.cancelled():
            task.exception()  # looked at: those who waited for it may all be cancelled

    def _retire(self, line: Line) -> None:
        self._lost(line)
        line.leave()

    def _lost(self, line: Line) -> None:
        if line in self._lines:
            self._lines.remove(line)
