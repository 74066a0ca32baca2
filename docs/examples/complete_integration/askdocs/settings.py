"""What can be set: one dataclass, read from askdocs.toml, the environment and arguments."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import qicore as qi

__all__ = ["Fetch", "Log", "Settings", "Web", "read_settings", "split_sources"]

INSTALLED = "installed:"  # the source that is the documentation of the installed packages
SHIPPED = Path(__file__).parents[1] / "askdocs.toml"
COMPONENTS = ("cache", "http", "llm", "sql", "qicore")  # sections that the Runtime reads


@dataclass(frozen=True)
class Fetch:
    """How URLs are fetched: seconds, and how often."""

    attempts: int = 3
    timeout: float = 20.0
    side_by_side: int = 8

    @property
    def policy(self) -> qi.Policy:
        breaker = qi.CircuitBreakerConfig(failure_threshold=5, timeout_seconds=30.0)
        return qi.Policy(retry=self.attempts, timeout=self.timeout, breaker=breaker)


@dataclass(frozen=True)
class Web:
    host: str = "127.0.0.1"
    port: int = 8080


@dataclass(frozen=True)
class Log:
    level: str = "warn"


@dataclass(frozen=True)
class Settings:
    """What askdocs reads, and the sections of what it stands on, which may hold keys."""

    sources: list[str] = field(default_factory=list)
    questions: list[str] = field(default_factory=list)
    profile: str | None = None
    max_bytes: int = 2_000_000
    passage_characters: int = 1200
    fetch: Fetch = Fetch()
    web: Web = Web()
    log: Log = Log()
    cache: dict[str, Any] = field(default_factory=dict, repr=False)
    http: dict[str, Any] = field(default_factory=dict, repr=False)
    llm: dict[str, Any] = field(default_factory=dict, repr=False)
    sql: dict[str, Any] = field(default_factory=dict, repr=False)
    qicore: dict[str, Any] = field(default_factory=dict, repr=False)

    @property
    def components(self) -> qi.ConfigData:
        """What `Runtime.open` opens."""
        sections = {name: getattr(self, name) for name in COMPONENTS}
        return qi.ConfigData.from_object(sections, "askdocs").unwrap()

    @property
    def rewrites(self) -> bool:
        """Whether a language model is configured; echo only says back what it is told."""
        return not str(self.llm.get("url", "echo:")).startswith("echo:")


def read_settings(file: str | None = None, args: Iterable[str] = ()) -> qi.Result[Settings]:
    """Read the file beside this package, FILE or else ./askdocs.toml, ASKDOCS_*, args: later wins.

    ASKDOCS_PROFILE=production reads askdocs.production.toml as well.
    """
    here = ["askdocs.toml"] if os.path.exists("askdocs.toml") else []
    files = [str(SHIPPED), *([file] if file else here)]
    profile = os.environ.get("ASKDOCS_PROFILE") or None
    return qi.load(Settings, *files, env="ASKDOCS_", args=args, profile=profile)


def split_sources(words: Iterable[str]) -> list[str]:
    """Split what is no path as it stands at commas, spaces and the system's path separator."""
    found: list[str] = []
    for word in words:
        for part in [word] if os.path.exists(word) else re.split(r"[,\s]+", word):
            is_whole = "://" in part or part == INSTALLED or os.path.exists(part)
            found += [part] if is_whole else part.split(os.pathsep)
    return [one for one in dict.fromkeys(found) if one]
