"""What can go wrong with a cache: the codes that every cache driver shares, and what makes errors.

Below each stands its meaning: the category (several with "or" between), what happened, and what to
do; `qicore explain` and the reference page read them from this file.
"""

from __future__ import annotations

from typing import Final

from qicore_core import QiError

__all__ = [
    "CODEC_ERROR",
    "CONNECTION_FAILED",
    "INVALID_KEY",
    "INVALID_TAG",
    "INVALID_TTL",
    "NOT_A_NUMBER",
    "NOT_CONNECTED",
    "READ_FAILED",
    "REENTRANT",
    "SETTINGS_INVALID",
    "TIMEOUT",
    "UNAVAILABLE",
    "UNSUPPORTED",
    "WRITE_FAILED",
    "closed",
    "codec_error",
    "not_a_number",
    "one_key",
    "unsupported",
]

NOT_CONNECTED: Final = "CACHE_NOT_CONNECTED"
"""UNAVAILABLE: the cache was closed, and is asked all the same.

Open it for as long as it is used."""

CONNECTION_FAILED: Final = "CACHE_CONNECTION_FAILED"
"""NETWORK or UNAVAILABLE or CONFIGURATION or PERMISSION or CONTENTION or INTERNAL: the store could
not be reached or opened.

Look at the URL, and whether the server runs, or what the file is."""

UNAVAILABLE: Final = "CACHE_UNAVAILABLE"
"""UNAVAILABLE: the store is down or does not take calls; it is never a miss.

Try again later; `get_or_set` computes meanwhile."""

TIMEOUT: Final = "CACHE_TIMEOUT"
"""TIMEOUT: the store did not answer in time.

Try again, or allow it more time."""

READ_FAILED: Final = "CACHE_READ_FAILED"
"""UNKNOWN or NETWORK or AUTHENTICATION or PERMISSION or UNAVAILABLE: the store refused to read, or
broke off.

Look at the cause."""

WRITE_FAILED: Final = "CACHE_WRITE_FAILED"
"""UNKNOWN or NETWORK or AUTHENTICATION or PERMISSION or EXHAUSTED or UNAVAILABLE: the store refused
to write, or broke off.

Look at the cause; a full store needs room or shorter ttls."""

UNSUPPORTED: Final = "CACHE_UNSUPPORTED"
"""UNSUPPORTED: this store, or the codec with it, cannot do the operation.

Use another driver or codec, or do without."""

REENTRANT: Final = "CACHE_REENTRANT"
"""CONFLICT: a factory asks, by itself or through others, for the key that it computes.

Let it compute the value without asking the cache for the same key."""

SETTINGS_INVALID: Final = "CACHE_SETTINGS_INVALID"
"""CONFIGURATION: settings of a cache are wrong; `errors` has one for each.

Each names the setting and what it may be, or the nearest name."""

NOT_A_NUMBER: Final = "CACHE_NOT_A_NUMBER"
"""CONFLICT: `increment` on an entry that is no whole number, or beyond 64 bits.

Use another key, or remove this one first."""

INVALID_TTL: Final = "INVALID_TTL"
"""VALIDATION: a ttl is no number of seconds above 0.

None keeps the cache's default; remove the key to end it now."""

INVALID_KEY: Final = "INVALID_KEY"
"""VALIDATION: a key is not 1 to 1,024 printable characters.

Hash what is longer."""

INVALID_TAG: Final = "INVALID_TAG"
"""VALIDATION: an entry's tags are not up to 32 texts of 1 to 256 printable characters.

Write them as a list of short names."""

CODEC_ERROR: Final = "CODEC_ERROR"
"""VALIDATION: a value would not come back as it is or is not of the cache's type, or what is kept
cannot be read.

Convert the value or choose another codec; remove what cannot be read."""

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
