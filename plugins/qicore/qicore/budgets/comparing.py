"""How a figure comes about and what it is beside its budget.

Ratios are taken in one run, interleaved, and the minimum of many counts; what is measured is the
CPU time of the thread, so that what else runs on the machine disturbs less.
"""

from __future__ import annotations

import gc
from importlib import import_module
from itertools import repeat
from random import shuffle
from time import thread_time_ns

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Mapping
    from typing import Any, Final

__all__ = ["Measured", "compare", "drive", "peer"]

_ROUNDS: Final = 40
_INNER: Final = 1_000


class Measured:
    """One figure beside its budget.

    Args:
        name: what was measured.
        value: what came out; None where a peer is not installed.
        budget: what it may be at most, or at least.
        unit: of both.
        at_least: whether more is better.

    Attributes:
        name: what was measured.
        value: what came out.
        figure: the same with its unit, empty where it was not measured.
        budget: the bound with its unit.
        outcome: "kept", "missed" or "not run".
    """

    __slots__ = ("budget", "figure", "name", "outcome", "value")

    def __init__(
        self, name: str, value: float | None, budget: float, unit: str, *, at_least: bool = False
    ) -> None:
        self.name = name
        self.value = value
        self.figure = "" if value is None else f"{value:.2f}{unit}"
        self.budget = f"{'>=' if at_least else '<='} {budget:.3g}{unit}"
        is_kept = value is not None and (value >= budget if at_least else value <= budget)
        self.outcome = "not run" if value is None else "kept" if is_kept else "missed"

    def to_dict(self) -> dict[str, object]:
        """Give it as plain data."""
        return {name: getattr(self, name) for name in ("name", "value", "budget", "outcome")}


def compare(
    functions: Mapping[str, Callable[[], object]],
    /,
    *,
    rounds: int = _ROUNDS,
    inner: int = _INNER,
) -> dict[str, float]:
    """Give the nanoseconds of CPU time that one call of each takes, less an empty function's.

    Args:
        functions: what is timed, by name.
        rounds: how many times each is timed; the minimum counts.
        inner: how many calls are timed at once: so many that they take a millisecond or so.
    """
    jobs: list[tuple[str | None, Callable[[], object]]] = [(None, lambda: None), *functions.items()]
    best = dict.fromkeys((None, *functions), float("inf"))
    collects = gc.isenabled()
    gc.disable()
    gc.freeze()  # each round collects what it made, and looks at nothing that was here before
    try:
        for _ in range(rounds):
            shuffle(jobs)
            for name, function in jobs:
                began = thread_time_ns()
                for _ in repeat(None, inner):
                    function()
                best[name] = min(best[name], (thread_time_ns() - began) / inner)
            gc.collect()
    finally:
        gc.unfreeze()
        if collects:
            gc.enable()
    return {name: max(best[name] - best[None], 0.1) for name in functions}


def drive(coroutine: Coroutine[Any, Any, object], /) -> object:
    """Run a coroutine that never waits, without a loop."""
    try:
        coroutine.send(None)
    except StopIteration as ended:
        return ended.value
    raise RuntimeError("a call that is measured must not wait")


def peer(module: str, /) -> Any:
    """Give what QiCore is compared with; None where it is not installed."""
    try:
        return import_module(module)
    except ImportError:
        return None
