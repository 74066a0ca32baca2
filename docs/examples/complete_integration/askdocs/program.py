"""What every command stands on, opened from the configuration and closed in reverse."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import qicore as qi

from .answer import Answer, Asker
from .extract import Page, extract
from .settings import Settings, split_sources
from .sources import Document, Place, find, gives_all, read
from .store import Store, content_hash

__all__ = ["Program", "Report", "open_program"]

BATCH = 64
log = qi.get_logger("askdocs")


@dataclass
class Report:
    """What became of every document that was found."""

    kept: int = 0
    unchanged: int = 0
    forgotten: int = 0
    passages: int = 0
    skipped: list[tuple[str, qi.QiError]] = field(default_factory=list)

    @property
    def found(self) -> int:
        return self.kept + self.unchanged + len(self.skipped)


@dataclass(frozen=True, slots=True)
class Program:
    settings: Settings
    runtime: qi.Runtime
    http: qi.HttpClient
    store: Store
    asker: Asker

    async def ask(self, question: str) -> qi.Result[Answer]:
        return await self.asker.ask(question)

    @qi.do
    async def index(self, sources: list[str]) -> Report:
        """Bring the index up to date with these sources, or else with those of the settings.

        What was indexed and cannot be read now stays as it was; what is gone from a folder is
        forgotten.
        """
        report = Report()
        known = await qi.unwrap(self.store.known())
        hashes = {one.name: one.hash for one in known}
        places: dict[str, list[Place]] = defaultdict(list)  # of each source
        batch: list[tuple[Document, Page]] = []

        async def look(place: Place) -> qi.Result[Document]:
            places[place.origin].append(place)
            return await read(place, self.http, self.settings)

        async def keep() -> None:
            report.passages += await qi.unwrap(self.store.keep(batch))
            report.kept += len(batch)
            batch.clear()

        def skip(name: str, error: qi.QiError) -> None:
            report.skipped.append((name, error))
            log.info("skipped", error=error, document=name)

        found = find(split_sources(sources or self.settings.sources))
        async with qi.each(look, found, limit=self.settings.fetch.side_by_side) as looked:
            async for place, document in looked.values():
                if not document:
                    skip(place.name, document.error)
                elif hashes.get(place.name) == content_hash(document.value):
                    report.unchanged += 1
                else:
                    limit = self.settings.passage_characters
                    page = await qi.in_thread(extract, document.value, limit)
                    if page.passages:
                        batch.append((document.value, page))
                    else:
                        skip(place.name, qi.QiError.bad_data("SOURCE_EMPTY", "it has no text"))
                if len(batch) >= BATCH:
                    await keep()
        if batch:
            await keep()
        for origin, here in places.items():
            if gives_all(origin) and not any(one.was_refused for one in here):
                before = {one.name for one in known if one.origin == origin}
                report.forgotten += await self._forget(before - {one.name for one in here})
        return report

    async def _forget(self, gone: set[str]) -> int:
        if gone:
            await qi.unwrap(self.store.forget(gone))
        return len(gone)


@asynccontextmanager
async def open_program(settings: Settings) -> AsyncIterator[Program]:
    """Open cache, database, HTTP and language model; raises the QiError of what does not open."""
    async with qi.Runtime.open(settings.components) as runtime:
        store = Store(runtime.get(qi.SQL))
        await qi.unwrap(store.prepare())
        llm = runtime.get(qi.LLM) if settings.rewrites else None
        asker = Asker(store, runtime.get(qi.CACHE).of(Answer), llm)
        yield Program(settings, runtime, runtime.get(qi.HTTP), store, asker)
