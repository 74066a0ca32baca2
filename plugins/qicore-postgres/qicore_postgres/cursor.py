"""Rows that are read some at a time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol, final

from qicore_core import Failure, Result

from .errors import ERRORS

__all__ = ["PortalCursor"]


class Ends(Protocol):
    """What a cursor of its own ends with itself."""

    async def commit(self) -> Result[None]:
        """Make what the statement did so."""
        ...


@final
class PortalCursor:
    """Rows that the server holds.

    Args:
        cursor: of asyncpg.
        columns: their names.
        ended: says whether the transaction of the rows has ended.

    Attributes:
        columns: their names.
        ends: the transaction that ends with it, where it has one of its own.
    """

    __slots__ = ("_cursor", "_ended", "columns", "ends")

    def __init__(
        self, cursor: Any, columns: Sequence[str], ended: Callable[[], Failure | None], /
    ) -> None:
        self._cursor = cursor
        self._ended = ended
        self.columns = columns
        self.ends: Ends | None = None

    async def fetch(self, size: int, /) -> Result[Sequence[tuple[Any, ...]]]:
        """Give the next rows."""
        if (ended := self._ended()) is not None:
            return ended
        rows: Result[list[Any]] = await ERRORS.run(self._cursor.fetch, size)
        return rows.map(lambda read: [tuple(row) for row in read])

    async def close(self) -> None:
        """Let the rows go; a transaction that is not the cursor's own goes on."""
        ends, self.ends = self.ends, None
        if ends is not None:
            await ends.commit()
