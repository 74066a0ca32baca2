"""What can go wrong with a database: the codes that every driver shares."""

from __future__ import annotations

from typing import Final

from qicore_core import QiError

__all__ = [
    "CLOSED",
    "CONNECTION_FAILED",
    "CONSTRAINT",
    "LOCKED",
    "MIGRATION_FAILED",
    "NOT_FOUND",
    "QUERY_FAILED",
    "RESULT_TOO_LARGE",
    "SERIALIZATION",
    "SETTINGS_INVALID",
    "SYNTAX",
    "TIMEOUT",
    "TRANSACTION_DOOMED",
    "UNDONE",
    "UNSUPPORTED",
    "closed",
    "misused",
    "not_found",
    "too_large",
]

CONNECTION_FAILED: Final = "DB_CONNECTION_FAILED"
QUERY_FAILED: Final = "DB_QUERY_FAILED"
SYNTAX: Final = "DB_SYNTAX"
CONSTRAINT: Final = "DB_CONSTRAINT"
SERIALIZATION: Final = "DB_SERIALIZATION"
LOCKED: Final = "DB_LOCKED"
TIMEOUT: Final = "DB_TIMEOUT"
CLOSED: Final = "DB_CLOSED"
NOT_FOUND: Final = "DB_NOT_FOUND"
TRANSACTION_DOOMED: Final = "DB_TRANSACTION_DOOMED"
MIGRATION_FAILED: Final = "DB_MIGRATION_FAILED"
RESULT_TOO_LARGE: Final = "DB_RESULT_TOO_LARGE"
SETTINGS_INVALID: Final = "DB_SETTINGS_INVALID"
UNSUPPORTED: Final = "DB_UNSUPPORTED"

UNDONE: Final = frozenset((LOCKED, SERIALIZATION))
"""Codes that say that nothing was done, so that even a write may be done again."""


def closed(what: str, hint: str, /) -> QiError:
    """Make the error of using what has ended."""
    return QiError.unavailable(CLOSED, what, hint=hint, source="sql", retryable=False)


def misused(message: str, hint: str, /) -> QiError:
    """Make the error of a call that cannot be answered as it was asked."""
    return QiError.validation(QUERY_FAILED, message, hint=hint, source="sql")


def not_found() -> QiError:
    """Make the error of asking for a row that is not there."""
    return QiError.not_found(
        NOT_FOUND,
        "there is no such row",
        hint="where that is no failure, ask query() for the rows there are",
        source="sql",
    )


def too_large(max_rows: int, /) -> QiError:
    """Make the error of a result that has more rows than may be held at once."""
    return QiError.exhausted(
        RESULT_TOO_LARGE,
        f"the result has more than {max_rows} rows",
        hint="limit it, or read it by query_stream()",
        source="sql",
        retryable=False,
        max_rows=max_rows,
    )
