"""The room itself is light to enter."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import qicore_core

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
