"""The tutorial's driver is a real distribution that keeps the contract."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

PAGE = Path(__file__).parents[3] / "docs" / "tutorial" / "write-a-cache-driver.md"
BLOCK = re.compile(r"^```(python|toml)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


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
    assert list(shown) == ["pyproject.toml", "acme_folder.py", "test_contract.py"]
    for name, text in shown.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    project = tomllib.loads(shown["pyproject.toml"])["project"]
    points = project["entry-points"]["qicore.cache"]
    assert points == {"folder": "acme_folder"}
    info = tmp_path / "acme_folder-0.1.0.dist-info"  # as an installer would write it
    info.mkdir()
    (info / "METADATA").write_text(f"Name: {project['name']}\nVersion: {project['version']}\n\n")
    (info / "entry_points.txt").write_text("[qicore.cache]\nfolder = acme_folder\n")
    ran = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_contract.py"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=300,
    )
    said = re.search(r"\$ pip install.*\n(.*)\n", PAGE.read_text(encoding="utf-8"))
    assert said is not None
    assert said[1] in ran.stdout, ran.stdout + ran.stderr
