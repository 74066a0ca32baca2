"""What can go wrong with locks, limits and outcomes: codes of this distribution.

A cache on Redis fails with those of qicore-cache. They stand apart from `errors.py`, which imports
redis-py and so is loaded late. Below each stands its meaning, as elsewhere.
"""

from __future__ import annotations

from typing import Final

__all__ = [
    "LOCK_HELD",
    "LOCK_LOST",
    "ONCE_IN_PROGRESS",
    "ONCE_MISMATCH",
    "ONCE_NOT_KEPT",
]

LOCK_HELD: Final = "LOCK_HELD"
"""CONTENTION: someone else has the lock, and did not give it back in time.

Wait longer for it, or try again after `retry_after` seconds."""

LOCK_LOST: Final = "LOCK_LOST"
"""CONTENTION: the lock could not be renewed in time, so someone else may have it.

Do the work again under a new lock; let the resource refuse a fence lower than the last it saw."""

ONCE_IN_PROGRESS: Final = "ONCE_IN_PROGRESS"
"""CONTENTION: someone else is doing this now.

Try again after `retry_after` seconds, or wait for the outcome with `wait=`."""

ONCE_MISMATCH: Final = "ONCE_MISMATCH"
"""CONFLICT: the key has been used for something else.

Take a key for each thing that is done, and the same key only for the same request."""

ONCE_NOT_KEPT: Final = "ONCE_NOT_KEPT"
"""CONFLICT: this was done, but what came of it was too large to keep, or no codec could write it.

It is not done again; look where its effect is."""
