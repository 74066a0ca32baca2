"""The command line: `python -m askdocs index|ask|serve|demo`; a Failure is said, and its exit."""

from __future__ import annotations

import json
from argparse import ArgumentParser, Namespace
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict

import qicore as qi

from .program import open_program
from .settings import Settings, read_settings

__all__ = ["main", "show_skipped"]


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
    match arguments.command:
        case "demo":
            from .demo import run_demo  # late, as the next: FastAPI takes longer than an answer

            await run_demo(settings)
        case "serve":
            from .web import serve

            await serve(settings)
        case "index":
            await _index(settings, arguments.sources)
        case _:
            await _ask(settings, " ".join(arguments.question), as_json=arguments.json)


async def _index(settings: Settings, sources: list[str]) -> None:
    async with open_program(settings) as program:
        report = await qi.unwrap(program.index(sources))
        documents, passages = await qi.unwrap(program.store.counts())
    print(
        f"{report.found} documents found: {report.kept} read into {report.passages} passages, "
        f"{report.unchanged} unchanged, {len(report.skipped)} skipped; {report.forgotten} forgotten"
    )
    show_skipped(report.skipped)
    print(f"in the index: {documents} documents, {passages} passages")
    if report.skipped and not documents:
        errors = [error for _, error in report.skipped]
        raise qi.QiError.aggregate(errors, code="NOTHING_INDEXED", message="nothing could be read")


async def _ask(settings: Settings, question: str, *, as_json: bool) -> None:
    async with open_program(settings) as program:
        answer = await qi.unwrap(program.ask(question))
    if as_json:
        print(json.dumps(asdict(answer), indent=2, ensure_ascii=False))
        return
    print(f"{answer.text}\n")
    for number, source in enumerate(answer.sources, 1):
        print(f"[{number}] {source.headline}\n    {source.name}")


def show_skipped(skipped: Iterable[tuple[str, qi.QiError]], indent: str = "  ") -> None:
    """Print what was not read, and why; what is alike stands once."""
    alike = Counter((name, error.code, error.message) for name, error in skipped)
    for (name, code, message), times in alike.items():
        print(f"{indent}skipped {f'{times} {name}' if times > 1 else name}")
        print(f"{indent}  {code}: {message}")
