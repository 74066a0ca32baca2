"""The reference pages say what the code says, and the code says what it does."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import pytest

from qicore.meanings import Meaning, read
from qicore_core import ErrorCategory

ROOT = Path(__file__).parents[1]
MEMBERS = {
    path.parent.name.replace("-", "_"): path.parent for path in ROOT.glob("plugins/*/*.toml")
}
FOLDERS = {"qicore_core": ROOT / "qicore_core"} | {
    name: folder / name for name, folder in MEMBERS.items()
}
CODES = {name: list(read(name)) for name in sorted(FOLDERS)}
SETTINGS = (ROOT / "docs/reference/settings.md").read_text("utf-8")
OF_THE_URL = {  # no keyword names them
    "app",
    "dsn",
    "model",
    "path",
    "scheme",
    "servers",
    "service",
}
OURS = [meaning for codes in CODES.values() for meaning in codes]


def first(part: str) -> str:
    return part.partition("\n")[0]


def test_the_pages_are_what_the_code_says() -> None:
    command = [sys.executable, str(ROOT / "docs/reference/generate.py"), "--check"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_class_of_settings_is_on_the_page() -> None:
    texts = [path.read_text("utf-8") for one in FOLDERS.values() for path in one.rglob("*.py")]
    classes = set(re.findall(r"(?m)^class ([A-Za-z]\w*Settings)\b", "\n".join(texts)))
    assert {"RedisSettings", "SqliteCacheSettings", "TransportSettings"} <= classes
    assert classes == set(re.findall(r"(?m)^### (\w+Settings)$", SETTINGS))


@pytest.mark.parametrize("part", re.findall(r"(?ms)^## (.*?)(?=^## |\Z)", SETTINGS), ids=first)
def test_a_readme_names_every_setting_of_its_distribution(part: str) -> None:
    if first(part) != "qicore-core":
        readme = Path(ROOT, "plugins", first(part), "README.md").read_text("utf-8")
        opening = re.findall(r"(?ms)^### (?:\w*Settings|install|Server)\n.*?(?=^### |\Z)", part)
        named = set(re.findall(r"(?m)^\| `(\w+)` \|", "".join(opening)))
        assert named
        assert {name for name in named - OF_THE_URL if f"`{name}`" not in readme} == set()


@pytest.mark.parametrize("meaning", OURS, ids=lambda one: one.code)
def test_a_code_has_a_category_a_meaning_and_what_to_do(meaning: Meaning) -> None:
    assert meaning.categories
    assert meaning.what.endswith(".")
    assert meaning.todo


def test_a_code_stands_once_and_is_named_as_it_reads() -> None:
    codes = [meaning.code for meaning in OURS]
    assert len(codes) == len(set(codes))


def test_the_members_that_give_codes_are_read() -> None:
    known = {"cache", "fastapi", "http", "llm", "redis", "sql", "uvicorn"}
    assert {f"qicore_{name}" for name in known} <= {meaning.package for meaning in OURS}


def test_a_code_is_given_in_the_category_that_is_written() -> None:
    categories = {category.lower(): category for category in ErrorCategory}
    written = {meaning.code: set(meaning.categories) for meaning in OURS}
    wrong = defaultdict(set)
    for code, factory, place in _given():
        if factory in categories and code in written and categories[factory] not in written[code]:
            wrong[code].add(f"{factory} in {place}")
    assert wrong == {}


def _given() -> list[tuple[str, str, str]]:
    """Find every `QiError.<category>(CODE, ...)` in the sources: code, category, place."""
    found = []
    constants = {name: _constants(folder) for name, folder in FOLDERS.items()}
    for driver in ("qicore_postgres", "qicore_sqlite"):  # a driver gives its domain's codes
        constants[driver] |= constants["qicore_sql"]
    for package, folder in FOLDERS.items():
        for path in folder.rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text("utf-8"))):
                if (
                    isinstance(node, ast.Call)
                    and isinstance(node.func, ast.Attribute)
                    and node.args
                ):
                    code = node.args[0]
                    name = code.attr if isinstance(code, ast.Attribute) else getattr(code, "id", "")
                    said = constants[package].get(name) or constants["qicore_core"].get(name, "")
                    found.append((said, node.func.attr, f"{package}/{path.name}"))
    for prefix in ("PLUGIN_", "DB_", "WEB_", "SERVER_"):
        assert len([code for code, *_ in found if code.startswith(prefix)]) > 2
    return found


def _constants(folder: Path) -> dict[str, str]:
    """Read which name stands for which code in a package: `LOCKED: Final = "DB_LOCKED"`."""
    found = {}
    for name in ("codes.py", "errors.py"):
        path = folder / name
        for node in ast.parse(path.read_text("utf-8")).body if path.exists() else ():
            if isinstance(node, ast.AnnAssign) and isinstance(node.value, ast.Constant):
                found[getattr(node.target, "id", "")] = node.value.value
    return found
