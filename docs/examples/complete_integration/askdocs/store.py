"""The index: documents and their passages in one database, found by full text (SQLite FTS5)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha256

import qicore as qi
from qicore_sql import Database

from .extract import Page
from .sources import Document

__all__ = ["Found", "Store", "words_of"]

SCHEMA = (
    """create table if not exists documents (
        id integer primary key, name text not null unique, origin text not null,
        title text not null, hash text not null)""",
    # The passages of document 7 have the rowids from 7 * 4096 on: a range, found without a scan.
    """create virtual table if not exists passages
        using fts5(title, heading, body, tokenize = 'porter unicode61')""",
    "create table if not exists state (version integer not null)",
    "insert into state select 0 where not exists (select 1 from state)",
)
FIND = """
    select documents.name, documents.title, heading, body,
        snippet(passages, 2, '', '', ' … ', 40) as excerpt,
        -bm25(passages, 4.0, 3.0, 1.0) as score
    from passages join documents on documents.id = passages.rowid / 4096
    where passages match $1 order by score desc limit $2"""
COMMON = frozenset(
    re.findall(
        r"\w+",
        """a about an and are as at be by can do does for from has have how i if in into is it its
        my no not of on or should so than that the their then there this to was what when where
        which who why will with you your""",
    )
)


@dataclass(frozen=True, slots=True)
class Found:
    """One passage that fits a question; the higher the score, the better."""

    name: str
    title: str
    heading: str
    body: str
    excerpt: str
    score: float


class Store:
    """What is indexed.

    Args:
        db: SQLite; another database needs another full text than FTS5.
    """

    def __init__(self, db: Database) -> None:
        self._db = db

    async def prepare(self) -> qi.Result[None]:
        """Make what is not there yet."""
        made = await self._db.execute_batch([(statement, ()) for statement in SCHEMA])
        return made.map(lambda _: None)

    async def hashes(self) -> qi.Result[dict[str, str]]:
        """Give what is known, as name and hash of its content."""
        rows = await self._db.query("select name, hash from documents")
        return rows.map(lambda rows: {row["name"]: row["hash"] for row in rows})

    async def keep(self, pages: Sequence[tuple[Document, Page]]) -> qi.Result[int]:
        """Keep a batch in one transaction, in place of what was known; give the passages kept."""
        steps: list[tuple[str, Sequence[object]]] = []
        for document, page in pages:
            row = (document.name, document.origin, page.title, content_hash(document))
            steps += [
                (_FORGET_PASSAGES, (document.name,)),
                (_KEEP_DOCUMENT, row),
                *[
                    (_KEEP_PASSAGE, (document.name, number, page.title, one.heading, one.text))
                    for number, one in enumerate(page.passages[:4096])
                ],
            ]
        steps.append((_NEXT_VERSION, ()))
        kept = await self._db.execute_batch(steps)
        return kept.map(lambda _: sum(len(page.passages[:4096]) for _, page in pages))

    async def forget(self, names: Iterable[str]) -> qi.Result[int]:
        """Forget documents; give how many."""
        gone = list(names)
        steps: list[tuple[str, Sequence[object]]] = [
            (sql, (name,)) for name in gone for sql in (_FORGET_PASSAGES, _FORGET_DOCUMENT)
        ]
        done = await self._db.execute_batch([*steps, (_NEXT_VERSION, ())])
        return done.map(lambda _: len(gone))

    async def names_of(self, origin: str) -> qi.Result[list[str]]:
        """Give the documents that one source gave."""
        rows = await self._db.query("select name from documents where origin = $1", origin)
        return rows.map(lambda rows: [row["name"] for row in rows])

    async def version(self) -> qi.Result[int]:
        """Give a number that changes whenever the index does."""
        return await self._db.query_value("select version from state")

    async def counts(self) -> qi.Result[tuple[int, int]]:
        """Give how many documents and passages there are."""
        row = await self._db.query_one(
            "select (select count(*) from documents) d, (select count(*) from passages) p"
        )
        return row.map(lambda row: (row["d"], row["p"]))

    async def origins(self) -> qi.Result[dict[str, int]]:
        """Give how many documents each source gave."""
        rows = await self._db.query(
            "select origin, count(*) as n from documents group by origin order by n desc"
        )
        return rows.map(lambda rows: {row["origin"]: row["n"] for row in rows})

    async def find(self, question: str, limit: int = 16) -> qi.Result[list[Found]]:
        """Give the passages that fit a question best.

        Errors:
            QUESTION_EMPTY: it has no word.
        """
        words = words_of(question)
        if not words:
            return qi.failure(
                qi.QiError.validation(
                    "QUESTION_EMPTY",
                    "the question has no word",
                    hint="ask with words, as in a search",
                )
            )
        # Only words are left, each in quotes: nothing of a stranger's text is syntax to FTS5.
        match = " OR ".join(f'"{word}"' for word in words)
        return await self._db.query(FIND, match, limit, into=Found, timeout=5.0)

    async def topics(self, limit: int, besides: str) -> qi.Result[list[str]]:
        """Give what the index is about, spread over it: headings, or else the first words.

        Args:
            limit: how many.
            besides: documents whose names begin so are left out.
        """
        rows = await self._db.query(
            """select heading, min(body) as body from passages
            join documents on documents.id = passages.rowid / 4096
            where instr(name, $1) <> 1 group by heading""",
            besides,
        )
        if not rows:
            return rows
        named = [row["heading"] for row in rows.value if words_of(row["heading"])]
        others = [" ".join(row["body"].split()[:6]) for row in rows.value]
        chosen = named if len(named) >= limit else named + others
        return qi.success(chosen[:: max(1, len(chosen) // limit)][:limit])


def words_of(question: str) -> list[str]:
    """Give the words of a question that say something; all of them where none does."""
    words = list(dict.fromkeys(re.findall(r"\w{1,64}", question.lower())))[:32]
    return [word for word in words if word not in COMMON] or words


def content_hash(document: Document) -> str:
    return sha256(f"{document.kind}\n{document.text}".encode("utf-8", "surrogatepass")).hexdigest()


_NEXT_VERSION = "update state set version = version + 1"
_KEEP_DOCUMENT = """insert into documents (name, origin, title, hash) values ($1, $2, $3, $4)
    on conflict (name) do update set origin = $2, title = $3, hash = $4"""
_FORGET_DOCUMENT = "delete from documents where name = $1"
_KEEP_PASSAGE = """insert into passages (rowid, title, heading, body)
    select id * 4096 + $2, $3, $4, $5 from documents where name = $1"""
_FORGET_PASSAGES = """delete from passages where rowid >=
    (select id * 4096 from documents where name = $1) and rowid <
    (select id * 4096 + 4096 from documents where name = $1)"""
