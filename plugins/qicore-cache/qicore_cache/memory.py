"""`memory:`, the cache inside the process: reads without a lock, bounded, evicted by SIEVE.

SIEVE keeps entries in one queue in the order in which they came. A hit only marks its entry as
visited, which needs no lock and moves nothing. To evict, a hand walks from the oldest towards the
newest: a visited entry loses its mark and stays, the first unvisited one goes, and the hand rests
there. So what is asked for once is gone soon and what is asked for often survives, with a better
hit ratio than LRU at less cost. Before the hand moves, what has expired goes: a sweep looks at a
bounded number of entries, and often enough that all are seen.

Writers hold the lock. A reader does not, so it reads a node's value once, and whatever tells how to
treat a value is in the value itself, never beside it.

Source: Zhang et al., "SIEVE is Simpler than LRU: an Efficient Turn-Key Eviction Algorithm for Web
Caches", NSDI 2024.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from sys import getsizeof
from threading import Lock
from typing import Any, Final, final

from qicore_core import Result, failure, success

from .errors import not_a_number
from .isolate import CONSTANT, copied, weigh
from .settings import COUNTS, number_in
from .store import MISSING, Entry, Missing

__all__ = ["MemoryStore"]

_FOREVER: Final = float("inf")
_ENTRY_BYTES: Final = 200  # besides its value: the node, its place in the dict, the key's head
_SWEEP_ENTRIES: Final = 1_000  # at a time: some ten microseconds
_SWEEP_SECONDS: Final = 0.1


@final
class _Node:
    """An entry and its place in the queue, which is a ring: before the oldest stands the head."""

    __slots__ = ("ends", "key", "newer", "nodes", "older", "size", "value", "visited")

    newer: _Node
    older: _Node

    def __init__(
        self, nodes: dict[str, _Node], key: str, value: Any, ends: float, size: int
    ) -> None:
        self.nodes = nodes
        self.key = key
        self.value = value
        self.ends = ends
        self.size = size
        self.visited = False


@final
class _Changeable:
    """The cache's own copy of a value that can change: it is given out in copies, never itself."""

    __slots__ = ("value",)

    def __init__(self, value: Any) -> None:
        self.value = value


@final
class _Space:
    """One namespace. `get` is the hot path: a dict look-up, a comparison, a mark."""

    __slots__ = ("_copy", "_nodes", "_now", "_store")

    def __init__(self, store: MemoryStore, nodes: dict[str, _Node], copy: bool) -> None:
        self._store = store
        self._nodes = nodes
        self._copy = copy
        self._now = store.now

    def get(self, key: str, /) -> Any:
        node = self._nodes.get(key)
        if node is None or node.ends <= self._now():
            return MISSING
        node.visited = True
        value = node.value
        return copied(value.value) if value.__class__ is _Changeable else value

    def put(self, key: str, value: Any, ttl: float | None, /) -> None:
        if type(value) in CONSTANT:
            size = getsizeof(value)
        elif value is MISSING:
            raise TypeError("MISSING stands for no value")
        else:
            size, constant = weigh(value)
            if self._copy and not constant:
                value = _Changeable(copied(value))
        size += _ENTRY_BYTES
        ends = _FOREVER if ttl is None else self._now() + ttl
        store = self._store
        with store._lock:
            node = self._nodes.get(key)
            if node is not None:
                grown = store._bytes + size - node.size
                if grown <= store._max_bytes:
                    store._bytes = grown
                    node.value = value
                    node.ends = ends
                    node.size = size
                    node.visited = True
                    return
                store._remove(node)
            store._add(_Node(self._nodes, key, value, ends, size))

    def increment(self, key: str, by: int, ttl: float | None, /) -> Result[int]:
        return self._store.count_up(self._nodes, key, by, ttl, False)

    def drop(self, keys: Iterable[str] | None, /) -> int:
        return self._store.drop(self._nodes, keys)


