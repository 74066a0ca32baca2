"""Kill a program in the middle of its writes, again and again; look what is there.

    python tests/crash/run.py [--kills 1000] [--seed 1]

Exit status 1 when an acknowledged write is lost, a transaction is there by half, or the file is
damaged.
"""

from __future__ import annotations

import argparse
import sqlite3
import subprocess
import sys
import tempfile
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from time import monotonic
from typing import Final

WRITER: Final = Path(__file__).with_name("writer.py")
LINES: Final = 200  # acknowledged, at most, before the kill
PAIR: Final = "pair "
NEWS: Final = 100  # kills between two lines of progress


@dataclass
class Found:
    """What was acknowledged, and what was there after all the kills so far.

    Attributes:
        singles, pairs: numbers that were acknowledged.
        lost, half: how many of them are not there; how many transactions are there by half.
        beyond: how many are there that nobody heard of, which is no fault.
        damage: what SQLite says of a file that is not whole.
    """

    singles: set[int] = field(default_factory=set)
    pairs: set[int] = field(default_factory=set)
    lost: int = 0
    half: int = 0
    beyond: int = 0
    damage: list[str] = field(default_factory=list)

    @property
    def is_right(self) -> bool:
        """Whether all is as it should be."""
        return not (self.lost or self.half or self.damage) and bool(self.singles and self.pairs)

    def hear(self, line: str) -> None:
        """Take note of what was acknowledged."""
        if line.startswith(PAIR):
            self.pairs.add(int(line.removeprefix(PAIR)))
        else:
            self.singles.add(int(line))

    def look(self, path: Path) -> None:
        """See what is there."""
        with closing(sqlite3.connect(path)) as connection:
            ask = connection.execute
            singles = {row[0] for row in ask("select n from singles")}
            halves = dict(ask("select n, count(*) from halves group by n").fetchall())
            damage = ask("pragma integrity_check").fetchone()[0]
        self.lost = len(self.singles - singles) + len(self.pairs - halves.keys())
        self.half = sum(1 for number in halves.values() if number != 2)
        self.beyond = len(singles - self.singles) + len(halves.keys() - self.pairs)
        self.damage += [] if damage == "ok" else [damage]


def kill(path: Path, found: Found, lines: int, *options: str) -> None:
    """Have the program write, and kill it after so many lines."""
    command = [sys.executable, str(WRITER), str(path), *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None  # it is a pipe
        for _ in range(lines):
            found.hear(child.stdout.readline())
        child.kill()
        rest = child.stdout.read().split("\n")
    for line in rest[:-1]:  # the last has no end: it may be a part of a number
        found.hear(line)


def main() -> int:
    """Kill as often as was asked for; give the exit status."""
    parser = argparse.ArgumentParser(description="kill a program in the middle of its writes")
    parser.add_argument("--kills", type=int, default=1_000, help="how often; 1000 by default")
    parser.add_argument("--seed", type=int, default=1, help="of the moments")
    parser.add_argument("--plant", action="store_true", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    random, found, began = Random(asked.seed), Found(), monotonic()
    options = ["--plant"] if asked.plant else []
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "crash.db")
        for number in range(1, asked.kills + 1):
            kill(path, found, random.randrange(1, LINES), *options)
            found.look(path)
            if number % NEWS == 0:
                seconds = monotonic() - began
                print(f"{number} kills in {seconds:.0f} s, {found.lost} lost", flush=True)
    print(
        f"seed {asked.seed}, {asked.kills} kills in {monotonic() - began:.0f} s\n"
        f"acknowledged {len(found.singles):,} writes and {len(found.pairs):,} transactions\n"
        f"lost {found.lost}, by half {found.half}, damaged {len(found.damage)}\n"
        f"there and not acknowledged {found.beyond:,}"
    )
    print("nothing lost, by half, or damaged" if found.is_right else "\n".join(found.damage[:3]))
    return 0 if found.is_right else 1


if __name__ == "__main__":
    sys.exit(main())
