"""The examples do what their pages say: run as programs, over real sockets, on real faults."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib import import_module
from pathlib import Path
from threading import Thread, Timer
from time import perf_counter
from typing import Any
from urllib.error import HTTPError
from urllib.parse import quote
from urllib.request import urlopen

import pytest

import qicore as qi
from qicore_llm import open_llm

EXAMPLES = Path(__file__).parents[1] / "docs" / "examples"
ASKDOCS = EXAMPLES / "complete_integration"
HOSTILE = [
    '") OR 1=1 --',
    "<script>alert(1)</script> fox",
    "fox* NEAR(x y) ^ body:",
    "'; drop table",
]
Answer = tuple[int, str] | Callable[[int], tuple[int, str]]


@contextmanager
def serving(routes: dict[str, Answer]) -> Iterator[tuple[str, list[str]]]:
    """Serve fixed answers on a real socket; give the address and what was asked."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path = self.path.partition("?")[0]
            asked.append(path)
            answer = routes.get(path, (404, "nothing here"))
            status, body = answer(asked.count(path)) if callable(answer) else answer
            kind = "application/json" if body.startswith("{") else "text/html; charset=utf-8"
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body.encode())))
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, format: str, *args: object) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}", asked
        finally:
            server.shutdown()


def environment(**settings: str) -> dict[str, str]:
    kept = {name: text for name, text in os.environ.items() if not name.startswith("ASKDOCS_")}
    return {**kept, "PYTHONPATH": str(ASKDOCS), "PYTHONDONTWRITEBYTECODE": "1", **settings}


def fetched(url: str) -> tuple[int, str, str]:
    """Give status, content type and body, whatever the status."""
    try:
        with urlopen(url, timeout=10) as answer:
            return answer.status, answer.headers["Content-Type"], answer.read().decode()
    except HTTPError as error:
        with error:
            return error.code, error.headers["Content-Type"], error.read().decode()


@contextmanager
def running(command: list[str], told: re.Pattern[str], **options: Any) -> Iterator[str]:
    """Run a server until it has told its address; stop it as a platform does, by SIGTERM."""
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **options
    ) as process:
        late = Timer(30.0, process.kill)  # or a server that says nothing would hold the tests
        late.start()
        try:
            assert process.stdout is not None
            said = ""
            for line in process.stdout:
                said += line
                if found := told.search(line):
                    late.cancel()
                    yield found[1]
                    break
            else:
                pytest.fail(f"it ended before it served: {said}")
            process.send_signal(signal.SIGTERM)
            assert process.wait(timeout=20) == 0, process.stdout.read()
        finally:
            late.cancel()
            process.kill()


class TestBasicUsage:
    def test_it_runs_and_says_each_outcome(self) -> None:
        command = [sys.executable, "-W", "error", str(EXAMPLES / "basic_usage.py")]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60)
        assert (done.returncode, done.stderr) == (0, "")
        assert "Config loaded: https://api.example.com/" in done.stdout
        assert "Final result: Processed: example" in done.stdout
        assert "- api_url is missing" in done.stdout
        assert "HTTP_ERROR NOT_FOUND retry: False" in done.stdout


@pytest.fixture(scope="module")
def service() -> Iterator[tuple[str, list[str]]]:
    ada = json.dumps({"id": 1, "name": "Ada", "email": "ada@example.org", "phone": "1"})
    routes: dict[str, Answer] = {"/users/1": (200, ada), "/users/3": (500, "password=hunter2")}
    command = [sys.executable, str(EXAMPLES / "web_service.py")]
    told = re.compile(r'"serving".*"address":"([^"]+)"')
    with serving(routes) as (upstream, asked):
        env = environment(SERVICE_PORT="0", SERVICE_API_URL=upstream)
        with running(command, told, env=env) as address:
            yield address, asked


