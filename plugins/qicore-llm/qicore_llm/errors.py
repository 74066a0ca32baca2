"""What can go wrong with a language model: the codes that every provider shares.

Below each stands its meaning: the category, what happened, and what to do; `qicore explain` and the
reference page read it from here.
"""

from __future__ import annotations

from typing import Final

from qicore_core import ErrorCategory, QiError
from qicore_core.error.qi_error import make_error

__all__ = [
    "AUTHENTICATION",
    "BAD_OUTPUT",
    "BAD_REQUEST",
    "BAD_RESPONSE",
    "CODES",
    "CONTENT_FILTER",
    "CONTEXT_LENGTH",
    "MODEL_NOT_FOUND",
    "NETWORK",
    "NOT_CONNECTED",
    "OPTION_UNSUPPORTED",
    "OVERLOADED",
    "PERMISSION",
    "QUOTA",
    "RATE_LIMIT",
    "SERVER",
    "SETTINGS_INVALID",
    "STREAM_TRUNCATED",
    "TIMEOUT",
    "bad_request",
    "closed",
    "llm_error",
    "truncated",
    "unsupported",
]

AUTHENTICATION: Final = "LLM_AUTHENTICATION"
"""AUTHENTICATION: the provider does not know the key.

Look at `api_key`: its value, its account, whether it was revoked."""

PERMISSION: Final = "LLM_PERMISSION"
"""PERMISSION: the key may not do this.

Ask the account's owner for the model, the region or the feature."""

RATE_LIMIT: Final = "LLM_RATE_LIMIT"
"""RATE_LIMITED: the provider gets too many requests or tokens.

It is retried after `retry_after`; send less at once, or ask for a higher limit."""

QUOTA: Final = "LLM_QUOTA"
"""PERMISSION: the account has no credit left.

Waiting does not help: look at the account's billing."""

CONTEXT_LENGTH: Final = "LLM_CONTEXT_LENGTH"
"""VALIDATION: the conversation is longer than the model can read.

Send fewer or shorter messages, or name a model that reads more."""

CONTENT_FILTER: Final = "LLM_CONTENT_FILTER"
"""VALIDATION: the provider refuses what was asked or answered.

Ask in another way; the same request is refused again."""

MODEL_NOT_FOUND: Final = "LLM_MODEL_NOT_FOUND"
"""NOT_FOUND: the provider has no model of this name.

Look at its list of models, and at the part of the URL after the colon."""

BAD_REQUEST: Final = "LLM_BAD_REQUEST"
"""VALIDATION: a prompt or an option is wrong.

The message says which one, and what would be right."""

OVERLOADED: Final = "LLM_OVERLOADED"
"""UNAVAILABLE: the provider has no room for the request now.

It is retried; a fallback to another model helps if it lasts."""

SERVER: Final = "LLM_SERVER"
"""UNAVAILABLE: the provider failed.

It is retried; give its support the request id."""

TIMEOUT: Final = "LLM_TIMEOUT"
"""TIMEOUT: the model fell silent, or was not done in time.

Raise `idle_timeout` or `timeout=`, or ask for less."""

NETWORK: Final = "LLM_NETWORK"
"""NETWORK: the provider could not be reached, or the connection broke.

It is retried; look at `base_url`, proxies and the network."""

BAD_RESPONSE: Final = "LLM_BAD_RESPONSE"
"""BAD_DATA: the provider's answer cannot be read.

Look whether `base_url` speaks this provider's language, and at the SDK's version."""

STREAM_TRUNCATED: Final = "LLM_STREAM_TRUNCATED"
"""BAD_DATA: a stream ended before its end.

What arrived is not the whole answer; `received_characters` says how much. Ask again."""

BAD_OUTPUT: Final = "LLM_BAD_OUTPUT"
"""BAD_DATA: the model's answer is not of the form that was asked for.

Ask again, say the form more clearly, or name a stronger model."""

OPTION_UNSUPPORTED: Final = "LLM_OPTION_UNSUPPORTED"
"""UNSUPPORTED: the provider cannot honour an option, or QiCore cannot do the operation yet.

Leave it out, or name another model; it is never dropped in silence. The hint says what helps."""

NOT_CONNECTED: Final = "LLM_NOT_CONNECTED"
"""UNAVAILABLE: the client was closed.

Open it again, and call inside the `async with`."""

SETTINGS_INVALID: Final = "LLM_SETTINGS_INVALID"
"""CONFIGURATION: a setting is wrong.

The message names it, and says what would be right."""

CODES: Final = {
    AUTHENTICATION: ErrorCategory.AUTHENTICATION,
    PERMISSION: ErrorCategory.PERMISSION,
    RATE_LIMIT: ErrorCategory.RATE_LIMITED,
    QUOTA: ErrorCategory.PERMISSION,
    CONTEXT_LENGTH: ErrorCategory.VALIDATION,
    CONTENT_FILTER: ErrorCategory.VALIDATION,
    MODEL_NOT_FOUND: ErrorCategory.NOT_FOUND,
    BAD_REQUEST: ErrorCategory.VALIDATION,
    OVERLOADED: ErrorCategory.UNAVAILABLE,
    SERVER: ErrorCategory.UNAVAILABLE,
    TIMEOUT: ErrorCategory.TIMEOUT,
    NETWORK: ErrorCategory.NETWORK,
    BAD_RESPONSE: ErrorCategory.BAD_DATA,
    STREAM_TRUNCATED: ErrorCategory.BAD_DATA,
    BAD_OUTPUT: ErrorCategory.BAD_DATA,
    OPTION_UNSUPPORTED: ErrorCategory.UNSUPPORTED,
    NOT_CONNECTED: ErrorCategory.UNAVAILABLE,
    SETTINGS_INVALID: ErrorCategory.CONFIGURATION,
}


def llm_error(
    code: str,
    message: str,
    /,
    *,
    hint: str | None = None,
    cause: BaseException | None = None,
    retry_after: float | None = None,
    **context: object,
) -> QiError:
    """Make the error of a code; a code that is none is a KeyError."""
    return make_error(
        code,
        message,
        CODES[code],
        "llm",
        context,
        cause,
        hint=hint,
        retry_after=retry_after,
        retryable=False if code == NOT_CONNECTED else None,
    )


def closed() -> QiError:
    """Make the error of a client that is asked after its close."""
    return llm_error(NOT_CONNECTED, "the llm client was closed", hint="open it again")


def bad_request(message: str, /) -> QiError:
    """Make the error of a prompt or an option that is wrong."""
    return llm_error(BAD_REQUEST, message)


def unsupported(message: str, hint: str, /, **context: object) -> QiError:
    """Make the error of what cannot be done, or not yet."""
    return llm_error(OPTION_UNSUPPORTED, message, hint=hint).with_context(context)


def truncated(received: int, /) -> QiError:
    """Make the error of a stream that ended before its end, after so many characters."""
    return llm_error(
        STREAM_TRUNCATED,
        "the answer was cut short: the stream ended without its end",
        hint="what arrived is not the whole answer; ask again",
        received_characters=received,
    )
