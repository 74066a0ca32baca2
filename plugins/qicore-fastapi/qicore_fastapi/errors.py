"""What can go wrong with a request before a handler has it, and with an answer after."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import Any, Final

from qicore_core import QiError

__all__ = [
    "BODY_TOO_LARGE",
    "BODY_TOO_SLOW",
    "CANCELLED",
    "CLIENT_GONE",
    "CLIENT_MISSING",
    "CRASHED",
    "REQUEST_INVALID",
    "RESPONSE_INVALID",
    "UNSUPPORTED",
    "cancelled",
    "client_gone",
    "client_missing",
    "crashed",
    "places",
    "refused",
    "too_large",
    "too_slow",
    "unsupported",
]

_MOST: Final = 20  # places that are named

REQUEST_INVALID: Final = "WEB_REQUEST_INVALID"
"""VALIDATION: a request does not have the parameters or the body that the handler asks for.

Look at `errors` of the answer: each names its place."""

BODY_TOO_LARGE: Final = "WEB_BODY_TOO_LARGE"
"""VALIDATION: a request's body is larger than `max_body_bytes`; it was not read further.

Send less, or raise the limit."""

BODY_TOO_SLOW: Final = "WEB_BODY_TOO_SLOW"
"""TIMEOUT: the next piece of a request's body did not come within `body_timeout`.

Send it without a pause, or raise the limit."""

RESPONSE_INVALID: Final = "WEB_RESPONSE_INVALID"
"""INTERNAL: a handler returned what its response model refuses; nothing of it was sent.

The log says what it was and where it does not fit: correct the handler or its annotation."""

CRASHED: Final = "WEB_CRASHED"
"""INTERNAL: a handler or a middleware raised: a bug.

The log has the exception under the request's id."""

CLIENT_GONE: Final = "WEB_CLIENT_GONE"
"""CANCELLED: the caller closed the connection before it had sent, or was sent, everything.

Nothing is wrong here; if it happens often, the caller's time limit may be too short."""

CANCELLED: Final = "WEB_CANCELLED"
"""CANCELLED: a request was ended before its answer: by a stop of the server, or by its handler.

Send it again; where the server has not stopped, look at what the handler waits for."""

CLIENT_MISSING: Final = "WEB_CLIENT_MISSING"
"""CONFIGURATION: a route asks by `use` for a client that the runtime does not have.

Add the section that the message names, or hand a runtime to `install`."""

UNSUPPORTED: Final = "WEB_UNSUPPORTED"
"""UNSUPPORTED: qicore-fastapi cannot do that yet.

The message says what to write in its place."""


def crashed(cause: Exception) -> QiError:
    """Say that something raised, and where."""
    said = QiError.internal(CRASHED, "the request ended in an exception", source="web", cause=cause)
    return said.with_traceback(cause.__traceback__)


def too_large(limit: int) -> QiError:
    """Say that a body is larger than it may be."""
    return QiError.validation(
        BODY_TOO_LARGE,
        f"the body is larger than {limit} bytes",
        hint="send less, or raise max_body_bytes",
        source="web",
    )


def too_slow(timeout: float) -> QiError:
    """Say that a body does not come."""
    said = f"no more of the body came within {timeout:g} s"
    return QiError.timeout(
        BODY_TOO_SLOW,
        said,
        hint="send it without a pause, or raise body_timeout",
        public_message=said,
        source="web",
    )


def client_gone() -> QiError:
    """Say that nobody waits for the answer any more."""
    return QiError.cancelled(CLIENT_GONE, "the caller closed the connection", source="web")


def cancelled() -> QiError:
    """Say that the request was ended."""
    return QiError.cancelled(CANCELLED, "the request was ended before its answer", source="web")


def client_missing(where: Sequence[str]) -> QiError:
    """Say which routes ask for a client that is not there."""
    return QiError.configuration(
        CLIENT_MISSING,
        "; ".join(where),
        hint="a section of the configuration opens a client; `use` names its kind and its name",
        source="web",
    )


def refused(name: str, value: object, wanted: str | None, where: Sequence[object] = ()) -> QiError:
    """Say what a handler returned in place of what it says; the value itself is told to nobody.

    Args:
        name: the handler's.
        value: what it returned; a coroutine is closed, as it has been told of.
        wanted: the name of what it says that it returns.
        where: the places where the value does not fit.
    """
    told = f", not {wanted}" if wanted else ""
    if value is None:
        message, hint = f"None{told}", "look for a way through it without `return`"
    elif inspect.iscoroutine(value):
        value.close()
        message, hint = f"a coroutine{told}", "await it: `return await ...`"
    else:
        message = f"a value ({type(value).__name__}) that does not fit {wanted}"
        hint = f"return {wanted}, made by its constructor"
    return QiError.internal(
        RESPONSE_INVALID,
        f"{name} returned {message}",
        hint=hint,
        source="web",
        places=list(where),
    )


def places(found: Sequence[Any]) -> list[object]:
    """Say where a value does not fit, and in what way; the values themselves are left out."""
    return [{"loc": one["loc"], "type": one["type"]} for one in found[:_MOST]]


def unsupported(what: str, instead: str) -> QiError:
    """Say what is not here yet; it is raised where a program is made, so one text has it all."""
    return QiError.unsupported(
        UNSUPPORTED, f"{what} is not here yet: {instead}", hint=instead, source="web"
    )
