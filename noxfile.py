"""One session for each thing a person does here; CONTRIBUTING.md has the table.

Nothing is fetched but packages from the index: a missing interpreter is named, never downloaded.
"""

from __future__ import annotations

import atexit
import os
import re
import shutil
import signal
import subprocess
from pathlib import Path

import nox

nox.needs_version = ">=2024.10.9"
nox.options.default_venv_backend = "uv"
nox.options.error_on_missing_interpreters = True
nox.options.sessions = ["tests"]
os.environ["UV_PYTHON_DOWNLOADS"] = "never"
# Tests interrupt themselves; where nox runs in the background, children would inherit "ignore".
signal.signal(signal.SIGINT, signal.default_int_handler)

CONSTRAINTS = "tests/constraints.txt"
MEMBERS = {"qicore-core": Path()} | {
    found.parent.name: found.parent for found in sorted(Path("plugins").glob("*/pyproject.toml"))
}
TESTS = ["tests", *sorted(map(str, Path("plugins").glob("*/tests")))]
SIDE_BY_SIDE = ["--numprocesses=2", "--dist=loadfile"]
PACKAGES = {name: name.replace("-", "_") for name in MEMBERS}


def _expose_pyenv() -> None:
    """Name the versions we want, newest first: pyenv's shims answer only for PYENV_VERSION."""
    if "PYENV_VERSION" not in os.environ and shutil.which("pyenv"):
        listing = ["pyenv", "versions", "--bare", "--skip-aliases"]
        known = subprocess.run(listing, capture_output=True, text=True).stdout.split()
        wanted = [name for name in reversed(known) if re.fullmatch(r"3\.1[1-3]\.\d+", name)]
        os.environ["PYENV_VERSION"] = ":".join(wanted)


def _runs(version: str) -> bool:
    """Tell whether this interpreter runs: a shim may be on PATH and still refuse."""
    found = shutil.which(f"python{version}")
    return (
        found is not None and not subprocess.run([found, "-c", ""], capture_output=True).returncode
    )


_expose_pyenv()
OLDEST = "3.11"
LATER = ["3.12", "3.13"]
ABSENT = [version for version in LATER if not _runs(version)]
PYTHONS = [OLDEST, *(version for version in LATER if version not in ABSENT)]  # red without OLDEST
if ABSENT:
    atexit.register(print, f"not tested, no such interpreter here: Python {', '.join(ABSENT)}")


def _tools(group: str) -> list[str]:
    """Ask for this dependency group of pyproject.toml, in the versions that CI saw."""
    return ["--constraint", CONSTRAINTS, "--group", group]


def _build(session: nox.Session, folder: Path, *options: str) -> list[Path]:
    """Build every member into an emptied folder, so that nothing stale is picked up."""
    shutil.rmtree(folder, ignore_errors=True)
    command = ["uv", "build", "--all-packages", "--quiet", "--out-dir", str(folder), *options]
    session.run(*command, external=True)
    return sorted([*folder.glob("*.whl"), *folder.glob("*.tar.gz")])


def _wheels(session: nox.Session) -> list[str]:
    """Build the wheel of every member and ask for it with its extra `testing`."""
    wheels = _build(session, Path(session.create_tmp(), "wheels").absolute(), "--wheel")
    return [f"{_distribution(wheel)}[testing] @ {wheel.as_uri()}" for wheel in wheels]


def _editables() -> list[str]:
    """Ask for every member as it stands in the tree, with its extra `testing`."""
    return [f"--editable=./{folder.as_posix()}[testing]" for folder in MEMBERS.values()]


def _distribution(archive: Path) -> str:
    return archive.name.split("-")[0].replace("_", "-")


@nox.session(python=PYTHONS)
def tests(session: nox.Session) -> None:
    """Test everything as users get it: built wheels, never the tree."""
    session.install(*_tools("test"), *_wheels(session))
    session.run("pytest", "-cpyproject.toml", "--doctest-modules", "--pyargs", *PACKAGES.values())
    if session.posargs:
        _pytest(session, *TESTS, *session.posargs)
    elif session.python != OLDEST:
        _pytest(session, *TESTS, *SIDE_BY_SIDE)
    else:  # the core's own tests cover it: one process, for coverage slows and is slow to combine
        _pytest(session, "tests", under=("coverage", "run"))
        session.run("coverage", "report", "--fail-under=100", silent=True, log=False)
        _pytest(session, *TESTS[1:], *SIDE_BY_SIDE)


@nox.session(name="test-fast", python=OLDEST)
def test_fast(session: nox.Session) -> None:
    """Test on one Python, without coverage, up to the first failure."""
    session.install(*_tools("test"), *_wheels(session))
    _pytest(session, *TESTS, "--exitfirst", "--tb=short", *session.posargs)


