"""Migrations: a folder of numbered SQL files, each done once, in order, all or none.

What was done stands in a table of ours, in the database itself, with a checksum of each file. So a
file that was changed, lost, or slipped in below what is done already is told before anything runs.

Of several processes one goes first: each writes to the same row before it looks what is done, and
the others wait there, whatever their database locks by. One that finds nothing to do never writes.
"""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass
from hashlib import sha256
from os import scandir
from pathlib import Path
from typing import Final, NamedTuple, final

from qicore_core import Failure, QiError, Result, failure, success
from qicore_core.error.qi_error import make_error

from .calls import is_undone
from .errors import MIGRATION_FAILED, SYNTAX
from .queries import Queries
from .statement import Statements
from .transaction import Transaction

__all__ = ["Migration", "Migrations"]

_NAME: Final = re.compile(r"([0-9]{1,18})_\w[\w.-]*\.sql", re.ASCII)
_MOST_FILES: Final = 10_000
_MOST_BYTES: Final = 64 * 2**20  # of all files
_TABLE: Final = (
    "create table if not exists qicore_migrations "
    "(number bigint primary key, name text not null, checksum text not null)"
)
_DONE: Final = (
    "select number, name, checksum from qicore_migrations where number > 0 order by number"
)
_MARK: Final = "insert into qicore_migrations (number, name, checksum) values ($1, $2, $3)"
_QUEUE: Final = (  # row 0 is where processes wait for each other
    "insert into qicore_migrations values (0, '', '') on conflict do nothing",
    "update qicore_migrations set name = '' where number = 0",
)


@final
@dataclass(frozen=True, slots=True)
class Migration:
    """One numbered file.

    Attributes:
        number: where it stands in the order.
        name: of the file, "0001_users.sql".
        checksum: SHA-256 of its text, whose lines end in LF.
    """

    number: int
    name: str
    checksum: str


class _File(NamedTuple):
    migration: Migration
    text: str


@final
class Migrations:
    """The files of a folder, and how they are done. Made by `Migrations.read`."""

    __slots__ = ("_files", "_statements")

    def __init__(self, files: list[_File], statements: Statements, /) -> None:
        self._files = files
        self._statements = statements

    @classmethod
    def read(cls, folder: str, statements: Statements, /) -> Result[Migrations]:
        """Read a folder; what is in it and ends otherwise than in `.sql` is left alone."""
        try:
            with scandir(folder) as entries:
                names = sorted(one.name for one in entries if one.name.endswith(".sql"))
            files = _read(Path(folder), names)
        except OSError as exception:
            return failure(_unreadable(folder, exception))
        return files.map(lambda read: cls(read, statements))

    async def planned(self, queries: Queries, /) -> Result[list[Migration]]:
        """Say what is to do; a database without our table has done nothing."""
        pending = await self._pending(queries)
        return pending.map(lambda files: [file.migration for file in files])

    async def prepare(self, queries: Queries, /) -> Result[int]:
        """Make our table."""
        made = await queries.execute(_TABLE)
        # PostgreSQL refuses two that make it at once; the second time it is there.
        return made or await queries.execute(_TABLE)

    async def apply(self, tx: Transaction, /) -> Result[list[Migration]]:
        """Do what is to do, in a transaction that the caller ends."""
        for sql in _QUEUE:
            waited = await tx.execute(sql)
            if isinstance(waited, Failure):
                return waited
        pending = await self._pending(tx)
        if isinstance(pending, Failure):
            return pending
        for migration, text in pending.value:
            for line, sql in await asyncio.to_thread(self._statements.split, text):
                done = await tx.execute(sql)
                if isinstance(done, Failure):
                    return failure(_failed(migration, line, done.error))
            marked = await tx.execute(_MARK, migration.number, migration.name, migration.checksum)
            if isinstance(marked, Failure):
                return failure(_failed(migration, 1, marked.error))
        return success([file.migration for file in pending.value])

    async def _pending(self, queries: Queries) -> Result[list[_File]]:
        # A stream, as `max_rows` is about the rows of users.
        read = await queries.query_stream(_DONE, into=Migration).collect()
        if isinstance(read, Failure):
            error = read.error
            if error.code != SYNTAX or error.context.get("kind") != "table":
                return read
            return success(self._files)
        done = read.value
        files = {file.migration.number: file for file in self._files}
        for one in done:
            file = files.pop(one.number, None)
            if file is None:
                return failure(_missing(one))
            if file.migration.checksum != one.checksum:
                return failure(_changed(file.migration))
        last = done[-1] if done else None
        for file in files.values():
            if last is not None and file.migration.number < last.number:
                return failure(_late(file.migration, last))
        return success(list(files.values()))


