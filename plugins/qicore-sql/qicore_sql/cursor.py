"""A cursor for what a driver has whole: what is no stream in its database."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, final

from qicore_core import Result, success

from .driver import Answer

__all__ = ["ListCursor"]


@final
class ListCursor:
    """Rows that are here already, as the cursor that a driver gives.

    Args:
        answer: what has them.
    """

    __slots__ = ("_place", "_rows", "columns")

    def __init__(self, answer: Answer, /) -> None:
        self.columns = answer.columns
        self._rows = answer.rows
        self._place = 0

    async def fetch(self, size: int, /) -> Result[Sequence[tuple[Any, ...]]]:
        """Give the next rows."""
        begin, self._place = self._place, self._place + size
        return success(self._rows[begin : self._place])

    async def close(self) -> None:
        """Let the rows go."""
        self._rows = ()
