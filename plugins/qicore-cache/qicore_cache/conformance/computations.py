"""The laws of `get_or_set`: one computation, in this process and across, and what is stale."""

# ruff: noqa: S101  # a law asserts

from __future__ import annotations

import asyncio
from typing import Any

from hypothesis import strategies as st

from qicore_core import QiError, Result, failure, success
from qicore_core.conformance import law
from qicore_core.testing import assert_failure

from ..client import Cache
from ..freshness import Freshness
from ..store import MISSING
from .ground import CacheGround, becomes

__all__ = ["ComputationLaws"]


class ComputationLaws(CacheGround, abstract=True):
    """What holds for computations."""

    @law(callers=st.integers(2, 20))
    async def many_callers_are_one_computation(self, cache: Cache[Any], callers: int) -> None:
        """However many ask at once, the factory runs once and all get its value."""
        ran = 0

        async def compute() -> int:
            nonlocal ran
            ran += 1
            await asyncio.sleep(0)
            return 7

        answers = await asyncio.gather(*[cache.get_or_set("k", compute) for _ in range(callers)])
        assert ran == 1
        assert answers == [success(7)] * callers

    @law()
    async def a_failure_is_not_kept_unless_asked(self, cache: Cache[Any]) -> None:
        """A factory's Failure is given and forgotten; with `failure_ttl` it is kept."""
        error, ran = QiError.not_found("NO_SUCH_USER", "there is no such user"), []

        def compute() -> Result[int]:
            ran.append(1)
            return failure(error)

        for _ in range(2):
            assert await cache.get_or_set("k", compute) == failure(error)
        assert len(ran) == 2
        for _ in range(2):
            assert_failure(
                await cache.get_or_set("k", compute, failure_ttl=60.0), code="NO_SUCH_USER"
            )
        assert len(ran) == 3

    @law()
    async def a_bug_in_a_factory_passes(self, cache: Cache[Any]) -> None:
        """What a factory raises is raised, and the next caller computes anew."""
        try:
            await cache.get_or_set("k", _crash)
        except ZeroDivisionError:
            assert await cache.get_or_set("k", lambda: 1) == success(1)
            return
        raise AssertionError("the bug was swallowed")

    @law()
    async def a_cancelled_computation_is_handed_over(self, cache: Cache[Any]) -> None:
        """Where the one who computes is cancelled, one who waits computes instead."""
        started = asyncio.Event()

        async def never() -> bool:
            started.set()
            return await asyncio.Event().wait()

        first = asyncio.create_task(cache.get_or_set("k", never))
        await started.wait()
        second = asyncio.create_task(cache.get_or_set("k", lambda: 2))
        await asyncio.sleep(0)
        first.cancel()
        assert await asyncio.wait_for(second, 5.0) == success(2)

    @law()
    async def asking_for_what_one_computes_is_an_answer(self, cache: Cache[Any]) -> None:
        """A factory that asks for its own key gets CACHE_REENTRANT; nothing waits for ever."""

        async def compute() -> Result[Any]:
            return await cache.get_or_set("k", lambda: 1)

        answer = await asyncio.wait_for(cache.get_or_set("k", compute), 5.0)
        assert_failure(answer, code="CACHE_REENTRANT")

    @law()
    async def what_is_stale_is_given_while_it_is_renewed(self, cache: Cache[Any]) -> None:
        """With `stale_while` callers get the old value at once, and one task computes the new."""
        freshness, ran = Freshness(stale_while=60.0), list[int]()

        async def compute() -> int:
            ran.append(1)
            await asyncio.sleep(0)
            return len(ran)

        assert await cache.get_or_set("k", compute, ttl=0.2, freshness=freshness) == success(1)
        assert await cache.get("k") == success(1)
        await self.wait(0.25)
        assert await cache.get("k", MISSING) == success(MISSING)
        calls = [cache.get_or_set("k", compute, ttl=60.0, freshness=freshness) for _ in range(5)]
        assert await asyncio.gather(*calls) == [success(1)] * 5
        await becomes(lambda: cache.get("k"), success(2))
        assert await cache.get_or_set("k", compute, ttl=60.0, freshness=freshness) == success(2)
        assert len(ran) == 2

    @law()
    async def what_is_stale_is_given_where_computing_fails(self, cache: Cache[Any]) -> None:
        """With `stale_if_error` trouble is answered by the old value, and only trouble."""
        freshness = Freshness(stale_if_error=60.0)
        down = failure(QiError.unavailable("SHOP_DOWN", "the shop is down"))
        gone = failure(QiError.not_found("NO_SUCH_USER", "there is no such user"))
        assert await cache.get_or_set("k", lambda: 1, ttl=0.2, freshness=freshness) == success(1)
        await self.wait(0.25)
        assert await cache.get_or_set("k", lambda: down, freshness=freshness) == success(1)
        assert_failure(await cache.get_or_set("k", lambda: down), code="SHOP_DOWN")
        assert_failure(
            await cache.get_or_set("k", lambda: gone, freshness=freshness), code="NO_SUCH_USER"
        )
        assert await cache.get_or_set("k", lambda: 2, ttl=60.0, freshness=freshness) == success(2)
        assert await cache.get("k") == success(2)

    @law()
    async def what_was_expensive_is_renewed_early(self, cache: Cache[Any]) -> None:
        """With `early` a value that is fresh is given, and renewed before it ends."""
        freshness, ran = Freshness(early=1e9), list[int]()

        async def compute() -> int:
            ran.append(1)
            await self.wait(0.02)
            return len(ran)

        for _ in range(2):
            assert await cache.get_or_set("k", compute, ttl=60.0, freshness=freshness) == success(1)
        await becomes(lambda: cache.get("k"), success(2))
        assert len(ran) == 2


def _crash() -> int:
    raise ZeroDivisionError
