"""The room itself: it is light to enter, and its codes are what they are called."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import qicore_core
from qicore_core import codes, config

PACKAGES = str(Path(qicore_core.__file__).parents[1])
HEAVY = "tomllib json re dataclasses typing difflib pathlib enum datetime decimal uuid inspect"


def test_importing_it_loads_nothing_costly() -> None:
    program = (
        f"import sys; sys.path.insert(0, {PACKAGES!r}); import qicore_core.config;"
        f"print(*[name for name in {HEAVY.split()!r} if name in sys.modules])"
    )
    command = [sys.executable, "-I", "-S", "-c", program]
    run = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    assert run.stdout.strip() == ""


def test_its_codes_are_their_own_names() -> None:
    ours = {name: value for name, value in vars(codes).items() if name.startswith("CONFIG_")}
    assert len(ours) == 12
    assert all(name == value for name, value in ours.items())


def test_the_window_is_sorted() -> None:
    assert config.__all__ == sorted(config.__all__)
