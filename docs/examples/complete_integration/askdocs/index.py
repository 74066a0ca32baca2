"""From sources to the index: read side by side, kept in batches; what cannot be read is told."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field

import qicore as qi
from qicore_http import HttpClient

from .extract import Page, extract
from .settings import Settings
from .sources import Document, Place, find, is_folder, read
from .store import Store, content_hash

__all__ = ["Report", "index"]

BATCH = 64
log = qi.get_logger("askdocs.index")


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


@qi.do
async def index(sources: list[str], store: Store, http: HttpClient, settings: Settings) -> Report:
    """Bring the index up to date with its sources.

    What was indexed and cannot be read now stays as it was; what is gone from a folder is
    forgotten.
    """
    report = Report()
    known = qi.unwrap(await store.hashes())
    seen: dict[str, list[Place]] = defaultdict(list)
    batch: list[tuple[Document, Page]] = []

    async def look(place: Place) -> qi.Result[Document]:
        seen[place.origin].append(place)
        return await read(place, http, settings)

    async def keep() -> None:
        report.passages += qi.unwrap(await store.keep(batch))
        report.kept += len(batch)
        batch.clear()

    async with qi.each(look, find(sources), limit=settings.fetch.side_by_side) as looked:
        async for place, document in looked.values():
            if not document:
                _skip(report, place.name, document.error)
            elif known.get(place.name) == content_hash(document.value):
                report.unchanged += 1
            else:
                page = await qi.in_thread(extract, document.value, settings.passage_characters)
                if page.passages:
                    batch.append((document.value, page))
                else:
                    empty = qi.QiError.bad_data("SOURCE_EMPTY", "it has no text to read")
                    _skip(report, place.name, empty)
            if len(batch) >= BATCH:
                await keep()
    if batch:
        await keep()
    for origin, places in seen.items():
        is_whole = not any(place.error for place in places)  # no folder in it was refused
        if is_whole and is_folder(origin):
            before = qi.unwrap(await store.names_of(origin))
            gone = set(before) - {place.name for place in places}
            report.forgotten += qi.unwrap(await store.forget(gone)) if gone else 0
    return report


def _skip(report: Report, name: str, error: qi.QiError) -> None:
    report.skipped.append((name, error))
    log.warn("skipped", error=error, document=name)
