"""What the codes mean, read where they are defined: one source for the command and the docs.

A code is a constant in the `codes.py` or `errors.py` of a distribution, with a text below it:

    CACHE_TIMEOUT: Final = "CACHE_TIMEOUT"
    \"\"\"TIMEOUT: the store did not answer in time.

    Is it overloaded, or far away? Raise `timeout`.\"\"\"

First the category (several with "or" between), then what happened, then what to do. Python drops
such a text when it compiles; here the source is read, so that a meaning costs the program nothing.
"""

from __future__ import annotations

import ast
import re
from importlib.util import find_spec
from pathlib import Path

from qicore_core.error import ErrorCategory
from qicore_core.plugins import index
from qicore_core.plugins.index import normal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Final

__all__ = ["Meaning", "meanings", "packages", "read"]

_FILES: Final = ("codes.py", "errors.py")
_REQUIRES: Final = re.compile(r"(?im)^Requires-Dist:\s*qicore[-_.]core(?![\w.-])")
_NAME: Final = re.compile(r"(?im)^Name:\s*(\S+)")
_HOLDS: Final = re.compile(r"(?m)^(\w+)/(?:codes|errors)\.py,")
_CATEGORIES: Final = frozenset(map(str, ErrorCategory))


class Meaning:
    """What a code means.

    Attributes:
        code: the code.
        package: whose it is.
        categories: one, or several where it depends; empty where nothing is written.
        what: what happened.
        todo: what to do.
    """

    __slots__ = ("categories", "code", "package", "todo", "what")

    def __init__(self, code: str, package: str, text: str) -> None:
        self.code = code
        self.package = package
        head, _, rest = text.partition("\n\n")
        names, colon, what = _line(head).partition(": ")
        known = names.split(" or ") if colon else []
        self.categories = tuple(ErrorCategory(name) for name in known if name in _CATEGORIES)
        self.what = what if self.categories else _line(head)
        self.todo = _line(rest)


def meanings() -> dict[str, Meaning]:
    """Read the codes of everything that is installed here; imports no plugin."""
    found: dict[str, Meaning] = {}
    for package in packages():
        for meaning in read(package):
            found.setdefault(meaning.code, meaning)
    return found


def packages() -> list[str]:
    """List the packages that may define codes: the core, the command, and what stands on it."""
    theirs = {listed.module.partition(".")[0] for listed in index()} | set(_on_the_core())
    return ["qicore_core", "qicore", *sorted(theirs - {"qicore_core", "qicore"})]


def _on_the_core() -> Iterator[str]:
    """Name the packages of each distribution that requires the core, plugin or not."""
    from importlib.metadata import distributions  # late: it takes 50 ms

    for one in distributions():
        said = (one.read_text("METADATA") or "").partition("\n\n")[0]
        name = _NAME.search(said)
        if name and _REQUIRES.search(said):
            yield normal(name[1]).replace("-", "_")
            yield from _HOLDS.findall(one.read_text("RECORD") or "")


def read(package: str, /) -> Iterator[Meaning]:
    """Read the codes that a package defines, in order, without importing it."""
    try:
        spec = find_spec(package)
    except (ImportError, ValueError):  # an entry point that leads nowhere; `doctor` says so
        return
    for folder in (spec and spec.submodule_search_locations) or ():
        for name in _FILES:
            try:
                body = ast.parse(Path(folder, name).read_text("utf-8")).body
            except (OSError, SyntaxError, ValueError):  # none there, or it is no Python
                continue
            yield from _codes(package, body)


def _codes(package: str, body: list[ast.stmt]) -> Iterator[Meaning]:
    for place, node in enumerate(body):
        value = node.value if isinstance(node, ast.Assign | ast.AnnAssign) else None
        code = value.value if isinstance(value, ast.Constant) else None
        if isinstance(code, str) and code.isupper() and code.isidentifier():
            below = body[place + 1] if place + 1 < len(body) else None
            says = below.value if isinstance(below, ast.Expr) else None
            said = says.value if isinstance(says, ast.Constant) else ""
            yield Meaning(code, package, said if isinstance(said, str) else "")


def _line(text: str) -> str:
    return " ".join(text.split())
