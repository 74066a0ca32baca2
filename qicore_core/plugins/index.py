"""Which plugins are installed, without importing one: entry points are the manifest.

One pass over `sys.path` reads `*.dist-info/entry_points.txt` where there is one and keeps our
groups: `qicore` (hooks alone) and `qicore.<kind>`. That takes a millisecond for a hundred
distributions, where importlib.metadata alone takes fifty to load; it is asked only where the pass
finds nothing (zip files, frozen programs). The index is made once a process; `reset()` forgets it.
"""

from __future__ import annotations

import os
import sys
from bisect import bisect_left
from stat import S_ISREG

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Final

__all__ = ["Listed", "index", "metadata_of", "named", "normal", "reset"]

_MARK: Final = "[qicore"
_MAX_BYTES: Final = 1_000_000  # more of a file than this is not read
_FLAGS: Final = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)


class Listed:
    """One line of the manifest: a distribution says that a module registers a name of a kind.

    Attributes:
        kind: "cache", "http", ...; empty for a plugin of hooks alone.
        name: the URL scheme, provider or file ending.
        module: what to import.
        distribution: whose it is, normalised: "qicore-redis".
        version: its version.
        path: the folder of its metadata; empty where there is none.
    """

    __slots__ = ("distribution", "kind", "module", "name", "path", "version")

    def __init__(
        self, kind: str, name: str, module: str, distribution: str, version: str, path: str
    ) -> None:
        self.kind = kind
        self.name = name
        self.module = module
        self.distribution = distribution
        self.version = version
        self.path = path

    @property
    def label(self) -> str:
        """How it is called: "cache/redis", or the name alone for hooks."""
        return f"{self.kind}/{self.name}" if self.kind else self.name

    @property
    def owner(self) -> str:
        """Whose it is: "qicore-redis 0.1.0"."""
        return f"{self.distribution} {self.version}"

    @property
    def is_builtin(self) -> bool:
        """Whether a domain brings it itself, as qicore-cache does `memory`."""
        return self.distribution == f"qicore-{self.kind}"

    def __repr__(self) -> str:
        return f"Listed({self.label} = {self.module}, {self.owner})"


_index: tuple[Listed, ...] | None = None


def index() -> tuple[Listed, ...]:
    """List every plugin installed, in order of kind, name and distribution; imports none."""
    global _index  # one of the four that the house allows
    if _index is None:
        found = list(_scan()) or list(_scan_slowly())
        _index = tuple(sorted(found, key=lambda one: (one.kind, one.name, one.distribution)))
    return _index


def named(kind: str, name: str, /) -> tuple[Listed, ...]:
    """List those that bring a name of a kind, by the order of the index and not all of it."""
    found, label = index(), (kind, name)
    start = bisect_left(found, label, key=lambda one: (one.kind, one.name))
    end = bisect_left(found, (kind, f"{name}\0"), start, key=lambda one: (one.kind, one.name))
    return found[start:end]


def reset() -> None:
    """Forget the index, as after an installation, or between tests."""
    global _index
    _index = None


def normal(name: str, /) -> str:
    """Normalise a distribution's name. Source: PEP 503."""
    words = name.strip().lower().replace("_", "-").replace(".", "-").split("-")
    return "-".join(filter(None, words))


def metadata_of(listed: Listed, field: str, /) -> list[str]:
    """Give the values of a field of the METADATA, such as Requires-Dist; none if unreadable."""
    text = _text_of(f"{listed.path}/METADATA").replace("\r\n", "\n")
    lines = [line.partition(":") for line in text.partition("\n\n")[0].splitlines()]
    return [value.strip() for name, _, value in lines if name.lower() == field.lower()]


def _scan() -> Iterator[Listed]:
    seen: set[str] = set()
    for folder in sys.path:
        try:
            entries = sorted(os.listdir(folder or "."))  # an order, so that nothing goes by luck
        except (OSError, ValueError):
            continue
        for entry in entries:
            if not entry.endswith(".dist-info") or entry[0] == "~":
                continue  # "~" is what an installer could not remove
            name, _, version = entry.removesuffix(".dist-info").partition("-")
            distribution = normal(name)
            if distribution in seen:
                continue  # the first on the path is the one that imports find
            seen.add(distribution)
            path = f"{folder or '.'}/{entry}"
            text = _text_of(f"{path}/entry_points.txt")
            if _MARK in text:
                yield from _read(text, distribution, version, path)


def _text_of(path: str) -> str:
    """Read what a regular file begins with; a pipe, a device and what is not there are empty.

    Anybody may put a file on the path: opening one must not wait, nor reading it be without end.
    """
    raw = b""
    try:
        file = os.open(path, _FLAGS)
        try:
            if S_ISREG(os.fstat(file).st_mode):
                while len(raw) < _MAX_BYTES and (more := os.read(file, _MAX_BYTES - len(raw))):
                    raw += more
        finally:
            os.close(file)
    except (OSError, ValueError):
        pass  # what was read counts
    return raw.decode("utf-8", "replace")


def _read(text: str, distribution: str, version: str, path: str) -> Iterator[Listed]:
    ours = kind = ""
    for line in map(str.strip, text.splitlines()):
        if line.startswith("["):
            ours, _, kind = line.strip("[] ").partition(".")
        elif ours == "qicore" and "=" in line and line[0] not in "#;":
            name, _, value = line.partition("=")
            module = value.partition("[")[0].strip()
            yield Listed(kind, name.strip(), module, distribution, version, path)


def _scan_slowly() -> Iterator[Listed]:
    from importlib.metadata import distributions  # late: 50 ms, and seldom needed

    # Folders were looked through, and by importlib a pipe in one is waited for.
    others = [one for one in sys.path if not os.path.isdir(one or ".")]
    for distribution in distributions(path=others):
        try:
            text = distribution.read_text("entry_points.txt") or ""
            if _MARK in text:
                yield from _read(text, normal(distribution.name), distribution.version, "")
        except Exception:  # noqa: BLE001, S112  # foreign files and finders
            continue
