"""How a benchmark compares: in one run, interleaved, in random order, the minimum of many rounds.

What is measured is the CPU time of the thread, so that what else runs on the machine disturbs less,
and the call of an empty function is taken off.
"""

from __future__ import annotations

import gc
import random
from collections.abc import Callable, Mapping
from itertools import repeat
from time import thread_time_ns
from typing import NamedTuple


class Row(NamedTuple):
    """One comparison: `ours_ns / peer_ns` must not be above the budget."""

    name: str
    peer: str
    ours_ns: float
    peer_ns: float
    budget: float

    @property
    def ratio(self) -> float:
        """How many times the peer's time ours is."""
        return self.ours_ns / self.peer_ns


def compare(
    functions: Mapping[str, Callable[[], object]], *, rounds: int = 40, inner: int = 1_000
) -> dict[str, float]:
    """Give the nanoseconds that one call of each function takes.

    Args:
        rounds: how many times each is timed; the minimum counts.
        inner: how many calls are timed at once: so many that they take a millisecond or more.
    """
    best = dict.fromkeys((*functions, None), float("inf"))
    jobs: list[tuple[str | None, Callable[[], object]]] = [(None, _nothing), *functions.items()]
    collects = gc.isenabled()
    gc.disable()
    try:
        for _ in range(rounds):
            random.shuffle(jobs)
            for name, function in jobs:
                best[name] = min(best[name], _time(function, inner))
            gc.collect()
    finally:
        if collects:
            gc.enable()
    return {name: max(best[name] - best[None], 0.1) for name in functions}


def _time(function: Callable[[], object], inner: int) -> float:
    started = thread_time_ns()
    for _ in repeat(None, inner):
        function()
    return (thread_time_ns() - started) / inner


def _nothing() -> None:
    """Do nothing: what calling a function costs."""
