"""What httpx2 raises, and what it means. Imports httpx2: the transport loads it when it opens."""

from __future__ import annotations

import ssl
from typing import Final

import httpx2

from qicore_core import ErrorCategory, ErrorMap, QiError
from qicore_http.errors import INVALID_URL, network_error, timeout_error, tls_error

__all__ = ["ERRORS"]


def _not_connected(error: Exception) -> QiError:
    """Tell a certificate that is no good from a server that is not there."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLError):
            return tls_error(cause)
        cause = cause.__cause__ or cause.__context__
    return network_error("the connection failed", sent=False)


def _not_in_time(_: Exception) -> QiError:
    return timeout_error("no connection could be had in time", sent=False)


def _silent(_: Exception) -> QiError:
    return timeout_error("the server did not answer in time", sent=True)


def _unreadable(_: Exception) -> QiError:
    return network_error("the server's answer was cut short or is no HTTP", sent=True)


def _broken(_: Exception) -> QiError:
    return network_error("the connection failed", sent=True)


ERRORS: Final = ErrorMap(
    "http",
    {
        httpx2.ConnectError: _not_connected,
        httpx2.ConnectTimeout: _not_in_time,
        httpx2.PoolTimeout: _not_in_time,
        httpx2.RemoteProtocolError: _unreadable,
        httpx2.TimeoutException: _silent,
        httpx2.TransportError: _broken,
        httpx2.StreamClosed: _broken,
        httpx2.InvalidURL: (INVALID_URL, ErrorCategory.VALIDATION, "httpx2 refuses the URL"),
    },
)
