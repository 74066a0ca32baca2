"""What a benchmark gives: rows of figures beside budgets, compared as `qicore verify` compares."""

from __future__ import annotations

from typing import NamedTuple

from qicore.budgets.comparing import compare

__all__ = ["Row", "compare"]


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
