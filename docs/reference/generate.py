"""Write the reference pages that come from the code: error-codes.md, settings.md and hooks.md.

    python docs/reference/generate.py [--check]

With --check nothing is written, and the exit status is 1 where a page is not what the code says.
"""

from __future__ import annotations

import importlib
import inspect
import re
import sys
from collections.abc import Callable, Iterator, Set
from dataclasses import MISSING, fields, is_dataclass
from operator import attrgetter
from pathlib import Path
from typing import Any

from qicore.meanings import Meaning, read
from qicore.verbs.explain import RETRIES
from qicore_core import ErrorCategory, hookspecs

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
MEMBERS = sorted(path.parent.name.replace("-", "_") for path in ROOT.glob("plugins/*/*.toml"))
# What is set by keywords, or stands elsewhere than in a settings.py
CALLS = {
    "qicore_core.resilience": (
        "Policy",
        "RetryPolicy",
        "RetryBudget",
        "CircuitBreakerConfig",
        "Rate",
        "Bulkhead",
    ),
    "qicore_core.log": ("configure_logging",),
    "qicore_cache": ("Freshness", "tiered"),
    "qicore_fastapi": ("install",),
    "qicore_http": ("ResponseCache", "AddressGuard"),
    "qicore_redis": ("Redis.lock", "Redis.limit", "Redis.once"),
    "qicore_uvicorn": ("Server",),
}
MADE = "<!-- Made by generate.py beside this page: change the code, then run it. -->"


def main() -> int:
    """Write the pages, or compare them."""
    pages = {"error-codes.md": error_codes(), "settings.md": settings(), "hooks.md": hooks()}
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
    for package in ["qicore_core", *MEMBERS]:
        codes = list(read(package))
        if codes:
            lines += ["", f"## {package.replace('_', '-')}", ""]
            lines += ["| code | category | what happened | what to do |", "|---|---|---|---|"]
            lines += [_code(meaning) for meaning in codes]
    return "\n".join(lines) + "\n"


def settings() -> str:
    """Make the page of every setting and its default."""
    lines = [
        "# Settings",
        "",
        MADE,
        "",
        "Everything that can be set, and what it is where nobody says anything. Settings of a",
        "cache, an HTTP client, a database or a model are named in the call that opens it, in its",
        "URL's query where it has one, or beside `url` in its section of a configuration; the",
        "README of each distribution says which. What is `required` has no default.",
    ]
    package = ""
    for name, thing in _configurable():
        if name.replace("_", "-") != package:
            package = name.replace("_", "-")
            lines += ["", f"## {package}"]
        lines += ["", f"### {thing.__qualname__}", "", _first(thing), ""]
        lines += ["| setting | type | default | what |", "|---|---|---|---|", *_rows(thing)]
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


def _configurable() -> Iterator[tuple[str, type | Callable[..., object]]]:
    """Give, package by package, what has settings: each class of a settings.py, and CALLS."""
    for package in ("qicore_core", *MEMBERS):
        root = ROOT / "plugins" / package.replace("_", "-")
        for path in sorted(root.glob(f"{package}/**/settings.py"), reverse=True):
            module = importlib.import_module(".".join(path.relative_to(root).with_suffix("").parts))
            names = [name for name in module.__all__ if name.endswith("Settings")]
            yield from ((package, getattr(module, name)) for name in names)
        for place, called in CALLS.items():
            if place.partition(".")[0] == package:
                module = importlib.import_module(place)
                yield from ((package, attrgetter(name)(module)) for name in called)


def _first(thing: object) -> str:
    """Give the first sentence of a docstring."""
    return " ".join((inspect.getdoc(thing) or "").partition("\n\n")[0].split())


def _rows(thing: type | Callable[..., object]) -> Iterator[str]:
    """Give the row of each setting: what a docstring says of it, what the code does."""
    usual, types = _defaults(thing)
    for name, text in _said(thing).items():
        if name in types:
            default = f"`{_shown(usual[name])}`" if name in usual else "required"
            yield _row(f"`{name}`", f"`{types[name]}`", default, text)


def _defaults(thing: Any) -> tuple[dict[str, object], dict[str, str]]:
    """Give the defaults and the types of a class's fields, or of a callable's keywords."""
    if hasattr(thing, "_usual"):  # a Value of the core
        return thing._usual, thing.__annotations__
    if is_dataclass(thing):
        named = {one.name: one for one in fields(thing)}
        usual = {name: one.default for name, one in named.items() if one.default is not MISSING}
        made = {name: one.default_factory for name, one in named.items()}
        usual |= {name: make() for name, make in made.items() if make is not MISSING}
        return usual, {name: str(one.type) for name, one in named.items()}
    taken = inspect.signature(thing).parameters.values()
    usual = {one.name: one.default for one in taken if one.default is not one.empty}
    return usual, {one.name: str(one.annotation) for one in taken}


def _said(thing: object) -> dict[str, str]:
    """Read the section Attributes or Args of a docstring, and of a class's bases: name by name."""
    said: list[tuple[str, str]] = []
    for one in reversed(thing.__mro__) if isinstance(thing, type) else (thing,):
        text = inspect.getdoc(one) or ""
        found = re.search(r"(?ms)^(?:Attributes|Args):\n(.*?)(?=^\S|\Z)", text)
        said += re.findall(r"(?ms)^    (\w+): (.*?)(?=^    \w|\Z)", found[1]) if found else []
    return {name: " ".join(words.split()) for name, words in said}


def _shown(value: object) -> str:
    if isinstance(value, Set):  # in no order of its own
        return ", ".join(sorted(map(str, value)))
    return getattr(value, "__qualname__", None) or repr(value)


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