@final
class MemoryStore:
    """A bounded store in this process, safe for threads and tasks.

    Args:
        max_entries: how many entries it keeps.
        max_bytes: how many bytes they may take, by estimate; an entry larger than that is not kept.
        now: tells the time, in seconds that never go back.
    """

    __slots__ = (
        "_bytes", "_entries", "_hand", "_head", "_lock", "_max_bytes", "_max_entries", "_spaces",
        "_sweep_at", "_swept", "now",
    )  # fmt: skip

    def __init__(self, *, max_entries: int, max_bytes: int, now: Callable[[], float]) -> None:
        self.now = now
        self._max_entries = max_entries
        self._max_bytes = max_bytes
        self._lock = Lock()
        self._spaces: dict[str, dict[str, _Node]] = {}
        self._head = head = _Node({}, "", None, _FOREVER, 0)
        head.newer = head.older = head
        self._hand = head  # where it goes on; from the head to the oldest
        self._swept = head  # where the sweep goes on; as above
        self._sweep_at = 0.0
        self._entries = 0
        self._bytes = 0

    def space(self, ns: str, copy: bool, /) -> _Space:
        """Give the space of a namespace."""
        return _Space(self, self._nodes(ns), copy)

    def count_up(
        self, nodes: dict[str, _Node], key: str, by: int, ttl: float | None, coded: bool, /
    ) -> Result[int]:
        """Add to a number in place; `coded` numbers are digits in bytes, as codecs write them."""
        now = self.now()
        with self._lock:
            node = nodes.get(key)
            if node is not None and node.ends <= now:
                self._remove(node)
                node = None
            number = 0 if node is None else _number(node.value, coded)
            if number is None or number not in COUNTS or number + by not in COUNTS:
                return failure(not_a_number(key))
            total = number + by
            value = b"%d" % total if coded else total
            size = _ENTRY_BYTES + getsizeof(value)
            if node is None:
                ends = _FOREVER if ttl is None else now + ttl
                self._add(_Node(nodes, key, value, ends, size))
                return success(total)
            self._bytes += size - node.size
            node.value, node.size, node.visited = value, size, True
            while self._bytes > self._max_bytes:
                self._evict()
            return success(total)

    def drop(self, nodes: dict[str, _Node], keys: Iterable[str] | None, /) -> int:
        """Forget keys, or all; give how many had not expired."""
        now = self.now()
        with self._lock:
            asked = list(nodes) if keys is None else set(keys)
            gone = [nodes[key] for key in asked if key in nodes]
            for node in gone:
                self._remove(node)
        return sum([node.ends > now for node in gone])

    async def read(self, ns: str, keys: Iterable[str], /) -> Result[Mapping[str, bytes]]:
        """Give the data that is there."""
        nodes, now = self._nodes(ns), self.now()
        found: dict[str, bytes] = {}
        for key in keys:
            node = nodes.get(key)
            if node is not None and node.ends > now:
                node.visited = True
                found[key] = node.value
        return success(found)

    async def write(self, ns: str, entries: Mapping[str, Entry], /) -> Result[None]:
        """Keep the entries."""
        space = self.space(ns, False)
        for key, entry in entries.items():
            space.put(key, entry.data, entry.ttl)
        return success()

    async def delete(self, ns: str, keys: Iterable[str] | None, /) -> Result[int]:
        """Forget keys, or the namespace."""
        return success(self.drop(self._nodes(ns), keys))

    async def count(self, ns: str, /) -> Result[int]:
        """Count what has not expired."""
        nodes, now = self._nodes(ns), self.now()
        with self._lock:
            return success(sum([node.ends > now for node in nodes.values()]))

    async def increment(self, ns: str, key: str, by: int, ttl: float | None, /) -> Result[int]:
        """Add to a number in place."""
        return self.count_up(self._nodes(ns), key, by, ttl, True)

    async def expire(self, ns: str, key: str, ttl: float | None, /) -> Result[int]:
        """Set the seconds that an entry has left."""
        nodes, now = self._nodes(ns), self.now()
        with self._lock:
            node = nodes.get(key)
            if node is None or node.ends <= now:
                return success(0)
            node.ends = _FOREVER if ttl is None else now + ttl
            return success(1)

    async def ttl_of(self, ns: str, key: str, /) -> Result[float | Missing | None]:
        """Give the seconds that an entry has left."""
        node, now = self._nodes(ns).get(key), self.now()
        if node is None or node.ends <= now:
            return success(MISSING)
        return success(None if node.ends == _FOREVER else node.ends - now)

    async def close(self) -> None:
        """Forget everything."""
        with self._lock:
            for nodes in self._spaces.values():
                nodes.clear()
            head = self._head
            head.newer = head.older = self._hand = self._swept = head
            self._entries = self._bytes = 0

    def _nodes(self, ns: str) -> dict[str, _Node]:
        return self._spaces.setdefault(ns, {})

    def _add(self, node: _Node) -> None:
        """Make room and add the newest; what could never fit would push out all others."""
        if node.size > self._max_bytes:
            return
        while self._entries >= self._max_entries or self._bytes + node.size > self._max_bytes:
            self._evict()
        node.nodes[node.key] = node
        head = self._head
        node.newer, node.older = head, head.older
        node.older.newer = head.older = node
        self._entries += 1
        self._bytes += node.size

    def _evict(self) -> None:
        """Let one go, or all that a sweep finds to have expired."""
        now = self.now()
        if now >= self._sweep_at and self._sweep(now):
            return
        node = self._hand
        while node is self._head or (node.visited and node.ends > now):
            node.visited = False
            node = node.newer
        self._remove(node)
        self._hand = node.newer

    def _sweep(self, now: float) -> int:
        """Forget those of the next entries that have expired; give how many."""
        self._sweep_at = now + _SWEEP_SECONDS
        before = self._entries
        for _ in range(min(before, _SWEEP_ENTRIES)):
            node = self._head.newer if self._swept is self._head else self._swept
            self._swept = node.newer
            if node.ends <= now:
                self._remove(node)
        return before - self._entries

    def _remove(self, node: _Node) -> None:
        del node.nodes[node.key]
        if self._hand is node:
            self._hand = node.newer
        if self._swept is node:
            self._swept = node.newer
        node.older.newer = node.newer
        node.newer.older = node.older
        self._entries -= 1
        self._bytes -= node.size


def _number(value: Any, coded: bool) -> int | None:
    if coded:
        return number_in(value) if isinstance(value, bytes) else None
    return value if type(value) is int else None
