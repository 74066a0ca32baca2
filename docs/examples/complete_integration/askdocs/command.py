"""The command line: `python -m askdocs index|ask|serve|demo`; a Failure is said, and its exit."""

from __future__ import annotations

import json
from argparse import ArgumentParser, Namespace
from dataclasses import asdict

import qicore as qi

from .answer import Answer
from .index import Report
from .program import open_program
from .settings import Settings, read_settings

__all__ = ["main", "show_answer", "show_report"]


def main() -> None:
    """Run the command and exit as its outcome says: 0, or the exit code of the error's category."""
    parser = ArgumentParser("askdocs", description="Answers questions about documents.")
    parser.add_argument("--config", metavar="FILE", help="read in place of ./askdocs.toml")
    parser.add_argument(
        "--set", metavar="KEY=VALUE", action="append", default=[], help="such as sql.url=sqlite://"
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    one = commands.add_parser("index", help="read the sources into the index")
    one.add_argument("sources", nargs="*", help="folders, files, URLs, or installed:")
    one = commands.add_parser("ask", help="answer a question")
    one.add_argument("question", nargs="+")
    one.add_argument("--json", action="store_true", help="as data")
    commands.add_parser("serve", help="answer over HTTP, until Ctrl-C")
    commands.add_parser("demo", help="show all of it")
    qi.run(_run(parser.parse_args()))


@qi.do
async def _run(arguments: Namespace) -> None:
    settings = qi.unwrap(read_settings(arguments.config, arguments.set))
    qi.unwrap(qi.configure_logging(settings.log.level))
    if arguments.command == "demo":
        from .demo import run_demo  # late, as the next: FastAPI takes longer than an answer

        qi.unwrap(await run_demo(settings))
    elif arguments.command == "serve":
        from .web import serve

        qi.unwrap(await serve(settings))
    elif arguments.command == "index":
        qi.unwrap(await _index(settings, arguments.sources))
    else:
        qi.unwrap(await _ask(settings, " ".join(arguments.question), arguments.json))


@qi.do
async def _index(settings: Settings, sources: list[str]) -> None:
    async with open_program(settings) as program:
        report = qi.unwrap(await program.index(sources))
        documents, passages = qi.unwrap(await program.store.counts())
    show_report(report)
    print(f"in the index: {documents} documents, {passages} passages")
    if report.skipped and not documents:
        errors = [error for _, error in report.skipped]
        raise qi.QiError.aggregate(errors, code="NOTHING_INDEXED", message="nothing could be read")


@qi.do
async def _ask(settings: Settings, question: str, as_json: bool) -> None:
    async with open_program(settings) as program:
        answer = qi.unwrap(await program.ask(question))
    if as_json:
        print(json.dumps(asdict(answer), indent=2, ensure_ascii=False))
    else:
        show_answer(answer)


def show_report(report: Report) -> None:
    """Print what was read, and why what was not was not."""
    print(
        f"{report.found} documents found: {report.kept} read into {report.passages} passages, "
        f"{report.unchanged} unchanged, {len(report.skipped)} skipped; {report.forgotten} forgotten"
    )
    for name, error in report.skipped:
        print(f"  skipped {name}\n    {error.code}: {error.message}")


def show_answer(answer: Answer) -> None:
    """Print an answer and its sources."""
    print(f"{answer.text}\n")
    for number, source in enumerate(answer.sources, 1):
        heading = f", {source.heading}" if source.heading not in ("", source.title) else ""
        print(f"[{number}] {source.title}{heading}\n    {source.name}")
