"""The door: `open_database(url)` finds the driver of the URL's scheme and puts the client on it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any, Final

from qicore_core import Failure, Kind, Opening, Policy, Result, success
from qicore_core.kinds import Parts
from qicore_core.plugins import choose, open_port

from .client import Database
from .driver import SqlDriver
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
        DB_SETTINGS_INVALID: a setting or the URL is wrong.
        DB_CONNECTION_FAILED: the database cannot be opened or reached.
        PLUGIN_NOT_FOUND, PLUGIN_UNDECIDED, ...: there is no such driver, or there are several and
        no URL.
    """
    own = DatabaseSettings(policy=policy, max_rows=max_rows)
    return _opening(url, own, settings, parts or Parts())


def _opening(
    url: str | None, own: DatabaseSettings, settings: Mapping[str, object], parts: Parts
) -> Opening[Database]:
    async def start() -> Result[Database]:
        checked = own.check()
        if isinstance(checked, Failure):
            return checked
        scheme = choose(SQL.name, parts.plugins) if url is None else success(url.partition(":")[0])
        if isinstance(scheme, Failure):
            return scheme
        where = f"{scheme.value}:" if url is None else url
        driver = await open_port(SQL, scheme.value, where, settings, parts)
        return driver.map(lambda opened: Database(opened, own, parts))

    return Opening(start)


def _from_section(
    url: str | None, settings: Mapping[str, object], parts: Parts
) -> Opening[Database]:
    """Open what a section says: our settings are taken out, the rest is the driver's."""
    known = {field.name for field in fields(DatabaseSettings)}
    own: dict[str, Any] = {name: value for name, value in settings.items() if name in known}
    rest = {name: value for name, value in settings.items() if name not in known}
    return _opening(url, DatabaseSettings(**own), rest, parts)


SQL: Final[Kind[SqlDriver, Database]] = Kind("sql", _from_section)
"""The kind that database drivers register under: `registry.add(SQL, "sqlite", open_driver)`."""
