"""The HTTP client that users hold: everything that is the same for every transport."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable
from os import PathLike
from typing import TypeVar, Unpack, final

from qicore_core import Deadline, Failure, Parts, QiError, Result, Stream, failure

from .caching import Caching
from .download import Download, Progress
from .errors import not_connected
from .exchange import begin, exchange, raw
from .layers import layered
from .message import HttpRequest, HttpResponse
from .options import CallOptions, RequestOptions
from .recorder import Recorder
from .request import Composer, Prepared
from .settings import HttpSettings
from .transport import HttpReply, HttpTransport
from .typed import read_as
from .verdict import judged

__all__ = ["HttpClient"]

T = TypeVar("T")


@final
class HttpClient:
    """An HTTP client, the same whatever sends its requests. Made by `open_http`.

    A status of 400 and above is a Failure with the category it means; `accept_status=` changes
    that. Requests that may be repeated are retried as the policy says; any other one only where it
    was never sent. Redirects drop credentials when they leave the origin. Errors hold no query, no
    credentials, and of the body an excerpt in the context alone.

    Errors:
        INVALID_URL, INVALID_REQUEST: what was asked is wrong.
        NETWORK_ERROR, SSL_ERROR, TIMEOUT_ERROR, DEADLINE_EXCEEDED: the server did not answer.
        HTTP_ERROR: it answered with a status that is no success.
        PARSE_ERROR, RESPONSE_TOO_LARGE, TOO_MANY_REDIRECTS: its answer is of no use.
        ADDRESS_BLOCKED: a guard does not let it be reached.
        CIRCUIT_OPEN, RETRY_BUDGET_EXHAUSTED: the policy.
    """

    __slots__ = (
        "_caching", "_calls", "_composer", "_is_closed", "_layers", "_settings", "_transport",
    )  # fmt: skip

    def __init__(
        self, transport: HttpTransport, settings: HttpSettings, parts: Parts | None = None, /
    ) -> None:
        parts = parts or Parts()
        if settings.record is not None:
            transport = Recorder(transport, settings.record)
        self._transport = transport
        self._layers = layered(transport, settings, settings.guard)
        self._settings = settings
        self._composer = Composer(settings)
        self._calls = settings.policy.attach("http", clock=parts.clock, random=parts.random)
        self._caching = None if settings.cache is None else Caching(settings)
        self._is_closed = False

    async def get(self, url: str, /, **options: Unpack[RequestOptions]) -> Result[HttpResponse]:
        """Send a GET."""
        return await self.request("GET", url, **options)

    async def post(self, url: str, /, **options: Unpack[RequestOptions]) -> Result[HttpResponse]:
        """Send a POST; retried only with an Idempotency-Key, or where it was never sent."""
        return await self.request("POST", url, **options)

    async def put(self, url: str, /, **options: Unpack[RequestOptions]) -> Result[HttpResponse]:
        """Send a PUT."""
        return await self.request("PUT", url, **options)

    async def patch(self, url: str, /, **options: Unpack[RequestOptions]) -> Result[HttpResponse]:
        """Send a PATCH; retried as a POST is."""
        return await self.request("PATCH", url, **options)

    async def delete(self, url: str, /, **options: Unpack[RequestOptions]) -> Result[HttpResponse]:
        """Send a DELETE."""
        return await self.request("DELETE", url, **options)

    async def head(self, url: str, /, **options: Unpack[RequestOptions]) -> Result[HttpResponse]:
        """Send a HEAD."""
        return await self.request("HEAD", url, **options)

    async def options(self, url: str, /, **options: Unpack[RequestOptions]) -> Result[HttpResponse]:
        """Send an OPTIONS."""
        return await self.request("OPTIONS", url, **options)

    async def request(
        self, method: str, url: str, /, **options: Unpack[RequestOptions]
    ) -> Result[HttpResponse]:
        """Send any request and read its answer whole, or give the one that the cache has."""
        made = self._prepared(method, url, options)
        if isinstance(made, Failure):
            return made
        if self._caching is None or options.get("guard") is not None:
            return await self._call(exchange, made.value, options)
        return await self._cached(self._caching, made.value, options)

    async def get_json(
        self, url: str, into: type[T], /, **options: Unpack[RequestOptions]
    ) -> Result[T]:
        """Get JSON and read it as a type: a dataclass, a list of them, or what a plugin reads.

        Keys that the type does not have are left alone, as servers add them.

        Errors:
            PARSE_ERROR: it is no JSON, or not of the type; `errors` has one for each field.
        """
        answered = await self.get(url, **options)
        return answered.flat_map(HttpResponse.json).flat_map(lambda data: read_as(data, into, url))

    def stream(self, method: str, url: str, /, **options: Unpack[RequestOptions]) -> Stream[bytes]:
        """Send a request and give the bytes of its answer as they come, without a bound.

        A status counts as in `request`. The policy covers the time until the answer begins; nothing
        is retried after that.
        """

        async def start() -> Result[HttpReply]:
            made = self._prepared(method, url, options)
            if isinstance(made, Failure):
                return made
            return await self._call(begin, made.value, options)

        return Stream(start)

    async def download(
        self,
        url: str,
        path: str | PathLike[str],
        /,
        *,
        progress: Progress | None = None,
        **options: Unpack[RequestOptions],
    ) -> Result[int]:
        """Get a file, and give its size. What broke off is resumed, by a later call as well.

        The file is there as a whole or not at all; until then its bytes are in ".<name>.part"
        beside it. One path has one download at a time.

        Args:
            url: where it is.
            path: where it goes; a file that is there is replaced.
            progress: is told how many bytes are there and how many there will be, or None.
            options: as of a request; `timeout` is for the whole file.

        Errors:
            HTTP_FILE_FAILED: it cannot be written.
        """
        made = self._prepared("GET", url, options)
        if isinstance(made, Failure):
            return made
        return await self._call(Download(path, progress).attempt, made.value, options)

    async def close(self) -> None:
        """Close every connection; every call after that is an HTTP_NOT_CONNECTED."""
        self._is_closed = True
        await self._transport.close()

    def _prepared(self, method: str, url: str, options: RequestOptions) -> Result[Prepared]:
        if self._is_closed:
            return failure(not_connected())
        return self._composer.compose(method, url, options)

    def _call(
        self,
        fn: Callable[
            [HttpTransport, HttpSettings, HttpRequest, frozenset[int] | None], Awaitable[Result[T]]
        ],
        made: Prepared,
        options: CallOptions,
    ) -> Awaitable[Result[T]]:
        """Have the policy make the attempts."""
        guard = options.get("guard")
        return self._calls.run(
            fn,
            self._layers if guard is None else layered(self._transport, self._settings, guard),
            self._settings,
            made.request,
            options.get("accept_status", self._settings.accept_status),
            key=made.host,
            operation=made.request.method,
            repeatable=made.is_repeatable or (made.is_repeatable is not None and _was_not_sent),
            timeout=options.get("timeout"),
            policy=options.get("policy"),
        )

    async def _cached(
        self, caching: Caching, made: Prepared, options: RequestOptions
    ) -> Result[HttpResponse]:
        """Answer by the cache or by the server, and judge only then: a 404 may be kept too."""
        accept = options.get("accept_status", self._settings.accept_status)
        timeout = options.get("timeout")
        with Deadline.after(math.inf if timeout is None else timeout):
            answered = await caching.answer(
                made.request,
                lambda request: self._call(raw, made._replace(request=request), options),
            )
        return answered.flat_map(lambda response: judged(response, made.request.method, accept))


def _was_not_sent(error: QiError) -> bool:
    return error.context.get("sent") is False
