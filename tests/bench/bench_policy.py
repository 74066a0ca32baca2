"""A policy against stamina and purgatory: what a call costs that succeeds at once.

The peers are one on the other, as their users do it: a retry around a circuit breaker.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import purgatory
import stamina
from harness import Row, compare

from qicore_core.resilience import CircuitBreakerConfig, Policy
from qicore_core.result import Result, success

CALLS = 1_000  # awaited in one run of the loop, so that starting it weighs nothing
NOMINAL_NS = 1_000.0  # absolute budgets are compared with a peer of one microsecond


def measure() -> list[Row]:
    """Compare async and sync calls, and say what one costs in microseconds."""
    with asyncio.Runner() as loop:
        return [*_async_rows(loop), *_sync_rows()]


def _async_rows(loop: asyncio.Runner) -> list[Row]:
    plain = Policy(retry=3, breaker=CircuitBreakerConfig())
    calls = plain.attach("bench")
    timed = plain.replace(timeout=30.0).attach("bench")
    breaker = purgatory.AsyncCircuitBreakerFactory()
    peer = stamina.retry(on=OSError, attempts=3)(breaker("bench")(_value))
    costs = {
        name: cost / CALLS
        for name, cost in compare(
            {
                "policy": _many(loop, lambda: calls.run(_result)),
                "key": _many(loop, lambda: calls.run(_result, key="host:443")),
                "deadline": _many(loop, lambda: timed.run(_result)),
                "peer": _many(loop, peer),
            },
            rounds=30,
            inner=1,
        ).items()
    }
    both = "stamina + purgatory"
    return [
        Row("retry, breaker, budget", both, costs["policy"], costs["peer"], 0.1),
        Row("the same for one key of many", both, costs["key"], costs["peer"], 0.1),
        Row("retry, breaker, budget", "1 µs", costs["policy"], NOMINAL_NS, 3.0),
        Row("the same with a deadline", "1 µs", costs["deadline"], NOMINAL_NS, 9.0),
    ]


def _sync_rows() -> list[Row]:
    calls = Policy(retry=3, breaker=CircuitBreakerConfig()).attach("bench")
    breaker = purgatory.SyncCircuitBreakerFactory()
    peer = stamina.retry(on=OSError, attempts=3)(breaker("bench")(_sync_value))
    costs = compare(
        {"policy": lambda: calls.call(_sync_result), "peer": peer}, rounds=20, inner=300
    )
    return [
        Row("in a thread", "stamina + purgatory", costs["policy"], costs["peer"], 0.2),
        Row("in a thread", "1 µs", costs["policy"], NOMINAL_NS, 3.0),
    ]


def _many(loop: asyncio.Runner, call: Callable[[], Awaitable[object]]) -> Callable[[], object]:
    async def many() -> None:
        for _ in range(CALLS):
            await call()

    return lambda: loop.run(many())


async def _result() -> Result[int]:
    return success(1)


async def _value() -> int:
    return 1


def _sync_result() -> Result[int]:
    return success(1)


def _sync_value() -> int:
    return 1
