"""What this machine measures beside the budgets: start-up, the plugin index and hot paths.

A peer that is not installed is named: that is not measured, and no budget kept.
"""

from __future__ import annotations

from itertools import repeat

from . import core, rooms, start
from .comparing import Measured, compare
from .start import index_of_300, start_up

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Measured", "calibrate", "index_of_300", "measure", "start_up"]


def measure() -> Iterator[Measured]:
    """Measure one after the other; the whole takes some seconds."""
    yield from start.measure()
    yield from core.measure()
    yield from rooms.measure()


def calibrate() -> float:
    """Give the nanoseconds that one turn of a plain loop takes here, to compare machines."""

    def loop() -> None:
        for _ in repeat(None, 100):
            pass

    return compare({"loop": loop})["loop"] / 100
