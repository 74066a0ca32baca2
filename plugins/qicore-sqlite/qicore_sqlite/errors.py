"""What SQLite says no with, as QiErrors: by result code, never by text.

SQLite quotes statements in its texts, and Python parameters. So the text goes no further than this
room: a cause is the exception's type with the name of its result code. Names alone are read from a
text, as they stand nowhere else and only where they look like one: a constraint's, and that of a
table or a column that is missing, of a statement that does not compile, so of no parameter.

Source: SQLite, "Result and Error Codes".
"""

from __future__ import annotations

import re
import sqlite3
from typing import Final

from qicore_core import ErrorCategory, ErrorMap, QiError
from qicore_core.error.qi_error import make_error
from qicore_sql import Statement
from qicore_sql.errors import (
    CLOSED,
    CONNECTION_FAILED,
    CONSTRAINT,
    LOCKED,
    QUERY_FAILED,
    SERIALIZATION,
    SYNTAX,
    UNSUPPORTED,
)

__all__ = ["ERRORS", "closed", "gone", "refused", "unbound", "unopened", "unread"]

_SOURCE: Final = "sql"  # the word of the domain
_NAME: Final = re.compile(r"constraint failed: (?:index '(\w+)'|(\w[\w.]*(?:, \w[\w.]*)*))\Z")
_WORD: Final = r"[A-Za-z_]\w{0,63}"
# What can stand where a value does, a bare column, is not named: it may be a value without quotes.
_MISSING: Final = re.compile(
    r"(?:no such (table|function|index|view|trigger|module): "
    rf"|table {_WORD} has no (column) named )({_WORD}(?:\.{_WORD}){{0,2}})\Z",
    re.ASCII,
)
_THERE: Final = re.compile(rf"(table|index|view|trigger) ({_WORD}) already exists\Z", re.ASCII)
_OF_ONE: Final = frozenset(("attach", "detach"))
_CHECK_SCHEMA: Final = "look at the statement beside the schema of the database"

