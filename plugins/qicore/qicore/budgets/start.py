"""What starting takes: the import, the command and the plugin index, each in its own process."""

from __future__ import annotations

import os
import sys
import tempfile

from .comparing import Measured

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Final

__all__ = ["index_of_300", "measure", "start_up"]

_CHILDREN: Final = 15

# Prints the milliseconds that the index takes, and how many modules it imports from the folder.
_INDEX: Final = """
import sys, time
from qicore_core import plugins
sys.path.insert(0, sys.argv[1])
began = time.process_time()
found = plugins.index()
took = time.process_time() - began
assert len([one for one in found if one.name.startswith("measured")]) == 300
print(took * 1000, sum(name.startswith("measured") for name in sys.modules))
"""


def measure() -> Iterator[Measured]:
    """Measure the import, the command and the index."""
    core, version = start_up()
    yield Measured("import qicore_core, over bare Python", core, 5.0, " ms")
    yield Measured("qicore --version, over bare Python", version, 15.0, " ms")
    took, imported = index_of_300()
    yield Measured("plugin index of 300 distributions", took, 5.0, " ms")
    yield Measured("plugin modules that it imports", float(imported), 0.0, "")


def start_up() -> tuple[float, float]:
    """Give the milliseconds of CPU time that `import qicore_core` and `qicore --version` add.

    They add to what Python takes itself, each in a child, the minimum of many.
    """
    commands = ("pass", "import qicore_core", "from qicore.cli import main; main(['--version'])")
    best = dict.fromkeys(commands, float("inf"))
    for _ in range(_CHILDREN):
        for command in commands:
            best[command] = min(best[command], _cpu_of(command))
    bare, core, version = (best[command] * 1000 for command in commands)
    return core - bare, version - bare


def index_of_300() -> tuple[float, int]:
    """Give the milliseconds of the first index over 300 plugins, and how many were imported."""
    with tempfile.TemporaryDirectory() as folder:
        for number in range(300):
            info = os.path.join(folder, f"measured_{number}-1.0.dist-info")
            os.mkdir(info)
            with open(os.path.join(info, "entry_points.txt"), "w", encoding="utf-8") as file:
                file.write(f"[qicore.cache]\nmeasured{number} = measured_{number}\n")
        said = [_output_of(["-c", _INDEX, folder]).split() for _ in range(_CHILDREN)]
    return min(float(took) for took, _ in said), max(int(imported) for _, imported in said)


def _cpu_of(program: str) -> float:
    quiet = [(os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0)]
    command = [sys.executable, "-I", "-c", program]
    child = os.posix_spawn(sys.executable, command, os.environ, file_actions=quiet)
    usage = os.wait4(child, 0)[2]
    return usage.ru_utime + usage.ru_stime


def _output_of(arguments: list[str]) -> str:
    import subprocess

    command = [sys.executable, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout  # noqa: S603
