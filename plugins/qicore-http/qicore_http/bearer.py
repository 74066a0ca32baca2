"""A bearer token: fetched when it is first needed, and once more where the server refuses it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Final, TypeAlias, final

from qicore_core import Failure, QiError, Result, Secret, failure, success

from .body import Body
from .errors import SETTINGS_INVALID, TOKEN_FAILED
from .message import HttpRequest, plain_fields
from .transport import HttpReply, HttpTransport

__all__ = ["Bearer", "FetchToken", "UNFILLED", "WithBearer"]

UNFILLED: Final = "Bearer"
"""What a request's Authorization says until its token is filled in, as late as can be.

A redirect to another origin drops it like any credential, so no token is filled in after that."""

FetchToken: TypeAlias = Callable[[], Awaitable[Result[Secret[str]]]]
"""Gives a token, or why there is none."""


@final
class Bearer:
    """Authorises requests by a token that is fetched.

    One call fetches for all that wait, and a token that was refused with 401 is fetched anew once
    for each request; a second 401 is the answer. Clients may share one.

    Args:
        fetch: gives a token; its Failure ends the request as HTTP_TOKEN_FAILED.

    Example:
        ```python
        async def fetch() -> Result[Secret[str]]:
            answered = await login.get_json("/token", Token)
            return answered.map(lambda token: Secret(token.access))


        async with open_http("https://api.example", bearer=Bearer(fetch)) as client: ...
        ```
    """

    __slots__ = ("_fetch", "_fetching", "_lock", "_loop", "_token")

    def __init__(self, fetch: FetchToken, /) -> None:
        self._fetch = fetch
        self._token: Secret[str] | None = None
        self._lock: asyncio.Lock | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._fetching: asyncio.Task[object] | None = None

    async def token(self, refused: Secret[str] | None = None, /) -> Result[Secret[str]]:
        """Give the token, fetching it where there is none or only one that was refused.

        Errors:
            HTTP_TOKEN_FAILED: there is none; the cause says why.
        """
        loop = asyncio.get_running_loop()
        if self._lock is None or self._loop is not loop:  # a lock belongs to an event loop
            self._lock, self._loop = asyncio.Lock(), loop
        task = asyncio.current_task()
        if self._fetching is task:
            return failure(_without(_circular()))
        async with self._lock:
            known = self._token
            if known is not None and known is not refused:
                return success(known)
            self._fetching = task
            try:
                fetched = await self._fetch()
            finally:
                self._fetching = None
            if isinstance(fetched, Failure):
                return failure(_without(fetched.error))
            self._token = fetched.value
            return fetched

    def __repr__(self) -> str:
        return "Bearer()"


@final
class WithBearer:
    """A transport that fills in the token where a request has the place for one."""

    __slots__ = ("_bearer", "_inner")

    def __init__(self, inner: HttpTransport, bearer: Bearer) -> None:
        self._inner = inner
        self._bearer = bearer

    async def send(self, request: HttpRequest, /) -> Result[HttpReply]:
        """Send a request with a token, and with a new one if that was refused."""
        if request.headers.get("authorization") != UNFILLED:
            return await self._inner.send(request)
        token = await self._bearer.token()
        if isinstance(token, Failure):
            return token
        sent = await self._sent(request, token.value)
        can_repeat = not isinstance(request.body, Body) or request.body.is_replayable
        if isinstance(sent, Failure) or sent.value.status != 401 or not can_repeat:
            return sent
        await sent.value.aclose()
        newer = await self._bearer.token(token.value)
        if isinstance(newer, Failure):
            return newer
        return await self._sent(request, newer.value)

    async def close(self) -> None:
        """Close the transport below."""
        await self._inner.close()

    async def _sent(self, request: HttpRequest, token: Secret[str]) -> Result[HttpReply]:
        fields = plain_fields({"authorization": f"Bearer {token.reveal()}"})
        if isinstance(fields, Failure):
            return failure(_without(fields.error))
        headers = request.headers.with_fields(fields.value)
        return await self._inner.send(replace(request, headers=headers))


def _circular() -> QiError:
    return QiError.configuration(
        SETTINGS_INVALID,
        "the token is fetched by a client that waits for it",
        hint="fetch it by another client, without bearer=",
        source="http",
    )


def _without(cause: QiError) -> QiError:
    return QiError.authentication(
        TOKEN_FAILED,
        "there is no bearer token to send",
        hint="look at the cause",
        cause=cause,
        retryable=cause.retryable,
        retry_after=cause.retry_after,
        source="http",
        sent=False,
    )
