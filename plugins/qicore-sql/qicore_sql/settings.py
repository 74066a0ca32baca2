"""What can be set on a database, whatever its driver."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

from qicore_core import Policy

__all__ = ["DatabaseSettings"]


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class DatabaseSettings:
    """How a database is used.

    Attributes:
        policy: how calls are made: retry, breaker, timeouts.
        max_rows: how many rows `query` gives at most; what has more is for `query_stream`.
    """

    policy: Policy | None = None
    max_rows: int = 100_000

    def __post_init__(self) -> None:
        if self.max_rows < 1:
            raise ValueError(f"max_rows is at least 1, got {self.max_rows}")
