"""The laws of entries: what was set is read, for as long as it was set for."""

# ruff: noqa: S101  # a law asserts

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

from hypothesis import strategies as st

from qicore_core import Failure, Result, success
from qicore_core.conformance import law
from qicore_core.testing import assert_failure

from ..client import Cache
from ..store import MISSING
from .draws import KEYS, LOOK_ALIKE, STEPS, VALUES, is_alike
from .ground import CacheGround, Point

__all__ = ["EntryLaws"]


class EntryLaws(CacheGround, abstract=True):
    """What holds for entries."""

    @law(key=KEYS, value=VALUES)
    async def what_was_set_is_read(self, cache: Cache[Any], key: str, value: object) -> None:
        """A hit equals what was set, in value and in type, all the way down."""
        assert await cache.set(key, value) == success(None)
        read = (await cache.get(key, MISSING)).unwrap()
        assert is_alike(read, value), f"{read!r} came back for {value!r}"

    @law(key=KEYS)
    async def what_was_not_set_is_missing(self, cache: Cache[Any], key: str) -> None:
        """A miss gives the default, and a None that was set is told from it."""
        assert await cache.get(key) == success(None)
        assert await cache.get(key, MISSING) == success(MISSING)
        assert await cache.set(key, None) == success(None)
        assert await cache.get(key, MISSING) == success(None)

    @law()
    async def keys_that_look_alike_are_told_apart(self, cache: Cache[Any]) -> None:
        """Keys are compared as they are: case, blanks, wildcards and Unicode forms count."""
        kept = {key: number for number, key in enumerate(LOOK_ALIKE)}
        assert await cache.set_many(kept) == success(None)
        assert await cache.get_many(kept) == success(kept)
        for key in kept:
            assert await cache.remove(key) == success(1), f"{key[:20]!r} went with another key"

    @law(steps=STEPS)
    async def it_behaves_like_a_dict(
        self, cache: Cache[Any], steps: list[tuple[str, str, int]]
    ) -> None:
        """Any sequence of operations gives what a dict would give."""
        model: dict[str, int] = {}
        for step, key, value in steps:
            given, wanted = await _do(cache, model, step, key, value)
            assert given == success(wanted), f"{step} {key} {value} after {model}"
        assert await cache.size() == success(len(model))

    @law(value=st.lists(st.integers(), min_size=1, max_size=3))
    async def what_is_changed_outside_stays_inside(
        self, cache: Cache[Any], value: list[int]
    ) -> None:
        """Changing what was written or read does not change the cache."""
        kept = list(value)
        await cache.set("k", value)
        value.append(99)
        read: Any = (await cache.get("k")).unwrap()
        assert read == kept
        read.append(98)
        assert await cache.get("k") == success(kept)

    @law()
    async def a_typed_cache_gives_its_type(self, cache: Cache[Any]) -> None:
        """A dataclass comes back as itself from a cache of its type."""
        points, point = cache.of(Point), Point(1, ("a",))
        assert await points.set("p", point) == success(None)
        assert await points.get("p") == success(point)
        assert type((await points.get("p")).unwrap()) is Point

    @law()
    async def an_entry_ends_with_its_ttl(self, cache: Cache[Any]) -> None:
        """An entry is there before its ttl has passed and is gone after it."""
        await cache.set("brief", 1, ttl=0.2)
        await cache.set("long", 2, ttl=60.0)
        await self.wait(0.25)
        assert await cache.get("brief", MISSING) == success(MISSING)
        assert await cache.get("long") == success(2)
        assert await cache.size() == success(1)

    @law()
    async def expire_moves_the_end(self, cache: Cache[Any]) -> None:
        """A new end counts from now; there is none for what is not there."""
        await cache.set("k", 1)
        left = (await cache.ttl_of("k")).unwrap()
        assert left is None or _is_within(left, 50.0, 1e10)  # as the store's default has it
        assert await cache.expire("k", 0.2) == success(1)
        assert await cache.expire("other", 0.2) == success(0)
        await cache.set("endless", 1, ttl=0.2)
        assert await cache.expire("endless", None) == success(1)
        assert await cache.ttl_of("endless") == success(None)
        await cache.set("long", 3, ttl=60.0)
        assert _is_within((await cache.ttl_of("long")).unwrap(), 50.0, 60.0)
        await cache.set("anew", 1, ttl=0.2)
        await cache.set("anew", 2)
        await self.wait(0.25)
        assert await cache.get("k", MISSING) == success(MISSING)
        assert await cache.expire("k", 60.0) == success(0)
        assert await cache.ttl_of("k") == success(MISSING)
        assert await cache.get_many(["endless", "anew"]) == success({"endless": 1, "anew": 2})

    @law()
    async def clear_stays_in_its_namespace(self, cache: Cache[Any]) -> None:
        """Clearing one namespace leaves every other one alone, also one whose name begins alike."""
        name = uuid4().hex
        await cache.set("k", 0)
        async with self.open_in(name) as one:
            for like in (f"{name}:k", f"{name}*", name.upper(), name[:-1]):
                async with self.open_in(like) as other:
                    await other.set("k", 1)
                    await one.set_many({"k": 2, "k:k": 3})
                    assert await one.clear() == success(None)
                    assert await one.size() == success(0)
                    assert await one.size() == success(0)
                    assert await other.get("k") == success(1)
                    assert await other.size() == success(1)
        assert await cache.get("k") == success(0)

    @law(ttl=st.sampled_from([0, -1, -0.5, float("nan"), float("inf"), True, "5"]))
    async def an_invalid_ttl_is_refused(self, cache: Cache[Any], ttl: Any) -> None:
        """A ttl that is no number above 0 is INVALID_TTL, and nothing is kept."""
        assert_failure(await cache.set("k", 1, ttl=ttl), code="INVALID_TTL")
        assert_failure(await cache.get_or_set("k", lambda: 1, ttl=ttl), code="INVALID_TTL")
        assert await cache.get("k", MISSING) == success(MISSING)

    @law(key=st.sampled_from(["", "a\nb", "x" * 1025, 5, None, b"k"]))
    async def an_invalid_key_is_refused(self, cache: Cache[Any], key: Any) -> None:
        """A key that is not printable text of a bounded length is INVALID_KEY, everywhere."""
        for answer in (
            await cache.get(key),
            await cache.get_many(["k", key]),
            await cache.set(key, 1),
            await cache.set_many({"k": 1, key: 1}),
            await cache.remove(key),
            await cache.expire(key, 1.0),
            await cache.ttl_of(key),
            await cache.increment(key),
            await cache.get_or_set(key, lambda: 1),
        ):
            assert_failure(answer, code="INVALID_KEY")
        assert await cache.size() == success(0)

    @law()
    async def what_would_not_come_back_is_refused(self, cache: Cache[Any]) -> None:
        """A value that cannot be kept as it is, is CODEC_ERROR."""
        assert_failure(await cache.set("k", _numbers()), code="CODEC_ERROR")
        assert_failure(await cache.get_or_set("k", lambda: _numbers()), code="CODEC_ERROR")

    @law(steps=st.lists(st.integers(-3, 3), min_size=1, max_size=8))
    async def no_step_of_a_counter_is_lost(self, cache: Cache[Any], steps: list[int]) -> None:
        """Side by side or not, the number is the sum of the steps, of 64 bits, and can be read."""
        await asyncio.gather(*[cache.increment("n", step) for step in steps])
        assert await cache.get("n") == success(sum(steps))
        await cache.increment("brief", 1, ttl=60.0)
        await cache.increment("brief", 1, ttl=600.0)
        assert _is_within((await cache.ttl_of("brief")).unwrap(), 50.0, 60.0)
        most = 2**63 - 1
        assert await cache.increment("full", most) == success(most)
        for by in (1, most, 2**64):
            assert_failure(await cache.increment("full", by), code="CACHE_NOT_A_NUMBER")
        assert await cache.get("full") == success(most)
        await cache.set("text", "x")
        assert_failure(await cache.increment("text"), code="CACHE_NOT_A_NUMBER")

    @law()
    async def a_closed_cache_says_so(self, cache: Cache[Any]) -> None:
        """After close every operation is CACHE_NOT_CONNECTED, and closing again does no harm."""
        users = cache.of(Point)
        await cache.close()
        await cache.close()
        for answer in (
            await cache.get("k"),
            await cache.set("k", 1),
            await cache.clear(),
            await cache.size(),
            await cache.health(),
            await users.get("k"),
            await cache.get_or_set("k", lambda: 1),
        ):
            assert isinstance(answer, Failure)
            assert_failure(answer, code="CACHE_NOT_CONNECTED")


async def _do(
    cache: Cache[Any], model: dict[str, int], step: str, key: str, value: int
) -> tuple[Result[Any], object]:
    """Take a step in the cache and in the model; give both answers."""
    if step == "set":
        model[key] = value
        return await cache.set(key, value), None
    if step == "set_many":
        both = {key: value, "z": value}
        model.update(both)
        return await cache.set_many(both), None
    if step == "get":
        return await cache.get(key, MISSING), model.get(key, MISSING)
    if step == "get_many":
        wanted = {name: model[name] for name in (key, "z") if name in model}
        return await cache.get_many([key, "z"]), wanted
    if step == "get_or_set":
        return await cache.get_or_set(key, lambda: value), model.setdefault(key, value)
    if step == "remove":
        return await cache.remove(key), 0 if model.pop(key, None) is None else 1
    if step == "size":
        return await cache.size(), len(model)
    model.clear()
    return await cache.clear(), None


def _is_within(left: object, low: float, high: float) -> bool:
    return isinstance(left, float | int) and low < left <= high


def _numbers() -> Iterator[int]:
    return (number for number in (1, 2))  # a generator goes once, and into no bytes
