"""The reference pages say what the code says, and the code says what it does."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import pytest

from qicore.meanings import Meaning, read
from qicore_core import ErrorCategory

ROOT = Path(__file__).parents[1]
OURS = [*read("qicore_core"), *read("qicore")]


def test_the_pages_are_what_the_code_says() -> None:
    command = [sys.executable, str(ROOT / "docs/reference/generate.py"), "--check"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("meaning", OURS, ids=lambda one: one.code)
def test_a_code_has_a_category_a_meaning_and_what_to_do(meaning: Meaning) -> None:
    assert meaning.categories
    assert meaning.what.endswith(".")
    assert meaning.todo


def test_a_code_stands_once_and_is_named_as_it_reads() -> None:
    codes = [meaning.code for meaning in OURS]
    assert len(codes) == len(set(codes))


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
    for folder in (ROOT / "qicore_core", ROOT / "plugins/qicore/qicore"):
        for path in folder.rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text("utf-8"))):
                if (
                    isinstance(node, ast.Call)
                    and isinstance(node.func, ast.Attribute)
                    and node.args
                ):
                    code = node.args[0]
                    name = code.attr if isinstance(code, ast.Attribute) else getattr(code, "id", "")
                    found.append((name, node.func.attr, path.name))
    assert len([code for code, *_ in found if code.startswith("PLUGIN_")]) > 3
    return found
