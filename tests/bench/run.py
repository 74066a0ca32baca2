"""Run every bench_*.py beside this file and print each ratio beside its budget.

    python tests/bench/run.py [--allow-missing] [ROOM ...]

Exit status 1 when a budget is missed, a benchmark fails or a peer is not installed; --allow-missing
lets the last one pass. ROOM picks benchmarks: `log` for bench_log.py.
"""

from __future__ import annotations

import argparse
import importlib
import platform
import sys
from pathlib import Path

from harness import Row

HERE = Path(__file__).parent


def main() -> int:
    """Run what was asked for; give the exit status."""
    parser = argparse.ArgumentParser(description="compare QiCore with its peers")
    parser.add_argument("rooms", nargs="*", metavar="ROOM", help="run bench_ROOM.py alone")
    parser.add_argument(
        "--allow-missing", action="store_true", help="a peer that is not installed is no failure"
    )
    asked = parser.parse_args()
    known = sorted(path.stem.removeprefix("bench_") for path in HERE.glob("bench_*.py"))
    unknown = set(asked.rooms) - set(known)
    if unknown:
        parser.error(f"no benchmark {', '.join(sorted(unknown))}; there are: {', '.join(known)}")
    print(f"{platform.python_implementation()} {platform.python_version()} on {_machine()}")
    print("nanoseconds of CPU time a call, minimum of many, interleaved; ratio is ours / peer\n")
    print(f"{'':>4} {'ratio':>7} {'budget':>7} {'ours ns':>11} {'peer ns':>11}  what (peer)")
    missed, missing = [], []
    for room in asked.rooms or known:
        try:
            rows: list[Row] = importlib.import_module(f"bench_{room}").measure()
        except ModuleNotFoundError as why:
            missing.append(f"{room}: {why.name} is not installed")
            continue
        for row in rows:
            _show(room, row)
            if row.ratio > row.budget:
                missed.append(
                    f"{room}: {row.name} is {row.ratio:.2f}x {row.peer}, not {row.budget}x"
                )
    print("\n".join(["", *missed, *missing, *_verdict(missed, missing)]))
    return 1 if missed or (missing and not asked.allow_missing) else 0


def _show(room: str, row: Row) -> None:
    mark = "MISS" if row.ratio > row.budget else "ok"
    print(
        f"{mark:>4} {row.ratio:>7.3f} {row.budget:>7.2f}"
        f" {row.ours_ns:>11,.0f} {row.peer_ns:>11,.0f}  {room}: {row.name} ({row.peer})",
        flush=True,
    )


def _verdict(missed: list[str], missing: list[str]) -> list[str]:
    if missed or missing:
        return [f"{len(missed)} budgets missed, {len(missing)} benchmarks not run"]
    return ["every budget kept"]


def _machine() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        names = [line.partition(": ")[2] for line in lines if line.startswith("model name")]
    except OSError:
        names = []
    processor = names[0] if names else platform.processor() or platform.machine()
    return f"{platform.system()} {platform.machine()}, {len(names) or 1} x {processor}"


if __name__ == "__main__":
    sys.exit(main())
