"""All of it, shown on real input: index with faults, serve, ask over HTTP, print the figures.

It reads the documentation of this repository and of every installed package, or what
ASKDOCS_SOURCES names. The servers that fail are our own, on 127.0.0.1.
"""

from __future__ import annotations

import os
import platform
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter
from urllib.parse import urlencode, urlsplit

from fastapi import FastAPI
from fastapi.responses import HTMLResponse, Response

import qicore as qi
from qicore_core.log import LogRecord
from qicore_uvicorn import Server

from .answer import Answer
from .command import show_skipped
from .program import Program, open_program
from .settings import INSTALLED, SHIPPED, Settings, split_sources
from .web import web_app

__all__ = ["run_demo"]

REPOSITORY = SHIPPED.parents[3]
QUESTIONS = [
    "Why does map never catch an exception?",
    "What happens when the cache server is down?",
    "How do I write a cache driver?",
    "How do I give everything inside one deadline?",
    "What is Starlette ideal for?",
]
DOWN_PAGES = 12


class Figures:
    """What the events of the HTTP client add up to, by host and port."""

    def __init__(self) -> None:
        self.counted: Counter[tuple[str, str]] = Counter()

    def hear(self, event: qi.CallEvent) -> None:
        if event.source == "http":
            refused = event.error is not None and event.error.code == "CIRCUIT_OPEN"
            phase = "refusal" if refused and event.phase == "attempt" else event.phase
            what = str(event.fields.get("state", phase))
            self.counted[str(event.fields.get("key")), what] += 1

    def of(self, url: str) -> list[str]:
        host, phases = urlsplit(url).netloc, ("attempt", "retry", "OPEN", "refusal")
        return [str(self.counted[host, phase]) for phase in phases]


async def run_demo(settings: Settings) -> None:
    """Run the demo to its end; raises the QiError of what is wrong."""
    began, figures, records = perf_counter(), Figures(), list[LogRecord]()
    qi.listen(figures.hear)  # until the process ends
    qi.unwrap(qi.configure_logging("info", format="json", sink=records))
    print(f"askdocs on QiCore {qi.__version__}, Python {platform.python_version()}\n")
    with TemporaryDirectory(prefix="askdocs-") as folder:
        settings = replace(settings, sql={**settings.sql, "url": f"sqlite:///{folder}/askdocs.db"})
        async with open_program(settings) as program, _ailing() as ailing, _down() as down:
            questions = await _index(program, ailing, down)
            requests = await _ask_all(program, questions)
            print("\n3. Figures\n")
            _table(
                ("server", "requests", "retries", "breaker opened", "not asked, as it was open"),
                ("that recovers", *figures.of(ailing)),
                ("that is down", *figures.of(down)),
            )
            print()
            cache = program.runtime.get(qi.CACHE).stats
            health = await program.runtime.health()
            _table(
                ("what", "figure"),
                ("cache", f"{cache.hits} hits, {cache.misses} misses, {cache.computed} computed"),
                ("requests served", f"{requests}"),
                ("log", f"{len(records)} records"),
                *[(f"health: {one.name}", str(one.error or "well")) for one in health],
            )
    print(f"\n   The last record: {records[-1].line}")
    print(f"\nDone in {perf_counter() - began:.1f} s.")


async def _index(program: Program, ailing: str, down: str) -> list[str]:
    """Index sources and faults, twice; give the questions to ask."""
    settings, store = program.settings, program.store
    is_own = "ASKDOCS_SOURCES" in os.environ or settings.sources != ["."]
    ours = [str(REPOSITORY / one) for one in ("docs", "README.md", "CONTRIBUTING.md")]
    sources = split_sources(settings.sources) if is_own else [*ours, INSTALLED]
    faults = [str(REPOSITORY / "no-such-folder"), f"{ailing}/recovers", f"{ailing}/broken"]
    faults += [f"{down}/page-{number}" for number in range(1, DOWN_PAGES + 1)]

    print("1. Index: " + ", ".join(_short(one) for one in sources))
    began = perf_counter()
    report = await qi.unwrap(program.index([*sources, *faults]))
    took = perf_counter() - began
    documents, passages = await qi.unwrap(store.counts())
    print(f"   {report.found} documents found, {documents} read, {passages} passages, {took:.1f} s")
    known = await qi.unwrap(store.known())
    for origin, number in Counter(one.origin for one in known).most_common():
        packages = {
            one.name.partition(":")[0] for one in known if origin == INSTALLED == one.origin
        }
        print(f"     {number:5} {_short(origin)}{f' {len(packages)} packages' if packages else ''}")
    print(f"   {len(report.skipped)} skipped, each for a reason, nothing else lost:")
    is_down = dict.fromkeys(faults[3:], "pages of the server that is down")
    skipped = [(is_down.get(name, _short(name)), error) for name, error in report.skipped]
    show_skipped(skipped, indent="     ")
    again = await qi.unwrap(program.index(sources))
    print(f"   once more: {again.unchanged} unchanged, {again.kept} read")
    if settings.questions or not is_own:
        return settings.questions or QUESTIONS
    return [f"What about {one.title}?" for one in known[:: max(1, len(known) // 5)]]


async def _ask_all(program: Program, questions: list[str]) -> int:
    """Ask five questions over HTTP, each twice; print the answers; give the requests served."""
    rows: list[tuple[str, ...]] = []
    async with Server(web_app(program), port=0).running() as server:
        print(f"\n2. Ask over HTTP, at {server.address}")
        for number, question in enumerate(questions[:5], 1):
            print(f"\n   {number}. {question}")
            url = f"{server.address}/ask?{urlencode({'q': question})}"
            (answer, first), (_, second) = [await _timed(program, url) for _ in range(2)]
            if not answer:
                print(f"      {answer.error.code}: {answer.error.message}")
                continue
            for line in answer.value.text.splitlines():
                print(f"      {line}")
            for place, source in enumerate(answer.value.sources, 1):
                print(f"      [{place}] {_short(source.name)}, {source.heading or source.title}")
            best = answer.value.sources[0]
            rows.append((f"{number}", _short(best.name, 44), f"{best.score}", first, second))
        print()
        _table(("", "best source", "score", "first, ms", "again, ms"), *rows)
        return server.stats().requests


async def _timed(program: Program, url: str) -> tuple[qi.Result[Answer], str]:
    began = perf_counter()
    answer = await program.http.get_json(url, Answer, timeout=10.0)
    return answer, f"{(perf_counter() - began) * 1000:.1f}"


@asynccontextmanager
async def _ailing() -> AsyncIterator[str]:
    """Serve one page that is there at the third request, and one that never is."""
    app, asked = FastAPI(), count(1)

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


@asynccontextmanager
async def _down() -> AsyncIterator[str]:
    """Serve nothing but 503."""
    app = FastAPI()

    @app.get("/{page}")
    async def down(page: str) -> Response:
        return Response(f"no {page}", 503)

    async with Server(app, port=0).running() as server:
        yield str(server.address)


def _table(*rows: Sequence[str]) -> None:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in (rows[0], ["-" * width for width in widths], *rows[1:]):
        cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=True)]
        print("   " + "  ".join(cells).rstrip())


def _short(name: str, limit: int = 78) -> str:
    with suppress(ValueError):
        name = str(Path(name).relative_to(REPOSITORY))
    head = limit // 3
    return name if len(name) <= limit else f"{name[:head]}…{name[head + 1 - limit :]}"
