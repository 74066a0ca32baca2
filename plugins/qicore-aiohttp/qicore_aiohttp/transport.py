"""The `aiohttp` transport: aiohttp's connections and protocol, and nothing else of it.

Its loggers are left as they are: aiohttp writes of cookies and of `.netrc`, and without those it
has nothing to say of a request.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Final, final

from qicore_core import Failure, QiError, Result, failure, success
from qicore_http import HttpReply, HttpRequest
from qicore_http.errors import not_connected, unreadable
from qicore_http.proxy import by_proxy

from .head import head_of

if TYPE_CHECKING:
    import aiohttp

    from .settings import AiohttpSettings

__all__ = ["AiohttpTransport"]

_CLOSING: Final = 2.0


@final
class AiohttpTransport:
    """Sends requests by an aiohttp.ClientSession, from the event loop that it first sends from.

    Args:
        settings: how servers are reached, or by which session.
    """

    __slots__ = (
        "_ask", "_body", "_errors", "_is_closed", "_loop", "_make",
        "_session", "_settings", "_via",
    )  # fmt: skip

    def __init__(self, settings: AiohttpSettings, /) -> None:
        from .errors import ERRORS  # late: these import aiohttp
        from .session import ask, body_of, session_of

        self._errors = ERRORS
        self._ask = ask
        self._body = body_of
        self._make = session_of
        self._settings = settings
        self._via = settings.via
        self._session: aiohttp.ClientSession | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._is_closed = False

    async def send(self, request: HttpRequest, /) -> Result[HttpReply]:
        """Send a request on a connection of the pool.

        Raises:
            RuntimeError: another event loop sent before; connections belong to one.
        """
        settings = self._settings
        theirs = settings.client_object
        if self._is_closed or (theirs is not None and theirs.closed):
            return failure(_not_connected())
        if request.address is not None and (why := settings.unpinnable):
            return failure(why)
        session = self._session_in(asyncio.get_running_loop())
        try:
            answered = await self._errors.run(self._ask, session, request, self._via)
        except asyncio.CancelledError:
            # To close a session cancels what waits in it, and no task of ours.
            task = asyncio.current_task()
            if not session.closed or task is None or task.cancelling():
                raise
            return failure(_not_connected())
        if isinstance(answered, Failure):
            return answered if self._via is None else failure(by_proxy(answered.error))
        response = answered.value
        headers = head_of(response.status, response.raw_headers)
        if headers is None:
            response.close()
            return failure(unreadable())
        pieces = self._body(request.method, response, headers)
        return success(HttpReply(response.status, headers, pieces, response.release))

    async def close(self) -> None:
        """Close every connection, unless the session is the caller's."""
        self._is_closed = True
        if self._session is not None:
            with suppress(TimeoutError):  # what nobody reads cannot be sent to its end
                async with asyncio.timeout(_CLOSING):
                    await self._session.close()

    def _session_in(self, loop: asyncio.AbstractEventLoop) -> aiohttp.ClientSession:
        if self._session is None:
            self._session, self._loop = self._make(self._settings), loop
        if self._loop is not loop:
            raise RuntimeError(
                "an http client keeps to the event loop that it was first used in: open one in "
                "each, or make all calls by one `blocking()`"
            )
        return self._session


def _not_connected() -> QiError:
    return not_connected("the aiohttp session")