# By extended code: kind, category.
_CONSTRAINTS: Final = {
    sqlite3.SQLITE_CONSTRAINT_UNIQUE: ("unique", ErrorCategory.CONFLICT),
    sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY: ("primary_key", ErrorCategory.CONFLICT),
    sqlite3.SQLITE_CONSTRAINT_ROWID: ("primary_key", ErrorCategory.CONFLICT),
    sqlite3.SQLITE_CONSTRAINT_FOREIGNKEY: ("foreign_key", ErrorCategory.CONFLICT),
    sqlite3.SQLITE_CONSTRAINT_NOTNULL: ("not_null", ErrorCategory.VALIDATION),
    sqlite3.SQLITE_CONSTRAINT_CHECK: ("check", ErrorCategory.VALIDATION),
    sqlite3.SQLITE_CONSTRAINT_TRIGGER: ("trigger", ErrorCategory.VALIDATION),
    sqlite3.SQLITE_CONSTRAINT | 12 << 8: ("type", ErrorCategory.VALIDATION),  # DATATYPE: no name
    sqlite3.SQLITE_MISMATCH: ("type", ErrorCategory.VALIDATION),
}
# By extended code, else by primary code: code, category, message, hint.
_CODES: Final[dict[int, tuple[str, ErrorCategory, str, str]]] = {
    sqlite3.SQLITE_BUSY_SNAPSHOT: (
        SERIALIZATION,
        ErrorCategory.CONTENTION,
        "another writer changed what this transaction has read",
        "run it by db.transaction(fn), which repeats it",
    ),
    sqlite3.SQLITE_BUSY: (
        LOCKED,
        ErrorCategory.CONTENTION,
        "another process holds the lock of the database",
        "try again, or allow a longer busy_timeout",
    ),
    sqlite3.SQLITE_LOCKED: (
        LOCKED,
        ErrorCategory.CONTENTION,
        "a table is locked",
        "close streams that read it first",
    ),
    sqlite3.SQLITE_PROTOCOL: (
        LOCKED,
        ErrorCategory.CONTENTION,
        "the lock of the database could not be had",
        "try again",
    ),
    sqlite3.SQLITE_SCHEMA: (
        SERIALIZATION,
        ErrorCategory.CONTENTION,
        "the schema changed meanwhile",
        "try again",
    ),
    sqlite3.SQLITE_ERROR: (
        QUERY_FAILED,
        ErrorCategory.VALIDATION,
        "the statement could not be done with these values",
        "look at what the functions and searches in it are given",
    ),
    sqlite3.SQLITE_TOOBIG: (
        QUERY_FAILED,
        ErrorCategory.VALIDATION,
        "a text or blob is too large for SQLite",
        "keep it in pieces, or in a file",
    ),
    sqlite3.SQLITE_INTERRUPT: (
        CLOSED,
        ErrorCategory.UNAVAILABLE,
        "the database was closed while the statement ran",
        "open it again",
    ),
    sqlite3.SQLITE_FULL: (
        QUERY_FAILED,
        ErrorCategory.EXHAUSTED,
        "the disk is full, or the database is at its largest size",
        "make room",
    ),
    sqlite3.SQLITE_NOMEM: (
        QUERY_FAILED,
        ErrorCategory.EXHAUSTED,
        "SQLite is out of memory",
        "read less at once",
    ),
    sqlite3.SQLITE_READONLY: (
        QUERY_FAILED,
        ErrorCategory.PERMISSION,
        "the database cannot be written to",
        "look at the rights of the file and of its folder",
    ),
    sqlite3.SQLITE_PERM: (
        QUERY_FAILED,
        ErrorCategory.PERMISSION,
        "the file of the database may not be used",
        "look at its rights",
    ),
    sqlite3.SQLITE_AUTH: (
        QUERY_FAILED,
        ErrorCategory.PERMISSION,
        "SQLite does not permit the statement",
        "leave it out",
    ),
    sqlite3.SQLITE_CANTOPEN: (
        CONNECTION_FAILED,
        ErrorCategory.CONFIGURATION,
        "the file of the database cannot be opened",
        "look whether its folder exists, and at the rights of both",
    ),
    sqlite3.SQLITE_NOTADB: (
        QUERY_FAILED,
        ErrorCategory.INTERNAL,
        "the file is no SQLite database",
        "look at the path in the URL",
    ),
    sqlite3.SQLITE_CORRUPT: (
        QUERY_FAILED,
        ErrorCategory.INTERNAL,
        "the database is damaged",
        "restore a backup; `pragma integrity_check` says more",
    ),
    sqlite3.SQLITE_IOERR: (
        QUERY_FAILED,
        ErrorCategory.INTERNAL,
        "the disk did not read or write",
        "look at the disk and at the system's log",
    ),
}
_OTHER: Final = (
    QUERY_FAILED,
    ErrorCategory.INTERNAL,
    "SQLite refused the statement",
    _CHECK_SCHEMA,
)


def _by_code(exception: sqlite3.Error) -> QiError:
    code: int | None = getattr(exception, "sqlite_errorcode", None)
    if code is None:
        return _by_python(exception)
    name = _name_of(code, exception)
    primary = code & 0xFF
    if primary in (sqlite3.SQLITE_CONSTRAINT, sqlite3.SQLITE_MISMATCH):
        return _constraint(code, name, exception)
    what, category, message, hint = _CODES.get(code) or _CODES.get(primary) or _OTHER
    return make_error(
        what,
        message,
        category,
        _SOURCE,
        {"sqlite_error": name},
        cause=type(exception)(name),
        hint=hint,
        retryable=False if category is ErrorCategory.UNAVAILABLE else None,
    )


def _by_python(exception: sqlite3.Error) -> QiError:
    """Say what Python's own module says without a result code of SQLite."""
    name = type(exception).__name__
    cause = type(exception)("said by Python, not by SQLite")
    if isinstance(exception, sqlite3.ProgrammingError):
        return QiError.internal(
            SYNTAX,
            "the statement cannot be run: it is one statement, and $1, $2, ... its only parameters",
            cause=cause,
            hint="run several by execute_batch(); write no ?, no :name and no NUL",
            source=_SOURCE,
            sqlite_error=name,
        )
    return QiError.bad_data(
        QUERY_FAILED,
        "a text in the database is not UTF-8",
        cause=cause,
        hint="select it as a blob: cast(a_column as blob)",
        source=_SOURCE,
        sqlite_error=name,
    )


