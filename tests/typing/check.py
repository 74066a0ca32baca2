"""Let five type checkers read this folder, and stubtest compare the stub: one table, 0 or 1.

The `good_*.py` files must be clean; in `bad.py` the lines marked `# E:` must be reported, and no
others. What a checker is known not to see stands in EXCEPTIONS, and must stay so.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
FILES = sorted(path for path in HERE.glob("*.py") if path != Path(__file__).absolute())
Place = tuple[str, int]

# (checker, the line): reported and not marked, or marked and not reported; and why. None so far.
EXCEPTIONS: dict[tuple[str, str], str] = {}

MYPY = """
[mypy]
strict = True
python_version = 3.11
"""
PYRIGHT = {
    "typeCheckingMode": "strict",
    "pythonVersion": "3.11",
    "reportUnusedExpression": False,  # a planted mistake may be a mere look
}


def main() -> int:
    """Run all, print the table, give 1 where anything differs."""
    expected = {
        (path.name, number)
        for path in FILES
        for number, line in enumerate(path.read_text("utf-8").splitlines(), 1)
        if "# E:" in line
    }
    rows, differences = [], []
    for name, run in CHECKERS.items():
        if shutil.which(name, path=_bin()) is None:
            rows.append((name, "not installed"))
            differences.append(f"{name} is not installed")
            continue
        found = run()
        known = {place for place in found ^ expected if (name, _line(place)) in EXCEPTIONS}
        wrong = sorted((found ^ expected) - known)
        rows.append((name, f"{len(found & expected)} of {len(expected)}, {len(known)} known"))
        differences += [
            f"{name}: {file}:{line} {'reported' if (file, line) in found else 'not reported'}:"
            f" {_line((file, line))}"
            for file, line in wrong
        ]
    stale = {key for key in EXCEPTIONS if key[1] not in {_line(place) for place in _all_places()}}
    differences += [f"an exception for a line that is gone: {key}" for key in stale]
    said = stubtest()
    rows.append(("stubtest", "agrees" if not said else "differs"))
    differences += said
    for name, outcome in rows:
        print(f"{name:14}{outcome}")
    print(*differences, sep="\n")
    return 1 if differences else 0


def mypy() -> set[Place]:
    """Report as mypy --strict does."""
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder, "mypy.ini")  # of its own: the project's has more switched on
        config.write_text(MYPY, "utf-8")
        said = _run("mypy", "--config-file", str(config), "--output", "json")
    rows = [json.loads(line) for line in said.splitlines() if line.startswith("{")]
    return {(Path(row["file"]).name, row["line"]) for row in rows if row["severity"] == "error"}


def pyright(name: str = "pyright") -> set[Place]:
    """Report as pyright in strict mode does."""
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder, "pyrightconfig.json")
        include = [os.path.relpath(path, folder) for path in FILES]
        config.write_text(json.dumps(PYRIGHT | {"include": include}), "utf-8")
        options = ["--outputjson", "--pythonpath", sys.executable, "--project", str(config)]
        said = json.loads(_run(name, *options, files=()))
    if said["summary"]["filesAnalyzed"] != len(FILES):
        raise SystemExit(f"{name} did not read all files")
    return {
        (Path(row["file"]).name, row["range"]["start"]["line"] + 1)
        for row in said["generalDiagnostics"]
        if row["severity"] == "error"
    }


def basedpyright() -> set[Place]:
    """Report as basedpyright with the same settings does."""
    return pyright("basedpyright")


def ty() -> set[Place]:
    """Report as ty does."""
    options = ["--output-format", "concise", "--python", sys.prefix, "--color", "never"]
    return _parsed(_run("ty", "check", *options), r"^(.*?):(\d+):\d+: error")


def pyrefly() -> set[Place]:
    """Report as pyrefly does."""
    options = ["--output-format", "min-text", "--python-interpreter-path", sys.executable]
    return _parsed(_run("pyrefly", "check", *options), r"ERROR (.*?):(\d+):")


CHECKERS: dict[str, Callable[[], set[Place]]] = {
    "mypy": mypy,
    "pyright": pyright,
    "basedpyright": basedpyright,
    "ty": ty,
    "pyrefly": pyrefly,
}


def stubtest() -> list[str]:
    """Compare result.pyi with what is there at run time, but for the alias and what it needs."""
    allowed = HERE / "stubtest.txt"
    command = [str(Path(_bin(), "stubtest")), "qicore_core.result", "--allowlist", str(allowed)]
    done = subprocess.run([*command, "--concise"], capture_output=True, text=True, cwd=ROOT)
    return [f"stubtest: {line}" for line in done.stdout.splitlines()] if done.returncode else []


def _bin() -> str:
    return str(Path(sys.executable).parent)


def _run(name: str, *options: str, files: Iterable[Path] = FILES) -> str:
    command = [str(Path(_bin(), name)), *options, *map(str, files)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    if done.returncode not in (0, 1):
        raise SystemExit(f"{name} broke:\n{done.stdout}{done.stderr}")
    return done.stdout


def _parsed(said: str, pattern: str) -> set[Place]:
    found = re.finditer(pattern, said, re.MULTILINE)
    return {(Path(hit[1]).name, int(hit[2])) for hit in found}


def _line(place: Place) -> str:
    return (HERE / place[0]).read_text("utf-8").splitlines()[place[1] - 1].strip()


def _all_places() -> set[Place]:
    return {
        (path.name, number)
        for path in FILES
        for number in range(1, len(path.read_text("utf-8").splitlines()) + 1)
    }


if __name__ == "__main__":
    raise SystemExit(main())
