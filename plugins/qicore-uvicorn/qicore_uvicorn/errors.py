"""What can go wrong with a server: its codes, and what a socket's trouble means."""

from __future__ import annotations

from typing import Final

from qicore_core import QiError

__all__ = [
    "DRAIN_TIMEOUT",
    "NOT_RUNNING",
    "PORT_IN_USE",
    "START_FAILED",
    "STOP_FAILED",
    "UNSUPPORTED",
    "failed",
    "misplaced",
    "not_running",
    "port_in_use",
    "unsupported",
]

PORT_IN_USE: Final = "SERVER_PORT_IN_USE"
"""CONFLICT: another process listens on the address.

Stop it, or choose another port; port 0 takes a free one."""

START_FAILED: Final = "SERVER_START_FAILED"
"""CONFIGURATION or PERMISSION or CONFLICT or UNKNOWN or any other: the address cannot be bound, the
application refused to start, or the server runs already.

The message says which. The category is that of the application's own error where it has one."""

NOT_RUNNING: Final = "SERVER_NOT_RUNNING"
"""UNSUPPORTED: a server that is not running was asked to stop or to reload.

Start it first."""

DRAIN_TIMEOUT: Final = "SERVER_DRAIN_TIMEOUT"
"""TIMEOUT: requests were still under way when the time to stop was over; they were cancelled.

Raise the timeout, or look at what they wait for."""

STOP_FAILED: Final = "SERVER_STOP_FAILED"
"""UNKNOWN or TIMEOUT or any other: the server has stopped, and the application's shutdown failed.

The cause is the application's."""

UNSUPPORTED: Final = "SERVER_UNSUPPORTED"
"""UNSUPPORTED: this server cannot do that yet.

The message says what to use instead."""


def port_in_use(address: str, cause: OSError) -> QiError:
    """Say that somebody else has the address."""
    return QiError.conflict(
        PORT_IN_USE,
        f"{address} is in use",
        hint="stop what listens there or choose another port; port 0 takes a free one",
        source="server",
        cause=cause,
    )


def failed(
    code: str, message: str, cause: BaseException | None, hint: str | None = None
) -> QiError:
    """Say what failed, in the category of what made it fail."""
    known = None
    if isinstance(cause, Exception):
        known = cause if isinstance(cause, QiError) else QiError.from_exception(cause)
    make = getattr(QiError, known.category.lower() if known else "unknown")
    error: QiError = make(
        code,
        f"{message}: {known.message}" if known else message,
        hint=hint or (known and known.hint),
        source="server",
        cause=cause,
    )
    return error


def misplaced(message: str, hint: str, cause: Exception | None = None) -> QiError:
    """Say that nobody can listen where the server shall."""
    return QiError.configuration(
        START_FAILED,
        f"{message}: {cause}" if cause else message,
        hint=hint,
        source="server",
        cause=cause,
    )


def not_running(asked: str) -> QiError:
    """Say that the server is not in a state to do it."""
    return QiError.unsupported(
        NOT_RUNNING,
        f"the server cannot {asked}: it is not running",
        hint="start it first: `await server.start()`",
        source="server",
    )


def unsupported(what: str, hint: str) -> QiError:
    """Say what this server does not do yet, and what does."""
    return QiError.unsupported(
        UNSUPPORTED, f"qicore-uvicorn has no {what} yet", hint=hint, source="server"
    )
