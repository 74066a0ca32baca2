"""What httpx2 raises, and what it means. Imports httpx2: the transport loads it when it opens."""

from __future__ import annotations

import ssl
from types import ModuleType
from typing import Final

import httpx2

from qicore_core import ErrorCategory, ErrorMap, QiError
from qicore_http.errors import (
    INVALID_URL,
    network_error,
    reason_of,
    timeout_error,
    tls_error,
    unreadable,
)

__all__ = ["ERRORS", "errors_of"]


def _not_connected(error: Exception) -> QiError:
    """Tell a certificate that is no good from a server that is not there."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLError):
            return tls_error(cause)
        cause = cause.__cause__ or cause.__context__
    return network_error(reason_of(error), sent=False)


def _not_in_time(_: Exception) -> QiError:
    return timeout_error("no connection could be had in time", sent=False)


def _silent(_: Exception) -> QiError:
    return timeout_error("the server did not answer in time", sent=True)


def _broken(error: Exception) -> QiError:
    return network_error(reason_of(error), sent=True)


def errors_of(vendor: ModuleType, /) -> ErrorMap:
    """Give the table for what httpx2, or httpx, raises: they name it alike."""
    return ErrorMap(
        "http",
        {
            vendor.ConnectError: _not_connected,
            vendor.ConnectTimeout: _not_in_time,
            vendor.PoolTimeout: _not_in_time,
            vendor.RemoteProtocolError: unreadable,
            vendor.TimeoutException: _silent,
            vendor.TransportError: _broken,
            vendor.StreamClosed: _broken,
            vendor.InvalidURL: (
                INVALID_URL,
                ErrorCategory.VALIDATION,
                f"{vendor.__name__} refuses the URL",
            ),
        },
    )


ERRORS: Final = errors_of(httpx2)
