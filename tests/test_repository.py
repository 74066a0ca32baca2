"""The repository keeps its word: one version, one plan for every distribution, tests on wheels."""

from __future__ import annotations

import importlib
import importlib.metadata
import os
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
FOLDERS = {"qicore-core": ROOT} | {
    project.parent.name: project.parent for project in sorted(ROOT.glob("plugins/*/pyproject.toml"))
}
EACH_MEMBER = pytest.mark.parametrize("name", FOLDERS)


def _pyproject(name: str) -> dict[str, Any]:
    return tomllib.loads((FOLDERS[name] / "pyproject.toml").read_text(encoding="utf-8"))


def _package(name: str) -> str:
    return name.replace("-", "_")


def _requirements(name: str) -> list[str]:
    project = _pyproject(name)["project"]
    extras: dict[str, list[str]] = project.get("optional-dependencies", {})
    return [*project["dependencies"], *(line for lines in extras.values() for line in lines)]


VERSION = _pyproject("qicore-core")["project"]["version"]


@EACH_MEMBER
def test_a_member_has_its_files(name: str) -> None:
    package = FOLDERS[name] / _package(name)
    wanted = ["LICENSE", "README.md", f"{package.name}/__init__.py", f"{package.name}/py.typed"]
    assert [path for path in wanted if not (FOLDERS[name] / path).is_file()] == []


@EACH_MEMBER
def test_a_member_has_the_licence_of_the_repository(name: str) -> None:
    assert (FOLDERS[name] / "LICENSE").read_bytes() == (ROOT / "LICENSE").read_bytes()


@EACH_MEMBER
def test_a_member_says_the_same_word_three_times(name: str) -> None:
    pyproject = _pyproject(name)
    assert pyproject["project"]["name"] == name
    assert pyproject["tool"]["uv"]["build-backend"] == {
        "module-name": _package(name),
        "module-root": "",
    }


@EACH_MEMBER
def test_a_member_follows_the_plan(name: str) -> None:
    pyproject = _pyproject(name)
    project = pyproject["project"]
    core = _pyproject("qicore-core")
    assert pyproject["build-system"] == core["build-system"]
    assert {
        key: project[key] for key in ("license", "license-files", "requires-python", "readme")
    } == {
        "license": "MIT",
        "license-files": ["LICENSE"],
        "requires-python": core["project"]["requires-python"],
        "readme": "README.md",
    }
    assert "testing" in project["optional-dependencies"]
    assert name in core["tool"]["uv"]["sources"]


@EACH_MEMBER
def test_a_member_has_the_one_version(name: str) -> None:
    assert _pyproject(name)["project"]["version"] == VERSION
    assert importlib.import_module(_package(name)).__version__ == VERSION
    assert importlib.metadata.version(name) == VERSION


@EACH_MEMBER
def test_a_member_asks_for_this_minor_version_of_the_others(name: str) -> None:
    major, minor, _ = VERSION.split(".")
    ours = [line for line in _requirements(name) if re.match(r"qicore\b", line)]
    internal = [
        line for line in ours if not line.startswith(f"{name}[")
    ]  # its own extras carry no version
    assert [
        line
        for line in internal
        if not line.endswith(f">={major}.{minor},<{major}.{int(minor) + 1}")
    ] == []


@EACH_MEMBER
def test_a_member_declares_no_other_way_to_find_its_neighbours(name: str) -> None:
    declared = _pyproject(name)["tool"]["uv"].keys() - {"build-backend"}
    assert declared == ({"sources", "workspace"} if name == "qicore-core" else set())


def test_the_core_depends_on_nothing() -> None:
    assert _pyproject("qicore-core")["project"]["dependencies"] == []


def test_extras_of_the_umbrella_are_the_members_that_exist() -> None:
    project = _pyproject("qicore")["project"]
    always = {re.split(r"[^\w-]", line)[0] for line in project["dependencies"]}
    optional = FOLDERS.keys() - always - {"qicore"}
    extras = project["optional-dependencies"].keys() - {"all", "testing"}
    assert extras == {name.removeprefix("qicore-") for name in optional}


def test_the_workspace_knows_its_members_and_no_others() -> None:
    assert _pyproject("qicore-core")["tool"]["uv"]["sources"].keys() == FOLDERS.keys()


def test_every_folder_of_plugins_is_a_member() -> None:
    folders = [path.name for path in (ROOT / "plugins").iterdir() if path.is_dir()]
    assert [name for name in folders if name not in FOLDERS] == []


def test_constraints_name_one_version_of_all_that_the_tests_install() -> None:
    constraints = (ROOT / "tests/constraints.txt").read_text(encoding="utf-8")
    pinned = set(re.findall(r"(?m)^([a-z0-9-]+)==", constraints))
    foreign = [
        line for name in FOLDERS for line in _requirements(name) if not re.match(r"qicore\b", line)
    ]
    assert {re.split(r"[^\w-]", line)[0].lower() for line in foreign} - pinned == set()


def test_every_session_is_in_the_table_of_contributing() -> None:
    noxfile = (ROOT / "noxfile.py").read_text(encoding="utf-8")
    several = re.search(r"SEVERAL = \{\n(.*?)\n\}", noxfile, re.DOTALL)
    assert several is not None
    sessions = set(re.findall(r'^    "([\w-]+)":', several[1], re.MULTILINE))
    for options, function in re.findall(r"@nox\.session(.*)\ndef (\w+)", noxfile):
        named = re.search(r'name="([\w-]+)"', options)
        sessions.add(named[1] if named else function)
    contributing = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    rows = "\n".join(line for line in contributing.splitlines() if line.startswith("|"))
    assert sessions == {word.split()[0] for word in re.findall(r"`([\w-]+(?: -- X.Y.Z)?)`", rows)}


def test_no_file_that_names_index_hosts_is_kept() -> None:
    ignored = (ROOT / ".gitignore").read_text(encoding="utf-8").splitlines()
    assert "uv.lock" in ignored


@pytest.mark.skipif(
    "QICORE_WHEELS" not in os.environ, reason="wheels are installed by `nox -s tests`"
)
@EACH_MEMBER
def test_what_is_tested_is_the_wheel(name: str) -> None:
    module = importlib.import_module(_package(name))
    assert "site-packages" in Path(module.__file__ or "").parts
