"""The plugin index and the command's start: what they may take, in CPU time, as it stands.

Where the budget is a time, it stands in the peer's place. The index is the first of a process, over
300 distributions that each bring a plugin.
"""

from __future__ import annotations

from harness import Row

from qicore.budgets import index_of_300, start_up

MS = 1e6


def measure() -> list[Row]:
    """Compare with the budgets."""
    core, version = start_up()
    took, imported = index_of_300()
    if imported:
        raise AssertionError(f"the index imported {imported} plugin modules")
    return [
        Row("index of 300 distributions", "5 ms", took * MS, 5 * MS, 1.0),
        Row("import qicore_core, over bare Python", "5 ms", core * MS, 5 * MS, 1.0),
        Row("qicore --version, over bare Python", "15 ms", version * MS, 15 * MS, 1.0),
    ]
