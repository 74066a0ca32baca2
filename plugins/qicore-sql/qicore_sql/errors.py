"""What can go wrong with a database: the codes that every driver shares.

Below each stands its meaning: the category (several with "or" between), what happened, and what to
do; `qicore explain` and the reference page read them from this file.
"""

from __future__ import annotations

from typing import Final

from qicore_core import QiError

__all__ = [
    "BACKUP_FAILED",
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
"""CONFIGURATION or NETWORK or AUTHENTICATION or PERMISSION or EXHAUSTED or INTERNAL or any other:
the database cannot be opened or reached.

The message says why: look at the URL, at the rights, and whether the server runs."""

QUERY_FAILED: Final = "DB_QUERY_FAILED"
"""VALIDATION or BAD_DATA or CONFLICT or PERMISSION or EXHAUSTED or INTERNAL or CANCELLED: a
statement that can be read could not be done, or not to its end.

The message says what did not fit: parameters, columns, or what the database says no to."""

SYNTAX: Final = "DB_SYNTAX"
"""INTERNAL or VALIDATION: the statement cannot be read, or a name in it is not there or is there
already.

Look at the statement beside the schema; the message has the name where it is known."""

CONSTRAINT: Final = "DB_CONSTRAINT"
"""CONFLICT or VALIDATION: a rule of the schema forbids it.

Change the values; `kind` and `name` in the context say which rule."""

SERIALIZATION: Final = "DB_SERIALIZATION"
"""CONTENTION: another writer changed what was read; nothing was done.

Run it by `db.transaction(fn)`, which repeats it."""

LOCKED: Final = "DB_LOCKED"
"""CONTENTION: others hold the lock; nothing was done.

Try again, or allow a longer wait for locks."""

TIMEOUT: Final = "DB_TIMEOUT"
"""TIMEOUT: a statement or a transaction was not done in time, and was stopped.

Allow it more time, or ask for less; a transaction must not wait for anything else."""

CLOSED: Final = "DB_CLOSED"
"""UNAVAILABLE: the database was closed, or the transaction has ended, and is used all the same.

Open it again, and use it inside the `async with`."""

NOT_FOUND: Final = "DB_NOT_FOUND"
"""NOT_FOUND: `query_one` or `query_value` found no row.

Where that is no failure, ask `query` for the rows there are."""

TRANSACTION_DOOMED: Final = "DB_TRANSACTION_DOOMED"
"""CONFLICT: a call in the transaction failed, which is the cause, and all of it was rolled back.

Mend the cause; what may fail is nested in `async with tx.transaction()`."""

MIGRATION_FAILED: Final = "DB_MIGRATION_FAILED"
"""CONFLICT or VALIDATION or CONFIGURATION or any other: a migration failed, or the folder of
migrations does not fit what was done; nothing was done.

The message names the file and says what to do; where a statement failed it is the cause, and
`line` in the context says where it begins."""

BACKUP_FAILED: Final = "DB_BACKUP_FAILED"
"""CONFLICT or CONFIGURATION or any other: the database could not be copied into that file; what was
there is there.

The message says why: a file that is there already, a folder that is not, a full disk."""

RESULT_TOO_LARGE: Final = "DB_RESULT_TOO_LARGE"
"""EXHAUSTED: `query` would give more rows than `max_rows`.

Limit it, or read it by `query_stream`."""

SETTINGS_INVALID: Final = "DB_SETTINGS_INVALID"
"""CONFIGURATION: a setting of a database or its URL is wrong.

The message names it, and says what it may be."""

UNSUPPORTED: Final = "DB_UNSUPPORTED"
"""UNSUPPORTED: this database, or QiCore so far, cannot do the operation.

The hint says what does it instead."""

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
        f"the result has more rows than {max_rows}",
        hint="limit it, or read it by query_stream()",
        source="sql",
        retryable=False,
        max_rows=max_rows,
    )
