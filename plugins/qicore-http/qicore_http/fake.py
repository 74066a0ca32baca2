"""A test double for programs that call HTTP: routes in, the real client out.

It stands in for the network alone: the client, its policy and its errors are the real ones.
"""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any, Final, final
from urllib.parse import urlsplit

from qicore_core import Parts, QiError, Result, failure, success, unwrap

from .client import HttpClient
from .errors import NETWORK_ERROR
from .message import Headers, HttpRequest
from .settings import HttpSettings
from .transport import HttpReply

__all__ = ["FakeHttp", "reply_of"]

_ROUTE: Final = re.compile(r"[A-Z]+ /[^?#\s]*")
_MAX_LISTED: Final = 20


@final
class FakeHttp:
    """Answers by a table of routes.

    Args:
        routes: "GET /users/1" (method and path) to what is answered: plain data (JSON with status
            200), bytes, a tuple of a status, either of these and perhaps headers, a QiError (the
            connection fails with it), or a function from the request to one of these.

    >>> fake = FakeHttp({"GET /users/1": {"name": "Ada"}, "GET /gone": (410, b"")})
    >>> client = fake.client("http://users")

    Raises:
        ValueError: the key of a route is not a method and a path.

    Attributes:
        requests: what was asked, in order.
    """

    __slots__ = ("_routes", "requests")

    def __init__(self, routes: Mapping[str, Any], /) -> None:
        for route in routes:
            if not _ROUTE.fullmatch(route):
                near = f"GET {route}" if route.startswith("/") else "GET /users/1"
                raise ValueError(f"the route {route!r} is no method and path, as {near!r}")
        self._routes = dict(routes)
        self.requests: list[HttpRequest] = []

    def client(
        self, base_url: str | None = None, /, *, parts: Parts | None = None, **settings: Any
    ) -> HttpClient:
        """Make a client that these routes answer, with any setting of `open_http`.

        Raises:
            QiError: a setting is wrong.
        """
        made = unwrap(HttpSettings.read({"base_url": base_url, **settings}))
        return HttpClient(self, made, parts)

    async def send(self, request: HttpRequest, /) -> Result[HttpReply]:
        """Answer a request; a route that is not in the table is an error that lists the routes."""
        self.requests.append(request)
        route = f"{request.method} {urlsplit(request.url).path}"
        if route not in self._routes:
            return failure(_unknown(route, self._routes))
        answer = self._routes[route]
        if isinstance(answer, Callable):  # type: ignore[arg-type]  # an ABC is a type here
            answer = answer(request)
        if isinstance(answer, QiError):
            return failure(answer)
        status, body, *more = answer if isinstance(answer, tuple) else (200, answer)
        return success(reply_of(status, body, more[0] if more else {}))

    async def close(self) -> None:
        """Do nothing: there is no network."""


def _unknown(route: str, routes: Mapping[str, Any]) -> QiError:
    known = ", ".join(sorted(routes)[:_MAX_LISTED]) or "none"
    return QiError.network(
        NETWORK_ERROR,
        f"FakeHttp has no route {route!r}; it has {known}",
        hint="add the route, or look at how the path is written",
        retryable=False,
        source="http",
        sent=False,
    )


def reply_of(status: int, body: Any, headers: Mapping[str, str], /) -> HttpReply:
    """Make an answer of plain data, as JSON, or of bytes."""
    is_bytes = isinstance(body, bytes)
    data: bytes = body if is_bytes else json.dumps(body).encode()
    kind = "application/octet-stream" if is_bytes else "application/json"

    async def pieces() -> AsyncIterator[Result[bytes]]:
        yield success(data)

    async def close() -> None:
        return None

    return HttpReply(status, Headers({"content-type": kind}).with_fields(headers), pieces(), close)
