"""Where a PostgreSQL is, how it is reached, and the one place that checks it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal, final
from urllib.parse import parse_qsl, urlencode, urlsplit

from qicore_core import QiError, Result, Secret, failure
from qicore_core.config.settings import read_settings
from qicore_sql.errors import SETTINGS_INVALID
from qicore_sql.settings import DatabaseSettings

__all__ = ["SCHEMES", "PostgresSettings"]

SCHEMES: Final = ("postgresql", "postgres", "cockroachdb")
_LIBPQ: Final = frozenset((
    "application_name", "database", "dbname", "gsslib", "host", "krbsrvname", "options", "passfile",
    "password", "port", "service", "servicefile", "sslcert", "sslcrl", "sslkey", "sslmode",
    "sslnegotiation", "sslpassword", "sslrootcert", "ssl_max_protocol_version",
    "ssl_min_protocol_version", "target_session_attrs", "user",
))  # fmt: skip
"""What a URL of PostgreSQL may say in its query. Source: PostgreSQL, "Parameter Key Words"."""
_MOST: Final = 10_000
_DAY: Final = 86_400.0  # seconds


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class PostgresSettings:
    """Where the server is, and how it is asked.

    Attributes:
        dsn: the URL as asyncpg reads it: user, hosts, database, and libpq's own words such as
            `sslmode` in its query. It is a secret, as it has the password.
        min_connections: how many connections are kept open.
        max_connections: how many there are at most.
        connect_timeout: seconds that connecting may take.
        pool_timeout: seconds to wait for a connection while all of them are in use.
        statement_cache: how many prepared statements each connection keeps; 0 prepares none that
            outlives its call, as a pgbouncer that gives each call another connection needs.
        isolation: of transactions. "serializable" is as if there were one at a time, and what is in
            each other's way is a DB_SERIALIZATION, which `transaction(fn)` repeats.
        client_object: a pool of asyncpg that is open already. Its owner closes it, and its own
            settings of connections hold.
    """

    dsn: Secret[str]
    min_connections: int = 1
    max_connections: int = 10
    connect_timeout: float = 10.0
    pool_timeout: float = 30.0
    statement_cache: int = 100
    isolation: Literal["serializable", "repeatable read", "read committed"] = "serializable"
    client_object: object | None = None

    def __post_init__(self) -> None:
        if not 1 <= self.max_connections <= _MOST:
            raise ValueError(f"max_connections is from 1 to {_MOST}, got {self.max_connections}")
        if not 0 <= self.min_connections <= self.max_connections:
            raise ValueError(
                f"min_connections is from 0 to max_connections, which is {self.max_connections}, "
                f"got {self.min_connections}"
            )
        if not 0 <= self.statement_cache <= _MOST:
            raise ValueError(f"statement_cache is from 0 to {_MOST}, got {self.statement_cache}")
        for name in ("connect_timeout", "pool_timeout"):
            if not 0.0 < getattr(self, name) <= _DAY:
                raise ValueError(f"{name} is seconds, up to a day, got {getattr(self, name)}")
        if self.client_object is not None and not _is_pool(self.client_object):
            kind = type(self.client_object)
            given = f"{kind.__module__}.{kind.__qualname__}"
            raise ValueError(f"client_object is a pool of asyncpg, got {given}")

    @property
    def where(self) -> str:
        """The server, for messages: without user and password."""
        parts = urlsplit(self.dsn.reveal())
        said = dict(parse_qsl(parts.query))
        return parts.netloc.rpartition("@")[2] or said.get("host", "localhost")

    @classmethod
    def read(cls, url: str, given: Mapping[str, object], /) -> Result[PostgresSettings]:
        """Read them from a URL and from settings; settings win.

        >>> PostgresSettings.read("postgres://h/db?max_connections=4", {}).unwrap().max_connections
        4

        Errors:
            DB_SETTINGS_INVALID: the URL cannot be read, or settings are wrong.
        """
        try:
            parts = urlsplit(url)
            query = dict(parse_qsl(parts.query, keep_blank_values=True))
            is_readable = "," in parts.netloc or parts.port is None or parts.port > 0
        except ValueError:
            return failure(_unreadable())
        if not is_readable or "\0" in url or "dsn" in given or "dsn" in query:
            return failure(_unreadable())
        kept = {name: value for name, value in query.items() if name in _LIBPQ}
        rest = {name: value for name, value in query.items() if name not in _LIBPQ}
        # By hand: urlunsplit drops the "//" of a URL that names no host.
        dsn = f"postgresql://{parts.netloc}{parts.path}" + (f"?{urlencode(kept)}" if kept else "")
        said = {**rest, **given, "dsn": Secret(dsn)}
        return read_settings(
            cls, said, "postgresql:", kind="sql", code=SETTINGS_INVALID, also=[DatabaseSettings]
        )


def _is_pool(given: object) -> bool:
    """Tell a pool of asyncpg without importing it."""
    of = [f"{kind.__module__}.{kind.__qualname__}" for kind in type(given).__mro__]
    return "asyncpg.pool.Pool" in of


def _unreadable() -> QiError:
    return QiError.configuration(
        SETTINGS_INVALID,
        "the URL of a PostgreSQL cannot be read",
        hint="write it as postgresql://user:password@host:5432/database; percent-encode what is "
        "special in a user or a password",
        source="sql",
    )
