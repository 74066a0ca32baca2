"""The one application that uvicorn sees: it leads each request to the application of the moment.

So a reload is a change of one attribute: no socket is closed, no connection is dropped, and a
request is answered by the application that it began with. Here requests are counted too, and a
server that drains tells its callers to come back by another connection.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Final, final

from qicore_core import get_logger

from .lifespan import Lifespan, Message

__all__ = ["DRAINING", "Gate", "Served"]

DRAINING: Final = "qicore.is_draining"
"""The name under which a request's `state` has a function that says whether the server drains."""

_LEAVE: Final = 1.0  # seconds in which a cancelled request cleans up


class _RaisedError(Exception):
    """Tells uvicorn to answer 500 or to close; what happened is in the log, redacted."""


@final
class Served:
    """An application that serves, and the tasks of its requests that are under way."""

    def __init__(self, lifespan: Lifespan) -> None:
        self.lifespan = lifespan
        self.tasks: set[asyncio.Task[Any]] = set()

    async def drain(self, until: float) -> int:
        """Wait for its requests until a time of the loop's clock, then cancel those that are left.

        Returns:
            How many were cancelled.
        """
        loop = asyncio.get_running_loop()
        while self.tasks and (time := until - loop.time()) > 0:
            await asyncio.wait(set(self.tasks), timeout=time)
        left = set(self.tasks)
        for task in left:
            task.cancel()
        if left:
            await asyncio.wait(left, timeout=_LEAVE)
        return len(left)


@final
class Gate:
    """An ASGI application in front of those that serve.

    Attributes:
        served: who gets the requests that begin now.
        requests: how many have begun.
        is_draining: whether answers say `Connection: close`.
    """

    def __init__(self, served: Served) -> None:
        self.served = served
        self.requests = 0
        self.is_draining = False

    async def __call__(
        self,
        scope: MutableMapping[str, Any],
        receive: Callable[[], Awaitable[Message]],
        send: Callable[[Message], Awaitable[None]],
    ) -> None:
        """Serve one request, or one WebSocket, by the application of the moment."""
        served = self.served
        scope["state"] = {**served.lifespan.state, DRAINING: self._drains}

        async def tell(message: Message) -> None:
            if self.is_draining and message["type"] == "http.response.start":
                named = [pair for pair in message.get("headers", ()) if pair[0] != b"connection"]
                message = {**message, "headers": [*named, (b"connection", b"close")]}
            await send(message)

        self.requests += 1
        task = asyncio.current_task()
        assert task is not None  # noqa: S101  # uvicorn makes one for each request
        served.tasks.add(task)
        try:
            await served.lifespan.app(scope, receive, tell)
        except Exception as error:  # noqa: BLE001  # uvicorn would show all of it, unredacted
            get_logger("qicore.server").error("the application raised", error, path=scope["path"])
            raise _RaisedError("the log of qicore.server says what") from None
        finally:
            served.tasks.discard(task)

    def _drains(self) -> bool:
        return self.is_draining
