"""From what a caller says to a request: one body, headers that are headers, a whole URL.

What is the same for many calls is read once: the client's base URL and headers, and what a method
and a URL come to where nothing else is said.
"""

from __future__ import annotations

from typing import Final, NamedTuple, final

from qicore_core import Failure, QiError, Result, Secret, failure, success, unwrap
from qicore_core.log import correlation_id

from .bearer import UNFILLED
from .body import Body, body_of
from .errors import INVALID_REQUEST
from .message import Headers, HttpRequest, is_token, plain_fields
from .options import OF_REQUESTS, RequestOptions, check_options
from .settings import HttpSettings
from .url import Target, is_same_origin, target_of, with_params

__all__ = ["Composer", "Prepared"]

# Source: RFC 9110, section 9.2.2.
_REPEATABLE: Final = frozenset(("DELETE", "GET", "HEAD", "OPTIONS", "PUT", "QUERY", "TRACE"))
_MAX_KNOWN: Final = 256
_MAX_KNOWN_URL: Final = 2048


class Prepared(NamedTuple):
    """A request that can be sent.

    Attributes:
        request: itself.
        host: the key of its breaker and budget.
        is_repeatable: whether sending it twice is sending it once; None is that it cannot be sent
            again at all, as its body can be read once.
    """

    request: HttpRequest
    host: str
    is_repeatable: bool | None


@final
class Composer:
    """Makes the requests of one client.

    Args:
        settings: the client's.

    Raises:
        QiError: the base URL or a header is wrong; `HttpSettings.read` gives it as a Failure.
    """

    __slots__ = ("_base", "_idle_timeout", "_known", "_origin", "_own")

    def __init__(self, settings: HttpSettings, /) -> None:
        base = settings.base_url
        self._base = base
        self._origin = None if base is None else unwrap(target_of(None, base)).url
        token = {} if settings.bearer is None else {"authorization": UNFILLED}
        self._own = token | unwrap(plain_fields(settings.headers))
        self._idle_timeout = settings.idle_timeout
        self._known: dict[tuple[str, str], Result[Prepared]] = {}  # by method and URL as said

    def compose(self, method: str, url: str, options: RequestOptions, /) -> Result[Prepared]:
        """Make a request of what a caller says.

        Errors:
            INVALID_URL: see `target_of`.
            INVALID_REQUEST: two bodies, a body that is no JSON, a method or header that is none.
            HTTP_UNSUPPORTED: see `check_options`, which also raises.
        """
        is_bare = not options
        if options:
            checked = check_options(options)
            if isinstance(checked, Failure):
                return checked
            is_bare = options.keys().isdisjoint(OF_REQUESTS)
        bare = self._known.get((method, url)) or self._bare(method, url)
        correlation = correlation_id()
        if is_bare and not correlation:
            return bare
        if isinstance(bare, Failure):
            return bare
        return _dressed(bare.value, options, correlation)

    def _bare(self, method: str, url: str) -> Result[Prepared]:
        """Make the request that a method and a URL are where nothing else is said, and keep it."""
        if not isinstance(method, str) or not isinstance(url, str):
            got = f"{type(method).__name__} and {type(url).__name__}"
            raise TypeError(f"method and URL of a request are text, got {got}")
        target = target_of(self._base, url)
        if isinstance(target, Failure):
            return target
        verb = method.upper()
        if not is_token(verb) or verb == "CONNECT":
            return failure(_invalid(f"{method[:40]!r} is no method"))
        made = success(self._prepared(verb, target.value))
        if len(url) <= _MAX_KNOWN_URL:
            if len(self._known) >= _MAX_KNOWN:
                self._known.clear()
            self._known[method, url] = made
        return made

    def _prepared(self, verb: str, target: Target) -> Prepared:
        fields = {"accept-encoding": "identity"}
        if target.authorization is not None:
            fields["authorization"] = target.authorization
        is_ours = self._origin is None or is_same_origin(self._origin, target.url)
        own = self._own if is_ours else {}
        headers = Headers(fields | own)
        request = HttpRequest(verb, target.url, headers, b"", frozenset(own), self._idle_timeout)
        return Prepared(request, target.host, _is_repeatable(verb, headers))


def _dressed(bare: Prepared, options: RequestOptions, correlation: str | None) -> Result[Prepared]:
    """Give a request what its caller says besides method and URL."""
    request, said = bare.request, options.get("headers") or {}
    url = with_params(request.url, options.get("params") or {})
    if isinstance(url, Failure):
        return url
    body = body_of(options)
    if isinstance(body, Failure):
        return body
    data, content_type = body.value
    automatic = {"x-request-id": correlation or "", "content-type": content_type}
    below = plain_fields({name: value for name, value in automatic.items() if value})
    if isinstance(below, Failure):
        return below
    above = plain_fields(said)
    if isinstance(above, Failure):
        return above
    headers = Headers(below.value | dict(request.headers.pairs()) | above.value)
    hidden = {name.lower() for name, value in said.items() if isinstance(value, Secret)}
    private = request.private | hidden
    made = HttpRequest(request.method, url.value, headers, data, private, request.idle_timeout)
    return success(Prepared(made, bare.host, _is_repeatable(made.method, headers, data)))


def _is_repeatable(verb: str, headers: Headers, body: bytes | Body = b"") -> bool | None:
    if isinstance(body, Body) and not body.is_replayable:
        return None
    return verb in _REPEATABLE or "idempotency-key" in headers


def _invalid(message: str) -> QiError:
    return QiError.validation(INVALID_REQUEST, message, source="http")
