"""What one caller has, no other one gets: its deadline, the traces in its errors, its odd keys."""

from __future__ import annotations

import asyncio
import gc
import traceback
import weakref
from enum import StrEnum
from functools import partial
from typing import Any

import pytest

from qicore_cache import Cache, JsonCodec, open_cache
from qicore_core import Deadline, Failure, Opening, Parts, QiError, Result, failure, success, unwrap
from qicore_core.testing import FakeClock, assert_failure

DOWN = QiError.unavailable("DOWN", "the peer is down")
GONE = QiError.not_found("GONE", "there is no such thing")
BOTH = pytest.mark.parametrize("codec", [None, JsonCodec()], ids=["objects", "bytes"])


def opening(clock: FakeClock | None = None, **settings: Any) -> Opening[Cache[Any]]:
    return open_cache("memory:", parts=Parts(clock=clock or FakeClock()), **settings)


class Peer:
    """Answers when it is told to: with its error for a hurried caller, else with a value."""

    def __init__(self, error: QiError) -> None:
        self.error = error
        self.begun, self.may_end = asyncio.Event(), asyncio.Event()
        self.ran = 0

    async def __call__(self) -> Result[str]:
        self.ran += 1
        self.begun.set()
        await self.may_end.wait()
        return failure(self.error) if Deadline.current() else success("patient")


async def settled() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


# Deadlines


@BOTH
def test_who_has_more_time_computes_after_one_who_had_too_little(codec: Any) -> None:
    async def ask() -> None:
        async with opening(codec=codec) as cache:
            peer = Peer(DOWN)
            hurried = asyncio.create_task(cache.get_or_set("k", peer, timeout=0.05))
            await peer.begun.wait()
            patient = [asyncio.create_task(cache.get_or_set("k", peer)) for _ in range(5)]
            await settled()
            peer.may_end.set()
            assert_failure(await hurried, code="DOWN")
            assert await asyncio.gather(*patient) == [success("patient")] * 5
            assert peer.ran == 2, "handed over once, and shared again"

    asyncio.run(ask())


@BOTH
@pytest.mark.parametrize(
    ("error", "timeout"), [(DOWN, 5.0), (DOWN, 4.0), (GONE, None)], ids=["same", "less", "answer"]
)
def test_who_has_no_more_time_gets_what_came_of_it(
    codec: Any, error: QiError, timeout: float | None
) -> None:
    async def ask() -> None:
        async with opening(codec=codec) as cache:
            peer = Peer(error)
            first = asyncio.create_task(cache.get_or_set("k", peer, timeout=5.0))
            await peer.begun.wait()
            second = asyncio.create_task(cache.get_or_set("k", peer, timeout=timeout))
            await settled()
            peer.may_end.set()
            for call in (first, second):
                assert_failure(await call, code=error.code)
            assert peer.ran == 1

    asyncio.run(ask())


@BOTH
def test_a_caller_is_handed_over_to_once(codec: Any) -> None:
    async def ask() -> None:
        async with opening(codec=codec) as cache:
            peers = [Peer(DOWN) for _ in range(3)]
            tasks = []
            for peer, timeout in zip(peers, (1.0, 2.0, 30.0), strict=True):
                tasks.append(asyncio.create_task(cache.get_or_set("k", peer, timeout=timeout)))
                await settled()
            for peer, task in zip(peers, tasks, strict=True):
                peer.may_end.set()
                assert_failure(await task, code="DOWN")
                await settled()
            assert [peer.ran for peer in peers] == [1, 1, 0]

    asyncio.run(ask())


@BOTH
def test_a_failure_under_a_deadline_is_kept_only_where_it_is_an_answer(codec: Any) -> None:
    async def ask() -> None:
        async with opening(codec=codec) as cache:
            for how in ("timeout", "ambient"):
                for error in (DOWN, GONE):
                    key, failed = f"{how} {error.code}", partial(failure, error)
                    if how == "timeout":
                        given = await cache.get_or_set(key, failed, failure_ttl=600.0, timeout=5.0)
                    else:
                        with Deadline.after(5.0):
                            given = await cache.get_or_set(key, failed, failure_ttl=600.0)
                    assert_failure(given, code=error.code)
                    later = await cache.get_or_set(key, lambda: "made")
                    assert later == (success("made") if error is DOWN else given)

    asyncio.run(ask())


# Errors


class Locals:
    """Something a frame holds."""


