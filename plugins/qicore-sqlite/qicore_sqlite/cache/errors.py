"""What SQLite says no with, in the words of a cache.

Whether a caller computes in place of a cache that fails depends on the category: what is wrong with
the file is UNAVAILABLE here, and never the fault of whoever asked.
"""

from __future__ import annotations

from typing import Final

from qicore_cache.errors import CONNECTION_FAILED, NOT_CONNECTED, TIMEOUT
from qicore_core import ErrorCategory, QiError
from qicore_core.error.qi_error import again
from qicore_sql import errors as sql

__all__ = ["foreign", "told", "unopened"]

_SOURCE: Final = "cache"
_CODES: Final = {
    sql.LOCKED: (TIMEOUT, ErrorCategory.TIMEOUT),
    sql.SERIALIZATION: (TIMEOUT, ErrorCategory.TIMEOUT),
    sql.CLOSED: (NOT_CONNECTED, ErrorCategory.UNAVAILABLE),
    sql.CONNECTION_FAILED: (CONNECTION_FAILED, ErrorCategory.UNAVAILABLE),
}
_KEPT: Final = (ErrorCategory.EXHAUSTED, ErrorCategory.PERMISSION)  # as they are, for writes
_FILLS_AGAIN: Final = "remove the file if it holds nothing else: a cache fills again"
_TEXTS: Final = {
    "SQLITE_CORRUPT": ("the database is damaged", _FILLS_AGAIN),
    "SQLITE_NOTADB": ("the file is no SQLite database", _FILLS_AGAIN),
    "SQLITE_ERROR": (
        "the tables of the cache are not what they were",
        "open the cache again: it makes those that are missing",
    ),
}


def told(error: QiError, code: str, /) -> QiError:
    """Give an error of SQLite as one of a cache.

    Args:
        error: as the database has it; one of a cache stays what it is.
        code: what it is where nothing more is known: CACHE_READ_FAILED or CACHE_WRITE_FAILED.
    """
    if error.source == _SOURCE:
        return error
    plain = code, error.category if error.category in _KEPT else ErrorCategory.UNAVAILABLE
    known, category = _CODES.get(error.code, plain)
    name = "_".join(str(error.context.get("sqlite_error")).split("_")[:2])
    message, hint = _TEXTS.get(name, (error.message, error.hint))
    return again(
        error,
        code=known,
        category=category,
        source=_SOURCE,
        message=message,
        hint=hint,
        retryable=None if error.retryable else False,
    )


def unopened(error: QiError, /) -> QiError:
    """Give the error of a database that cannot be opened as one of a cache."""
    if error.source == _SOURCE:
        return error
    return again(error, code=CONNECTION_FAILED, source=_SOURCE)


def foreign(name: str, /) -> QiError:
    """Say that somebody else has a table of this name."""
    return QiError.configuration(
        CONNECTION_FAILED,
        f"the database has a table {name} that is none of a cache's, or of another version's",
        hint="name another file",
        source=_SOURCE,
    )