def _read(folder: Path, names: list[str]) -> Result[list[_File]]:
    if len(names) > _MOST_FILES:
        return failure(_wrong(f"the folder has more than {_MOST_FILES} migrations", "join some"))
    files: dict[int, _File] = {}
    left = _MOST_BYTES
    for name in names:
        found = _NAME.fullmatch(name)
        number = int(found[1]) if found else 0
        if number == 0:
            hint = "name it by a number from 1 and a word, like 0001_users.sql"
            return failure(_wrong(f"{name!r} is no name of a migration", hint, name))
        if number in files:
            other = files[number].migration.name
            hint = "give one of them the next number"
            return failure(_wrong(f"{other} and {name} have one number", hint, name))
        with (folder / name).open("rb") as opened:
            raw = opened.read(left + 1)
        left -= len(raw)
        if left < 0:
            size = f"{_MOST_BYTES // 2**20} MB"
            hint = "load data by execute_many()"
            return failure(_wrong(f"with {name} the folder has more than {size}", hint, name))
        text = _text(raw, name)
        if isinstance(text, Failure):
            return text
        checksum = sha256(text.value.encode()).hexdigest()
        files[number] = _File(Migration(number, name, checksum), text.value)
    return success([files[number] for number in sorted(files)])


def _text(raw: bytes, name: str) -> Result[str]:
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        return failure(_wrong(f"{name} is not UTF-8", "save it as UTF-8", name))
    return success(text.replace("\r\n", "\n").replace("\r", "\n"))


def _wrong(message: str, hint: str, file: str | None = None) -> QiError:
    error = QiError.validation(MIGRATION_FAILED, message, hint=hint, source="sql")
    return error if file is None else error.with_context(file=file)


def _unreadable(folder: str, exception: OSError) -> QiError:
    return QiError.configuration(
        MIGRATION_FAILED,
        f"the migrations in {folder!r} cannot be read: {type(exception).__name__}",
        cause=exception,
        hint="give the path of the folder, such as Path(__file__).with_name('migrations')",
        source="sql",
    )


def _conflict(message: str, hint: str, migration: Migration) -> QiError:
    number, name = migration.number, migration.name
    return QiError.conflict(
        MIGRATION_FAILED, message, hint=hint, source="sql", number=number, file=name
    )


def _changed(migration: Migration) -> QiError:
    hint = "put it back as it was, and write what changes into a new file"
    return _conflict(f"{migration.name} was changed after it was done", hint, migration)


def _missing(migration: Migration) -> QiError:
    hint = "put it back; is the program older than its database?"
    return _conflict(f"{migration.name} was done, and is not in the folder", hint, migration)


def _late(migration: Migration, last: Migration) -> QiError:
    hint = f"give it a number above {last.number}"
    return _conflict(f"{migration.name} comes before {last.name}, which is done", hint, migration)


def _failed(migration: Migration, line: int, cause: QiError) -> QiError:
    if is_undone(cause):
        return cause  # others were in the way: the whole is repeated
    return make_error(
        MIGRATION_FAILED,
        f"{migration.name} failed at line {line}, and nothing was done",
        cause.category,
        "sql",
        {"number": migration.number, "file": migration.name, "line": line},
        cause=cause,
        hint="look at the cause; mend the statement that begins there, and migrate again",
    )
