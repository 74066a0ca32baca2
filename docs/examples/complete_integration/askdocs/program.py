"""What every command stands on, opened from the configuration and closed in reverse."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import qicore as qi
from qicore_cache import CACHE
from qicore_http import HTTP, HttpClient
from qicore_llm import LLM
from qicore_sql import SQL

from .answer import Answer, Asker
from .index import Report, index
from .settings import Settings, split_sources
from .store import Store

__all__ = ["Program", "open_program"]


@dataclass(frozen=True, slots=True)
class Program:
    settings: Settings
    runtime: qi.Runtime
    http: HttpClient
    store: Store
    asker: Asker

    async def index(self, sources: list[str]) -> qi.Result[Report]:
        """Index these sources, or else those of the settings."""
        chosen = split_sources(sources or self.settings.sources)
        return await index(chosen, self.store, self.http, self.settings)

    async def ask(self, question: str) -> qi.Result[Answer]:
        return await self.asker.ask(question)


@asynccontextmanager
async def open_program(settings: Settings) -> AsyncIterator[Program]:
    """Open cache, database, HTTP and language model; raises the QiError of what does not open."""
    async with qi.Runtime.open(settings.components) as runtime:
        store = Store(runtime.get(SQL))
        qi.unwrap(await store.prepare())
        llm = runtime.get(LLM) if settings.rewrites else None
        asker = Asker(store, runtime.get(CACHE).of(Answer), llm)
        yield Program(settings, runtime, runtime.get(HTTP), store, asker)
