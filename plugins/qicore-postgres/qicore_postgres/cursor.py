"""Rows that are read some at a time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol, final

from qicore_core import Result

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

    Attributes:
        columns: their names.
        ends: the transaction that ends with it, where it has one of its own.
    """

    __slots__ = ("_cursor", "columns", "ends")

    def __init__(self, cursor: Any, columns: Sequence[str], /) -> None:
        self._cursor = cursor
        self.columns = columns
        self.ends: Ends | None = None

    async def fetch(self, size: int, /) -> Result[Sequence[tuple[Any, ...]]]:
        """Give the next rows."""
        rows: Result[list[Any]] = await ERRORS.run(self._cursor.fetch, size)
        return rows.map(lambda read: [tuple(row) for row in read])

    async def close(self) -> None:
        """Let the rows go; a transaction that is not the cursor's own goes on."""
        ends, self.ends = self.ends, None
        if ends is not None:
            await ends.commit()
