"""Write the reference pages that come from the code: error-codes.md and hooks.md.

    python docs/reference/generate.py [--check]

With --check nothing is written, and the exit status is 1 where a page is not what the code says.
"""

from __future__ import annotations

import inspect
import re
import sys
from pathlib import Path

from qicore.meanings import Meaning, read
from qicore.verbs.explain import RETRIES
from qicore_core import ErrorCategory, hookspecs

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
MADE = "<!-- Made by generate.py beside this page: change the code, then run it. -->"


def main() -> int:
    """Write the pages, or compare them."""
    pages = {"error-codes.md": error_codes(), "hooks.md": hooks()}
    stale = [name for name, text in pages.items() if _read(HERE / name) != text]
    if "--check" in sys.argv[1:]:
        for name in stale:
            print(f"docs/reference/{name} is not what the code says: run {sys.argv[0]}")
        return 1 if stale else 0
    for name in stale:
        (HERE / name).write_text(pages[name], "utf-8")
        print(f"wrote docs/reference/{name}")
    return 0


def error_codes() -> str:
    """Make the page of categories and codes."""
    lines = [
        "# Error codes",
        "",
        MADE,
        "",
        "A code means one thing for ever. Its category says what follows. `qicore explain CODE`",
        "says the same on the command line, also of the codes of plugins that are not here.",
        "",
        "## Categories",
        "",
        "| category | retry | HTTP | exit | log |",
        "|---|---|---|---|---|",
    ]
    for one in ErrorCategory:
        row = (f"`{one}`", RETRIES[one.retry], one.http_status, one.exit_code, one.log_level)
        lines.append(_row(*row))
    packages = ["qicore_core", "qicore"]
    members = sorted(path.parent.name for path in ROOT.glob("plugins/*/pyproject.toml"))
    packages += [name.replace("-", "_") for name in members if name != "qicore"]
    for package in packages:
        codes = list(read(package))
        if codes:
            lines += ["", f"## {package.replace('_', '-')}", ""]
            lines += ["| code | category | what happened | what to do |", "|---|---|---|---|"]
            lines += [_code(meaning) for meaning in codes]
    return "\n".join(lines) + "\n"


def hooks() -> str:
    """Make the page of hooks."""
    lines = [
        "# Hooks",
        "",
        MADE,
        "",
        "What a plugin module may implement, each marked with `@hookimpl`. All are synchronous and",
        "take one argument, which may grow; none does I/O. A module is found by an entry point in",
        "the group `qicore.<kind>`, or in `qicore` if it brings hooks alone. How to write one is",
        "in [the how-to on plugins](../howto/plugins.md).",
    ]
    for name in hookspecs.HOOKS:
        hook = getattr(hookspecs, name)
        signature = str(inspect.signature(hook)).replace("'", "")
        lines += ["", f"## {name}", "", f"`{name}{signature}`", "", inspect.getdoc(hook) or ""]
    return "\n".join(lines) + "\n"


def _code(meaning: Meaning) -> str:
    category = " or ".join(f"`{one}`" for one in meaning.categories)
    return _row(f"`{meaning.code}`", category, meaning.what, meaning.todo)


def _row(*cells: object) -> str:
    shown = [re.sub(r"(?<!`)\|", r"\\|", str(cell)) for cell in cells]
    return "| " + " | ".join(shown) + " |"


def _read(path: Path) -> str:
    return path.read_text("utf-8") if path.exists() else ""


if __name__ == "__main__":
    sys.exit(main())
