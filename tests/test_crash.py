"""A few kills of tests/crash: no acknowledged write is lost, none is half; and it can find both."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

RUN = Path(__file__).parent / "crash" / "run.py"
NEEDED = pytest.mark.skipif(
    sys.platform == "win32" or sys.version_info >= (3, 12),
    reason="needs `kill -9`, and takes so long that one Python is enough: the oldest",
)


def run(*options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(RUN), *options]
    return subprocess.run(command, capture_output=True, text=True, timeout=120)


@NEEDED
def test_a_killed_program_loses_nothing() -> None:
    done = run("--kills", "20")
    assert (done.returncode, done.stderr) == (0, ""), done.stdout + done.stderr
    assert done.stdout.endswith("nothing lost, by half, or damaged\n")
    acknowledged = re.search(r"acknowledged ([\d,]+) writes and ([\d,]+) trans", done.stdout)
    assert acknowledged is not None
    assert all(int(number.replace(",", "")) > 100 for number in acknowledged.groups())


@NEEDED
def test_what_is_planted_is_found() -> None:
    done = run("--kills", "5", "--plant")
    assert (done.returncode, done.stderr) == (1, ""), done.stdout + done.stderr
    assert re.search(r"lost [1-9]", done.stdout)
    assert re.search(r"by half [1-9]", done.stdout)
