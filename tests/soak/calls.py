"""A call and how it ended: each one answers or is cancelled in time, or it is lost or hung."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from random import Random
from time import monotonic
from typing import Any, TypeAlias

from qicore_core import Deadline, Failure, Result, Success

Operation: TypeAlias = Callable[[Random, float], Awaitable[Result[Any]]]
"""What a component is asked, at random, in so many seconds; a wrong answer is an AssertionError."""
SLACK = 5.0  # seconds that a call may outlive its deadline or cancellation; machines are shared
PATIENT = 30.0  # seconds, where it is the ambient deadline that ends a call


class Tally:
    """How the calls of one component ended.

    Attributes:
        made: how many were made.
        ended: how many were answered ("success", or the code of a Failure) or "cancelled".
        lost: the calls that gave no Result, or a wrong one: what came instead.
        hung: how many did not end in time.
        latest: the most seconds by which a call outlived its deadline or cancellation.
    """

    def __init__(self) -> None:
        self.made = self.hung = 0
        self.ended: Counter[str] = Counter()
        self.lost: Counter[str] = Counter()
        self.latest = 0.0

    async def plain(self, operation: Operation, random: Random, timeout: float) -> str:
        """Make a call that has so many seconds, by `timeout=` or by a deadline around it."""
        if random.random() < 0.5:
            return await self._end(asyncio.ensure_future(operation(random, timeout)), timeout)
        with Deadline.after(timeout):
            call = asyncio.ensure_future(operation(random, PATIENT))
        return await self._end(call, timeout)

    async def cancelled(self, operation: Operation, random: Random, after: float) -> str:
        """Make a call and cancel it after so many seconds."""
        call = asyncio.ensure_future(operation(random, PATIENT))
        await asyncio.wait({call}, timeout=after)
        is_cancelled = call.cancel()
        how = await self._end(call, 0.0)
        if is_cancelled and how not in ("cancelled", "hung"):
            self.lost[f"cancelled, and yet {how}"] += 1
        return how

    async def _end(self, call: asyncio.Future[Result[Any]], timeout: float) -> str:
        """Wait for the end of a call that should come in so many seconds, and count it."""
        self.made += 1
        began = monotonic()
        await asyncio.wait({call}, timeout=timeout + SLACK)
        self.latest = max(self.latest, monotonic() - began - timeout)
        if not call.done():
            call.cancel()
            self.hung += 1
            return "hung"
        how = _how(call)
        if how.startswith("raised"):
            self.lost[how] += 1
        else:
            self.ended[how] += 1
        return how


def _how(call: asyncio.Future[Result[Any]]) -> str:
    if call.cancelled():
        return "cancelled"
    if (raised := call.exception()) is not None:
        return f"raised {raised!r}"[:300]
    match call.result():
        case Success():
            return "success"
        case Failure(error):
            return error.code
        case other:
            return f"raised nothing, and gave {other!r}"[:300]
