"""The laws of tags: entries that are removed together stay removed."""

# ruff: noqa: S101  # a law asserts

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from qicore_core import success
from qicore_core.conformance import law
from qicore_core.testing import assert_failure

from ..client import Cache
from ..store import MISSING
from .ground import CacheGround

__all__ = ["TagLaws"]


class TagLaws(CacheGround, abstract=True):
    """What holds for tags."""

    @law()
    async def a_tag_removes_what_bears_it(self, cache: Cache[Any]) -> None:
        """What bears a removed tag is a miss, nothing else is, and the tag can be used again."""
        await cache.set("a", 1, tags=["x", "y"])
        await cache.set_many({"b": [2], "c": None}, tags=["y"])
        await cache.set("d", 4, tags=["z"])
        await cache.set("e", 5)
        assert await cache.get_many(list("abcde")) == success(
            {"a": 1, "b": [2], "c": None, "d": 4, "e": 5}
        )
        assert await cache.size() == success(5)
        assert await cache.remove_tag("x") == success(None)
        assert await cache.get("a", MISSING) == success(MISSING)
        assert await cache.get("b") == success([2])
        assert await cache.remove_tag("y") == success(None)
        assert await cache.remove_tag("nobody's") == success(None)
        assert await cache.get_many(list("abcde")) == success({"d": 4, "e": 5})
        assert await cache.get_or_set("b", lambda: 7, tags=["y", "x"]) == success(7)
        assert await cache.get("b") == success(7)
        await cache.remove_tag("x")
        assert await cache.get_or_set("b", lambda: 8) == success(8)
        assert await cache.get_many(list("abcde")) == success({"b": 8, "d": 4, "e": 5})

    @law()
    async def a_lost_tag_brings_nothing_back(self, cache: Cache[Any]) -> None:
        """Where a store has lost what it kept of a tag, what bore it is a miss, and stays one."""
        access = cache._access
        await cache.set_many({"old": 1, "older": 2}, tags=["t"])
        await cache.set("plain", 3)
        await access.call("clear", None, None, access.store.delete, access.tags.ns, None)
        if access.near is not None:
            access.near.drop(None)
        assert await cache.get("old", MISSING) == success(MISSING)
        await cache.set("new", 4, tags=["t"])
        assert await cache.get_many(["old", "older", "plain", "new"]) == success(
            {"plain": 3, "new": 4}
        )

    @law()
    async def a_removal_counts_for_what_is_being_computed(self, cache: Cache[Any]) -> None:
        """What is computed while its tag is removed is given, and is not there afterwards."""

        async def compute() -> int:
            await cache.remove_tag("t")
            return 1

        assert await cache.get_or_set("k", compute, tags=["t"]) == success(1)
        assert await cache.get("k", MISSING) == success(MISSING)

    @law(tags=st.sampled_from(["text", [""], ["a\n"], ["x" * 257], [5], list(map(str, range(33)))]))
    async def an_invalid_tag_is_refused(self, cache: Cache[Any], tags: Any) -> None:
        """Tags that are not a bounded list of printable names are INVALID_TAG; nothing is kept."""
        assert_failure(await cache.set("k", 1, tags=tags), code="INVALID_TAG")
        assert_failure(await cache.get_or_set("k", lambda: 1, tags=tags), code="INVALID_TAG")
        assert await cache.get("k", MISSING) == success(MISSING)
