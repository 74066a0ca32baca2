"""What can go wrong with a request before a handler has it, and with an answer after."""

from __future__ import annotations

from typing import Final

from qicore_core import QiError

__all__ = ["BODY_TOO_LARGE", "CRASHED", "REQUEST_INVALID", "RESPONSE_INVALID", "crashed"]

REQUEST_INVALID: Final = "WEB_REQUEST_INVALID"
"""VALIDATION: a request does not have the parameters or the body that the handler asks for.

Look at `errors` of the answer: each names its place."""

BODY_TOO_LARGE: Final = "WEB_BODY_TOO_LARGE"
"""VALIDATION: a request's body is larger than `max_body_bytes`; it was not read further.

Send less, or raise the limit."""

RESPONSE_INVALID: Final = "WEB_RESPONSE_INVALID"
"""INTERNAL: a handler returned what its response model refuses; nothing of it was sent.

Correct the handler or its annotation; the log names the places."""

CRASHED: Final = "WEB_CRASHED"
"""INTERNAL: a handler or a middleware raised: a bug.

The log has the exception under the request's id."""


def crashed(cause: Exception) -> QiError:
    """Say that something raised."""
    return QiError.internal(CRASHED, "the request ended in an exception", source="web", cause=cause)
