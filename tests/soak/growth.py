"""What a process holds, sampled at rest, and whether that grows.

A series is cut into quarters; the median of the last is compared with that of the first, and may be
greater by a share and a number: the share for what swings with its size, the number for what is
small. Medians do not see a peak that goes away, nor a leak that is slower than the bound: a longer
run sees a slower one.
"""

from __future__ import annotations

import asyncio
import gc
import os
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import NamedTuple

LEAST = 8  # samples without which there are no quarters worth a median


class Bound(NamedTuple):
    """How much more the last quarter may be than the first: a share of it, and a number."""

    share: float
    number: float


BOUNDS: Mapping[str, Bound] = {
    "rss KiB": Bound(0.05, 4096),
    "objects": Bound(0.05, 1000),  # that the garbage collector knows
    "blocks": Bound(0.05, 3000),  # of Python's allocator: texts, bytes and numbers as well
    "tasks": Bound(0.0, 3),
    "threads": Bound(0.0, 8),
    "sockets": Bound(0.0, 10),
    "files": Bound(0.0, 3),
}


class Verdict(NamedTuple):
    """Whether one thing grew."""

    what: str
    first: float
    last: float
    most: float

    @property
    def has_grown(self) -> bool:
        """Whether the last quarter's median is above what is allowed."""
        return self.last > self.most


def judged(samples: Sequence[Mapping[str, float]]) -> list[Verdict]:
    """Compare the last quarter of the samples with the first."""
    if len(samples) < LEAST:
        raise ValueError(f"{len(samples)} samples say nothing; {LEAST} may: run it for longer")
    size = len(samples) // 4
    verdicts = []
    for what, bound in BOUNDS.items():
        first = median(one[what] for one in samples[:size])
        last = median(one[what] for one in samples[-size:])
        verdicts.append(Verdict(what, first, last, first * (1 + bound.share) + bound.number))
    return verdicts


def sample() -> dict[str, float]:
    """Look at what this process holds, garbage taken away."""
    gc.collect()
    kinds = [_link(name) for name in os.listdir("/proc/self/fd")]
    is_socket = [kind.startswith("socket:") for kind in kinds]
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return {
        "rss KiB": pages * os.sysconf("SC_PAGE_SIZE") / 1024,
        "objects": len(gc.get_objects()),
        "blocks": sys.getallocatedblocks(),
        "tasks": len(asyncio.all_tasks()),
        "threads": threading.active_count(),
        "sockets": sum(is_socket),
        "files": len(kinds) - sum(is_socket),
    }


def _link(name: str) -> str:
    try:
        return os.readlink(f"/proc/self/fd/{name}")
    except OSError:
        return ""  # the folder itself, which was open while it was listed
