"""The door: `open_database(url)` finds the driver of the URL's scheme and puts the client on it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Final

from qicore_core import Failure, Kind, Opening, Parts, Policy, Result, success
from qicore_core.config.settings import read_settings
from qicore_core.plugins import choose, open_port

from .client import Database
from .driver import SqlDriver
from .errors import SETTINGS_INVALID
from .settings import DatabaseSettings

__all__ = ["SQL", "open_database"]


def open_database(
    url: str | None = None,
    /,
    *,
    policy: Policy | None = None,
    max_rows: int = 100_000,
    parts: Parts | None = None,
    **settings: object,
) -> Opening[Database]:
    """Open a database by its URL, for `async with` or `await`.

    Args:
        url: which one, by scheme: "sqlite:///app.db". None is the only driver installed.
        policy: how calls are made; None is the plain call, and five attempts for
            `transaction(fn)`.
        max_rows: how many rows `query` gives at most.
        parts: the clock, random and logger that the database and its driver use.
        settings: the driver's own, as its README lists them.

    Errors:
        DB_SETTINGS_INVALID: settings or the URL are wrong; the message names each.
        DB_CONNECTION_FAILED: the database cannot be opened or reached.
        PLUGIN_NOT_FOUND, PLUGIN_UNDECIDED, ...: there is no such driver, or there are several and
        no URL.
    """
    own = {"policy": policy, "max_rows": max_rows}
    return _opening(url, {**settings, **own}, parts or Parts())


def _opening(url: str | None, settings: Mapping[str, object], parts: Parts, /) -> Opening[Database]:
    """Take our settings out of all that are said; the rest is the driver's."""

    async def start() -> Result[Database]:
        known = {field.name for field in fields(DatabaseSettings)}
        ours = {name: value for name, value in settings.items() if name in known}
        rest = {name: value for name, value in settings.items() if name not in known}
        own = read_settings(DatabaseSettings, ours, "sql", kind="sql", code=SETTINGS_INVALID)
        if isinstance(own, Failure):
            return own
        named = choose(SQL.name, parts.plugins) if url is None else success(str(url))
        if isinstance(named, Failure):
            return named
        scheme = named.value.partition(":")[0]
        where = f"{scheme}:" if url is None else named.value
        driver = await open_port(SQL, scheme, where, rest, parts)
        return driver.map(lambda opened: Database(opened, own.value, parts))

    return Opening(start)


SQL: Final[Kind[SqlDriver, Database]] = Kind("sql", _opening)
"""The kind that database drivers register under: `registry.add(SQL, "sqlite", open_driver)`."""
