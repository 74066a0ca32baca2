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

from .errors import BODY_TOO_LARGE, crashed
from .exchange import CURRENT, Exchange, chosen_id
from .problem import answer

Message: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]
ASGIApp: TypeAlias = Callable[[MutableMapping[str, Any], Receive, Send], Awaitable[None]]

__all__ = ["ASGIApp", "Layer"]

_HEADER: Final = b"x-request-id"


class _BodyTooLargeError(Exception):
    """Ends the reading of a body; the layer answers, whatever the application makes of it."""


@final
class Layer:
    """An ASGI application around another.

    Args:
        app: the application.
        logger: where each request gets its line.
        max_body_bytes: how large the body of a request may be.
        quiet: paths whose successes are told at DEBUG, as probes come every second.
    """

    def __init__(
        self, app: ASGIApp, logger: Logger, max_body_bytes: int, quiet: frozenset[str]
    ) -> None:
        self._app = app
        self._logger = logger
        self._max_body_bytes = max_body_bytes
        self._quiet = quiet

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        """Serve one request; a lifespan and a WebSocket pass."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        said, length = _headers_of(scope)
        exchange = Exchange(chosen_id(said))
        trip = _Trip(exchange, receive, send, self._max_body_bytes)
        token = CURRENT.set(exchange)
        began = perf_counter()
        try:
            with log_context(correlation_id=exchange.id):
                try:
                    if length is not None and length > self._max_body_bytes:
                        await trip.refuse()
                    else:
                        await self._serve(scope, trip)
                finally:
                    self._tell(scope, trip, perf_counter() - began)
        finally:
            CURRENT.reset(token)

    async def _serve(self, scope: MutableMapping[str, Any], trip: _Trip) -> None:
        try:
            await self._app(scope, trip.receive, trip.send)
        except _BodyTooLargeError:
            pass  # answered below
        except Exception as error:  # the last resort: nothing may reach the server as it is
            if not trip.is_too_large:
                trip.exchange.error = crashed(error)
            if trip.status is None and not trip.is_too_large:
                await trip.reply(answer(trip.exchange.error or crashed(error)))
            elif not trip.is_complete and not trip.is_too_large:
                raise  # half an answer is out: the server closes the connection, and logs why
        if trip.is_too_large:
            await trip.refuse()

    def _tell(self, scope: MutableMapping[str, Any], trip: _Trip, took: float) -> None:
        status, error = trip.status or 0, trip.exchange.error
        if error is not None:
            level = LogLevel.from_name(error.category.log_level).unwrap()
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
class _Trip:
    """One request through the layer: what came in, and how far the answer is."""

    __slots__ = ("_limit", "_read", "_receive", "_send", "exchange", "is_complete", "is_too_large",
                 "status")  # fmt: skip

    def __init__(self, exchange: Exchange, receive: Receive, send: Send, limit: int) -> None:
        self.exchange = exchange
        self.status: int | None = None
        self.is_complete = False
        self.is_too_large = False
        self._receive = receive
        self._send = send
        self._limit = limit
        self._read = 0

    async def receive(self) -> Message:
        message = await self._receive()
        if message["type"] == "http.request":
            self._read += len(message.get("body", b""))
            if self._read > self._limit:  # a Content-Length may lie or be missing
                self.is_too_large = True
                raise _BodyTooLargeError
        return message

    async def send(self, message: Message) -> None:
        if self.is_too_large and self.status is None:
            return  # whatever the application says of it, the answer is ours
        if message["type"] == "http.response.start":
            self.status = message["status"]
            named = [pair for pair in message.get("headers", ()) if pair[0].lower() != _HEADER]
            message = {**message, "headers": [*named, (_HEADER, self.exchange.id.encode())]}
        elif message["type"] == "http.response.body" and not message.get("more_body", False):
            self.is_complete = True
        await self._send(message)

    async def refuse(self) -> None:
        """Say that the body is too large, and close: what is still to come is not read."""
        if self.status is not None:
            if not self.is_complete:
                raise _BodyTooLargeError  # half an answer is out: the server closes the connection
            return
        error = QiError.validation(
            BODY_TOO_LARGE,
            f"the body is larger than {self._limit} bytes",
            hint="send less, or raise max_body_bytes",
            source="web",
        )
        self.is_too_large = False
        await self.reply(answer(error, 413, {"Connection": "close"}, title="Content Too Large"))

    async def reply(self, response: Response) -> None:
        await self.send(
            {
                "type": "http.response.start",
                "status": response.status_code,
                "headers": response.raw_headers,
            }
        )
        await self.send({"type": "http.response.body", "body": response.body})


def _headers_of(scope: MutableMapping[str, Any]) -> tuple[bytes | None, int | None]:
    said = length = None
    for name, value in scope["headers"]:
        if name == _HEADER:
            said = value
        elif name == b"content-length" and value.isdigit():
            length = int(value[:20])  # the server has refused what is no number
    return said, length