def spoil(answer: Result[Any]) -> weakref.ref[Locals]:
    """Raise the error of an answer while another exception is handled, and go away."""
    mine = Locals()
    held = weakref.ref(mine)
    try:
        raise KeyError("card 4242")
    except KeyError:
        try:
            unwrap(answer)
        except QiError:
            pass
    return held


def assert_unspoilt(answer: Result[Any], held: weakref.ref[Locals]) -> None:
    gc.collect()
    assert isinstance(answer, Failure)
    assert answer.error.__traceback__ is None
    try:
        unwrap(answer)
    except QiError:
        assert "4242" not in traceback.format_exc()


@BOTH
@pytest.mark.parametrize("copy", [True, False])
def test_each_caller_of_a_computation_has_an_error_of_its_own(codec: Any, copy: bool) -> None:
    async def ask() -> None:
        async with opening(codec=codec, copy=copy) as cache:
            peer = Peer(GONE.with_context(key="k"))
            calls = [asyncio.create_task(cache.get_or_set("k", peer, timeout=9)) for _ in range(4)]
            await settled()
            peer.may_end.set()
            answers = await asyncio.gather(*calls)
            assert peer.ran == 1
            assert answers == [failure(peer.error)] * 4
            assert len({id(answer.error) for answer in answers}) == 4
            held = spoil(answers[0])
            for answer in answers[1:]:
                assert_unspoilt(answer, held)

    asyncio.run(ask())


@BOTH
@pytest.mark.parametrize("copy", [True, False])
@pytest.mark.parametrize("kept_by", ["get_or_set", "set", "set_many"])
def test_a_kept_failure_is_given_as_an_error_of_its_own(
    codec: Any, copy: bool, kept_by: str
) -> None:
    async def ask() -> None:
        async with opening(codec=codec, copy=copy) as cache:
            first: Result[Any] = failure(GONE.with_context(key="k"))
            if kept_by == "get_or_set":
                first = await cache.get_or_set("k", lambda: first, failure_ttl=60.0)
            elif kept_by == "set":
                await cache.set("k", first)
            else:
                await cache.set_many({"k": first})
            for _ in range(2):
                held = spoil(first)
                del first
                gc.collect()
                assert held() is None, "the cache holds a caller's frame"
                first = await cache.get("k")
                assert_unspoilt(first, held)
            assert_unspoilt(await cache.get_or_set("k", lambda: 1), spoil(first))

    asyncio.run(ask())


# Keys and tags


class Unsteady(str):
    """Text whose hash is another one each time."""

    __slots__ = ()
    asked = 0

    def __hash__(self) -> int:
        Unsteady.asked += 1
        return Unsteady.asked

    def isprintable(self) -> bool:
        return True


class Name(StrEnum):
    K = "k"


@BOTH
@pytest.mark.parametrize("key", [Unsteady("k"), Name.K], ids=["unsteady", "enum"])
def test_a_key_that_is_more_than_text_is_its_text(codec: Any, key: str) -> None:
    async def ask() -> None:
        async with opening(codec=codec, max_entries=2) as cache:
            assert await cache.set(key, 1) == success(None)
            for one in (key, "k"):
                assert await cache.get(one, "none") == success(1)
                assert await cache.get_many([one]) == success({"k": 1})
                assert await cache.increment(one) == success(2)
                assert await cache.get_or_set(one, lambda: 5) == success(2)
                assert await cache.expire(one, 60.0) == success(1)
                assert await cache.ttl_of(one) == success(60.0)
                assert await cache.remove(one) == success(1)
                assert await cache.get(one, "none") == success("none")
                assert await cache.set_many({one: 1}) == success(None)
            await cache.clear()
            assert await cache.get_or_set(key, lambda: 5) == success(5)
            for number in range(6):
                assert await cache.set(f"k{number}", number) == success(None)
            assert await cache.clear() == success(None)
            assert await cache.size() == success(0)
            for bad in (Unsteady("a\n"), Unsteady("")):
                assert_failure(await cache.set(bad, 1), code="INVALID_KEY")
                assert_failure(await cache.get(bad), code="INVALID_KEY")

    asyncio.run(ask())


@BOTH
def test_a_tag_that_is_more_than_text_is_its_text(codec: Any) -> None:
    async def ask() -> None:
        async with opening(codec=codec) as cache:
            for mine, theirs in ((Unsteady("t"), "t"), ("t", Unsteady("t"))):
                await cache.set("k", 1, tags=[mine])
                assert await cache.get("k") == success(1)
                assert await cache.remove_tag(theirs) == success(None)
                assert await cache.get("k") == success(None)

    asyncio.run(ask())
