"""The pages tell the truth: every Python example runs, every link to a file of ours leads there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("plugins/*/*.md")])
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
EACH_PAGE = pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))


def _program(page: Path) -> str:
    """Blank out all but the Python blocks: a traceback then names the line of the page."""
    text = page.read_text(encoding="utf-8")
    lines = [""] * (text.count("\n") + 1)
    for block in FENCE.finditer(text):
        if block[1] == "python":
            first = text.count("\n", 0, block.start(2))
            body = block[2].splitlines()
            lines[first : first + len(body)] = body
    return "\n".join(lines)


@EACH_PAGE
@pytest.mark.filterwarnings("ignore:XDG_RUNTIME_DIR")  # a wheel's word on this machine
def test_examples_run_from_top_to_bottom(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # what an example writes is gone with the test
    exec(compile(_program(page), str(page), "exec", dont_inherit=True), {"__name__": "__main__"})


@EACH_PAGE
def test_no_example_hides_under_another_name_of_python(page: Path) -> None:
    languages = {block[1] for block in FENCE.finditer(page.read_text(encoding="utf-8"))}
    assert languages.isdisjoint({"py", "py3", "python3", "Python"})


@EACH_PAGE
def test_links_to_our_files_lead_somewhere(page: Path) -> None:
    links = re.findall(r"\]\(([^):\s]+)\)", page.read_text(encoding="utf-8"))
    dead = []
    for link in links:
        name, _, heading = link.partition("#")
        target = page.parent / name if name else page
        if not target.exists() or (heading and heading not in _headings(target)):
            dead.append(link)
    assert dead == []


def _headings(page: Path) -> set[str]:
    """Give the names by which a page's headings are linked to."""
    text = FENCE.sub("", page.read_text(encoding="utf-8"))
    found = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", one.lower()).replace(" ", "-") for one in found}
