"""What a cache says where it refuses: the errors that several of its rooms give."""

from __future__ import annotations

from typing import Final

from qicore_core import QiError

from .errors import CODEC_ERROR, INVALID_KEY, NOT_A_NUMBER, NOT_CONNECTED, UNSUPPORTED

__all__ = ["closed", "codec_error", "not_a_number", "one_key", "unsupported"]

_READ_HINT: Final = "remove the key, or read it by the type and the codec that wrote it"


def closed() -> QiError:
    """Say that the cache was closed."""
    return QiError.unavailable(
        NOT_CONNECTED,
        "the cache was closed",
        hint="open it again",
        source="cache",
        retryable=False,
    )


def codec_error(key: str, exception: Exception, done: str = "kept") -> QiError:
    """Say that a value cannot be kept, read or shared, and why."""
    return QiError.validation(
        CODEC_ERROR,
        f"the value of {key!r} cannot be {done}",
        hint=_READ_HINT if done == "read" else str(exception) or type(exception).__name__,
        cause=exception,
        source="cache",
        key=key,
    )


def not_a_number(key: str) -> QiError:
    """Say that there is nothing to count on, or that the sum would be too large."""
    return QiError.conflict(
        NOT_A_NUMBER,
        f"what is under {key!r}, or would be, is no whole number of 64 bits",
        hint="increment counts ints: use another key, or remove this one first",
        source="cache",
    )


def one_key(key: str) -> QiError:
    """Say that a text is no list of keys."""
    return QiError.validation(
        INVALID_KEY,
        f"several keys are a list of them, got the text {key[:40]!r}",
        hint="write [key]",
        source="cache",
    )


def unsupported(operation: str) -> QiError:
    """Say that the store has no such operation."""
    return QiError.unsupported(
        UNSUPPORTED,
        f"this store cannot {operation}, or not with this codec",
        hint="use another driver or codec, or get and set where no one else writes the key",
        source="cache",
    )
