"""What a cache has counted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

__all__ = ["CacheStats"]


@final
@dataclass(slots=True)
class CacheStats:
    """What a cache has counted since it was opened; near enough under many threads.

    Attributes:
        hits: how often a value was there.
        misses: how often none was.
        computed: how often `get_or_set` called its factory.
    """

    hits: int = 0
    misses: int = 0
    computed: int = 0

    @property
    def hit_ratio(self) -> float:
        """The share of hits, 0.0 to 1.0."""
        asked = self.hits + self.misses
        return self.hits / asked if asked else 0.0