def _pytest(session: nox.Session, *arguments: str, under: tuple[str, ...] = ()) -> None:
    # The script, never `python -m pytest`: that puts the tree on sys.path, before the wheels. And
    # `coverage run`, not `pytest --cov`: that starts after pytest has loaded our own plugin.
    script = str(Path(session.bin, "pytest"))
    session.run(*under, script, *arguments, env={"QICORE_WHEELS": "1"})


@nox.session
def docs(session: nox.Session) -> None:
    """Run every Python example of the README, of docs/ and of the members' READMEs."""
    session.install(*_tools("test"), *_wheels(session))
    session.run("python", "docs/reference/generate.py", "--check")
    session.run("pytest", "tests/test_docs.py", *session.posargs)


@nox.session
def bench(session: nox.Session) -> None:
    """Compare with the peers, in one run: ratio beside budget."""
    session.install(*_wheels(session), "--requirement", "tests/bench/requirements.txt")
    session.run("python", "tests/bench/run.py", *session.posargs)


@nox.session
def http_cache_tests(session: nox.Session) -> None:
    """Ask the response cache of each transport, and hishel's, what npm's http-cache-tests asks."""
    asked = ["--requirement", "tests/http_cache/requirements.txt"]
    session.install(*_wheels(session), *asked)
    session.run("python", "tests/http_cache/run.py", *session.posargs)


@nox.session(python=OLDEST)
def soak(session: nox.Session) -> None:
    """Call caches, HTTP and databases in faults: nothing is lost, hung, or grows."""
    session.install("--constraint", CONSTRAINTS, *_wheels(session))
    session.run("python", "tests/soak/run.py", *session.posargs)


@nox.session(python=OLDEST)
def crash(session: nox.Session) -> None:
    """Kill a program in the middle of its writes: what was acknowledged is there, whole."""
    session.install("--constraint", CONSTRAINTS, *_wheels(session))
    session.run("python", "tests/crash/run.py", *session.posargs)


@nox.session
def lint(session: nox.Session) -> None:
    """Check style and format."""
    session.install(*_tools("lint"))
    session.run("ruff", "check")
    session.run("ruff", "format", "--check")


@nox.session(name="format")
def format_(session: nox.Session) -> None:
    """Write the style and format that lint asks for."""
    session.install(*_tools("lint"))
    session.run("ruff", "check", "--fix-only", "--exit-zero")
    session.run("ruff", "format")


@nox.session(python=OLDEST)
def types(session: nox.Session) -> None:
    """Check the product by mypy and pyright, and what users see by five checkers."""
    session.install(*_tools("types"), *_editables())
    session.run("mypy")
    session.run("pyright")
    session.run("python", "tests/typing/check.py")


@nox.session
def audit(session: nox.Session) -> None:
    """Look for known vulnerabilities in all that the members bring; no answer is red too."""
    session.install(*_wheels(session))
    brought = str(session.run("uv", "pip", "freeze", silent=True, external=True))
    asked = Path(session.create_tmp(), "audited.txt")
    asked.write_text("\n".join(line for line in brought.split("\n") if "==" in line))
    session.install(*_tools("audit"))
    command = ["pip-audit", "--strict", "--no-deps", "--disable-pip", "--requirement", str(asked)]
    said = str(session.run(*command, *session.posargs, silent=True, success_codes=[0, 1]))
    session.log(said)
    if "could not be audited" in said:  # pip-audit names the first, and stops there
        session.error("the advisory service knows nothing of that release: nothing was audited")
    if "No known vulnerabilities found" not in said:
        session.error("a vulnerability, or an advisory service that has no answer: see above")


@nox.session
def build(session: nox.Session) -> None:
    """Build wheels and sdists into dist/; import each from a clean environment of its own."""
    dist, clean = Path("dist").absolute(), Path(session.create_tmp(), "clean").absolute()
    archives = _build(session, dist)
    python = str(clean / "bin" / "python")
    install = ["uv", "pip", "install", "--quiet", "--python", python, "--find-links", str(dist)]
    install += [f"--refresh-package={name}" for name in MEMBERS]  # or uv takes yesterday's 0.1.0
    for archive in archives:
        name = _distribution(archive)
        session.run("uv", "venv", "--quiet", "--clear", str(clean), external=True)
        session.run(*install, str(archive), external=True)
        session.run(python, "-I", "-c", f"import {PACKAGES[name]}", external=True)
        freeze = ["uv", "pip", "freeze", "--python", python]
        brought = str(session.run(*freeze, silent=True, external=True))
        if name == "qicore-core" and len(re.findall(" @ |==", brought)) != 1:
            session.error(f"{archive.name} must stand alone, but with it came\n{brought}")


