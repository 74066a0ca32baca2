"""What the laws stand on: a database, and tables that nobody else has."""

# ruff: noqa: S608  # the names are made here

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Final
from uuid import uuid4

from qicore_core import Opening, success
from qicore_core.conformance import Contract

from ..client import Database
from ..door import open_database

__all__ = ["ENDLESS", "Tables"]

ENDLESS: Final = (
    "with recursive n(i) as (select 1 union all select i + 1 from n where i < 10000000000) "
    "select count(*) from n"
)
"""A statement that only a cancellation ends."""


class Tables(Contract[Database], abstract=True):
    """Opens the database, and makes tables in it."""

    max_examples = 15
    url: ClassVar[str]
    settings: ClassVar[Mapping[str, Any]] = {}

    def opening(self) -> Opening[Database]:
        """Open the database."""
        return open_database(self.url, **self.settings)

    async def table(self, db: Database, columns: str) -> str:
        """Make a table of these columns; give its name."""
        name = f"t{uuid4().hex}"
        assert await db.execute(f"create table {name} ({columns})")  # noqa: S101  # a law asserts
        return name

    async def numbers(self, db: Database, *numbers: int) -> str:
        """Make a table of one column `n`, a primary key, that holds these numbers."""
        name = await self.table(db, "n bigint primary key")
        for number in numbers:
            assert await db.execute(f"insert into {name} values ($1)", number) == success(1)  # noqa: S101
        return name

    async def held(self, db: Database, table: str) -> list[Any]:
        """Give the numbers that such a table holds."""
        rows = (await db.query(f"select n from {table} order by n")).unwrap()
        return [row["n"] for row in rows]
