"""From what a caller says to a request: one body, headers that are headers, a whole URL."""

from __future__ import annotations

import json as json_module
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, final

from qicore_core import Failure, QiError, Result, Secret, failure, success
from qicore_core.log import correlation_id

from .errors import INVALID_REQUEST
from .message import Headers, HttpRequest, is_token, plain_fields
from .settings import HttpSettings
from .url import encoded, is_same_origin, target_of

__all__ = ["Prepared", "prepare"]

# Source: RFC 9110, section 9.2.2.
_REPEATABLE: Final = frozenset(("DELETE", "GET", "HEAD", "OPTIONS", "PUT", "QUERY", "TRACE"))


@final
@dataclass(frozen=True, slots=True)
class Prepared:
    """A request that can be sent.

    Attributes:
        request: itself.
        host: the key of its breaker and budget.
        is_repeatable: whether sending it twice is sending it once.
    """

    request: HttpRequest
    host: str
    is_repeatable: bool


def prepare(
    settings: HttpSettings,
    method: str,
    url: str,
    /,
    *,
    params: Mapping[str, object] | None = None,
    headers: Mapping[str, str | Secret[str]] | None = None,
    json: Any = None,
    form: Mapping[str, object] | None = None,
    content: bytes | str | None = None,
) -> Result[Prepared]:
    """Make a request of what a caller says.

    Errors:
        INVALID_URL: see `target_of`.
        INVALID_REQUEST: two bodies, a body that is no JSON, a method or header that is none.
    """
    target = target_of(settings.base_url, url, params)
    if isinstance(target, Failure):
        return target
    verb = method.upper()
    if not is_token(verb) or verb == "CONNECT":
        return failure(_invalid(f"{method[:40]!r} is no method"))
    body = _body(json, form, content)
    if isinstance(body, Failure):
        return body
    data, content_type = body.value
    own = settings.headers
    shared = own if own and _is_ours(settings.base_url, target.value.url) else {}
    automatic = {"accept-encoding": "identity", "x-request-id": correlation_id() or ""}
    automatic |= {
        "content-type": content_type,
        "authorization": target.value.authorization or "",
    }
    given = {name: value for name, value in automatic.items() if value}
    for more in (shared, headers or {}):
        plain = plain_fields(more)
        if isinstance(plain, Failure):
            return plain
        given |= plain.value
    hidden = {name.lower() for name, value in (headers or {}).items() if isinstance(value, Secret)}
    hidden |= {name.lower() for name in shared}
    request = HttpRequest(
        verb, target.value.url, Headers(given), data, frozenset(hidden), settings.idle_timeout
    )
    is_repeatable = verb in _REPEATABLE or "idempotency-key" in given
    return success(Prepared(request, target.value.host, is_repeatable))


def _is_ours(base: str | None, url: str) -> bool:
    """Tell whether the client's own headers may be sent there."""
    if base is None:
        return True
    target = target_of(None, base)
    return isinstance(target, Failure) or is_same_origin(target.value.url, url)


def _body(
    json: Any, form: Mapping[str, object] | None, content: bytes | str | None
) -> Result[tuple[bytes, str]]:
    bodies = (("json", json), ("form", form), ("content", content))
    given = [name for name, value in bodies if value is not None]
    if len(given) > 1:
        return failure(_invalid(f"a request has one body, and got {' and '.join(given)}"))
    try:
        if json is not None:
            text = json_module.dumps(json, separators=(",", ":"), allow_nan=False)
            return success((text.encode(), "application/json"))
        if form is not None:
            return success((encoded(form).encode(), "application/x-www-form-urlencoded"))
        if isinstance(content, str):
            return success((content.encode(), "text/plain; charset=utf-8"))
    except UnicodeError:
        return failure(_invalid("the body has text that is no Unicode"))
    except (TypeError, ValueError, RecursionError) as error:
        return failure(_invalid(f"the body is not JSON: {error}"))
    return success((content or b"", ""))


def _invalid(message: str) -> QiError:
    return QiError.validation(INVALID_REQUEST, message, source="http")