def _constraint(code: int, name: str, exception: sqlite3.Error) -> QiError:
    kind, category = _CONSTRAINTS.get(code, ("other", ErrorCategory.CONFLICT))
    found = None if kind == "trigger" else _NAME.search(str(exception))  # its text is the user's
    which = (found[1] or found[2]) if found else None
    return make_error(
        CONSTRAINT,
        f"a rule of the schema forbids it: {kind}" + (f" ({which})" if which else ""),
        category,
        _SOURCE,
        {"kind": kind, "name": which, "sqlite_error": name},
        cause=type(exception)(name),
        hint="change the values, or the schema",
    )


def _name_of(code: int, exception: sqlite3.Error) -> str:
    name = str(getattr(exception, "sqlite_errorname", ""))
    return name if name.startswith("SQLITE_") else f"SQLITE code {code}"


def _too_large(_: OverflowError) -> QiError:
    return unbound("an int is beyond 64 bits", "keep it as text")


def _no_text(_: UnicodeEncodeError) -> QiError:
    return unbound(
        "it, or the statement, has half a surrogate pair", "decode with errors='replace'"
    )


def _apart(_: BufferError) -> QiError:
    return unbound("the bytes of a memoryview are not in one piece", "pass bytes(view)")


ERRORS: Final = ErrorMap(
    _SOURCE,
    {
        sqlite3.Error: _by_code,
        OverflowError: _too_large,
        UnicodeEncodeError: _no_text,
        BufferError: _apart,
    },
)
"""By result code; what Python's module raises for a parameter is a row of its own."""


def unbound(why: str, hint: str, /, position: int | None = None) -> QiError:
    """Make the error of a parameter that SQLite cannot keep; its value is not in it."""
    which = "a parameter" if position is None else f"the parameter ${position}"
    return QiError.validation(
        QUERY_FAILED,
        f"{which} cannot be kept: {why}",
        cause=ValueError(why),
        hint=hint,
        source=_SOURCE,
    )


def unread(error: QiError, said: str, /) -> QiError:
    """Make the error of a statement that SQLite cannot compile.

    Args:
        error: what was made of it.
        said: SQLite's text as it compiled, with no value bound; a name is read from it.
    """
    message = "SQLite cannot read the statement, or a name in it is not there or is there already"
    hint, named = _CHECK_SCHEMA, {}
    if found := _MISSING.match(said):
        kind, name = found[1] or found[2], found[3]
        message, named = f"the database has no {kind} {name}", {"kind": kind, "name": name}
        hint = "look at how the name is written, and whether this is the right database"
    elif found := _THERE.match(said):
        kind, name = found.groups()
        message, named = f"the database has a {kind} {name} already", {"kind": kind, "name": name}
        hint = f"write `create {kind} if not exists`, or drop it first"
    return QiError.internal(
        SYNTAX, message, cause=error.cause, hint=hint, source=_SOURCE
    ).with_context({**error.context, **named})


def unopened(error: QiError, path: str, /) -> QiError:
    """Make the error of a database that cannot be opened, from what SQLite said to it."""
    return make_error(
        CONNECTION_FAILED,
        f"the database {path!r} cannot be opened: {error.message}",
        error.category,
        _SOURCE,
        error.context,
        cause=error.cause,
        hint=error.hint,
    )


def closed(what: str = "the database was closed", hint: str = "open it again", /) -> QiError:
    """Make the error of what has ended."""
    return QiError.unavailable(CLOSED, what, hint=hint, source=_SOURCE, retryable=False)


def gone() -> QiError:
    """Make the error of a transaction that SQLite itself has rolled back."""
    return QiError.conflict(
        QUERY_FAILED,
        "SQLite has rolled the transaction back",
        hint="look for `on conflict rollback`, raise(rollback, ...), or a call that was stopped",
        source=_SOURCE,
    )


def refused(*statements: Statement) -> QiError | None:
    """Say why one of them is not run here, or None."""
    for statement in statements:
        if statement.keyword in _OF_ONE:
            return QiError.unsupported(
                UNSUPPORTED,
                f"{statement.keyword} would change one connection of several",
                hint="open the other file as a database of its own",
                source=_SOURCE,
            )
    return None
