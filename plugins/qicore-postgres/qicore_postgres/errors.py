"""What PostgreSQL says no with, as QiErrors: by SQLSTATE, never by text.

PostgreSQL quotes values in its texts, and asyncpg parameters. So the text goes no further than this
room: a cause is the exception's type with the SQLSTATE. The name of a constraint is a field of its
own, and is told; the name of a table that is missing is read from the text, where it is a word.

Source: PostgreSQL, "PostgreSQL Error Codes"; ISO/IEC 9075, SQLSTATE classes.
"""

from __future__ import annotations

import re
from typing import Final

import asyncpg  # type: ignore[import-untyped]  # it has no types

from qicore_core import ErrorCategory, ErrorMap, QiError
from qicore_core.error.qi_error import make_error
from qicore_sql.errors import (
    CLOSED,
    CONNECTION_FAILED,
    CONSTRAINT,
    LOCKED,
    QUERY_FAILED,
    SERIALIZATION,
    SYNTAX,
    TIMEOUT,
    UNSUPPORTED,
)

__all__ = ["ERRORS", "exhausted", "undone", "unopened"]

_SOURCE: Final = "sql"  # the word of the domain
_MISSING: Final = re.compile(r'relation "([A-Za-z_]\w{0,62})" does not exist\Z', re.ASCII)
_SCHEMA: Final = "look at the statement beside the schema of the database"
_REPEAT: Final = "run it by db.transaction(fn), which repeats it"

