"""The one layer around the application: an id, a limit, a line in the log, a last resort.

It is plain ASGI: Starlette's BaseHTTPMiddleware costs more than the whole request. It lies around
all other middleware, so that what any of them does is counted, told and caught.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from time import perf_counter
from typing import Any, Final, TypeAlias, final

from starlette.responses import Response

from qicore_core import Logger, LogLevel, QiError, log_context

from .errors import (
    BODY_TOO_LARGE,
    BODY_TOO_SLOW,
    cancelled,
    client_gone,
    crashed,
    too_large,
    too_slow,
)
from .exchange import CURRENT, Exchange, chosen_id
from .patience import Patience
from .problem import answer

Message: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]
ASGIApp: TypeAlias = Callable[[MutableMapping[str, Any], Receive, Send], Awaitable[None]]

__all__ = ["ASGIApp", "Layer"]

_HEADER: Final = b"x-request-id"
_REFUSED: Final = {
    BODY_TOO_LARGE: (413, "Content Too Large"),
    BODY_TOO_SLOW: (408, "Request Timeout"),
}
_LONGEST: Final = 18  # digits of a Content-Length that are read


class _RefusedError(Exception):
    """Ends the reading of a body; the layer answers, whatever the application makes of it."""


class _BrokenOffError(Exception):
    """Tells the server that half an answer is out; what happened is in the log, redacted."""


@final
class Layer:
    """An ASGI application around another.

    Args:
        app: the application; tools that walk the stack find it under this name.
        logger: where each request gets its line.
        max_body_bytes: how large the body of a request may be.
        body_timeout: how many seconds each piece of it may take.
        quiet: paths whose successes are told at DEBUG, as probes come every second.
    """

    def __init__(
        self,
        app: ASGIApp,
        logger: Logger,
        max_body_bytes: int,
        body_timeout: float,
        quiet: frozenset[str],
    ) -> None:
        self.app = app
        self._logger = logger
        self._max_body_bytes = max_body_bytes
        self._patience = Patience(body_timeout)
        self._quiet = quiet

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        """Serve one request; a lifespan and a WebSocket pass."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = dict(scope["headers"])
        limits = (self._max_body_bytes, self._patience)
        trip = _Trip(chosen_id(headers.get(_HEADER)), receive, send, *limits)
        token = CURRENT.set(trip)
        began = perf_counter()
        with log_context(correlation_id=trip.id):
            try:
                if _length(headers) > self._max_body_bytes:
                    await trip.refuse(too_large(self._max_body_bytes))
                else:
                    await self.app(scope, trip.receive, trip.send)
                    if trip.refusal:
                        await trip.refuse(trip.refusal)
                    elif trip.is_gone:
                        trip.error = client_gone()
            except Exception as error:  # noqa: BLE001  # the last resort: nothing may pass as it is
                await trip.rescue(error)
            except BaseException:  # a cancellation passes, and an exit: the caller hears of it
                await trip.abandon()
                raise
            finally:
                self._tell(scope, trip, perf_counter() - began)
                CURRENT.reset(token)

    def _tell(self, scope: MutableMapping[str, Any], trip: _Trip, took: float) -> None:
        status, error = trip.status, trip.error
        if error is not None:
            level = LogLevel(error.category.log_level)
        elif status >= 500 or not trip.is_complete:
            level = LogLevel.ERROR
        else:
            level = LogLevel.DEBUG if scope["path"] in self._quiet else LogLevel.INFO
        self._logger.log(
            level,
            "request",
            error,
            method=scope["method"],
            path=scope["path"],
            status=status,
            duration=round(took, 6),
        )


@final
class _Trip(Exchange):
    """One request through the layer: what came in, and how far the answer is; 0 is no status."""

    __slots__ = ("_is_read", "_limit", "_patience", "_receive", "_send", "_size", "is_complete",
                 "is_gone", "refusal", "status")  # fmt: skip

    def __init__(
        self, identity: str, receive: Receive, send: Send, limit: int, patience: Patience
    ) -> None:
        self.id = identity
        self.error = None
        self.status = 0
        self.is_complete = False
        self.is_gone = False
        self.refusal: QiError | None = None
        self._receive = receive
        self._send = send
        self._limit = limit
        self._patience = patience
        self._size = 0
        self._is_read = False

    async def receive(self) -> Message:
        if self._is_read:  # what comes now is the end of the connection, whenever that is
            message = await self._receive()
        else:
            try:
                message = await self._patience.wait(self._receive)
            except TimeoutError:
                self.refusal = too_slow(self._patience.timeout)
                raise _RefusedError from None
        if message["type"] == "http.request":
            self._is_read = not message.get("more_body")
            self._size += len(message.get("body", b""))
            if self._size > self._limit:  # a Content-Length may lie or be missing
                self.refusal = too_large(self._limit)
                raise _RefusedError
        elif not self.is_complete:  # the other kind is a disconnect, which comes after each answer
            self.is_gone = True
        return message

    async def send(self, message: Message) -> None:
        if self.refusal and not self.status:
            return  # whatever the application says of it, the answer is ours
        if message["type"] == "http.response.start":
            self.status = message["status"]
            named = [pair for pair in message.get("headers", ()) if pair[0] != _HEADER]
            named.append((_HEADER, self.id.encode()))
            message = {**message, "headers": named}  # a copy: an answer may be sent again
        elif message["type"] == "http.response.body" and not message.get("more_body"):
            self.is_complete = True
        await self._send(message)

    async def refuse(self, refusal: QiError) -> None:
        """Say why the body is not read, and close: what is still to come is not waited for."""
        if self.status:
            if not self.is_complete:
                raise _BrokenOffError("the answer broke off: the body is refused")
            return
        self.refusal = None
        status, title = _REFUSED[refusal.code]
        await self._reply(answer(refusal, status, {"Connection": "close"}, title=title))

    async def rescue(self, error: Exception) -> None:
        """Answer what the application raised; where half an answer is out, have it cut."""
        if self.refusal:
            await self.refuse(self.refusal)
            return
        self.error = client_gone() if self.is_gone else crashed(error)
        if not self.status:
            await self._reply(answer(self.error))
        elif not self.is_complete:
            raise _BrokenOffError(
                "the answer broke off; the log says why"
            ) from None  # the server's log shows what it is given unredacted

    async def abandon(self) -> None:
        """Answer a request that is ended before the application has answered it."""
        self.error = cancelled()
        if not self.status:
            await self._reply(answer(self.error))

    async def _reply(self, response: Response) -> None:
        await self.send(
            {
                "type": "http.response.start",
                "status": response.status_code,
                "headers": response.raw_headers,
            }
        )
        await self.send({"type": "http.response.body", "body": response.body})


def _length(headers: dict[bytes, bytes]) -> int:
    """Give the announced length of a body; the server has refused what is no number."""
    said = headers.get(b"content-length")
    return int(said[:_LONGEST]) if said is not None and said.isdigit() else 0
