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

__all__ = ["Bounds", "is_over", "weigh"]

_ENTRY_BYTES: Final = 100  # besides its texts and its value, in both trees
_PAGE_BYTES: Final = 4096  # a value that does not fit into one fills several
_MARKS: Final = 1 << 17
_STEP: Final = 100  # entries that the hand looks at, at once
_MOST_STEPS: Final = 10  # before marks count no more
_SWEEP_ENTRIES: Final = 1_000
_SWEEP_SECONDS: Final = 0.1

# Somebody else may have written what is of no type of its column: hence the casts.
_COUNT: Final = "select count(*), coalesce(sum(cast(size as integer)), 0) from qicore_cache_entries"
_NEXT: Final = (
    "select id, cast(ends as real), cast(size as integer) from qicore_cache_entries"
    " where id > ? order by id limit ?"
)
_REMOVE: Final = "delete from qicore_cache_entries where id = ?"


def weigh(ns: str, key: str, data: bytes, /) -> int:
    """Estimate the bytes that an entry takes: its texts stand in the table and in its index."""
    size = 2 * (len(ns) + len(key)) + len(data) + _ENTRY_BYTES
    return size if size <= _PAGE_BYTES else -(-size // _PAGE_BYTES) * _PAGE_BYTES


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
        self, connection: sqlite3.Connection, sums: tuple[int, int], size: int, now: float, /
    ) -> tuple[int, int]:
        """Let entries go until one more of a size is within the bounds.

        Args:
            connection: in a transaction.
            sums: how many entries there are, and how many bytes.
            size: of the one more, in bytes.
            now: the time of the world.

        Returns:
            the sums of what is left.
        """
        most_entries, most_bytes = self.max_entries - 1, self.max_bytes - size
        entries, total = sums
        if entries <= most_entries and total <= most_bytes:
            return sums
        if monotonic() >= self._sweep_at:
            gone, freed = self._sweep(connection, now)
            entries, total = entries - gone, total - freed
            if entries <= most_entries and total <= most_bytes:
                return entries, total
        # as it walks anyhow, some room for those that come next
        most_entries -= self.max_entries // 100
        most_bytes = max(most_bytes - self.max_bytes // 100, 0)
        steps = 0
        while entries > most_entries or total > most_bytes:
            rows = connection.execute(_NEXT, (self._hand, _STEP)).fetchall()
            steps += 1
            if rows:
                excess = entries - most_entries, total - most_bytes
                gone, freed = self._walk(connection, rows, excess, now, steps > _MOST_STEPS)
                entries, total = entries - gone, total - freed
            elif self._hand:
                self._hand = 0  # behind the newest comes the oldest
            else:
                left: tuple[int, int] = connection.execute(_COUNT).fetchone()
                return left  # nothing, and the sums said otherwise
        return entries, total

    def _walk(
        self,
        connection: sqlite3.Connection,
        rows: list[tuple[int, float | None, int]],
        excess: tuple[int, int],
        now: float,
        is_tired: bool,
    ) -> tuple[int, int]:
        """Move the hand over the next entries until the excess is gone; give what went."""
        gone, freed = list[tuple[int]](), 0
        for id, ends, size in rows:
            self._hand = id
            if self._marks[id % _MARKS] and not is_tired and not is_over(ends, now):
                self._marks[id % _MARKS] = 0
                continue
            gone.append((id,))
            freed += size
            if len(gone) >= excess[0] and freed >= excess[1]:
                break
        connection.executemany(_REMOVE, gone)
        return len(gone), freed

    def _sweep(self, connection: sqlite3.Connection, now: float) -> tuple[int, int]:
        """Forget those of the next entries that have expired; give what went."""
        self._sweep_at = monotonic() + _SWEEP_SECONDS
        rows = connection.execute(_NEXT, (self._swept, _SWEEP_ENTRIES)).fetchall()
        self._swept = rows[-1][0] if len(rows) == _SWEEP_ENTRIES else 0
        over = [(id, size) for id, ends, size in rows if is_over(ends, now)]
        connection.executemany(_REMOVE, [(id,) for id, _ in over])
        return len(over), sum([size for _, size in over])


def is_over(ends: float | None, now: float, /) -> bool:
    """Tell whether an end has come; None is no end."""
    return ends is not None and ends <= now