# By SQLSTATE: kind, category.
_CONSTRAINTS: Final = {
    "23505": ("unique", ErrorCategory.CONFLICT),
    "23503": ("foreign_key", ErrorCategory.CONFLICT),
    "23001": ("foreign_key", ErrorCategory.CONFLICT),
    "23502": ("not_null", ErrorCategory.VALIDATION),
    "23514": ("check", ErrorCategory.VALIDATION),
    "44000": ("check", ErrorCategory.VALIDATION),
    "23P01": ("exclusion", ErrorCategory.CONFLICT),
    "P0001": ("trigger", ErrorCategory.VALIDATION),
}
_AWAY: Final = (
    CONNECTION_FAILED,
    ErrorCategory.UNAVAILABLE,
    "the server is shutting down, or starting",
    "try again; a standby may have taken over",
)
_LOST: Final = (
    CONNECTION_FAILED,
    ErrorCategory.NETWORK,
    "the connection to the server was lost",
    "try again; what was under way may have been done",
)
# By SQLSTATE, else by its class: code, category, message, hint.
_STATES: Final[dict[str, tuple[str, ErrorCategory, str, str]]] = {
    "40001": (
        SERIALIZATION,
        ErrorCategory.CONTENTION,
        "another transaction changed what this one has read",
        _REPEAT,
    ),
    "40P01": (
        SERIALIZATION,
        ErrorCategory.CONTENTION,
        "two transactions waited for each other",
        f"{_REPEAT}; or take the locks in one order",
    ),
    "55P03": (
        LOCKED,
        ErrorCategory.CONTENTION,
        "another transaction holds the lock",
        "try again, or allow a longer lock_timeout",
    ),
    "57014": (
        TIMEOUT,
        ErrorCategory.TIMEOUT,
        "the server stopped the statement",
        "allow a longer statement_timeout, or find out what took the time",
    ),
    "25P03": (
        TIMEOUT,
        ErrorCategory.TIMEOUT,
        "the transaction waited too long for its next statement",
        "await nothing else in a transaction",
    ),
    "25P02": (
        QUERY_FAILED,
        ErrorCategory.CONFLICT,
        "an earlier statement of the transaction failed",
        "nest what may fail: async with tx.transaction()",
    ),
    "25006": (
        QUERY_FAILED,
        ErrorCategory.PERMISSION,
        "the database cannot be written to here",
        "name a server that can be written to: target_session_attrs=read-write in the URL",
    ),
    "57P01": _AWAY,
    "57P02": _AWAY,
    "57P03": _AWAY,
    "57P05": _LOST,
    "08": _LOST,
    "3D000": (
        CONNECTION_FAILED,
        ErrorCategory.CONFIGURATION,
        "there is no such database",
        "create it, or look at the URL",
    ),
    "28": (
        CONNECTION_FAILED,
        ErrorCategory.AUTHENTICATION,
        "the server does not let this user in",
        "look at user and password, and at the server's pg_hba.conf",
    ),
    "53300": (
        CONNECTION_FAILED,
        ErrorCategory.EXHAUSTED,
        "the server has as many connections as it takes",
        "lower max_connections of the programs, or put pgbouncer between",
    ),
    "53": (
        QUERY_FAILED,
        ErrorCategory.EXHAUSTED,
        "the server is out of disk or memory",
        "make room",
    ),
    "54": (
        QUERY_FAILED,
        ErrorCategory.VALIDATION,
        "the statement or a value is too large for the server",
        "do it in parts",
    ),
    "34": (
        CLOSED,
        ErrorCategory.UNAVAILABLE,
        "the rows are gone, as their transaction has ended",
        "read them within it",
    ),
    "42501": (
        QUERY_FAILED,
        ErrorCategory.PERMISSION,
        "the user may not do this",
        "grant it, or connect as another user",
    ),
    "42P01": (SYNTAX, ErrorCategory.INTERNAL, "the database has no table of that name", _SCHEMA),
    "42703": (SYNTAX, ErrorCategory.INTERNAL, "there is no column of that name", _SCHEMA),
    "42883": (
        SYNTAX,
        ErrorCategory.INTERNAL,
        "there is no function or operator of that name for these types",
        "look at the names, or cast: $1::bigint",
    ),
    "42P07": (
        SYNTAX,
        ErrorCategory.INTERNAL,
        "the database has a table of that name already",
        "write `create table if not exists`, or drop it first",
    ),
    "42": (
        SYNTAX,
        ErrorCategory.INTERNAL,
        "PostgreSQL cannot read the statement, or a name in it is not there or is there already",
        _SCHEMA,
    ),
    "0A": (
        UNSUPPORTED,
        ErrorCategory.UNSUPPORTED,
        "the database cannot do this",
        "look into its documentation for what does it instead",
    ),
    "25": (
        UNSUPPORTED,
        ErrorCategory.UNSUPPORTED,
        "the statement does not go with the state of the transaction",
        "run it outside of a transaction, or as its first statement",
    ),
    "22": (
        QUERY_FAILED,
        ErrorCategory.VALIDATION,
        "the statement could not be done with these values",
        "look at types and sizes of what it is given",
    ),
    "21": (
        QUERY_FAILED,
        ErrorCategory.VALIDATION,
        "a subquery gave more rows than one, or a row would change twice",
        "look at what it selects",
    ),
}
# What is not there, or is there already, by SQLSTATE: its name is in the text alone.
_KINDS: Final = {
    "42P01": "table", "42P07": "table", "42703": "column", "42701": "column", "42883": "function",
    "42723": "function", "42704": "other", "42710": "other",
}  # fmt: skip
_OTHER: Final = (
    QUERY_FAILED,
    ErrorCategory.INTERNAL,
    "PostgreSQL refused the statement",
    "look up the SQLSTATE in the context, and look at the server's log",
)


def _by_state(exception: asyncpg.PostgresError) -> QiError:
    state = str(getattr(exception, "sqlstate", None) or "XX000")
    cause = type(exception)(f"SQLSTATE {state}")
    if state[:2] == "23" or state in _CONSTRAINTS:
        return _constraint(state, exception, cause)
    code, category, message, hint = _STATES.get(state) or _STATES.get(state[:2]) or _OTHER
    context = {"sqlstate": state} | ({"kind": _KINDS[state]} if state in _KINDS else {})
    if state == "42P01" and (named := _MISSING.match(str(exception))):
        message, context["name"] = f"the database has no table {named[1]}", named[1]
    return make_error(
        code, message, category, _SOURCE, context, cause=cause, hint=hint,
        retryable=False if code == CLOSED else None,
    )  # fmt: skip


