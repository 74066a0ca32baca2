"""Entries in a SQLite file: the narrow protocol on the left, the lanes of a database on the right.

A read goes to a thread, as a disk may take its time and an event loop has none: that costs some
thirty microseconds and keeps the promise that every wait has a deadline. What is written at once is
one transaction. Threads belong to an event loop; a cache asked from a second one has its own there.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, final

from qicore_cache import Entry, Missing
from qicore_cache.errors import READ_FAILED, WRITE_FAILED
from qicore_cache.freshness import wall_clock
from qicore_core import Failure, Parts, Result, failure, success

from ..errors import ERRORS, closed
from ..lanes import Lanes
from .bounds import Bounds
from .errors import told, unopened
from .settings import SqliteCacheSettings
from .table import Table

__all__ = ["SqliteStore"]

_PATIENCE: Final = 15.0  # seconds that closing waits for other event loops


@final
class SqliteStore:
    """A cache store in a SQLite file. Made by `SqliteStore.open`.

    Args:
        settings: where it is, and how much it keeps.
        now: tells the time of the world.
    """

    __slots__ = ("_is_closed", "_lanes", "_opening", "_settings", "_table")

    def __init__(self, settings: SqliteCacheSettings, now: Callable[[], float], /) -> None:
        self._settings = settings.database
        self._table = Table(Bounds(settings.max_entries, settings.max_bytes), now)
        self._lanes: dict[asyncio.AbstractEventLoop, Lanes] = {}
        self._opening: dict[asyncio.AbstractEventLoop, asyncio.Lock] = {}
        self._is_closed = False

    @classmethod
    async def open(cls, settings: SqliteCacheSettings, parts: Parts, /) -> Result[SqliteStore]:
        """Open the file and make the tables that are missing.

        Errors:
            CACHE_CONNECTION_FAILED: it cannot be opened, or the tables are somebody else's.
        """
        store = cls(settings, wall_clock(parts.clock))
        opened = await store._here()
        return failure(unopened(opened.error)) if isinstance(opened, Failure) else success(store)

    async def read(self, ns: str, keys: Iterable[str], /) -> Result[Mapping[str, bytes]]:
        """Give what is there."""
        return await self._read(self._table.read, ns, list(keys))

    async def write(self, ns: str, entries: Mapping[str, Entry], /) -> Result[None]:
        """Keep the entries, all or none."""
        return await self._write(self._table.write, ns, entries)

    async def delete(self, ns: str, keys: Iterable[str] | None, /) -> Result[int]:
        """Forget keys, or with None the namespace, in one transaction."""
        if keys is None:
            return await self._write(self._table.clear, ns)
        return await self._write(self._table.delete, ns, list(keys))

    async def count(self, ns: str, /) -> Result[int]:
        """Count the entries, looking at each of the namespace."""
        return await self._read(self._table.count, ns)

    async def increment(self, ns: str, key: str, by: int, ttl: float | None, /) -> Result[int]:
        """Add to a number in place."""
        return await self._write(self._table.increment, ns, key, by, ttl)

    async def expire(self, ns: str, key: str, ttl: float | None, /) -> Result[int]:
        """Set the seconds that an entry has left."""
        return await self._write(self._table.expire, ns, key, ttl)

    async def ttl_of(self, ns: str, key: str, /) -> Result[float | Missing | None]:
        """Give the seconds that an entry has left."""
        return await self._read(self._table.ttl_of, ns, key)

    async def lock(self, ns: str, key: str, token: str, ttl: float, /) -> Result[int]:
        """Take the lock of a key, among all processes."""
        return await self._write(self._table.lock, ns, key, token, ttl)

    async def unlock(self, ns: str, key: str, token: str, /) -> Result[int]:
        """Give the lock back, where it is still this token's."""
        return await self._write(self._table.unlock, ns, key, token)

    async def close(self) -> None:
        """Do what waits and end the threads, those of each event loop in it."""
        self._is_closed = True
        here, closing = asyncio.get_running_loop(), list[asyncio.Future[None]]()
        while self._lanes:
            loop, lanes = self._lanes.popitem()
            if loop is here:
                await lanes.close()
            elif loop.is_running():
                there = asyncio.run_coroutine_threadsafe(lanes.close(), loop)
                closing.append(asyncio.wrap_future(there))
            else:
                lanes.stop()
        if closing:
            await asyncio.wait(closing, timeout=_PATIENCE)

    async def _read(self, do: Callable[..., Any], *args: object) -> Result[Any]:
        lanes = self._lanes.get(asyncio.get_running_loop())
        if lanes is None:
            opened = await self._here()
            if isinstance(opened, Failure):
                return failure(told(opened.error, READ_FAILED))
            lanes = opened.value
        answer = await lanes.read(_work(do, args))
        return failure(told(answer.error, READ_FAILED)) if isinstance(answer, Failure) else answer

    async def _write(self, do: Callable[..., Any], *args: object) -> Result[Any]:
        lanes = self._lanes.get(asyncio.get_running_loop())
        if lanes is None:
            opened = await self._here()
            if isinstance(opened, Failure):
                return failure(told(opened.error, WRITE_FAILED))
            lanes = opened.value
        answer = await lanes.write(_work(do, args))
        return failure(told(answer.error, WRITE_FAILED)) if isinstance(answer, Failure) else answer

    async def _here(self) -> Result[Lanes]:
        """Give the lanes of the event loop that runs; the first to ask opens them."""
        loop = asyncio.get_running_loop()
        for lanes in self._lanes.values():
            lanes.outbox.check_process()
            if self._settings.is_in_memory:
                lanes.outbox.check_loop()  # another connection would be another cache
        async with self._opening.setdefault(loop, asyncio.Lock()):
            there = self._lanes.get(loop)
            return success(there) if there is not None else await self._open(loop)

    async def _open(self, loop: asyncio.AbstractEventLoop) -> Result[Lanes]:
        for other in [other for other in self._lanes if other.is_closed()]:
            self._lanes.pop(other).stop()  # nobody can ask them any more
            self._opening.pop(other, None)
        opened = failure(closed()) if self._is_closed else await Lanes.open(self._settings)
        if isinstance(opened, Failure):
            return opened
        lanes = opened.value
        try:
            await lanes.write(_work(self._table.lengthen_log, ()), is_alone=True)
            made = await lanes.write(_work(self._table.missing, ()), is_alone=True)
            if made and made.value:  # else nothing is written: the file may be for reading alone
                made = await lanes.write(_work(self._table.make, ()))
        except BaseException:
            lanes.stop()
            raise
        if isinstance(made, Failure):
            await lanes.close()
            return made
        self._lanes[loop] = lanes
        return success(lanes)


def _work(
    do: Callable[..., Any], args: tuple[object, ...]
) -> Callable[[sqlite3.Connection], Result[Any]]:
    return lambda connection: ERRORS.call(do, connection, *args)
