"""The tutorial's driver is a real distribution that keeps the contract."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

PAGE = Path(__file__).parents[3] / "docs" / "tutorial" / "write-a-cache-driver.md"
BLOCK = re.compile(r"^```(python|toml)\n(.*?)^```$", re.MULTILINE | re.DOTALL)

PLUGIN_TEST = """
from qicore_core.conformance.plugin import PluginContract

class TestPlugin(PluginContract):
    distribution = "acme-folder"
"""


def files() -> dict[str, str]:
    """Cut the page's blocks into files; one that names none goes on with the last."""
    found: dict[str, str] = {}
    name = ""
    for _, text in BLOCK.findall(PAGE.read_text(encoding="utf-8")):
        named = re.match(r"# (\S+\.\w+)\n", text)
        name = named[1] if named else name
        found[name] = found.get(name, "") + text
    return found


def test_the_driver_of_the_tutorial_keeps_the_contract(tmp_path: Path) -> None:
    shown = files()
    package = "acme_folder/__init__.py"  # where the build backend looks for it
    assert list(shown) == ["pyproject.toml", package, "test_contract.py", "test_use.py"]
    (tmp_path / "acme_folder").mkdir()
    (tmp_path / "acme_folder" / "py.typed").touch()
    for name, text in shown.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    project = tomllib.loads(shown["pyproject.toml"])["project"]
    points = project["entry-points"]["qicore.cache"]
    assert points == {"folder": "acme_folder"}
    info = tmp_path / "acme_folder-0.1.0.dist-info"  # as an installer would write it
    info.mkdir()
    metadata = [
        f"Name: {project['name']}",
        f"Version: {project['version']}",
        *[f"License-File: {name}" for name in project["license-files"]],
        *[f"Requires-Dist: {line}" for line in project["dependencies"]],
    ]
    (info / "METADATA").write_text("\n".join(metadata) + "\n\n")
    (info / "entry_points.txt").write_text("[qicore.cache]\nfolder = acme_folder\n")
    (tmp_path / "test_plugin.py").write_text(PLUGIN_TEST, encoding="utf-8")

    def ran(*command: str) -> str:
        done = subprocess.run(
            [sys.executable, *command], cwd=tmp_path, capture_output=True, text=True, timeout=300
        )
        return done.stdout + done.stderr

    pytest = ("-m", "pytest", "-q", "-p", "no:cacheprovider")
    said = re.search(r"\$ pip install.*\n(.*)\n", PAGE.read_text(encoding="utf-8"))
    assert said is not None
    shown_by_pytest = ran(*pytest, "test_contract.py", "test_use.py")
    assert said[1] in shown_by_pytest, shown_by_pytest
    shown_by_pytest = ran(*pytest, "test_plugin.py")
    assert "7 passed" in shown_by_pytest, shown_by_pytest  # what `qicore plugins check` runs
