"""What all components stand on: where the peers are, how calls are made, what answers are right."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any, NamedTuple

from calls import Operation

from qicore_core import (
    CircuitBreakerConfig,
    Failure,
    Policy,
    QiError,
    Result,
    RetryPolicy,
    Success,
    success,
)

POLICY = Policy(
    retry=RetryPolicy(3, base=0.02),
    breaker=CircuitBreakerConfig(timeout_seconds=0.2, minimum_calls=20),
    timeout=3.0,
    attempt_timeout=1.0,
)
KEYS = 400
GONE = QiError.not_found("SOAK_GONE", "there is none")


class Ground(NamedTuple):
    """Where the peers are, and a folder for files."""

    urls: dict[str, str]
    folder: Path


Component = Callable[[Ground], AbstractAsyncContextManager[list[Operation]]]


def right(told: Result[Any], wanted: Any) -> Result[Any]:
    """See to it that a Success is the right one: what is wanted, or one of several."""
    if isinstance(told, Success):
        values = wanted if isinstance(wanted, tuple) else (wanted,)
        assert told.value in values, f"{str(told.value)[:80]!r} is no answer to this call"
    return told


def meant(told: Result[Any], code: str) -> Result[Any]:
    """Take a Failure that was asked for as the answer that it is."""
    is_meant = isinstance(told, Failure) and told.error.code == code
    return success() if is_meant else told
