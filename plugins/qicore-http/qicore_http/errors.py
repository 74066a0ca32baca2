"""What can go wrong with a request: the codes of every transport, and what a status means.

Below each code stands its meaning: the category (several with "or" between), what happened, and
what to do; `qicore explain` and the reference page read them from this file.
"""

from __future__ import annotations

import errno
import socket
from typing import Final

from qicore_core import ErrorCategory, QiError
from qicore_core.codes import TIMEOUT_ERROR

__all__ = [
    "ADDRESS_BLOCKED",
    "FILE_FAILED",
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
    "TOKEN_FAILED",
    "TOO_MANY_REDIRECTS",
    "UNSUPPORTED",
    "category_of",
    "network_error",
    "not_connected",
    "reason_of",
    "timeout_error",
    "tls_error",
    "unreadable",
]

INVALID_URL: Final = "INVALID_URL"
"""VALIDATION: a URL, also one of a redirect, cannot be called.

Write it as https://host/path; the message says what is wrong with it."""

INVALID_REQUEST: Final = "INVALID_REQUEST"
"""VALIDATION: a method, header, parameter or body cannot be sent, or not a second time.

The message names it; nothing was sent."""

NETWORK_ERROR: Final = "NETWORK_ERROR"
"""NETWORK: no connection, one that broke, or an answer that is no HTTP.

`sent` in the context says whether the request may have arrived; see that the host runs."""

HTTP_ERROR: Final = "HTTP_ERROR"
"""VALIDATION or AUTHENTICATION or PERMISSION or NOT_FOUND or CONFLICT or TIMEOUT or RATE_LIMITED or
UNSUPPORTED or NETWORK or UNAVAILABLE: the server, or a proxy, answered with a status that is no
success.

The context has `status` and `excerpt`; `accept_status=` says which are successes."""

PARSE_ERROR: Final = "PARSE_ERROR"
"""BAD_DATA: an answer is no JSON, not of the type asked for, or its compression is damaged.

`errors` has one for each field at fault."""

SSL_ERROR: Final = "SSL_ERROR"
"""NETWORK: the secure connection could not be made; it will not be next time.

Trust the server's authority by `verify=`, or look at its certificate."""

RESPONSE_TOO_LARGE: Final = "RESPONSE_TOO_LARGE"
"""BAD_DATA: a body has more decoded bytes than allowed, or swells too much when it is decoded.

Stream it, or raise `max_response_bytes` or `max_decompression_ratio`."""

TOO_MANY_REDIRECTS: Final = "TOO_MANY_REDIRECTS"
"""BAD_DATA: a request was redirected more often than `max_redirects`.

Look for a loop."""

ADDRESS_BLOCKED: Final = "ADDRESS_BLOCKED"
"""PERMISSION: a host has an address that the guard does not let requests reach.

Where it is meant, give the guard its network: `AddressGuard(allow=["10.1.0.0/16"])`."""

TOKEN_FAILED: Final = "HTTP_TOKEN_FAILED"  # noqa: S105  # a code
"""AUTHENTICATION: what fetches the bearer token gave none that can be sent.

Look at the cause."""

FILE_FAILED: Final = "HTTP_FILE_FAILED"
"""UNAVAILABLE: a file of a download or an upload could not be written or read.

Look at the cause, and at the room on the disk."""

NOT_CONNECTED: Final = "HTTP_NOT_CONNECTED"
"""UNAVAILABLE: the client was closed, and is asked all the same.

Open it for as long as it is used."""

SETTINGS_INVALID: Final = "HTTP_SETTINGS_INVALID"
"""CONFIGURATION: a setting of the client or its transport is wrong.

The message names it and what it may be."""

UNSUPPORTED: Final = "HTTP_UNSUPPORTED"
"""UNSUPPORTED: this client, or the transport that it stands on, cannot do it.

The hint says what does."""

_CATEGORIES: Final = {
    401: ErrorCategory.AUTHENTICATION,
    403: ErrorCategory.PERMISSION,
    404: ErrorCategory.NOT_FOUND,
    407: ErrorCategory.AUTHENTICATION,
    408: ErrorCategory.TIMEOUT,
    409: ErrorCategory.CONFLICT,
    410: ErrorCategory.NOT_FOUND,
    425: ErrorCategory.UNAVAILABLE,
    429: ErrorCategory.RATE_LIMITED,
    501: ErrorCategory.UNSUPPORTED,
    502: ErrorCategory.NETWORK,
    504: ErrorCategory.TIMEOUT,
}
_REASONS: Final = {
    errno.ECONNREFUSED: "the connection was refused",
    errno.ECONNRESET: "the connection was reset",
    errno.ECONNABORTED: "the connection was closed",
    errno.EPIPE: "the connection was closed",
    errno.ETIMEDOUT: "the connection timed out",
    errno.EHOSTUNREACH: "there is no route to the host",
    errno.ENETUNREACH: "there is no route to the network",
    errno.EMFILE: "too many files are open here",
    errno.EADDRNOTAVAIL: "there is no free port or address here",
}
_HINTS: Final = {
    "the connection was refused": "look whether the server runs, and at host and port",
    "there is no such host": "look at the name of the host",
}
_MAX_CAUSES: Final = 20


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
    hint = _HINTS.get(message)
    return QiError.network(NETWORK_ERROR, message, source="http", hint=hint, sent=sent)


def reason_of(exception: BaseException, /, default: str = "the connection failed") -> str:
    """Say why a connection failed, by the system's number for it and never by a text.

    >>> reason_of(ConnectionRefusedError(errno.ECONNREFUSED, "whatever it says"))
    'the connection was refused'
    """
    open_: list[BaseException | None] = [exception]
    for one in open_:  # grows: what caused it, and each of those in a group
        if one is None or len(open_) > _MAX_CAUSES:
            continue
        if isinstance(one, socket.gaierror):
            is_later = one.errno == socket.EAI_AGAIN
            return "no name server answers" if is_later else "there is no such host"
        if isinstance(one, OSError) and one.errno in _REASONS:
            return _REASONS[one.errno]
        if isinstance(one, BaseExceptionGroup):
            open_ += one.exceptions
        open_.append(one.__cause__ or one.__context__)
    return default


def unreadable(exception: BaseException | None = None, /) -> QiError:
    """Make the error of an answer that was cut short, or that nobody can read."""
    said = "the server's answer was cut short or is no HTTP"
    return network_error(said if exception is None else reason_of(exception, said), sent=True)


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
