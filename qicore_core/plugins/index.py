"""Which plugins are installed, without importing one: entry points are the manifest.

One pass over `sys.path` reads `*.dist-info/entry_points.txt` where there is one and keeps our
groups: `qicore` (hooks alone) and `qicore.<kind>`. That takes a millisecond for a hundred
distributions, where importlib.metadata alone takes fifty to load; it is asked only where the pass
finds nothing (zip files, frozen programs). The index is made once a process; `reset()` forgets it.
"""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Final

__all__ = ["Listed", "index", "metadata_of", "normal", "reset"]

_MARK: Final = b"[qicore"
_MAX_BYTES: Final = 1_000_000  # more METADATA than this is not read


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


def reset() -> None:
    """Forget the index, as after an installation, or between tests."""
    global _index
    _index = None


def normal(name: str, /) -> str:
    """Normalise a distribution's name. Source: PEP 503."""
    dashed = name.strip().lower().replace("_", "-").replace(".", "-")
    while "--" in dashed:
        dashed = dashed.replace("--", "-")
    return dashed


def metadata_of(listed: Listed, field: str, /) -> list[str]:
    """Give the values of a field of the METADATA, such as Requires-Dist; none if unreadable."""
    try:
        with open(f"{listed.path}/METADATA", encoding="utf-8", errors="replace") as file:
            header = file.read(_MAX_BYTES).partition("\n\n")[0]
    except OSError:
        return []
    prefix = f"{field.lower()}:"
    return [
        line[len(prefix) :].strip()
        for line in header.splitlines()
        if line.lower().startswith(prefix)
    ]


def _scan() -> Iterator[Listed]:
    seen: set[str] = set()
    for folder in sys.path:
        try:
            entries = sorted(os.listdir(folder or "."))  # an order, so that nothing goes by luck
        except OSError:
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
            try:
                with open(f"{path}/entry_points.txt", "rb", buffering=0) as file:
                    raw = file.read()
            except OSError:
                continue
            if _MARK in raw:
                yield from _read(raw.decode("utf-8", "replace"), distribution, version, path)


def _read(text: str, distribution: str, version: str, path: str) -> Iterator[Listed]:
    group = ""
    for line in text.splitlines():
        line = line.strip()
        if line.startswith("["):
            group = line.strip("[] ")
        elif line and line[0] not in "#;" and (group == "qicore" or group.startswith("qicore.")):
            name, equals, value = line.partition("=")
            if equals:
                kind, module = group.partition(".")[2], value.partition("[")[0].strip()
                yield Listed(kind, name.strip(), module, distribution, version, path)


def _scan_slowly() -> Iterator[Listed]:
    from importlib.metadata import distributions  # late: 50 ms, and seldom needed

    for distribution in distributions():
        raw = distribution.read_text("entry_points.txt") or ""
        if _MARK.decode() in raw:
            yield from _read(raw, normal(distribution.name), distribution.version, "")