class TestWebService:
    def test_a_user_is_fetched_once_and_then_cached(self, service: tuple[str, list[str]]) -> None:
        address, asked = service
        for _ in range(2):
            status, _, body = fetched(f"{address}/users/1")
            assert (status, json.loads(body)["name"]) == (200, "Ada")
        assert asked.count("/users/1") == 1

    def test_a_user_who_is_not_there_is_a_404(self, service: tuple[str, list[str]]) -> None:
        status, kind, body = fetched(f"{service[0]}/users/2")
        assert (status, kind.partition(";")[0]) == (404, "application/problem+json")
        assert json.loads(body)["code"] == "HTTP_ERROR"

    def test_what_the_api_says_of_itself_reaches_nobody(
        self, service: tuple[str, list[str]]
    ) -> None:
        status, _, body = fetched(f"{service[0]}/users/3")
        assert status == 503
        assert "hunter2" not in body

    def test_a_number_that_is_none_is_refused(self, service: tuple[str, list[str]]) -> None:
        assert fetched(f"{service[0]}/users/ada")[0] == 422


def askdocs(folder: Path, *args: str, **settings: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-W", "error", "-m", "askdocs", *args],
        cwd=folder,
        env=environment(**settings),
        capture_output=True,
        text=True,
        timeout=120,
    )


@pytest.fixture
def notes(tmp_path: Path) -> Path:
    """Make a folder of documents, some of which cannot be read."""
    folder = tmp_path / "notes"
    (folder / "deep" / ".hidden").mkdir(parents=True)
    (folder / "fox.md").write_text("# The fox\n\nThe quick brown fox jumps over the lazy dog.\n")
    (folder / "deep" / "owl.html").write_text(
        "<title>The owl</title><script>var fox = 'never'</script>"
        "<h1>At night</h1><p>The owl says <b>&lt;hoo&gt;</b> to the moon.</p>"
    )
    (folder / "deep" / ".hidden" / "fox.md").write_text("# Secret fox\n\nNobody reads this fox.\n")
    (folder / "plain.txt").write_text("Title\n=====\n\nPlain words about badgers, and no more.\n")
    (folder / "binary.md").write_bytes(b"\x89PNG\r\n\x00\xff")
    (folder / "large.md").write_text("badger " * 2000)
    (folder / "gone.md").symlink_to(folder / "nowhere.md")
    os.mkfifo(folder / "pipe.md")
    return folder


