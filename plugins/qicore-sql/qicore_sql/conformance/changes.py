"""Laws of what changes the whole: migrations."""

# ruff: noqa: ASYNC240, S101, S608  # a law asserts; the names and the small files are made here

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final
from uuid import uuid4

from qicore_core import success
from qicore_core.conformance import law
from qicore_core.testing import assert_failure

from ..client import Database
from .tables import Tables

__all__ = ["ChangeLaws"]

_FORGET: Final = "drop table if exists qicore_migrations"


class ChangeLaws(Tables, abstract=True):
    """What a database keeps as its schema changes."""

    @law()
    async def migrations_are_all_or_none(self, db: Database) -> None:
        """One that fails undoes all that were to be done with it; mended, all are done, once."""
        first, second = f"t{uuid4().hex}", f"t{uuid4().hex}"
        assert await db.execute(_FORGET)  # the database may be one of other laws
        with TemporaryDirectory() as folder:
            Path(folder, "0001_first.sql").write_text(f"create table {first} (n bigint);\n")
            wrong = Path(folder, "0002_second.sql")
            wrong.write_text(
                f"create table {second} (n bigint);\ninsert into no{second} values (1);"
            )
            answer = await db.migrate(folder)
            assert_failure(answer, "DB_MIGRATION_FAILED", number=2, line=2)
            for name in (first, second):
                assert_failure(await db.query(f"select n from {name}"), "DB_SYNTAX", kind="table")
            wrong.write_text(f"create table {second} (n bigint);\ninsert into {second} values (1);")
            assert (await db.migrate(folder)).map(len) == success(2)
            assert await db.migrate(folder) == success([])
        assert await self.held(db, second) == [1]
        assert await db.execute(_FORGET)
