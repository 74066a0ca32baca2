"""What aiohttp raises, and what it means. Imports aiohttp: the transport loads it when it opens.

Its exceptions hold URLs with their queries, and headers, in their texts and arguments. So none of
them becomes a cause: that is their name alone.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import aiohttp
from aiohttp.http import HttpProcessingError

from qicore_core import ErrorMap, QiError
from qicore_core.error import ForeignError
from qicore_http.errors import (
    INVALID_URL,
    network_error,
    reason_of,
    timeout_error,
    tls_error,
    unreadable,
)
from qicore_http.proxy import proxy_refused

__all__ = ["ERRORS"]


def _not_reached(error: Exception) -> QiError:
    return network_error(reason_of(error), sent=False)


def _unknown_host(error: Exception) -> QiError:
    return network_error(reason_of(error, "there is no such host"), sent=False)


def _refused_by_proxy(error: aiohttp.ClientHttpProxyError) -> QiError:
    return proxy_refused(error.status)


def _insecure(error: Exception) -> QiError:
    return tls_error(error.__cause__ or error)


def _not_in_time(_: Exception) -> QiError:
    return timeout_error("no connection could be had in time", sent=False)


def _silent(_: Exception) -> QiError:
    return timeout_error("the server did not answer in time", sent=True)


def _broken(error: Exception) -> QiError:
    if isinstance(error.__cause__, QiError):
        return error.__cause__  # what an Upload says of its body
    return network_error(reason_of(error), sent=True)


def _invalid_url(_: Exception) -> QiError:
    return QiError.validation(INVALID_URL, "aiohttp refuses the URL", source="http")


def _nameless(say: Callable[[Any], QiError]) -> Callable[[Exception], QiError]:
    """Let an exception become a cause by the name of its type alone."""

    def rule(error: Exception) -> QiError:
        kind = type(error)
        named = ForeignError(f"{kind.__module__}.{kind.__qualname__}", "its text is kept back")
        return say(error).with_cause(named)

    return rule


_MEANINGS: Final[dict[type[Exception], Callable[[Any], QiError]]] = {
    aiohttp.ClientConnectorError: _not_reached,
    aiohttp.ClientConnectorDNSError: _unknown_host,
    aiohttp.ClientSSLError: _insecure,
    aiohttp.ServerFingerprintMismatch: _insecure,
    aiohttp.ClientHttpProxyError: _refused_by_proxy,
    aiohttp.ConnectionTimeoutError: _not_in_time,
    aiohttp.ServerTimeoutError: _silent,
    aiohttp.ServerDisconnectedError: unreadable,
    aiohttp.ClientResponseError: unreadable,
    aiohttp.ClientPayloadError: unreadable,
    HttpProcessingError: unreadable,
    aiohttp.InvalidURL: _invalid_url,
    aiohttp.ClientError: _broken,
    TimeoutError: _silent,
    OSError: _broken,
}
ERRORS: Final = ErrorMap("http", {kind: _nameless(say) for kind, say in _MEANINGS.items()})
