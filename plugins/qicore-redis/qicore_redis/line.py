"""One connection: exchanges go out one behind the other, and their replies come in that order.

Whoever waits for replies waits for a future of his own. One who is cancelled leaves it, his replies
are read and dropped, and the connection goes on: nothing is torn down, nothing gets out of step. An
exchange goes straight out where none is under way, and else in one write with all that came in the
same turn of the loop. One timer a connection looks after the oldest exchange: where its replies are
overdue, the connection is given up with everything that waits on it.

redis-py connects, speaks TLS, logs in and finds masters; its streams are left out, as they cost
more than the exchange.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Final, TypeAlias, final

from hiredis import PushNotification, Reader, pack_command
from redis.exceptions import InvalidResponse

if TYPE_CHECKING:
    from redis.asyncio.connection import AbstractConnection

    from .roads import Command

__all__ = ["Line", "Replies", "packed"]

Replies: TypeAlias = "asyncio.Future[list[Any]]"

_pack: Callable[[Command], bytes] = pack_command  # type: ignore[assignment]  # typed for one item
_SLOW: Final = 0.01  # seconds; an exchange that waits longer holds up what is sent behind it
_NOT_YET: Final = object()


@final
class Line(asyncio.Protocol):
    """A connection that redis-py has opened.

    Args:
        connection: what has connected; nothing is left in it.
        timeout: seconds that replies may take.
        on_lost: called once, when the connection is gone.
        on_push: called with what the server says unasked; None takes that for a fault.

    Attributes:
        lost: done when the connection is gone.
    """

    __slots__ = (
        "_is_full", "_is_leaving", "_loop", "_on_lost", "_on_push", "_reader", "_timeout", "_timer",
        "_transport", "_unsent", "_waiting", "_why", "_writer", "lost",
    )  # fmt: skip

    def __init__(
        self,
        connection: AbstractConnection,
        timeout: float,
        on_lost: Callable[[Line], object],
        on_push: Callable[[list[Any]], object] | None = None,
        /,
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self.lost = self._loop.create_future()
        self._timeout = timeout
        self._on_lost = on_lost
        self._on_push = on_push
        self._reader = Reader(
            protocolError=InvalidResponse,
            replyError=connection._parser.parse_error,
            notEnoughData=_NOT_YET,
        )
        self._waiting: deque[tuple[Replies, int, list[Any], float]] = deque()
        self._unsent: list[bytes] = []
        self._timer: asyncio.TimerHandle | None = None
        self._why: Exception | None = None
        self._is_full = False
        self._is_leaving = False
        writer = connection._writer  # redis-py has no public name for it
        assert writer is not None  # noqa: S101  # it has connected
        self._writer = writer  # kept, as one that is dropped closes its transport
        self._transport = writer.transport
        connection._writer = connection._reader = None
        self._transport.set_protocol(self)

    @property
    def is_open(self) -> bool:
        """Tell whether exchanges can go out."""
        return not self._is_leaving and not self._transport.is_closing()

    @property
    def is_ready(self) -> bool:
        """Tell whether an exchange would not be held up by those before it."""
        if self._is_full:
            return False
        return not self._waiting or self._loop.time() - self._waiting[0][3] < _SLOW

    @property
    def load(self) -> int:
        """How many exchanges are under way."""
        return len(self._waiting)

    def exchange(self, packet: bytes, count: int, /) -> Replies:
        """Send commands, and give the future of their replies; one that is refused is an exception.

        Errors:
            TimeoutError: they did not come in time.
            ConnectionError: the connection broke.
            InvalidResponse: they are none.
        """
        future: Replies = self._loop.create_future()
        if self.lost.done():
            future.set_exception(ConnectionResetError("the server closed the connection"))
            return future
        now = self._loop.time()
        if self._waiting:
            if not self._unsent:
                self._loop.call_soon(self._flush)
            self._unsent.append(packet)
        else:
            self._transport.write(packet)
            if self._timer is None:
                self._timer = self._loop.call_at(now + self._timeout, self._look)
        self._waiting.append((future, count, [], now))
        return future

    def leave(self) -> None:
        """Close the connection when the exchanges under way have ended."""
        self._is_leaving = True
        if not self._waiting:
            self._transport.abort()  # nothing is unsent; TLS would wait for the peer's word

    def data_received(self, data: bytes) -> None:
        """Hand out replies."""
        reader, waiting = self._reader, self._waiting
        try:
            reader.feed(data)
            while (reply := reader.gets()) is not _NOT_YET:
                if reply.__class__ is PushNotification and self._on_push is not None:
                    self._on_push(reply)
                    continue
                if not waiting:
                    raise InvalidResponse("a reply that nobody asked for")
                future, count, replies, _ = waiting[0]
                replies.append(reply)
                if len(replies) == count:
                    waiting.popleft()
                    if not future.done():  # else cancelled
                        future.set_result(replies)
        except InvalidResponse as error:
            self._give_up(error)
        if self._is_leaving and not waiting:
            self._transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell all who wait."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        why = self._why or exc
        kind = type(self._why) if self._why is not None else ConnectionResetError
        for future, *_ in self._waiting:
            if not future.done():
                future.set_exception(kind(str(why or "the server closed the connection")))
        self._waiting.clear()
        self._unsent.clear()
        if not self.lost.done():
            self.lost.set_result(None)
        self._on_lost(self)

    def pause_writing(self) -> None:
        """Hear that the server takes no more for now."""
        self._is_full = True

    def resume_writing(self) -> None:
        """Hear that it does."""
        self._is_full = False

    def _flush(self) -> None:
        if self._unsent:
            self._transport.write(b"".join(self._unsent))
            self._unsent.clear()

    def _look(self) -> None:
        """See whether the oldest exchange is overdue; whoever comes next sets another timer."""
        self._timer = None
        if not self._waiting:
            return
        due = self._waiting[0][3] + self._timeout
        if due <= self._loop.time():
            self._give_up(TimeoutError(f"no reply in {self._timeout:g} s"))
        else:
            self._timer = self._loop.call_at(due, self._look)

    def _give_up(self, why: Exception) -> None:
        self._why = why
        self._transport.abort()


def packed(commands: Sequence[Command], /) -> bytes:
    """Give the bytes of commands, one behind the other."""
    return b"".join([_pack(command) for command in commands])
