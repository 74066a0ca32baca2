"""`memory:` from inside: SIEVE, the bounds, time and threads."""

from __future__ import annotations

import asyncio
import random
import sys
from bisect import bisect
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum
from functools import cached_property
from itertools import accumulate
from threading import Thread
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qicore_cache.isolate import copied, weigh
from qicore_cache.memory import MemoryStore
from qicore_cache.store import MISSING, Entry
from qicore_core import success
from qicore_core.testing import FakeClock, assert_failure


def store(max_entries: int = 1_000_000, max_bytes: int = 1 << 40, clock: Any = None) -> MemoryStore:
    now = (clock or FakeClock()).monotonic
    return MemoryStore(max_entries=max_entries, max_bytes=max_bytes, now=now)


class Reference:
    """SIEVE as its paper tells it, on a list: the oldest first, the hand an index."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.queue: list[int] = []
        self.visited: dict[int, bool] = {}
        self.hand = 0

    def is_hit(self, key: int) -> bool:
        if key in self.visited:
            self.visited[key] = True
            return True
        if len(self.queue) >= self.size:
            while self.visited[self.queue[self.hand]]:
                self.visited[self.queue[self.hand]] = False
                self.hand = (self.hand + 1) % len(self.queue)
            del self.visited[self.queue.pop(self.hand)]
            if self.hand == len(self.queue):
                self.hand = 0
        self.queue.append(key)
        self.visited[key] = False
        return False


def hits(kept: MemoryStore, trace: list[int]) -> list[bool]:
    """Ask for each key and set those that are not there."""
    space = kept.space("", False)
    found = []
    for key in trace:
        found.append(space.get(str(key)) is not MISSING)
        if not found[-1]:
            space.put(str(key), key, None)
    return found


@settings(max_examples=200)
@given(size=st.integers(1, 8), trace=st.lists(st.integers(0, 15), max_size=120))
def test_it_hits_and_misses_access_by_access_as_sieve_does(size: int, trace: list[int]) -> None:
    reference = Reference(size)
    assert hits(store(size), trace) == [reference.is_hit(key) for key in trace]


def zipf(length: int) -> list[int]:
    """Ask 20,000 keys so that the n-th is asked for in proportion to n ** -0.8."""
    weights = list(accumulate([1 / (rank + 1) ** 0.8 for rank in range(20_000)]))
    draw = random.Random(8)
    return [bisect(weights, draw.random() * weights[-1]) for _ in range(length)]


def lru_hits(size: int, trace: list[int]) -> int:
    kept: OrderedDict[int, None] = OrderedDict()
    found = 0
    for key in trace:
        if key in kept:
            found += 1
            kept.move_to_end(key)
        else:
            kept[key] = None
            if len(kept) > size:
                kept.popitem(last=False)
    return found


@pytest.mark.parametrize("size", [500, 2_000])
def test_it_hits_five_points_more_often_than_lru(size: int) -> None:
    trace = zipf(60_000)
    ours, theirs = sum(hits(store(size), trace)), lru_hits(size, trace)
    assert (ours - theirs) / len(trace) >= 0.05


STEPS = st.lists(
    st.tuples(st.sampled_from("pgdei"), st.integers(0, 9), st.integers(0, 700), st.booleans()),
    max_size=80,
)


@settings(max_examples=200)
@given(steps=STEPS, max_entries=st.integers(1, 6), max_bytes=st.integers(200, 2_000))
def test_it_never_keeps_more_than_its_bounds(
    steps: list[tuple[str, int, int, bool]], max_entries: int, max_bytes: int
) -> None:
    clock = FakeClock()
    kept = store(max_entries, max_bytes, clock)
    space = kept.space("", True)
    for step, number, size, ends in steps:
        key = str(number)
        if step == "p":
            space.put(key, b"x" * size, 1.0 if ends else None)
            if size + 300 < max_bytes:
                assert space.get(key) == b"x" * size, "what was just set is there"
        elif step == "g":
            space.get(key)
        elif step == "d":
            asyncio.run(kept.delete("", [key]))
        elif step == "e":
            clock.advance(size / 700)
        else:
            space.increment(f"n{key}", 1, None)
        look_through(kept, max_entries, max_bytes)


def look_through(kept: MemoryStore, max_entries: int, max_bytes: int) -> None:
    """Walk the queue and compare it with the dict, the counts and the bounds."""
    queue, node = [], kept._head.newer
    while node is not kept._head:
        queue.append(node)
        node = node.newer
        assert node.older is queue[-1]
    nodes = [node for nodes in kept._spaces.values() for node in nodes.values()]
    assert {id(node) for node in queue} == {id(node) for node in nodes}
    assert {kept._hand, kept._swept} <= {kept._head, *queue}
    assert len(queue) == len(nodes) == kept._entries <= max_entries
    assert sum([node.size for node in queue]) == kept._bytes <= max_bytes


def test_an_entry_larger_than_all_is_not_kept_and_pushes_nothing_out() -> None:
    kept = store(max_bytes=2_000)
    space = kept.space("", True)
    space.put("small", 1, None)
    space.put("large", b"x" * 2_000, None)
    assert space.get("large") is MISSING
    assert space.get("small") == 1
    space.put("small", b"x" * 2_000, None)  # and what it was set in place of is gone
    assert space.get("small") is MISSING


def test_an_entry_that_grows_pushes_out_others_and_never_itself() -> None:
    kept = store(max_bytes=1_000)
    space = kept.space("", True)
    for key in "abc":
        space.put(key, 1, None)
        space.get(key)
    space.put("a", b"x" * 600, None)
    assert space.get("a") == b"x" * 600
    look_through(kept, 10, 1_000)


@pytest.mark.parametrize("coded", [False, True], ids=["objects", "bytes"])
def test_a_number_that_is_counted_up_takes_what_one_that_was_put_takes(coded: bool) -> None:
    kept = store(max_bytes=1_000)
    nodes = kept._nodes("")
    kept.space("", False).put("put", b"%d" % 2**62 if coded else 2**62, None)
    kept.count_up(nodes, "n", 1, None, coded)
    kept.count_up(nodes, "n", 2**62 - 1, None, coded)
    assert nodes["n"].size == nodes["put"].size
    look_through(kept, 10, 1_000)


def test_a_number_that_grows_pushes_out_others() -> None:
    kept = store(max_bytes=460)
    space = kept.space("", True)
    space.put("a", 1, None)
    space.increment("n", 1, None)
    space.get("a")
    space.increment("n", 2**62, None)
    assert space.get("n") == 2**62 + 1
    assert space.get("a") is MISSING
    look_through(kept, 10, 460)


def test_expired_entries_go_before_any_that_is_alive() -> None:
    clock = FakeClock()
    kept = store(6, clock=clock)
    space = kept.space("", True)
    for key in "abcdef":
        space.put(key, key, 1.0 if key in "bdf" else None)
    clock.advance(1.0)
    for key in "xyz":
        space.put(key, key, None)
    assert [key for key in "abcdefxyz" if space.get(key) is not MISSING] == list("acexyz")
    look_through(kept, 6, 1 << 40)


def test_a_sweep_goes_on_where_the_last_one_ended() -> None:
    clock = FakeClock()
    kept = store(3_000, clock=clock)
    space = kept.space("", True)
    for number in range(3_000):
        space.put(str(number), number, 1.0 if number >= 2_000 else None)
    clock.advance(1.0)
    space.put("new", 0, None)  # sweeps the first thousand, for nothing
    asyncio.run(kept.delete("", [kept._swept.key]))
    look_through(kept, 3_000, 1 << 40)
    space.put("in its place", 0, None)
    for number in range(2):
        clock.advance(0.1)
        space.put(f"new {number}", number, None)
    assert kept._entries == 2_000 - 2 + 4  # alive, but one evicted and one deleted; and the new
    look_through(kept, 3_000, 1 << 40)


def test_between_sweeps_the_hand_takes_what_has_expired_though_it_was_visited() -> None:
    clock = FakeClock()
    space = store(2, clock=clock).space("", True)
    space.put("a", 1, 0.05)
    space.put("b", 1, None)
    space.get("a")
    space.put("c", 1, None)  # sweeps; the hand spares "a" and takes "b"
    space.get("a")
    clock.advance(0.05)
    space.put("d", 1, None)
    assert [key for key in "acd" if space.get(key) is not MISSING] == ["c", "d"]


def test_what_has_expired_is_not_there_for_any_operation() -> None:
    clock = FakeClock()
    kept = store(clock=clock)
    space = kept.space("n", True)
    space.put("k", 5, 1)
    clock.advance(1)

    async def ask() -> list[object]:
        return [
            await kept.read("n", ["k"]),
            await kept.count("n"),
            await kept.expire("n", "k", 5.0),
            await kept.delete("n", ["k"]),
        ]

    assert asyncio.run(ask()) == [success({}), success(0), success(0), success(0)]
    space.put("k", 5, 1)
    clock.advance(1)
    assert space.increment("k", 2, None) == success(2)


def test_namespaces_of_one_store_do_not_meet() -> None:
    async def ask() -> None:
        kept = store()
        names = ["", "a", "a:b", "b", "A", "a*", "\u00e9", "e\u0301"]
        for number, name in enumerate(names):
            await kept.write(name, {"b:k": Entry(b"%d" % number), "k": Entry(b"")})
        assert await kept.delete("a", None) == success(2)
        for number, name in enumerate(names):
            read = (await kept.read(name, ["b:k"])).unwrap()
            assert read == ({} if name == "a" else {"b:k": b"%d" % number})
        assert await kept.increment("a", "k", 4, None) == success(4)
        assert await kept.increment("a", "k", -5, None) == success(-1)
        assert (await kept.read("a", ["k"])).unwrap()["k"] == b"-1"
        assert_failure(await kept.increment("b", "k", 1, None), code="CACHE_NOT_A_NUMBER")
        assert await kept.expire("a", "k", 5.0) == success(1)
        assert await kept.ttl_of("a", "k") == success(5.0)
        assert await kept.expire("a", "k", None) == success(1)
        assert await kept.ttl_of("a", "k") == success(None)
        await kept.close()
        await kept.close()
        assert await kept.count("b") == success(0)

    asyncio.run(ask())


@contextmanager
def switching_often() -> Iterator[None]:
    """Let threads change places after every few instructions."""
    usual = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        yield
    finally:
        sys.setswitchinterval(usual)


def in_threads(count: int, work: Any) -> None:
    """Run the same in several threads; what one raises is raised."""
    bugs: list[Exception] = []

    def run(number: int) -> None:
        try:
            work(number)
        except Exception as bug:  # noqa: BLE001  # told to the test below
            bugs.append(bug)

    threads = [Thread(target=run, args=(number,)) for number in range(count)]
    with switching_often():
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert bugs == []


def test_eight_threads_at_once_break_nothing() -> None:
    kept = store(50, 50_000)

    def work(number: int) -> None:
        draw, space = random.Random(number), kept.space(str(number % 2), True)
        with asyncio.Runner() as loop:
            for _ in range(1_500):
                key, step = str(draw.randrange(100)), draw.randrange(30)
                if step == 0:
                    loop.run(kept.delete(str(number % 2), [key] if draw.random() < 0.9 else None))
                elif step == 1:
                    loop.run(kept.count(str(number % 2)))
                elif step == 2:
                    loop.run(kept.expire(str(number % 2), key, 1e-9))
                elif step < 10:
                    space.put(key, key if draw.random() < 0.5 else [key] * draw.randrange(50), 60.0)
                else:
                    found = space.get(key)
                    assert found is MISSING or set(found if found != [] else [key]) <= {*key, key}

    in_threads(8, work)
    look_through(kept, 50, 50_000)


def test_threads_lose_no_step_of_a_counter() -> None:
    kept = store()

    def work(_: int) -> None:
        space = kept.space("", True)
        for _ in range(500):
            space.increment("n", 1, None)

    in_threads(8, work)
    assert kept.space("", True).get("n") == 8 * 500


# What is shared and what is copied


class Colour(Enum):
    RED = 1


@dataclass(frozen=True)
class Point:
    x: int
    tags: Any = ()


class Moved(Point):
    """Not frozen by itself: its objects may have what changes."""


@dataclass(frozen=True)
class Lazy:
    x: int

    @cached_property
    def parts(self) -> list[int]:
        return [self.x]


class Slotted:
    __slots__ = "one"

    def __init__(self, one: Any = None) -> None:
        if one is not None:
            self.one = one


class More(Slotted):
    __slots__ = ("two", "__dict__")


@pytest.mark.parametrize(
    "value",
    [1, "x", (1, ("a",)), frozenset([1]), Colour.RED, Point(1), (Point(1, Point(2)), Colour.RED)],
    ids=repr,
)
def test_what_cannot_change_is_shared(value: object) -> None:
    space = store().space("", True)
    space.put("k", value, None)
    assert space.get("k") is value


@pytest.mark.parametrize(
    "value",
    [[1], {}, {1}, ([1],), Point(1, [1]), Moved(1), Lazy(1), Slotted(1), bytearray(b"x")],
    ids=lambda value: type(value).__name__,
)
def test_what_can_change_is_copied_on_both_ways(value: object) -> None:
    space = store().space("", True)
    space.put("k", value, None)
    first, second = space.get("k"), space.get("k")
    assert type(first) is type(value)
    assert len({id(value), id(first), id(second)}) == 3


def test_without_copies_everything_is_shared() -> None:
    space, value = store().space("", False), [1]
    space.put("k", value, None)
    assert space.get("k") is value


def test_a_copy_shares_what_the_value_shares_and_ends_where_it_holds_itself() -> None:
    inner: list[Any] = [1]
    value: dict[Any, Any] = {"a": inner, "b": inner, (1, "k"): (inner, inner)}
    value["self"] = value
    made = copied(value)
    assert made["self"] is made
    assert made["a"] is made["b"] is made[1, "k"][0]
    assert made["a"] is not inner


def test_a_value_that_holds_much_of_itself_takes_no_longer_than_it_is() -> None:
    value: Any = [1]
    for _ in range(64):  # as a tree it would have 2 ** 64 leaves
        value = [value, (value, value)]
    size, constant = weigh(value)
    assert size < 64 * 1_000
    assert not constant
    made = copied(value)
    assert made[0] is made[1][0]


def test_deep_values_are_copied_or_refused() -> None:
    value: Any = 1
    for _ in range(100):
        value = [value]
    assert copied(value) == value
    for _ in range(100_000):
        value = [value]
    assert weigh(value)[0] > 100_000
    with pytest.raises(RecursionError):
        copied(value)


@pytest.mark.parametrize(
    "wrap",
    [lambda x: [x], lambda x: {"k": x}, lambda x: {1, x}, lambda x: Point(1, x), Slotted],
    ids=["list", "dict", "set", "dataclass", "slots"],
)
def test_the_weight_of_a_value_includes_what_it_holds(wrap: Any) -> None:
    assert weigh(wrap("x" * 5_000))[0] > 5_000
    assert weigh([wrap("x")] * 1_000)[0] < 20_000  # once, however often it is held


def test_the_weight_includes_slots_of_every_class_and_skips_unset_ones() -> None:
    value = More("x" * 5_000)
    value.three = "y" * 5_000  # type: ignore[attr-defined]
    assert weigh(value)[0] > 10_000
    assert weigh(More())[0] < 1_000


def test_missing_is_no_value() -> None:
    with pytest.raises(TypeError, match="no value"):
        store().space("", True).put("k", MISSING, None)
