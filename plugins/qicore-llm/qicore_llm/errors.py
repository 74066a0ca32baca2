"""What can go wrong with a language model: the codes of every provider, with categories."""

from __future__ import annotations

from typing import Final

from qicore_core import ErrorCategory, QiError
from qicore_core.error.qi_error import make_error

__all__ = ["CODES", "llm_error"]

CODES: Final = {
    "LLM_AUTHENTICATION": ErrorCategory.AUTHENTICATION,
    "LLM_PERMISSION": ErrorCategory.PERMISSION,
    "LLM_RATE_LIMIT": ErrorCategory.RATE_LIMITED,
    "LLM_QUOTA": ErrorCategory.PERMISSION,
    "LLM_CONTEXT_LENGTH": ErrorCategory.VALIDATION,
    "LLM_CONTENT_FILTER": ErrorCategory.VALIDATION,
    "LLM_MODEL_NOT_FOUND": ErrorCategory.NOT_FOUND,
    "LLM_BAD_REQUEST": ErrorCategory.VALIDATION,
    "LLM_OVERLOADED": ErrorCategory.UNAVAILABLE,
    "LLM_SERVER": ErrorCategory.UNAVAILABLE,
    "LLM_TIMEOUT": ErrorCategory.TIMEOUT,
    "LLM_NETWORK": ErrorCategory.NETWORK,
    "LLM_BAD_RESPONSE": ErrorCategory.BAD_DATA,
    "LLM_STREAM_TRUNCATED": ErrorCategory.BAD_DATA,
    "LLM_BAD_OUTPUT": ErrorCategory.BAD_DATA,
    "LLM_OPTION_UNSUPPORTED": ErrorCategory.UNSUPPORTED,
    "LLM_NOT_CONNECTED": ErrorCategory.UNAVAILABLE,
    "LLM_SETTINGS_INVALID": ErrorCategory.CONFIGURATION,
}
"""Every code and what kind of trouble it is; from the category follows whether to retry."""


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
        retryable=False if code == "LLM_NOT_CONNECTED" else None,
    )