class TestAskdocs:
    def test_what_cannot_be_read_is_told_and_the_rest_is_answered(self, notes: Path) -> None:
        routes: dict[str, Answer] = {
            "/hedgehog": (200, "<title>Hedgehogs</title><p>Hedgehogs sleep in winter, mostly.</p>"),
            "/broken": (500, "out of order"),
            "/busy": lambda n: (
                (503, "wait") if n < 3 else (200, "<p>Moles dig at the third try.</p>")
            ),
        }
        with serving(routes) as (web, asked):
            urls = [f"{web}{path}" for path in routes]
            limit = "--set=max_bytes=10000"
            missing = str(notes.parent / "missing")
            done = askdocs(notes.parent, limit, "index", str(notes), missing, *urls)
        assert done.returncode == 0
        assert asked.count("/busy") == 3
        assert asked.count("/broken") == 1
        assert "11 documents found: 5 read" in done.stdout
        for name, code in (
            (missing, "SOURCE_NOT_FOUND"),
            (f"{web}/broken", "HTTP_ERROR"),
            (str(notes / "binary.md"), "SOURCE_BINARY"),
            (str(notes / "large.md"), "SOURCE_TOO_LARGE"),
            (str(notes / "gone.md"), "SOURCE_NOT_FOUND"),
            (str(notes / "pipe.md"), "SOURCE_UNREADABLE"),
        ):
            assert f"skipped {name}\n    {code}: " in done.stdout
        for question, answer, source in (
            ("who jumps over dogs?", "The quick brown fox", "fox.md"),
            ("what does the owl say", "<hoo>", "owl.html"),
            ("badgers", "Plain words", "plain.txt"),
            ("when do hedgehogs sleep", "in winter", "/hedgehog"),
            ("moles", "third try", "/busy"),
        ):
            said = askdocs(notes.parent, "ask", question).stdout
            assert answer in said
            assert source in said
        assert "never" not in askdocs(notes.parent, "ask", "--json", "fox").stdout

    def test_it_is_served_and_strangers_break_nothing(self, notes: Path) -> None:
        assert askdocs(notes.parent, "index", str(notes)).returncode == 0
        command = [sys.executable, "-m", "askdocs", "--set", "web.port=0", "serve"]
        told = re.compile(r"at (http://\S+)")
        with running(command, told, cwd=notes.parent, env=environment()) as address:
            status, _, body = fetched(f"{address}/ask?q=who%20jumps")
            assert (status, json.loads(body)["sources"][0]["title"]) == (200, "The fox")
            for question in HOSTILE:
                status, kind, body = fetched(f"{address}/?q={quote(question)}")
                assert status in (200, 404)
                assert kind.startswith("text/html")
                assert "<script" not in body
                assert fetched(f"{address}/ask?q={quote(question)}")[0] == status
            body = fetched(f"{address}/?q=owl")[2]
            assert "&lt;hoo&gt;" in body
            assert "<hoo>" not in body
            assert fetched(f"{address}/ask?q=...")[0] == 422
            assert fetched(f"{address}/ask?q={'fox+' * 200}")[0] == 422
            assert fetched(f"{address}/ask")[0] == 422
            assert fetched(f"{address}/ask?q=zebra")[0] == 404
            assert "<form>" in fetched(f"{address}/")[2]
            assert fetched(f"{address}/healthz")[0] == 200
            assert fetched(f"{address}/readyz")[0] == 200

    def test_a_failure_is_said_and_is_the_exit_code(self, tmp_path: Path) -> None:
        for args, code, exit_code in (
            (["ask", "..."], "QUESTION_EMPTY", 65),
            (["ask", "zebra"], "NOTHING_FOUND", 66),
            (["index", "nowhere"], "NOTHING_INDEXED", 66),
            (["--set", "max_bites=1", "ask", "fox"], "did you mean max_bytes?", 78),
            (["--config", "none.toml", "ask", "fox"], "CONFIG_FILE_NOT_FOUND", 78),
            (["--set", "sql.url=mysql://u:hunter2@h/db", "ask", "fox"], "PLUGIN_NOT_FOUND", 78),
        ):
            done = askdocs(tmp_path, *args)
            assert (done.returncode, code in done.stderr) == (exit_code, True), done.stderr
            assert "Traceback" not in done.stderr
            assert "hunter2" not in done.stderr

    def test_a_file_says_what_is_different_and_a_profile_adds_to_it(self, notes: Path) -> None:
        folder = notes.parent
        (folder / "askdocs.toml").write_text('sources = ["notes"]\n[sql]\nreaders = 1\n')
        (folder / "askdocs.night.toml").write_text('sources = ["notes/deep"]\n')
        assert "4 read" in askdocs(folder, "index").stdout
        assert (folder / "askdocs.db").exists()
        assert "1 documents found" in askdocs(folder, "index", ASKDOCS_PROFILE="night").stdout

    def test_pages_that_differ_in_their_query_alone_are_told_apart(self, notes: Path) -> None:
        routes: dict[str, Answer] = {"/page": (200, "<p>Nothing here about otters at all.</p>")}
        with serving(routes) as (web, _):
            pages = [f"{web}/page?id={number}" for number in (1, 2, 1)]
            done = askdocs(notes.parent, "index", *pages)
        assert "2 read" in done.stdout
        assert "2 documents" in done.stdout

    def test_secrets_are_shown_and_kept_nowhere(self, notes: Path) -> None:
        routes: dict[str, Answer] = {"/page": (200, "<p>Nothing here about otters at all.</p>")}
        with serving(routes) as (web, _):
            secret = web.replace("http://", "http://me:hunter2@")
            urls = [f"{secret}/page?token=hunter3", f"{secret}/gone?token=hunter3"]
            settings = {"ASKDOCS_LLM__API_KEY": "hunter4", "ASKDOCS_LOG__LEVEL": "debug"}
            done = askdocs(notes.parent, "index", *urls, **settings)
            again = askdocs(notes.parent, "ask", "otters", **settings)
        assert (done.returncode, again.returncode) == (0, 0)
        kept = b"".join(path.read_bytes() for path in notes.parent.glob("askdocs.db*"))
        said = (done.stdout + done.stderr + again.stdout + again.stderr).encode()
        assert b"otters" in kept
        assert b"hunter" not in said + kept

    def test_the_demo_runs_on_sources_of_ones_own(self, notes: Path) -> None:
        began = perf_counter()
        done = askdocs(notes.parent, "demo", ASKDOCS_SOURCES=f"{notes},nowhere")
        assert done.returncode == 0, done.stderr
        assert perf_counter() - began < 60
        assert re.search(r"^ +that recovers +4 +2 +0 +0$", done.stdout, re.MULTILINE)
        down = re.search(r"^ +that is down +(\d+) +(\d+) +1 +(\d+)$", done.stdout, re.MULTILINE)
        assert down is not None
        asked, _, spared = map(int, down.groups())
        assert asked <= 12  # of 36: five failures open the breaker, seven more were under way
        assert spared >= 4
        assert re.search(r"skipped \d+ pages of the server.*\n +CIRCUIT_OPEN: ", done.stdout)
        assert re.search(r"skipped nowhere\n +SOURCE_NOT_FOUND", done.stdout)
        assert len(re.findall(r"^   \d\. What about", done.stdout, re.MULTILINE)) == 5
        assert re.search(r"cache +\d hits, \d misses", done.stdout)


