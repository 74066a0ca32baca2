"""Real little distributions: a folder as an installer leaves it, and children that see it."""

from __future__ import annotations

import base64
import gc
import hashlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

from qicore_core import plugins

settings.register_profile("suite", deadline=None)  # how long a thing takes is for `nox -s bench`
settings.load_profile("suite")

# A domain as they are: a port, a rich client, a door, a driver that it brings itself.
DOMAIN = """
from qicore_core.kinds import Kind, Parts
from qicore_core.opening import Opening
from qicore_core.plugins import choose, open_port
from qicore_core.result import success

class Probe:
    def __init__(self, name="still", settings=None):
        self.name, self.settings, self.is_open = name, dict(settings or {}), True

    async def health(self):
        return success()

    async def close(self):
        self.is_open = False

def open_probe(url=None, settings=None, parts=None, /):
    parts = parts or Parts()
    async def start():
        name = success(url.partition(":")[0]) if url else choose("probe", parts.plugins)
        if not name:
            return name
        return await open_port(PROBE, name.value, url or f"{name.value}:", settings or {}, parts)
    return Opening(start)

PROBE = Kind("probe", open_probe)

def opens(name):
    def factory(url, settings, parts, /):
        async def start():
            return success(Probe(name, settings))
        return Opening(start)
    return factory
"""
BUILTIN = """
from qicore_core.hookspecs import hookimpl
from qicore_probe import PROBE, opens

@hookimpl
def qicore_register_adapters(registry):
    registry.add(PROBE, "still", opens("still"))
"""


def pytest_collection_finish() -> None:
    """Hide what collecting made from the garbage collector, or it looks at it in every test."""
    gc.collect()
    gc.freeze()


class Site:
    """A folder of distributions, as an installer leaves it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def install(
        self,
        name: str,
        version: str = "1.0",
        *,
        points: Mapping[str, Mapping[str, str]] | None = None,
        files: Mapping[str, str] | None = None,
        requires: Sequence[str] = (),
    ) -> Path:
        """Write packages and *.dist-info with METADATA, entry_points.txt, RECORD; give the latter.

        Args:
            points: for each group the entry points.
            files: text by path; `name.py` or `name/__init__.py`.
            requires: lines of Requires-Dist.
        """
        info = f"{name.replace('-', '_')}-{version}.dist-info"
        metadata = ["Metadata-Version: 2.1", f"Name: {name}", f"Version: {version}"]
        metadata += [f"Requires-Dist: {line}" for line in requires]
        groups = [
            "\n".join([f"[{group}]", *(f"{key} = {value}" for key, value in lines.items())])
            for group, lines in (points or {}).items()
        ]
        written = {
            **(files or {}),
            f"{info}/METADATA": "\n".join(metadata) + "\n\nWhat it is for.\n",
            f"{info}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
            f"{info}/INSTALLER": "pip\n",
            f"{info}/entry_points.txt": "\n\n".join(groups) + "\n",
        }
        record = []
        for path, text in written.items():
            file = self.folder / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, "utf-8")
            digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=")
            record.append(f"{path},sha256={digest.decode()},{len(text.encode())}")
        record.append(f"{info}/RECORD,,")
        (self.folder / info / "RECORD").write_text("\n".join(record) + "\n", "utf-8")
        plugins.reset()
        return self.folder / info

    def install_domain(self) -> None:
        """Install the domain `qicore-probe`, which brings the driver `still`."""
        self.install(
            "qicore-probe",
            points={"qicore.probe": {"still": "qicore_probe_plugin"}},
            files={"qicore_probe/__init__.py": DOMAIN, "qicore_probe_plugin.py": BUILTIN},
            requires=["qicore-core>=0.1,<1"],
        )

    def install_driver(
        self,
        name: str,
        code: str | None = None,
        *,
        distribution: str = "",
        version: str = "1.0",
        requires: Sequence[str] = ("qicore-core>=0.1,<1",),
    ) -> None:
        """Install a driver of the domain; `code` in place of one that works."""
        distribution = distribution or f"acme-{name}"
        module = distribution.replace("-", "_")
        works = BUILTIN.replace("still", name)
        self.install(
            distribution,
            version,
            points={"qicore.probe": {name: f"{module}.plugin"}},
            files={f"{module}/__init__.py": "", f"{module}/plugin.py": code or works},
            requires=requires,
        )

    def run(self, program: str, *arguments: str, **environ: str) -> Any:
        """Run a program in a child that sees this folder; give the JSON that it prints last."""
        done = self.start(program, *arguments, **environ)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout.splitlines()[-1])

    def start(
        self, program: str, *arguments: str, **environ: str
    ) -> subprocess.CompletedProcess[str]:
        """Run a program in a child that sees this folder."""
        clean = {key: value for key, value in os.environ.items() if not key.startswith("QICORE_")}
        path = [str(self.folder), *filter(None, [clean.get("PYTHONPATH")])]
        return subprocess.run(
            [sys.executable, "-c", program, *arguments],
            capture_output=True,
            text=True,
            timeout=60,
            env={**clean, "PYTHONPATH": os.pathsep.join(path), **environ},
        )


@pytest.fixture
def site(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> Iterator[Site]:
    """Give a folder of distributions, first on the path; modules and index are forgotten after."""
    known = set(sys.modules)
    folder = tmp_path / "site"
    folder.mkdir()
    monkeypatch.syspath_prepend(folder)
    for variable in ("QICORE_PLUGINS", "QICORE_PLUGINS_DISABLED", "QICORE_PLUGINS_PREFER"):
        monkeypatch.delenv(variable, raising=False)
    plugins.reset()
    yield Site(folder)
    plugins.reset()
    for name in set(sys.modules) - known:
        if str(folder) in str(getattr(sys.modules[name], "__file__", "")):
            del sys.modules[name]


@pytest.fixture(scope="session", autouse=True)
def _interruptible() -> Iterator[None]:
    """Let tests interrupt themselves, also in the background, where SIGINT is ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)
