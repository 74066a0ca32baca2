"""What can go wrong with a request: the codes of every transport, and what a status means."""

from __future__ import annotations

from typing import Final

from qicore_core import ErrorCategory, QiError

__all__ = [
    "ADDRESS_BLOCKED",
    "HTTP_ERROR",
    "INVALID_REQUEST",
    "INVALID_URL",
    "NETWORK_ERROR",
    "NOT_CONNECTED",
    "PARSE_ERROR",
    "RESPONSE_TOO_LARGE",
    "SETTINGS_INVALID",
    "SSL_ERROR",
    "TIMEOUT_ERROR",
    "TOO_MANY_REDIRECTS",
    "UNSUPPORTED",
    "category_of",
    "network_error",
    "not_connected",
    "timeout_error",
    "tls_error",
]

INVALID_URL: Final = "INVALID_URL"
INVALID_REQUEST: Final = "INVALID_REQUEST"
NETWORK_ERROR: Final = "NETWORK_ERROR"
TIMEOUT_ERROR: Final = "TIMEOUT_ERROR"
HTTP_ERROR: Final = "HTTP_ERROR"
PARSE_ERROR: Final = "PARSE_ERROR"
SSL_ERROR: Final = "SSL_ERROR"
RESPONSE_TOO_LARGE: Final = "RESPONSE_TOO_LARGE"
TOO_MANY_REDIRECTS: Final = "TOO_MANY_REDIRECTS"
ADDRESS_BLOCKED: Final = "ADDRESS_BLOCKED"
NOT_CONNECTED: Final = "HTTP_NOT_CONNECTED"
SETTINGS_INVALID: Final = "HTTP_SETTINGS_INVALID"
UNSUPPORTED: Final = "HTTP_UNSUPPORTED"

_CATEGORIES: Final = {
    401: ErrorCategory.AUTHENTICATION,
    403: ErrorCategory.PERMISSION,
    404: ErrorCategory.NOT_FOUND,
    408: ErrorCategory.TIMEOUT,
    409: ErrorCategory.CONFLICT,
    410: ErrorCategory.NOT_FOUND,
    425: ErrorCategory.UNAVAILABLE,
    429: ErrorCategory.RATE_LIMITED,
    501: ErrorCategory.UNSUPPORTED,
    502: ErrorCategory.NETWORK,
    504: ErrorCategory.TIMEOUT,
}


def category_of(status: int, /) -> ErrorCategory:
    """Say what kind of trouble a status is. Source: RFC 9110, section 15; RFC 6585."""
    default = ErrorCategory.UNAVAILABLE if status >= 500 else ErrorCategory.VALIDATION
    return _CATEGORIES.get(status, default)


def network_error(message: str, /, *, sent: bool) -> QiError:
    """Make the error of a connection that failed.

    Args:
        message: what happened.
        sent: whether the request may have reached the server; where it has not, even a POST may be
            repeated.
    """
    return QiError.network(NETWORK_ERROR, message, source="http", sent=sent)


def timeout_error(message: str, /, *, sent: bool) -> QiError:
    """Make the error of a server that was silent for too long; `sent` as in `network_error`."""
    return QiError.timeout(TIMEOUT_ERROR, message, source="http", sent=sent)


def not_connected(what: str = "the http client", /) -> QiError:
    """Make the error of a client, or what it stands on, that was closed."""
    return QiError.unavailable(
        NOT_CONNECTED,
        f"{what} was closed",
        hint="open it again, and close it after its last call",
        source="http",
        retryable=False,
        sent=False,
    )


def tls_error(exception: BaseException, /) -> QiError:
    """Make the error of a secure connection that could not be made; it will not be next time."""
    why = getattr(exception, "verify_message", "") or "the other side speaks no TLS that we accept"
    return QiError.network(
        SSL_ERROR,
        f"the secure connection could not be made: {why}",
        hint="trust the server's authority by `verify=`, or look at its certificate",
        source="http",
        retryable=False,
        sent=False,
    )
