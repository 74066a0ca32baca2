"""Little distributions in a folder of their own, and the command run in this process."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import pytest
from hypothesis import settings

from qicore.cli import main
from qicore_core import plugins

Install = Callable[..., None]


class Said(NamedTuple):
    """What a run of the command came to."""

    status: int
    out: str
    err: str


@pytest.fixture
def qicore(capsys: pytest.CaptureFixture[str]) -> Iterator[Callable[..., Said]]:
    """Give the command: `qicore("plugins", "list")`."""
    profile = settings.get_current_profile_name()

    def run(*arguments: str) -> Said:
        status = main(list(arguments))
        out, err = capsys.readouterr()
        return Said(status, out, err)

    yield run
    settings.load_profile(profile)  # `verify` loads its own


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    """Give a function that installs a distribution; here nothing else is installed."""
    folder = tmp_path / "site"
    folder.mkdir()
    known = set(sys.modules)
    for variable in ("QICORE_PLUGINS", "QICORE_PLUGINS_DISABLED", "QICORE_PLUGINS_PREFER"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setattr(sys, "path", [str(folder), *sys.path])
    plugins.reset()

    def put(
        name: str,
        points: Mapping[str, Mapping[str, str]],
        files: Mapping[str, str],
        requires: str = "qicore-core>=0.1,<1",
    ) -> None:
        info = f"{name.replace('-', '_')}-1.0.dist-info"
        lines = [
            f"[{group}]\n" + "\n".join(f"{key} = {value}" for key, value in entries.items())
            for group, entries in points.items()
        ]
        metadata = (
            f"Name: {name}\nVersion: 1.0\nLicense-File: LICENSE\nRequires-Dist: {requires}\n\n"
        )
        written = {
            **files,
            f"{info}/METADATA": metadata,
            f"{info}/entry_points.txt": "\n\n".join(lines) + "\n",
        }
        for path, text in written.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_text(text, "utf-8")
        plugins.reset()

    yield put
    plugins.reset()
    for name in set(sys.modules) - known:
        if str(folder) in str(getattr(sys.modules[name], "__file__", "")):
            del sys.modules[name]