@nox.session
def demo(session: nox.Session) -> None:
    """Run askdocs, on built wheels: ASKDOCS_SOURCES=<folders or URLs> has it read your own."""
    session.install("--constraint", CONSTRAINTS, *_wheels(session))
    path = {"PYTHONPATH": "docs/examples/complete_integration"}
    session.run("python", "-m", "askdocs", "demo", *session.posargs, env=path)


@nox.session(python=False)
def clean(session: nox.Session) -> None:
    """Remove what was built and what tools remember; .nox and .venv stay."""
    made = [
        "build",
        "dist",
        "htmlcov",
        ".hypothesis",
        ".mypy_cache",
        ".pytest_cache",
        ".ruff_cache",
    ]
    folders = [Path(name) for name in made]
    for room in ("qicore_core", "plugins", "tests", "docs"):
        folders += Path(room).rglob("__pycache__")
    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)


@nox.session(python=False)
def bump(session: nox.Session) -> None:
    """Write a new version everywhere: nox -s bump -- X.Y.Z."""
    version = " ".join(session.posargs)
    if not re.fullmatch(r"\d+\.\d+\.\d+", version):
        session.error("say the new version: nox -s bump -- X.Y.Z")
    major, minor, _ = version.split(".")
    ours = rf"\g<1>>={major}.{minor},<{major}.{int(minor) + 1}"
    for name, folder in MEMBERS.items():
        pyproject, window = folder / "pyproject.toml", folder / PACKAGES[name] / "__init__.py"
        _rewrite(pyproject, r'(?m)^version = ".*"$', f'version = "{version}"')
        _rewrite(pyproject, r'("qicore[-\w\[\],]*)>=[\d.]+,<[\d.]+', ours)
        _rewrite(window, r'(?m)^__version__ = ".*"$', f'__version__ = "{version}"')
    session.log("now give CHANGELOG.md its heading; tests/test_repository.py compares the rest")


def _rewrite(path: Path, pattern: str, new: str) -> None:
    path.write_text(re.sub(pattern, new, path.read_text("utf-8")), "utf-8")


@nox.session
def constraints(session: nox.Session) -> None:
    """Resolve anew what the sessions install, into tests/constraints.txt."""
    projects = [str(folder / "pyproject.toml") for folder in MEMBERS.values()]
    groups = [f"--group={name}" for name in ("dev", "audit", "publish")]
    ours = [f"--no-emit-package={name}" for name in MEMBERS]
    how = ["--universal", "--upgrade", "--all-extras", "--no-header", "--no-annotate", "--quiet"]
    command = [
        "uv",
        "pip",
        "compile",
        *projects,
        *groups,
        *ours,
        *how,
        "--output-file",
        CONSTRAINTS,
    ]
    session.run(*command, "--python-version", OLDEST, external=True)


@nox.session
def publish(session: nox.Session, repository: str = "pypi") -> None:
    """Build all and upload it."""
    archives = [str(archive) for archive in _build(session, Path("dist").absolute())]
    session.install(*_tools("publish"))
    session.run("twine", "check", "--strict", *archives)
    session.run("twine", "upload", "--repository", repository, *archives)


@nox.session(name="publish-test")
def publish_test(session: nox.Session) -> None:
    """Build all and upload it to the index for trials."""
    publish(session, "testpypi")


@nox.session
def install(session: nox.Session) -> None:
    """Make .venv with every member editable and every tool."""
    session.run("uv", "venv", "--allow-existing", "--python", OLDEST, ".venv", external=True)
    install = ["uv", "pip", "install", "--python", ".venv", *_tools("dev"), *_editables()]
    session.run(*install, external=True)


@nox.session(name="dev-setup")
def dev_setup(session: nox.Session) -> None:
    """Make .venv and let every commit be linted."""
    install(session)
    session.run(".venv/bin/pre-commit", "install", external=True)


# Several at once, by the names of the v4 guide
ALL_TESTS = [f"tests-{version}" for version in PYTHONS]
QUALITY = ["format", "lint", "types", *ALL_TESTS]
SEVERAL = {
    "test": ALL_TESTS,
    "type-check": ["types"],
    "benchmark": ["bench"],
    "quality": QUALITY,
    "dev-test": ["format", "lint", "types", "test-fast"],
    "dev-full": [*QUALITY, "bench"],
}
for _name, _sessions in SEVERAL.items():

    @nox.session(name=_name, python=False)
    def _several(session: nox.Session) -> None:
        """Run the sessions that this name stands for."""
        for one in SEVERAL[session.name]:
            session.notify(one)
