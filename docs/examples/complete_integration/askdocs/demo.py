"""All of it, shown on real input: index with faults, serve, ask over HTTP, print the figures.

It reads the documentation of this repository and of every installed package, or what
ASKDOCS_SOURCES names. Nothing leaves the machine: the failing server is our own, on 127.0.0.1.
"""

from __future__ import annotations

import os
import platform
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from importlib.metadata import distributions
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter
from urllib.parse import urlencode

from fastapi import FastAPI
from fastapi.responses import HTMLResponse, Response

import qicore as qi
from qicore_cache import CACHE
from qicore_core.log import LogRecord
from qicore_uvicorn import Server

from .answer import Answer
from .program import Program, open_program
from .settings import SHIPPED, Settings, split_sources
from .web import web_app

__all__ = ["run_demo"]

INSTALLED = "installed:"
REPOSITORY = SHIPPED.parents[3]
QUESTIONS = [
    "Why does map never catch an exception?",
    "What happens when the cache server is down?",
    "How do I write a cache driver?",
    "How do I give everything inside one deadline?",
    "What is Starlette ideal for?",
]


@dataclass
class Figures:
    """What the events of the program add up to."""

    attempts: int = 0
    retries: int = 0
    records: list[LogRecord] = field(default_factory=list)

    def hear(self, event: qi.CallEvent) -> None:
        if event.source == "http" and event.phase == "attempt":
            self.attempts += 1
        elif event.source == "http" and event.phase == "retry":
            self.retries += 1


@qi.do
async def run_demo(settings: Settings) -> None:
    """Run the demo to its end; what is wrong is a Failure."""
    began = perf_counter()
    figures = Figures()
    stop = qi.listen(figures.hear)
    qi.unwrap(qi.configure_logging("info", format="json", sink=figures.records))
    try:
        with TemporaryDirectory(prefix="askdocs-") as folder:
            sql = {**settings.sql, "url": f"sqlite:///{folder}/askdocs.db"}
            async with open_program(replace(settings, sql=sql)) as program, _faults() as faulty:
                await _show(program, faulty, figures)
    finally:
        stop()
    print(f"\nDone in {perf_counter() - began:.1f} s.")


async def _show(program: Program, faulty: str, figures: Figures) -> None:
    settings = program.settings
    is_own = "ASKDOCS_SOURCES" in os.environ or settings.sources != ["."]
    documentation = [str(REPOSITORY / one) for one in ("docs", "README.md", "CONTRIBUTING.md")]
    sources = split_sources(settings.sources) if is_own else [*documentation, INSTALLED]
    faults = [str(Path(REPOSITORY, "no-such-folder")), f"{faulty}/recovers", f"{faulty}/broken"]

    print(f"askdocs on QiCore {qi.__version__}, Python {platform.python_version()}\n")
    print("1. Index: " + ", ".join(_short(one) for one in sources))
    began = perf_counter()
    report = qi.unwrap(await program.index([*sources, *faults]))
    took = perf_counter() - began
    documents, passages = qi.unwrap(await program.store.counts())
    print(
        f"   {report.found} documents found, {documents} indexed, {passages} passages, {took:.1f} s"
    )
    for origin, number in qi.unwrap(await program.store.origins()).items():
        packages = f" {sum(1 for _ in distributions())} packages" if origin == INSTALLED else ""
        print(f"     {number:5} {_short(origin)}{packages}")
    print(f"   {len(report.skipped)} skipped, each for a reason, nothing else lost:")
    for name, error in report.skipped:
        print(f"     {_short(name)}\n       {error.code}: {error.message}")
    attempts, retries = figures.attempts, figures.retries
    again = qi.unwrap(await program.index(sources))
    print(f"   once more: {again.unchanged} unchanged, {again.kept} read")

    questions = settings.questions or QUESTIONS
    if is_own and not settings.questions:
        topics = qi.unwrap(await program.store.topics(5, besides=faulty))
        questions = [f"What about {topic}?" for topic in topics]
    async with Server(web_app(program), port=0).running() as server:
        print(f"\n2. Ask over HTTP, at {server.address}")
        rows: list[Sequence[str]] = []
        for number, question in enumerate(questions[:5], 1):
            answer, first = await _ask(program, server, question)
            _, second = await _ask(program, server, question)
            print(f"\n   {number}. {question}")
            if not answer:
                print(f"      {answer.error.code}: {answer.error.message}")
                continue
            for line in answer.value.text.splitlines():
                print(f"      {line}")
            for place, source in enumerate(answer.value.sources, 1):
                print(f"      [{place}] {_short(source.name)}, {source.heading or source.title}")
            best = answer.value.sources[0]
            row = (f"{number}", _short(best.name, 44), f"{best.score:.1f}", _ms(first), _ms(second))
            rows.append(row)
        requests = server.stats().requests

    print("\n3. Figures\n")
    _table(("", "best source", "score", "first, ms", "again, ms"), rows)
    cache = program.runtime.get(CACHE).stats
    health = await program.runtime.health()
    well = ", ".join(f"{one.name} {'well' if one.is_well else one.error}" for one in health)
    print()
    _table(
        ("what", "figure"),
        [
            ("cache", f"{cache.hits} hits, {cache.misses} misses, {cache.computed} computed"),
            ("fetches of two URLs", f"{attempts} attempts, {retries} of them retries"),
            ("requests served", f"{requests}"),
            ("log", f"{len(figures.records)} records"),
            ("health", well),
        ],
    )
    print(f"\n   The last record: {figures.records[-1].line}")


async def _ask(program: Program, server: Server, question: str) -> tuple[qi.Result[Answer], float]:
    url = f"{server.address}/ask?{urlencode({'q': question})}"
    began = perf_counter()
    answer = await program.http.get_json(url, Answer, timeout=10.0)
    return answer, perf_counter() - began


@asynccontextmanager
async def _faults() -> AsyncIterator[str]:
    """Serve one page that is there at the third request, and one that never is."""
    app = FastAPI()
    asked = count(1)

    @app.get("/recovers")
    async def recovers() -> Response:
        if next(asked) < 3:
            return Response("one moment", 503)
        return HTMLResponse("<title>Recovered</title><p>This page came at the third attempt.</p>")

    @app.get("/broken")
    async def broken() -> Response:
        return Response("out of order", 500)

    async with Server(app, port=0).running() as server:
        yield str(server.address)


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    widths = [max(len(row[column]) for row in [head, *rows]) for column in range(len(head))]
    for row in [head, ["-" * width for width in widths], *rows]:
        cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=True)]
        print("   " + "  ".join(cells).rstrip())


def _short(name: str, limit: int = 78) -> str:
    with suppress(ValueError):
        name = str(Path(name).relative_to(REPOSITORY))
    head = limit // 3
    return name if len(name) <= limit else f"{name[:head]}…{name[head + 1 - limit :]}"


def _ms(seconds: float) -> str:
    return f"{seconds * 1000:.1f}"
