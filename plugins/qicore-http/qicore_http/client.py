"""The HTTP client that users hold: everything that is the same for every transport."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Final, TypeVar, Unpack, final

from qicore_core import (
    Configuration,
    Failure,
    Parts,
    QiError,
    Result,
    Stream,
    collect,
    failure,
    success,
)

from .errors import PARSE_ERROR, UNSUPPORTED, not_connected
from .exchange import begin, exchange
from .message import HttpRequest, HttpResponse, shown
from .options import CallOptions, RequestOptions
from .request import Composer, Prepared
from .settings import HttpSettings
from .transport import HttpReply, HttpTransport

__all__ = ["HttpClient"]

T = TypeVar("T")
_PLAIN: Final = (bool, dict, float, int, list, str)


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
        CIRCUIT_OPEN, RETRY_BUDGET_EXHAUSTED: the policy.
    """

    __slots__ = ("_calls", "_composer", "_is_closed", "_settings", "_transport")

    def __init__(
        self, transport: HttpTransport, settings: HttpSettings, parts: Parts | None = None, /
    ) -> None:
        parts = parts or Parts()
        self._transport = transport
        self._settings = settings
        self._composer = Composer(settings)
        self._calls = settings.policy.attach("http", clock=parts.clock, random=parts.random)
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
        """Send any request and read its answer whole."""
        made = self._prepared(method, url, options)
        if isinstance(made, Failure):
            return made
        return await self._call(exchange, made.value, options)

    async def get_json(
        self, url: str, into: type[T], /, **options: Unpack[RequestOptions]
    ) -> Result[T]:
        """Get JSON and read it as a type: a dataclass, a list of them, or what a plugin reads.

        Keys that the type does not have are left alone, as servers add them.

        Errors:
            PARSE_ERROR: it is no JSON, or not of the type; `error.cause` names each key at fault.
        """
        answered = await self.get(url, **options)
        return answered.flat_map(HttpResponse.json).flat_map(lambda data: _read(data, into, url))

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

    async def download(self, url: str, path: str, /) -> Result[int]:
        """Refuse: downloads that resume are not here yet; `stream` gives the bytes.

        Errors:
            HTTP_UNSUPPORTED: always.
        """
        return failure(
            QiError.unsupported(
                UNSUPPORTED,
                f"downloading {shown(url)} to a file is not supported yet",
                hint="write the bytes of client.stream('GET', url)",
                source="http",
            )
        )

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
        return self._calls.run(
            fn,
            self._transport,
            self._settings,
            made.request,
            options.get("accept_status", self._settings.accept_status),
            key=made.host,
            operation=made.request.method,
            repeatable=True if made.is_repeatable else _was_not_sent,
            timeout=options.get("timeout"),
            policy=options.get("policy"),
        )


def _was_not_sent(error: QiError) -> bool:
    return error.context.get("sent") is False


def _read(data: Any, into: Any, url: str) -> Result[Any]:
    """Read JSON as a type: plain ones here, lists item by item, the rest as a schema."""
    kind, items = getattr(into, "__origin__", into), getattr(into, "__args__", ())
    if kind is list and items and isinstance(data, list):
        return collect([_read(one, items[0], url) for one in data])
    if kind in _PLAIN:
        if kind is float and type(data) is int:
            return success(float(data))
        is_bool = isinstance(data, bool) and kind is not bool  # True is an int, but not in JSON
        return (
            success(data) if isinstance(data, kind) and not is_bool else _misread(into, data, url)
        )
    if not isinstance(data, dict):
        return _misread(into, data, url)
    read = Configuration(into, ignore_unknown=True).from_object(data, source=shown(url))
    if isinstance(read, Failure):
        return failure(_misread(into, data, url).error.with_cause(read.error))
    return read


def _misread(into: Any, data: Any, url: str) -> Failure:
    name = into.__qualname__ if type(into) is type else str(into)
    return failure(
        QiError.bad_data(
            PARSE_ERROR,
            f"the JSON of {shown(url)} is a {type(data).__name__} that does not read as {name}",
            source="http",
        )
    )
