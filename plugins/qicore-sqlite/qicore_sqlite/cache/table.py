"""The tables of a cache, and what a thread does in them; what SQLite raises passes through.

Entries stand in the order in which they came, which is that of their ids. What writes is called in
a transaction. Ends are seconds on the clock of the world, which all processes read.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, TypeAlias, final

from qicore_cache import MISSING, Entry, Missing
from qicore_cache.errors import not_a_number
from qicore_cache.settings import COUNTS, number_in

from .bounds import Bounds, is_over, weigh
from .errors import foreign

__all__ = ["Table"]

Found: TypeAlias = tuple[int, int, Any, Any, Any]
"""How many entries there are and what they weigh; id, end and size of one, or three times None."""

# As SQLite keeps the text of each: so it is seen whether a table is ours.
_TABLES: Final = {
    "qicore_cache_entries": (
        "CREATE TABLE qicore_cache_entries (id INTEGER PRIMARY KEY, ns TEXT NOT NULL,"
        " key TEXT NOT NULL, ends REAL, size INTEGER NOT NULL, data BLOB NOT NULL,"
        " UNIQUE (ns, key))"
    ),
    "qicore_cache_sums": (
        "CREATE TABLE qicore_cache_sums (entries INTEGER NOT NULL, bytes INTEGER NOT NULL)"
    ),
    "qicore_cache_locks": (
        "CREATE TABLE qicore_cache_locks (ns TEXT NOT NULL, key TEXT NOT NULL,"
        " token TEXT NOT NULL, ends REAL NOT NULL, PRIMARY KEY (ns, key)) WITHOUT ROWID"
    ),
}
_LOG_PAGES: Final = 4_000  # 16 MB
_HAVE: Final = "select name, sql from sqlite_master where name in (?, ?, ?)"
# A column takes what is of no type of its own, as somebody else may write it: hence the casts.
_READ: Final = (
    "select id, cast(ends as real), cast(data as blob) from qicore_cache_entries"
    " where ns = ? and key = ?"
)
_FIND: Final = (
    "select cast(entries as integer), cast(bytes as integer), id, cast(ends as real),"
    " cast(size as integer) from qicore_cache_sums"
    " left join qicore_cache_entries on ns = ? and key = ?"
)
_FIRST_SUMS: Final = (
    "insert into qicore_cache_sums"
    " select count(*), coalesce(sum(cast(size as integer)), 0) from qicore_cache_entries"
)
_END: Final = "select id, cast(ends as real) from qicore_cache_entries where ns = ? and key = ?"
_ADD: Final = "insert into qicore_cache_entries (ns, key, ends, size, data) values (?, ?, ?, ?, ?)"
_CHANGE: Final = "update qicore_cache_entries set ends = ?, size = ?, data = ? where id = ?"
_MOVE_END: Final = "update qicore_cache_entries set ends = ? where id = ?"
_REMOVE: Final = "delete from qicore_cache_entries where id = ?"
_WEIGH_ALL: Final = (
    "select count(*), coalesce(sum(cast(size as integer)), 0) from qicore_cache_entries"
    " where ns = ?"
)
_KEEP: Final = "update qicore_cache_sums set entries = ?, bytes = ?"
_TAKE: Final = "update qicore_cache_sums set entries = entries - ?, bytes = bytes - ?"
_REMOVE_ALL: Final = "delete from qicore_cache_entries where ns = ?"
_COUNT: Final = (
    "select count(*) from qicore_cache_entries"
    " where ns = ? and (ends is null or cast(ends as real) > ?)"
)
_END_LOCKS: Final = "delete from qicore_cache_locks where ends <= ?"
_LOCK: Final = "insert or ignore into qicore_cache_locks values (?, ?, ?, ?)"
_UNLOCK: Final = (
    "delete from qicore_cache_locks where ns = ? and key = ? and token = ? and ends > ?"
)


@final
class Table:
    """What one cache keeps, for any thread with a connection to its file.

    Args:
        bounds: how much that may be.
        now: tells the time of the world.
    """

    __slots__ = ("_bounds", "_now")

    def __init__(self, bounds: Bounds, now: Callable[[], float]) -> None:
        self._bounds = bounds
        self._now = now

    @staticmethod
    def missing(connection: sqlite3.Connection, /) -> list[str]:
        """Name the tables that are not there; raise what says that one is somebody else's."""
        have = dict(connection.execute(_HAVE, tuple(_TABLES)).fetchall())
        for name, text in have.items():
            if text != _TABLES[name]:
                raise foreign(name)
        return [name for name in _TABLES if name not in have]

    @staticmethod
    def lengthen_log(connection: sqlite3.Connection, /) -> None:
        """Have the writer copy its log into the file less often: what it copies, it copies once."""
        connection.execute(f"pragma wal_autocheckpoint={_LOG_PAGES}")

    def make(self, connection: sqlite3.Connection, /) -> None:
        """Make the tables that are not there; another process may have done so meanwhile."""
        for name in self.missing(connection):
            connection.execute(_TABLES[name])

    def read(
        self, connection: sqlite3.Connection, ns: str, keys: Iterable[str], /
    ) -> dict[str, bytes]:
        """Give what is there of keys."""
        found, now = {}, self._now()
        for key in keys:
            row = connection.execute(_READ, (ns, key)).fetchone()
            if row is not None and not is_over(row[1], now):
                self._bounds.mark(row[0])
                found[key] = row[2]
        return found

    def write(
        self, connection: sqlite3.Connection, ns: str, entries: Mapping[str, Entry], /
    ) -> None:
        """Keep entries; one larger than the whole cache may be is not kept."""
        now = self._now()
        for key, entry in entries.items():
            ends = None if entry.ttl is None else now + entry.ttl
            self._put(connection, _find(connection, ns, key), (ns, key, ends, entry.data), now)

    def delete(self, connection: sqlite3.Connection, ns: str, keys: Iterable[str], /) -> int:
        """Forget keys and give how many were there."""
        now, gone = self._now(), 0
        for key in keys:
            _, _, id, ends, size = _find(connection, ns, key)
            if id is not None:
                gone += not is_over(ends, now)
                connection.execute(_REMOVE, (id,))
                connection.execute(_TAKE, (1, size))
        return gone

    def clear(self, connection: sqlite3.Connection, ns: str, /) -> int:
        """Forget a namespace."""
        connection.execute(_TAKE, connection.execute(_WEIGH_ALL, (ns,)).fetchone())
        connection.execute(_REMOVE_ALL, (ns,))
        return 0

    def count(self, connection: sqlite3.Connection, ns: str, /) -> int:
        """Count what has not expired: each entry of the namespace is looked at."""
        count: int = connection.execute(_COUNT, (ns, self._now())).fetchone()[0]
        return count

    def increment(
        self, connection: sqlite3.Connection, ns: str, key: str, by: int, ttl: float | None, /
    ) -> int:
        """Add to a number; raise what says that there is none."""
        number: int | None = 0
        now, ends = self._now(), None
        found = _find(connection, ns, key)
        if found[2] is not None and not is_over(found[3], now):
            ends, data = connection.execute(_READ, (ns, key)).fetchone()[1:]
            number = number_in(data)
        elif ttl is not None:
            ends = now + ttl
        if number is None or number not in COUNTS or number + by not in COUNTS:
            raise not_a_number(key)
        self._put(connection, found, (ns, key, ends, b"%d" % (number + by)), now)
        return number + by

    def expire(
        self, connection: sqlite3.Connection, ns: str, key: str, ttl: float | None, /
    ) -> int:
        """Set the seconds that an entry has left."""
        row, now = connection.execute(_END, (ns, key)).fetchone(), self._now()
        if row is None or is_over(row[1], now):
            return 0
        connection.execute(_MOVE_END, (None if ttl is None else now + ttl, row[0]))
        return 1

    def ttl_of(
        self, connection: sqlite3.Connection, ns: str, key: str, /
    ) -> float | Missing | None:
        """Give the seconds that an entry has left."""
        row, now = connection.execute(_END, (ns, key)).fetchone(), self._now()
        if row is None or is_over(row[1], now):
            return MISSING
        return None if row[1] is None else float(row[1] - now)

    def lock(
        self, connection: sqlite3.Connection, ns: str, key: str, token: str, ttl: float, /
    ) -> int:
        """Take a lock that nobody has; those that have ended go."""
        now = self._now()
        connection.execute(_END_LOCKS, (now,))
        return connection.execute(_LOCK, (ns, key, token, now + ttl)).rowcount

    def unlock(self, connection: sqlite3.Connection, ns: str, key: str, token: str, /) -> int:
        """Give a lock back that this token has."""
        return connection.execute(_UNLOCK, (ns, key, token, self._now())).rowcount

    def _put(
        self,
        connection: sqlite3.Connection,
        found: Found,
        entry: tuple[str, str, float | None, bytes],
        now: float,
    ) -> None:
        """Keep an entry, in place of the one that was found."""
        ns, key, ends, data = entry
        entries, total, id, _, old_size = found
        size, most = weigh(ns, key, data), self._bounds.max_bytes
        if id is not None:
            if total + size - old_size <= most:
                connection.execute(_CHANGE, (ends, size, data, id))
                self._bounds.mark(id)
                if size != old_size:
                    connection.execute(_KEEP, (entries, total + size - old_size))
                return
            connection.execute(_REMOVE, (id,))
            entries, total = entries - 1, total - old_size
        if size <= most:
            entries, total = self._bounds.make_room(connection, (entries, total), size, now)
            connection.execute(_ADD, (ns, key, ends, size, data))
            entries, total = entries + 1, total + size
        connection.execute(_KEEP, (entries, total))


def _find(connection: sqlite3.Connection, ns: str, key: str) -> Found:
    """Look for an entry, and at the sums; where there are none, they are counted first."""
    found: Found | None = connection.execute(_FIND, (ns, key)).fetchone()
    if found is not None:
        return found
    connection.execute(_FIRST_SUMS)
    return _find(connection, ns, key)
