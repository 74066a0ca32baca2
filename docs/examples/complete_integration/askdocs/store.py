"""The index: documents and their passages in one database, found by full text (SQLite FTS5)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha256

import qicore as qi

from .extract import Page
from .sources import Document

__all__ = ["Known", "Source", "Store", "content_hash", "words_of"]

MOST = 4096  # passages of one document
SCHEMA = f"""
    create table if not exists documents (id integer primary key, name text not null unique,
        origin text not null, title text not null, hash text not null);
    -- The passages of document 7 have the rowids from 7 * {MOST} on: a range, found without a scan.
    create virtual table if not exists passages
        using fts5(title, heading, body, tokenize = 'porter unicode61');
    create table if not exists state (version integer not null);
    insert into state select 0 where not exists (select 1 from state)"""
KEEP_DOCUMENT = """insert into documents (name, origin, title, hash) values ($1, $2, $3, $4)
    on conflict (name) do update set origin = $2, title = $3, hash = $4"""
KEEP_PASSAGE = f"""insert into passages (rowid, title, heading, body)
    select id * {MOST} + $2, title, $3, $4 from documents where name = $1"""
FORGET_PASSAGES = f"""delete from passages
    where rowid >= (select id * {MOST} from documents where name = $1)
    and rowid < (select (id + 1) * {MOST} from documents where name = $1)"""
FORGET_DOCUMENT = "delete from documents where name = $1"
NEXT_VERSION = ("update state set version = version + 1", ())
FIND = f"""select name, documents.title, heading, body as text,
        round(-bm25(passages, 4.0, 3.0, 1.0), 2) as score
    from passages join documents on documents.id = passages.rowid / {MOST}
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
class Source:
    """A passage that fits a question; the higher the score, the better."""

    name: str
    title: str
    heading: str
    text: str
    score: float

    @property
    def headline(self) -> str:
        return ", ".join(dict.fromkeys(filter(None, (self.title, self.heading))))


@dataclass(frozen=True, slots=True)
class Known:
    """A document that is in the index."""

    name: str
    origin: str
    title: str
    hash: str


class Store:
    """What is indexed.

    Args:
        db: SQLite; another database needs another full text than FTS5.
    """

    def __init__(self, db: qi.Database) -> None:
        self._db = db

    async def prepare(self) -> qi.Result[None]:
        """Make what is not there yet."""
        made = await self._db.execute_batch([(one, ()) for one in SCHEMA.split(";")])
        return made.map(lambda _: None)

    async def known(self) -> qi.Result[list[Known]]:
        """Give what is in the index."""
        return await self._db.query("select name, origin, title, hash from documents", into=Known)

    async def keep(self, pages: Sequence[tuple[Document, Page]]) -> qi.Result[int]:
        """Keep a batch in one transaction, in place of what was known; give the passages kept."""
        steps: list[tuple[str, Sequence[object]]] = [NEXT_VERSION]
        count = 0
        for document, page in pages:
            name, passages = document.name, page.passages[:MOST]
            steps.append((FORGET_PASSAGES, (name,)))
            row = (name, document.origin, page.title, content_hash(document))
            steps.append((KEEP_DOCUMENT, row))
            for number, one in enumerate(passages):
                steps.append((KEEP_PASSAGE, (name, number, one.heading, one.text)))
            count += len(passages)
        kept = await self._db.execute_batch(steps)
        return kept.map(lambda _: count)

    async def forget(self, names: Iterable[str]) -> qi.Result[None]:
        """Forget documents."""
        steps: list[tuple[str, Sequence[object]]] = [NEXT_VERSION]
        for name in names:
            steps += [(FORGET_PASSAGES, (name,)), (FORGET_DOCUMENT, (name,))]
        done = await self._db.execute_batch(steps)
        return done.map(lambda _: None)

    async def version(self) -> qi.Result[int]:
        """Give a number that changes whenever the index does."""
        return await self._db.query_value("select version from state")

    async def counts(self) -> qi.Result[tuple[int, int]]:
        """Give how many documents and passages there are."""
        row = await self._db.query_one(
            "select (select count(*) from documents) d, (select count(*) from passages) p"
        )
        return row.map(lambda row: (row["d"], row["p"]))

    async def find(self, question: str, limit: int = 16) -> qi.Result[list[Source]]:
        """Give the passages that fit a question best.

        Errors:
            QUESTION_EMPTY: it has no word.
        """
        words = words_of(question)
        if not words:
            hint = "ask with words, as in a search"
            empty = qi.QiError.validation("QUESTION_EMPTY", "the question has no word", hint=hint)
            return qi.failure(empty)
        # Only words are left, each in quotes: nothing of a stranger's text is syntax to FTS5.
        match = " OR ".join(f'"{word}"' for word in words)
        return await self._db.query(FIND, match, limit, into=Source, timeout=5.0)


def words_of(question: str) -> list[str]:
    """Give the words of a question that say something; all of them where none does."""
    words = list(dict.fromkeys(re.findall(r"\w{1,64}", question.lower())))[:32]
    return [word for word in words if word not in COMMON] or words


def content_hash(document: Document) -> str:
    return sha256(f"{document.kind}\n{document.text}".encode("utf-8", "surrogatepass")).hexdigest()
