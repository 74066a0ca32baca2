"""A cache in this process that stands before a store outside of it.

What is read or written on the way is kept near for a short time. A change that is heard of while a
read or a write is under way wins: what was under way is then not kept near, as it may be older.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from copy import copy
from typing import Any, final

from qicore_core import Result, success

from .fit import Fit, Fitted
from .kept import Kept
from .store import MISSING, Space

__all__ = ["Near"]


@final
class Near:
    """What is near, and what is on its way there.

    Args:
        space: where it is kept.
        ttl: seconds for which it is kept at most.
        close: closes what the space is of.
    """

    __slots__ = ("_coming", "_ttl", "close", "space")

    def __init__(self, space: Space, ttl: float, close: Callable[[], Awaitable[object]]) -> None:
        self.space: Space = space
        self.close = close
        self._ttl = ttl
        self._coming: dict[str, object] = {}  # the latest ticket for each key

    def of(self, fit: Fit, /) -> Near:
        """Give the same for values of one type."""
        other = copy(self)
        other.space = Fitted(self.space, fit)
        return other

    async def read(
        self,
        keys: Sequence[str],
        now: float,
        read: Callable[[Sequence[str]], Awaitable[Result[Mapping[str, Any]]]],
        /,
    ) -> Result[Mapping[str, Any]]:
        """Give what is near of keys and fresh, and the rest from beyond, which is near from now."""
        held = self._found(keys, now)
        beyond = [key for key in keys if key not in held]
        if not beyond:
            return success(held)
        ticket = self._begin(beyond)
        found: Result[Mapping[str, Any]] = success({})
        try:
            found = await read(beyond)
            return found.map(lambda there: {**held, **there})
        finally:
            there = found.unwrap_or({})
            for key in beyond:
                if self._ends(ticket, key) and key in there:
                    self.put(key, there[key], None)

    async def write(
        self,
        items: Mapping[str, tuple[Any, float | None]],
        write: Awaitable[Result[None]],
        /,
    ) -> Result[None]:
        """Await the write of items, each a value and its seconds, and keep them near."""
        ticket = self._begin(items)
        self.space.drop(items)  # until it is known which of both holds
        is_written = False
        try:
            written = await write
            is_written = bool(written)
            return written
        finally:
            for key, (value, ttl) in items.items():
                # What bears tags is read before it is near: one of them may have been removed.
                is_tagged = value.__class__ is Kept and value.words
                if self._ends(ticket, key) and is_written and not is_tagged:
                    self.put(key, value, ttl)
                else:
                    self.drop([key])

    def put(self, key: str, value: Any, ttl: float | None, /) -> None:
        """Keep a value; its tags are looked after beyond."""
        if value.__class__ is Kept and value.words:
            value = Kept(value.value, (), value.fresh_until, value.cost)
        try:
            self.space.put(key, value, self._ttl if ttl is None else min(ttl, self._ttl))
        except Exception:  # noqa: BLE001  # foreign code: what cannot be copied is not kept near
            self.space.drop([key])

    def drop(self, keys: Iterable[str] | None, /) -> None:
        """Forget keys, or all."""
        if keys is None:
            self._coming.clear()
            self.space.drop(None)
            return
        gone = list(keys)
        for key in gone:
            self._coming.pop(key, None)
        self.space.drop(gone)

    def _found(self, keys: Iterable[str], now: float) -> dict[str, Any]:
        held: dict[str, Any] = {}
        for key in keys:
            try:
                value = self.space.get(key)
            except Exception:  # noqa: BLE001, S112  # foreign code: what cannot be copied is not near
                continue
            if value is not MISSING and (value.__class__ is not Kept or value.is_fresh(now)):
                held[key] = value
        return held

    def _begin(self, keys: Iterable[str]) -> object:
        """Say that keys are read or written beyond; the latest ticket counts."""
        ticket = object()
        for key in keys:
            self._coming[key] = ticket
        return ticket

    def _ends(self, ticket: object, key: str) -> bool:
        """Tell whether nothing else has happened to a key since its ticket was given."""
        if self._coming.get(key) is not ticket:
            return False
        del self._coming[key]
        return True
