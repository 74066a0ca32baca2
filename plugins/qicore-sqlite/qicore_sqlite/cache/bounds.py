"""How a cache in a file stays within its bounds: SIEVE over the order in which entries came.

As in `memory:`, a hand walks from the oldest entry towards the newest: one that was asked for since
the hand passed is spared, the first other one goes, and the hand rests there; before it moves, what
has expired goes. Three things differ, as each read and each step costs more in a file. What was
asked for is marked in this process alone: a read writes nothing, and another process's reads do not
spare an entry here. Marks are bytes in a ring, so an entry may be spared by another one's mark. And
the hand makes room for a hundredth of the cache at once; where a thousand in a row are marked, the
last of them goes all the same.

How many entries there are and what they weigh stands in a row of its own, which each write changes
in its own transaction: so the bounds hold for all processes together.

Source: Zhang et al., "SIEVE is Simpler than LRU", NSDI 2024.
"""

from __future__ import annotations

import sqlite3
from time import monotonic
from typing import Final, final

__all__ = ["Bounds", "Sums", "is_over", "weigh"]

_ENTRY_BYTES: Final = 100  # besides its texts and its value, in both trees
_PAGE_BYTES: Final = 4096  # a value that does not fit into one fills several
_MARKS: Final = 1 << 17
_STEP: Final = 100  # entries that the hand looks at, at once
_MOST_STEPS: Final = 10  # before marks count no more
_SWEEP_ENTRIES: Final = 1_000
_SWEEP_SECONDS: Final = 0.1

_KEEP_SUMS: Final = "update qicore_cache_sums set entries = ?, bytes = ?"
_COUNT: Final = "select count(*), coalesce(sum(size), 0) from qicore_cache_entries"
_NEXT: Final = "select id, ends, size from qicore_cache_entries where id > ? order by id limit ?"
_REMOVE: Final = "delete from qicore_cache_entries where id = ?"


def weigh(ns: str, key: str, data: bytes, /) -> int:
    """Estimate the bytes that an entry takes: its texts stand in the table and in its index."""
    size = 2 * (len(ns) + len(key)) + len(data) + _ENTRY_BYTES
    return size if size <= _PAGE_BYTES else -(-size // _PAGE_BYTES) * _PAGE_BYTES


@final
class Sums:
    """What there is, as far as a transaction has come; nobody else writes meanwhile."""

    __slots__ = ("_before", "_connection", "entries", "size_bytes")

    def __init__(self, connection: sqlite3.Connection, entries: int, size_bytes: int) -> None:
        self._connection = connection
        self._before = entries, size_bytes
        self.entries, self.size_bytes = entries, size_bytes

    def add(self, entries: int, size_bytes: int) -> None:
        """Count entries that come, or with negative numbers go."""
        self.entries += entries
        self.size_bytes += size_bytes

    def recount(self) -> None:
        """Look at each entry: someone else has changed the tables."""
        self.entries, self.size_bytes = self._connection.execute(_COUNT).fetchone()

    def keep(self) -> None:
        """Write down what there is now."""
        now = self.entries, self.size_bytes
        if now != self._before:
            self._connection.execute(_KEEP_SUMS, now)


@final
class Bounds:
    """The bounds of one cache, and where this process's hand is.

    Args:
        max_entries: how many entries there may be.
        max_bytes: how many bytes they may take.
    """

    __slots__ = ("_hand", "_marks", "_sweep_at", "_swept", "max_bytes", "max_entries")

    def __init__(self, max_entries: int, max_bytes: int) -> None:
        self.max_entries = max_entries
        self.max_bytes = max_bytes
        self._marks = bytearray(_MARKS)
        self._hand = 0
        self._swept = 0
        self._sweep_at = 0.0

    def mark(self, id: int, /) -> None:
        """Note that an entry was asked for; from any thread."""
        self._marks[id % _MARKS] = 1

    def make_room(
        self, connection: sqlite3.Connection, sums: Sums, size_bytes: int, now: float, /
    ) -> None:
        """Let entries go until one more of that size is within the bounds."""
        if self._fits(sums, 1, size_bytes):
            return
        if monotonic() >= self._sweep_at:
            self._sweep(connection, sums, now)
            if self._fits(sums, 1, size_bytes):
                return
        # as it walks anyhow, some room for those that come next
        entries = 1 + self.max_entries // 100
        size_bytes = min(size_bytes + self.max_bytes // 100, self.max_bytes)
        steps = 0
        while not self._fits(sums, entries, size_bytes):
            steps += 1
            rows = connection.execute(_NEXT, (self._hand, _STEP)).fetchall()
            if rows:
                self._walk(connection, sums, rows, (entries, size_bytes, now, steps > _MOST_STEPS))
            elif self._hand:
                self._hand = 0  # behind the newest comes the oldest
            else:
                sums.recount()  # there is nothing, and the sums said otherwise
                return

    def _walk(
        self,
        connection: sqlite3.Connection,
        sums: Sums,
        rows: list[tuple[int, float | None, int]],
        wanted: tuple[int, int, float, bool],
    ) -> None:
        """Move the hand over the next entries, as far as room is wanted."""
        entries, size_bytes, now, is_tired = wanted
        gone = []
        for id, ends, size in rows:
            self._hand = id
            if self._marks[id % _MARKS] and not is_tired and not is_over(ends, now):
                self._marks[id % _MARKS] = 0
                continue
            gone.append((id,))
            sums.add(-1, -size)
            if self._fits(sums, entries, size_bytes):
                break
        connection.executemany(_REMOVE, gone)

    def _sweep(self, connection: sqlite3.Connection, sums: Sums, now: float) -> None:
        """Forget those of the next entries that have expired."""
        self._sweep_at = monotonic() + _SWEEP_SECONDS
        rows = connection.execute(_NEXT, (self._swept, _SWEEP_ENTRIES)).fetchall()
        self._swept = rows[-1][0] if len(rows) == _SWEEP_ENTRIES else 0
        gone = [(id, size) for id, ends, size in rows if is_over(ends, now)]
        connection.executemany(_REMOVE, [(id,) for id, _ in gone])
        sums.add(-len(gone), -sum([size for _, size in gone]))

    def _fits(self, sums: Sums, entries: int, size_bytes: int) -> bool:
        return (
            sums.entries + entries <= self.max_entries
            and sums.size_bytes + size_bytes <= self.max_bytes
        )


def is_over(ends: float | None, now: float, /) -> bool:
    """Tell whether an end has come; None is no end."""
    return ends is not None and ends <= now
