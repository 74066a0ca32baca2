"""What can be set on a database, whatever its driver, and the one place that checks it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

from qicore_core import Policy, QiError, Result, failure, success

from .errors import SETTINGS_INVALID

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

    def check(self) -> Result[None]:
        """Say what is wrong with the settings.

        Errors:
            DB_SETTINGS_INVALID: what is wrong and what would be right.
        """
        if isinstance(self.max_rows, int) and self.max_rows >= 1:
            return success()
        return failure(
            QiError.configuration(
                SETTINGS_INVALID,
                f"max_rows is a whole number above 0, got {self.max_rows!r}",
                source="sql",
                setting="max_rows",
            )
        )