@pytest.fixture
def package(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    monkeypatch.syspath_prepend(str(ASKDOCS))
    monkeypatch.chdir(tmp_path)
    for name in ("answer", "extract", "program", "settings", "sources"):
        import_module(f"askdocs.{name}")
    return import_module("askdocs")


class TestAskdocsInside:
    def test_an_answer_lives_until_the_index_changes(self, package: Any, notes: Path) -> None:
        async def main() -> None:
            settings = package.settings.read_settings().unwrap()
            async with package.program.open_program(settings) as program:
                for animal in ("fox", "stoat"):
                    (notes / "fox.md").write_text(
                        f"# News\n\nIt was the {animal} that jumps today.\n"
                    )
                    (await program.index([str(notes)])).unwrap()
                    for question in ("who jumps?", "Who jumps"):
                        answer = (await program.ask(question)).unwrap()
                        assert animal in answer.text
                        assert answer.question == question
                assert program.asker.cache.stats.computed == 2

        asyncio.run(main())

    def test_what_is_gone_is_forgotten_and_what_failed_is_kept(
        self, package: Any, notes: Path
    ) -> None:
        async def main() -> None:
            settings = package.settings.read_settings().unwrap()
            async with package.program.open_program(settings) as program:
                (await program.index([str(notes)])).unwrap()
                (notes / "plain.txt").unlink()
                (notes / "fox.md").write_bytes(b"\0")
                report = (await program.index([str(notes)])).unwrap()
                assert (report.forgotten, report.kept) == (1, 0)
                assert (await program.ask("fox")).is_success()
                assert (await program.ask("plain")).is_failure()
                os.rename(notes, notes.parent / "elsewhere")
                assert (await program.index([str(notes)])).unwrap().forgotten == 0
                assert (await program.ask("fox")).is_success()

        asyncio.run(main())

    @pytest.mark.parametrize(
        ("model", "text", "by"),
        [
            ("echo:", "echo: Answer the question", "the language model"),
            ("echo:LLM_OVERLOADED", "The quick brown fox", "the passages, as"),
        ],
    )
    def test_a_model_rewrites_and_its_failure_costs_no_answer(
        self, package: Any, notes: Path, model: str, text: str, by: str
    ) -> None:
        async def main() -> None:
            settings = package.settings.read_settings().unwrap()
            policy = qi.Policy(timeout=5.0)
            async with (
                package.program.open_program(settings) as program,
                open_llm(model, policy=policy) as llm,
            ):
                (await program.index([str(notes)])).unwrap()
                asker = package.answer.Asker(program.store, program.asker.cache, llm)
                answer = (await asker.ask("quick fox")).unwrap()
                assert answer.text.startswith(text)
                assert answer.answered_by.startswith(by)

        asyncio.run(main())

    @pytest.mark.parametrize(
        ("words", "wanted"),
        [
            (["a,b c"], ["a", "b", "c"]),
            ([f"a{os.pathsep}b"], ["a", "b"]),
            (["http://h:80/x,https://h/y?a=b:c"], ["http://h:80/x", "https://h/y?a=b:c"]),
            (["installed:", "a", "a", ""], ["installed:", "a"]),
            (["my notes"], ["my notes"]),
        ],
    )
    def test_sources_are_split_unless_they_exist(
        self, package: Any, words: list[str], wanted: list[str]
    ) -> None:
        Path("my notes").mkdir()
        assert package.settings.split_sources(words) == wanted

    @pytest.mark.parametrize(
        ("kind", "text", "headings", "said"),
        [
            (
                "markdown",
                "# A *b*\n\nSee [the long\nlink](x.md).\n",
                ["A b"],
                "See the long\nlink.",
            ),
            ("markdown", "One\n---\n~~~\n# no heading\n~~~\n", ["One"], "# no heading"),
            (
                "markdown",
                "---\nt: 1\n---\n# A\n\n| a | b |\n|---|---|\n| c | d |",
                ["A"],
                "a b\n\nc d",
            ),
            (
                "text",
                "Title\n~~~~~\n\nSee :func:`map` and `a <b>`_.\n",
                ["Title"],
                "See map and a.",
            ),
            ("text", "# a comment, no heading\n", [""], "# a comment, no heading"),
            ("html", "<h2>A<i>b</i></h2><nav>no</nav><p>x &lt; y</p>", ["Ab"], "x < y"),
        ],
        ids=["link", "fence", "table", "underline", "text", "html"],
    )
    def test_markup_is_no_part_of_what_is_said(
        self, package: Any, kind: str, text: str, headings: list[str], said: str
    ) -> None:
        document = package.sources.Document("name", "origin", kind, text)
        page = package.extract.extract(document, 1200)
        assert [one.heading for one in page.passages] == headings
        assert page.passages[0].text == said

    def test_what_is_quoted_is_prose(self, package: Any, notes: Path) -> None:
        (notes / "code.md").write_text(
            "# Weasels\n\n```python\nweasels = count(weasels, of='weasels')  # weasels!\n```\n\n"
            "There are weasels in the wood here.\n"
        )

        async def main() -> None:
            settings = package.settings.read_settings().unwrap()
            async with package.program.open_program(settings) as program:
                (await program.index([str(notes)])).unwrap()
                answer = (await program.ask("where are weasels")).unwrap()
                assert answer.text == "There are weasels in the wood here. [1]"

        asyncio.run(main())

    @pytest.mark.parametrize("kind", ["html", "markdown", "text"])
    @pytest.mark.parametrize(
        "unit", ["<a ", "<![x[", "<!--", "![", "# # ", "`a <", "a\n-\n", "<h1>"]
    )
    def test_no_document_takes_for_ever(self, package: Any, kind: str, unit: str) -> None:
        text = unit * (200_000 // len(unit))
        document = package.sources.Document("name", "origin", kind, text)
        began = perf_counter()
        page = package.extract.extract(document, 1200)
        assert all(len(one.text) <= 1200 for one in page.passages)
        assert perf_counter() - began < 20  # in quadratic time it is minutes
