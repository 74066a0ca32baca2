"""An application's life: its startup, its shutdown, and what it said when either failed.

uvicorn has a lifespan of its own, which logs what went wrong and exits; here it is an answer.
Source: the ASGI lifespan specification, 2.0.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Final, TypeAlias, final

from qicore_core import QiError, Result, failure, success

from .errors import START_FAILED, STOP_FAILED, failed

Message: TypeAlias = MutableMapping[str, Any]
ASGIApp: TypeAlias = Callable[
    [
        MutableMapping[str, Any],
        Callable[[], Awaitable[Message]],
        Callable[[Message], Awaitable[None]],
    ],
    Awaitable[None],
]

__all__ = ["ASGIApp", "Lifespan", "Message"]


@final
class Lifespan:
    """One application from its startup to its shutdown; one that knows no lifespan has none.

    Attributes:
        state: what the startup left for the requests.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self.state: dict[str, Any] = {}
        self._asked: asyncio.Queue[Message] = asyncio.Queue()
        self._answer: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._task: asyncio.Task[None] | None = None

    async def startup(self) -> Result[None]:
        """Start the application.

        Errors:
            SERVER_START_FAILED: it says that it cannot, or raised after it began to; the cause is
            what it raised, and the category its own where that is a QiError.
        """
        self._task = asyncio.create_task(self._run(), name="lifespan")
        said = await self._ask("startup")
        if said == "lifespan.startup.complete":
            return success()
        raised = await self._end()
        if said is None and not isinstance(raised, QiError):
            return success()  # it left at once: it has no lifespan, as the specification allows
        return failure(failed(START_FAILED, "the application did not start", raised))

    async def shutdown(self) -> Result[None]:
        """Shut the application down.

        Errors:
            SERVER_STOP_FAILED: it says that it cannot, or raised.
        """
        if self._task is None or self._task.done():
            return success()
        said = await self._ask("shutdown")
        raised = await self._end()
        if said == "lifespan.shutdown.complete":
            return success()
        return failure(failed(STOP_FAILED, "the application did not shut down", raised))

    async def abandon(self) -> None:
        """End an application that does not shut down by itself."""
        if self._task is not None:
            self._task.cancel()
            await self._end()

    async def _run(self) -> None:
        scope = {
            "type": "lifespan",
            "asgi": {"version": "3.0", "spec_version": "2.0"},
            "state": self.state,
        }
        await self.app(scope, self._asked.get, self._send)

    async def _send(self, message: Message) -> None:
        if not self._answer.done():
            self._answer.set_result(str(message["type"]))

    async def _ask(self, what: str) -> str | None:
        """Send an event and wait for the answer; None is an application that left instead."""
        assert self._task is not None  # noqa: S101  # both callers have made it
        self._answer = asyncio.get_running_loop().create_future()
        await self._asked.put({"type": f"lifespan.{what}"})
        waited: set[asyncio.Future[Any]] = {self._answer, self._task}
        await asyncio.wait(waited, return_when=asyncio.FIRST_COMPLETED)
        return self._answer.result() if self._answer.done() else None

    async def _end(self) -> BaseException | None:
        """See the application's task to its end; give what it raised."""
        assert self._task is not None  # noqa: S101  # as above
        _, stays = await asyncio.wait({self._task}, timeout=_LEAVE)
        for task in stays:
            task.cancel()
            await asyncio.wait({task})
        return None if self._task.cancelled() else self._task.exception()


_LEAVE: Final = 1.0  # seconds in which one that has said its last word returns
