"""How a value is kept from going stale, and what is done with one that is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import log
from time import time
from typing import final

from qicore_core.resilience import SYSTEM_CLOCK, Clock

from .settings import MAX_TTL

__all__ = ["Freshness", "wall_clock"]


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Freshness:
    """What `get_or_set` does about the end of a value: renew it before, or give it a little longer.

    A value is fresh for its ttl. It is then kept for as many seconds more as are asked for here,
    and is given by nothing but a `get_or_set` that asks for it too. A value without a ttl is fresh
    for ever.

    Args:
        stale_while: for so many seconds after the ttl it is given at once, and renewed in the
            background, by one task for any number of callers.
        stale_if_error: for so many seconds after the ttl it is given where computing it anew fails
            with trouble: what has an HTTP status from 500, or is worth a retry. That there is no
            such value, or that it is not for you, is an answer.
        early: renews it in the background before the ttl ends, at random, the sooner the longer it
            took to compute; 1.0 is the best guess, more is sooner, 0.0 is not at all.

    >>> Freshness(stale_while=30.0, early=1.0).extra
    30.0

    Source: RFC 5861 for the two kinds of stale; Vattani, Chierichetti, Lowenstein, "Optimal
    Probabilistic Cache Stampede Prevention", VLDB 2015, for `early`.
    """

    stale_while: float = 0.0
    stale_if_error: float = 0.0
    early: float = 0.0

    def __post_init__(self) -> None:
        for name in ("stale_while", "stale_if_error", "early"):
            value = getattr(self, name)
            if not 0.0 <= value <= MAX_TTL:
                raise ValueError(f"{name} is a number from 0.0 up to {MAX_TTL:g}, got {value!r}")

    @property
    def extra(self) -> float:
        """The seconds that a value is kept after its ttl."""
        return max(self.stale_while, self.stale_if_error)

    def is_early(self, left: float, cost: float, random: float) -> bool:
        """Tell whether a value that is fresh for so many seconds more is to be renewed now.

        Args:
            left: the seconds.
            cost: the seconds that it took to compute.
            random: a number from 0 up to, not including, 1.
        """
        return -cost * self.early * log(1.0 - random) >= left if self.early else False


def wall_clock(clock: Clock, /) -> Callable[[], float]:
    """Give the time of the world in seconds, as others read it too; a test's clock moves it."""
    if clock is SYSTEM_CLOCK:
        return time
    start = time() - clock.monotonic()
    return lambda: start + clock.monotonic()