def _constraint(state: str, exception: asyncpg.PostgresError, cause: Exception) -> QiError:
    kind, category = _CONSTRAINTS.get(state, ("other", ErrorCategory.CONFLICT))
    named = getattr(exception, "constraint_name", None) or getattr(exception, "column_name", None)
    which = None if kind == "trigger" else named
    return make_error(
        CONSTRAINT,
        f"a rule of the schema forbids it: {kind}" + (f" ({which})" if which else ""),
        category,
        _SOURCE,
        {"kind": kind, "name": which, "sqlstate": state},
        cause=cause,
        hint="change the values, or the schema",
    )


def _stale(exception: Exception) -> QiError:
    return QiError.contention(
        SERIALIZATION,
        "the schema changed meanwhile",
        cause=type(exception)("the schema changed"),
        hint="try again",
        source=_SOURCE,
    )


def _unbound() -> QiError:
    why = "it is not of the type that the statement has in its place"
    return QiError.validation(
        QUERY_FAILED,
        f"a parameter cannot be sent: {why}",
        cause=ValueError(why),
        hint="pass that type, or cast in the statement: $1::text; a value inside of json is a text",
        source=_SOURCE,
    )


def _by_client(exception: asyncpg.InterfaceError) -> QiError | None:
    """Take what asyncpg says of a parameter; the rest says that it is used wrongly, by us."""
    return _unbound() if isinstance(exception, ValueError) else None


def _lost(exception: Exception) -> QiError:
    code, category, message, hint = _LOST
    return make_error(
        code, message, category, _SOURCE, cause=type(exception)("lost"), hint=hint
    )  # fmt: skip


ERRORS: Final = ErrorMap(
    _SOURCE,
    {
        asyncpg.PostgresError: _by_state,
        asyncpg.InvalidCachedStatementError: _stale,
        asyncpg.OutdatedSchemaCacheError: _stale,
        asyncpg.InterfaceError: _by_client,
        asyncpg.InternalClientError: _lost,
        OSError: _lost,
    },
)
"""By SQLSTATE; what asyncpg says itself has rows of its own."""


def undone() -> QiError:
    """Make the error of a COMMIT that the server took for a ROLLBACK."""
    return QiError.conflict(
        QUERY_FAILED,
        "the server has rolled the transaction back, as a statement of it failed",
        hint="nest what may fail: async with tx.transaction()",
        source=_SOURCE,
    )


def exhausted(most: int, seconds: float) -> QiError:
    """Make the error of waiting in vain for a connection."""
    return QiError.exhausted(
        CONNECTION_FAILED,
        f"all {most} connections were in use for {seconds:g} seconds",
        hint="raise max_connections, or look for a transaction or a stream that is never left",
        source=_SOURCE,
    )


def unopened(exception: Exception, where: str) -> QiError:
    """Make the error of a server that cannot be reached, or does not let us in."""
    is_said = isinstance(exception, ValueError)
    error = None if is_said or isinstance(exception, OSError) else ERRORS.translate(exception)
    if error is None:
        is_late = isinstance(exception, TimeoutError)
        why = "it did not answer in time" if is_late else "it cannot be reached"
        error = make_error(
            CONNECTION_FAILED,
            "the URL says what cannot be" if is_said else why,
            ErrorCategory.CONFIGURATION if is_said else ErrorCategory.NETWORK,
            _SOURCE,
            cause=type(exception)("while connecting"),
            hint="look at host and port in the URL, and whether the server runs",
        )
    return make_error(
        CONNECTION_FAILED,
        f"{where}: {error.message}",
        error.category,
        _SOURCE,
        error.context,
        cause=error.cause,
        hint=error.hint,
    )
