"""The cache as its users hold it: on objects in memory and on bytes in a store outside."""

from __future__ import annotations

import asyncio
import copy
import gc
import pickle
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from threading import Barrier, Thread
from traceback import walk_tb
from typing import Any

import pytest

from qicore_cache import CACHE, MISSING, Cache, CacheStore, Entry, JsonCodec, open_cache
from qicore_cache.memory import MemoryStore
from qicore_cache.settings import CacheSettings
from qicore_core import (
    CircuitBreakerConfig,
    ConfigData,
    Deadline,
    Failure,
    Parts,
    Policy,
    QiError,
    Result,
    Runtime,
    failure,
    plugins,
    success,
)
from qicore_core.testing import FakeClock, assert_failure, recorded

DOWN = QiError.unavailable("CACHE_UNAVAILABLE", "the server is down", source="cache")


@pytest.fixture(name="loop")
def _loop() -> Any:
    with asyncio.Runner() as loop:
        yield loop


@pytest.fixture(name="clock")
def _clock() -> FakeClock:
    return FakeClock()


@pytest.fixture(name="cache", params=[None, JsonCodec()], ids=["objects", "bytes"])
def _cache(request: pytest.FixtureRequest, loop: asyncio.Runner, clock: FakeClock) -> Any:
    cache = loop.run(opened("memory:", codec=request.param, parts=Parts(clock=clock)))
    yield cache
    loop.run(cache.close())


async def opened(url: str | None = None, **settings: Any) -> Cache[Any]:
    return (await open_cache(url, **settings)).unwrap()


class Shaky:
    """A store outside this process, kept in a dict, that fails when it is told to."""

    def __init__(self) -> None:
        self.kept: dict[tuple[str, str], Entry] = {}
        self.failing: dict[str, list[QiError]] = {}
        self.asked: list[str] = []

    def fails(self, error: QiError, *operations: str, times: int = 1_000) -> None:
        for operation in operations:
            self.failing[operation] = [error] * times

    def trouble(self, operation: str) -> QiError | None:
        self.asked.append(operation)
        errors = self.failing.get(operation)
        return errors.pop() if errors else None

    async def read(self, ns: str, keys: Iterable[str], /) -> Result[Mapping[str, bytes]]:
        if error := self.trouble("read"):
            return failure(error)
        return success({key: self.kept[ns, key].data for key in keys if (ns, key) in self.kept})

    async def write(self, ns: str, entries: Mapping[str, Entry], /) -> Result[None]:
        if error := self.trouble("write"):
            return failure(error)
        self.kept |= {(ns, key): entry for key, entry in entries.items()}
        return success()

    async def delete(self, ns: str, keys: Iterable[str] | None, /) -> Result[int]:
        if error := self.trouble("delete"):
            return failure(error)
        named = [key for of, key in self.kept if of == ns]
        gone = named if keys is None else set(named) & set(keys)
        return success(len([self.kept.pop((ns, key)) for key in gone]))

    async def count(self, ns: str, /) -> Result[int]:
        if error := self.trouble("count"):
            return failure(error)
        return success(len([key for of, key in self.kept if of == ns]))

    async def close(self) -> None:
        self.trouble("close")


class Counts(Shaky):
    async def increment(self, ns: str, key: str, by: int, ttl: float | None, /) -> Result[int]:
        if error := self.trouble("increment"):
            return failure(error)
        number = int(self.kept.get((ns, key), Entry(b"0")).data) + by
        self.kept[ns, key] = Entry(b"%d" % number, ttl)
        return success(number)


def on(store: CacheStore, *, parts: Parts | None = None, **settings: Any) -> Cache[Any]:
    return Cache(store, CacheSettings(**settings), parts or Parts())


@dataclass(frozen=True)
class User:
    name: str


# Values and keys


def test_typed_caches_share_their_store(cache: Cache[Any], loop: asyncio.Runner) -> None:
    async def ask() -> None:
        users = cache.of(User)
        assert await users.set("u", User("Ada")) == success(None)
        assert await cache.of(User).get("u") == success(User("Ada"))
        assert await cache.size() == success(1)
        assert await cache.remove("u") == success(1)
        assert await users.get("u", "none") == success("none")
        assert cache.stats == users.stats

    loop.run(ask())


def test_shared_objects_are_the_same_object(loop: asyncio.Runner) -> None:
    async def ask() -> None:
        value: list[int] = []
        async with open_cache("memory:", copy=False) as cache:
            await cache.set("k", value)
            assert (await cache.get("k")).unwrap() is value
            made: Any = await cache.get_or_set("new", lambda: value)
            assert made.unwrap() is value

    loop.run(ask())


def test_missing_is_falsy_and_one() -> None:
    assert not MISSING
    assert repr(MISSING) == "MISSING"
    assert pickle.loads(pickle.dumps(MISSING)) is copy.deepcopy(MISSING) is MISSING


def test_set_many_keeps_all_or_none(cache: Cache[Any], loop: asyncio.Runner) -> None:
    async def ask() -> None:
        for bad in ({"a": 1, "b": (_ for _ in ())}, {"a": 1, "b": MISSING}):
            assert_failure(await cache.set_many(bad), code="CODEC_ERROR", key="b")
        assert_failure(await cache.set_many({"a": 1, "": 2}), code="INVALID_KEY")
        assert_failure(await cache.set_many({"a": 1}, ttl=0), code="INVALID_TTL")
        assert_failure(await cache.set("a", MISSING), code="CODEC_ERROR")
        assert await cache.size() == success(0)
        assert await cache.set_many({}) == success(None)
        assert await cache.set_many({"a": [1], "b": None}, ttl=5) == success(None)
        assert await cache.get_many(["b", "a", "c", "a"]) == success({"b": None, "a": [1]})
        assert (cache.stats.hits, cache.stats.misses) == (2, 1)
        assert await cache.ttl_of("b") == success(5)
        assert await cache.remove_many(["a", "a", "c"]) == success(1)

    loop.run(ask())


def test_a_text_is_no_list_of_keys(cache: Cache[Any], loop: asyncio.Runner) -> None:
    async def ask() -> None:
        await cache.set("a", 1)
        assert_failure(await cache.get_many("a"), code="INVALID_KEY")
        assert_failure(await cache.remove_many("a"), code="INVALID_KEY")
        assert await cache.size() == success(1)

    loop.run(ask())


@pytest.mark.parametrize("key", [True, 1, None, [], "", "a\n", "\ud800"], ids=repr)
def test_a_key_is_printable_text(cache: Cache[Any], loop: asyncio.Runner, key: Any) -> None:
    for call in (cache.get(key), cache.set(key, 1), cache.get_or_set(key, lambda: 1)):
        assert_failure(loop.run(call), code="INVALID_KEY")


@pytest.mark.parametrize("ttl", [1, 1.5, 1e10, 10**10], ids=repr)
def test_a_ttl_may_be_any_number(cache: Cache[Any], loop: asyncio.Runner, ttl: float) -> None:
    assert loop.run(cache.set("k", 1, ttl=ttl)) == success(None)
    assert loop.run(cache.ttl_of("k")) == success(ttl)


@pytest.mark.parametrize("ttl", [False, 1.1e10, 10**400, -(10**400), "1", 1j], ids=str)
def test_a_ttl_out_of_bounds_is_refused(cache: Cache[Any], loop: asyncio.Runner, ttl: Any) -> None:
    loop.run(cache.set("k", 1))
    for call in (
        cache.set("k", 1, ttl=ttl),
        cache.expire("k", ttl),
        cache.increment("k", ttl=ttl),
        cache.get_or_set("k", lambda: 1, ttl=ttl),
        cache.get_or_set("k", lambda: 1, failure_ttl=ttl),
    ):
        error = assert_failure(loop.run(call), code="INVALID_TTL")
        assert len(error.message) < 120


def test_jitter_shortens_a_ttl_and_never_to_nothing(loop: asyncio.Runner) -> None:
    draws = iter([0.0, 0.5, 1.0 - 2**-53])

    async def ask() -> None:
        parts = Parts(clock=FakeClock(), random=lambda: next(draws))
        async with open_cache("memory:", ttl_jitter=0.8, default_ttl=100, parts=parts) as cache:
            for key in "abc":
                await cache.set(key, 1)
            left = [(await cache.ttl_of(key)).unwrap() for key in "abc"]
            assert left == [100.0, pytest.approx(60.0), pytest.approx(20.0)]

    loop.run(ask())


@pytest.mark.parametrize("codec", [None, JsonCodec()], ids=["objects", "bytes"])
def test_jitter_tells_the_entries_of_one_call_apart(loop: asyncio.Runner, codec: Any) -> None:
    async def ask() -> None:
        async with open_cache("memory:", ttl_jitter=0.5, codec=codec) as cache:
            await cache.set_many(dict.fromkeys("abcdef", 1), ttl=100.0)
            left = {round((await cache.ttl_of(key)).unwrap(), 3) for key in "abcdef"}  # type: ignore[arg-type]
            assert len(left) == 6

    loop.run(ask())


def test_a_default_ttl_ends_what_names_none(loop: asyncio.Runner, clock: FakeClock) -> None:
    async def ask() -> None:
        async with open_cache("memory:", default_ttl=10, parts=Parts(clock=clock)) as cache:
            await cache.set("k", 1)
            await cache.set("longer", 1, ttl=20)
            await cache.increment("n")
            await cache.get_or_set("computed", lambda: 1)
            assert await cache.expire("n", None) == success(1)
            clock.advance(10)
            assert await cache.get_many(["k", "longer", "n", "computed"]) == success(
                {"longer": 1, "n": 1}
            )

    loop.run(ask())


def test_counting_in_memory_and_in_bytes(cache: Cache[Any], loop: asyncio.Runner) -> None:
    async def ask() -> None:
        assert await cache.increment("n", 5, ttl=7) == success(5)
        assert await cache.increment("n", -6, ttl=99) == success(-1)
        assert await cache.get("n") == success(-1)
        assert await cache.ttl_of("n") == success(7)
        await cache.set("n", 10**12)
        assert await cache.increment("n") == success(10**12 + 1)
        assert await cache.get("n") == success(10**12 + 1)
        assert await cache.of(User).increment("n", -1) == success(10**12)
        for value in (True, 1.0, "1", None, [1]):
            await cache.set("x", value)
            assert_failure(await cache.increment("x"), code="CACHE_NOT_A_NUMBER")
        with pytest.raises(TypeError):
            await cache.increment("n", 1.5)  # type: ignore[arg-type]
        assert await cache.increment("new", True) == success(1)
        assert type((await cache.get("new")).unwrap()) is int

    loop.run(ask())


def test_what_is_counted_has_64_bits(cache: Cache[Any], loop: asyncio.Runner) -> None:
    top, bottom = 2**63 - 1, -(2**63)

    async def ask() -> None:
        for end, over in ((top, 1), (bottom, -1)):
            assert await cache.increment("n", end) == success(end)
            for by in (over, end, over * 2**64, over * 10**5000, -over * (2**64 - 1)):
                assert_failure(await cache.increment("n", by), code="CACHE_NOT_A_NUMBER")
            assert await cache.get("n") == success(end)
            assert await cache.remove("n") == success(1)
            assert_failure(await cache.increment("n", end + over), code="CACHE_NOT_A_NUMBER")
            assert await cache.get("n", MISSING) == success(MISSING)
            await cache.set("far", end + over)
            assert_failure(await cache.increment("far", -over), code="CACHE_NOT_A_NUMBER")
            assert await cache.get("far") == success(end + over)

    loop.run(ask())


def test_digits_without_end_are_no_number(loop: asyncio.Runner) -> None:
    async def ask() -> None:
        store = MemoryStore(max_entries=9, max_bytes=1 << 20, now=FakeClock().monotonic)
        await store.write("", {"n": Entry(b"1" * 5000)})
        assert_failure(await store.increment("", "n", 1, None), code="CACHE_NOT_A_NUMBER")

    loop.run(ask())


def test_a_store_may_say_how_long_entries_are_kept(loop: asyncio.Runner) -> None:
    class Brief(Counts):
        default_ttl: float | None = 300.0

    async def ask() -> None:
        for said, wanted in (({}, 300.0), ({"default_ttl": 20.0}, 20.0)):
            store = Brief()
            cache = on(store, **said)
            await cache.set("set", 1)
            await cache.set_many({"many": 1})
            await cache.increment("n")
            await cache.of(User).get_or_set("computed", lambda: User("Ada"))
            assert {key: entry.ttl for (_, key), entry in store.kept.items()} == dict.fromkeys(
                ["set", "many", "n", "computed"], wanted
            )
            await cache.set("set", 1, ttl=5.0)
            assert store.kept["", "set"].ttl == 5.0
        store.default_ttl = None
        await on(store).set("endless", 1)
        assert store.kept["", "endless"].ttl is None

    loop.run(ask())


def test_what_a_store_cannot_do_is_unsupported(loop: asyncio.Runner) -> None:
    cache = on(Shaky())
    assert_failure(loop.run(cache.increment("n")), code="CACHE_UNSUPPORTED")
    assert_failure(loop.run(cache.expire("n", 1.0)), code="CACHE_UNSUPPORTED")


def test_stats_count_what_was_asked(cache: Cache[Any], loop: asyncio.Runner) -> None:
    async def ask() -> None:
        assert cache.stats.hit_ratio == 0.0
        await cache.get("k")
        await cache.get_or_set("k", lambda: 1)
        await cache.get_or_set("k", lambda: 1)
        await cache.get("k")
        stats = cache.stats
        assert (stats.hits, stats.misses, stats.computed, stats.hit_ratio) == (2, 2, 1, 0.5)
        await cache.get("k")
        assert stats.hits == 2, "it is a copy"

    loop.run(ask())


class Whimsical:
    """Can be copied once: into the cache."""

    def __init__(self, copies: int) -> None:
        self.copies = copies

    def __deepcopy__(self, memo: object) -> Whimsical:
        if not self.copies:
            raise RuntimeError("no more copies")
        return Whimsical(self.copies - 1)


def test_a_value_that_cannot_be_copied_out_is_an_answer(loop: asyncio.Runner) -> None:
    async def ask() -> None:
        async with open_cache("memory:") as cache:
            await cache.set("k", Whimsical(1))
            assert_failure(await cache.get("k"), code="CODEC_ERROR")
            assert_failure(await cache.get_many(["k"]), code="CODEC_ERROR")
            assert await cache.get_or_set("k", lambda: 1) == success(1)
            assert await cache.get("k") == success(1)

    loop.run(ask())


def test_a_failure_that_is_kept_is_given_and_is_no_value(
    cache: Cache[Any], loop: asyncio.Runner, clock: FakeClock
) -> None:
    refused = QiError.unavailable("BUSY", "try again", source="shop")  # retryable: still kept

    async def ask() -> None:
        ran: list[int] = []

        def compute() -> Result[int]:
            ran.append(1)
            return failure(refused)

        for _ in range(3):
            answer = await cache.get_or_set("k", compute, failure_ttl=5)
            assert assert_failure(answer, code="BUSY").category == refused.category
        assert_failure(await cache.get("k"), code="BUSY")
        assert await cache.get_many(["k"]) == success({})
        assert len(ran) == 1
        clock.advance(5)
        assert await cache.get_or_set("k", lambda: 2) == success(2)

    loop.run(ask())


def test_a_failure_that_is_set_is_kept_as_one(cache: Cache[Any], loop: asyncio.Runner) -> None:
    async def ask() -> None:
        await cache.set("k", failure(DOWN))
        await cache.set_many({"l": failure(DOWN), "m": 1}, ttl=5.0)
        for key in "kl":
            assert_failure(await cache.get(key), code="CACHE_UNAVAILABLE")
            assert_failure(await cache.get_or_set(key, lambda: 1), code="CACHE_UNAVAILABLE")
        assert await cache.get_many(["k", "l", "m"]) == success({"m": 1})

    loop.run(ask())


@pytest.mark.parametrize("kind", ["def", "def Result", "async", "async Result"])
def test_a_factory_may_be_of_any_kind(cache: Cache[Any], loop: asyncio.Runner, kind: str) -> None:
    async def value() -> int:
        return 7

    async def result() -> Result[int]:
        return success(7)

    factories: dict[str, Callable[[], Any]] = {
        "def": lambda: 7,
        "def Result": lambda: success(7),
        "async": value,
        "async Result": result,
    }
    assert loop.run(cache.get_or_set("k", factories[kind])) == success(7)
    assert loop.run(cache.get("k")) == success(7)


# Single flight


def test_fifty_threads_with_loops_of_their_own_are_one_computation(cache: Cache[Any]) -> None:
    ran: list[int] = []
    answers: list[Result[Any]] = []
    all_here = Barrier(50)

    async def compute() -> list[int]:
        ran.append(1)
        await followed(cache, 49)
        return [7]

    def call() -> None:
        all_here.wait(30)
        answers.append(asyncio.run(cache.get_or_set("k", compute)))

    threads = [Thread(target=call) for _ in range(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert answers == [success([7])] * 50
    assert ran == [1]
    assert len({id(answer.unwrap()) for answer in answers}) == 50, "each has its own"


def test_fifty_tasks_are_one_computation(cache: Cache[Any], loop: asyncio.Runner) -> None:
    ran: list[int] = []

    async def compute() -> list[int]:
        ran.append(1)
        await followed(cache, 49)
        return [7]

    async def ask() -> list[Result[Any]]:
        return await asyncio.gather(*[cache.get_or_set("k", compute) for _ in range(50)])

    assert loop.run(ask()) == [success([7])] * 50
    assert ran == [1]


class Gate:
    """A factory that tells when it has begun and goes on when it may."""

    def __init__(self, value: Any = 1) -> None:
        self.begun, self.may_end, self.value = asyncio.Event(), asyncio.Event(), value
        self.ran = 0

    async def __call__(self) -> Any:
        self.ran += 1
        self.begun.set()
        await self.may_end.wait()
        if isinstance(self.value, Exception):
            raise self.value
        return self.value


async def followed(cache: Cache[Any], followers: int, key: str = "k") -> None:
    """Let the others run until so many wait for a computation."""
    while followers_of(cache, key) < followers:  # noqa: ASYNC110  # nothing tells
        await asyncio.sleep(0)


def followers_of(cache: Cache[Any], key: str) -> int:
    """Count those who wait for a key: for the look at the store, or for the computation."""
    flights = cache._access.computations
    open_ = [flights._looks._open, flights._flights._open]
    return sum([one[key].followers for one in open_ if key in one])


async def under_way(cache: Cache[Any], gate: Gate, *, waiting: int, **how: Any) -> list[Any]:
    """Start one who computes and several who wait for it; give their tasks."""
    tasks = [asyncio.create_task(cache.get_or_set("k", gate, **how))]
    await gate.begun.wait()
    tasks += [asyncio.create_task(cache.get_or_set("k", gate)) for _ in range(waiting)]
    await followed(cache, waiting)
    return tasks


def test_what_one_caller_does_to_a_value_no_other_sees(
    cache: Cache[Any], loop: asyncio.Runner
) -> None:
    async def ask() -> None:
        gate = Gate([1])

        async def spoil(call: Any) -> Any:
            answer = await call
            answer.value.append("spoilt")
            return answer.value

        first = asyncio.create_task(spoil(cache.get_or_set("k", gate)))
        await gate.begun.wait()
        others = [asyncio.create_task(spoil(cache.get_or_set("k", gate))) for _ in range(3)]
        await followed(cache, 3)
        gate.may_end.set()
        for task in (first, *others):
            assert await task == [1, "spoilt"]
        assert await cache.get("k") == success([1])

    loop.run(ask())


def test_a_bug_in_a_factory_reaches_all_who_wait(cache: Cache[Any], loop: asyncio.Runner) -> None:
    async def ask() -> None:
        gate = Gate(ZeroDivisionError("a bug"))
        tasks = await under_way(cache, gate, waiting=3)
        gate.may_end.set()
        for answer in await asyncio.gather(*tasks, return_exceptions=True):
            assert isinstance(answer, ZeroDivisionError)
        assert gate.ran == 1
        assert await cache.get_or_set("k", lambda: 2) == success(2)

    loop.run(ask())


class AwkwardError(Exception):
    """What copy cannot make again."""

    def __init__(self, what: str, *, code: int) -> None:
        super().__init__(what)
        self.code = code


def test_a_bug_in_a_factory_is_an_exception_of_his_own_for_each(
    cache: Cache[Any], loop: asyncio.Runner
) -> None:
    async def raised(bug: Exception) -> list[BaseException]:
        gate = Gate(bug)
        tasks = await under_way(cache, gate, waiting=50)
        gate.may_end.set()
        return [one for one in await asyncio.gather(*tasks, return_exceptions=True) if one]

    async def ask() -> None:
        cause = ValueError("its cause")
        bug = ZeroDivisionError("a bug")
        bug.__cause__ = cause
        bug.add_note("a note")
        bugs = await raised(bug)
        assert len({id(one) for one in bugs}) == 51
        assert {one.__cause__ for one in bugs} == {cause}
        assert {(str(one), *one.__notes__) for one in bugs} == {("a bug", "a note")}
        names = [[frame.f_code.co_name for frame, _ in walk_tb(one.__traceback__)] for one in bugs]
        assert all(one[-1] == "__call__" for one in names)  # where it was raised
        assert all(one.count("run") <= 3 for one in names)  # and by whom, but by no other
        assert [type(one) for one in await raised(AwkwardError("a bug", code=5))] == [
            AwkwardError
        ] * 51

    loop.run(ask())


def test_whoever_is_cancelled_hands_over(cache: Cache[Any], loop: asyncio.Runner) -> None:
    async def ask() -> None:
        gate = Gate()
        first, second, third = await under_way(cache, gate, waiting=2)
        first.cancel()
        gate.may_end.set()
        assert [await second, await third] == [success(1), success(1)]
        assert gate.ran == 2
        with pytest.raises(asyncio.CancelledError):
            await first

    loop.run(ask())


def test_a_cancelled_follower_disturbs_no_one(cache: Cache[Any], loop: asyncio.Runner) -> None:
    async def ask() -> None:
        gate = Gate()
        first, second, third = await under_way(cache, gate, waiting=2)
        second.cancel()
        with pytest.raises(asyncio.CancelledError):
            await second
        gate.may_end.set()
        assert [await first, await third] == [success(1), success(1)]
        assert gate.ran == 1

    loop.run(ask())


@pytest.mark.parametrize("how", ["timeout", "ambient"])
def test_a_follower_waits_no_longer_than_its_deadline(
    cache: Cache[Any], loop: asyncio.Runner, clock: FakeClock, how: str
) -> None:
    async def late() -> Result[Any]:
        if how == "timeout":
            return await cache.get_or_set("k", lambda: 2, timeout=5.0)
        with Deadline.after(5.0, clock=clock):
            return await cache.get_or_set("k", lambda: 2)

    async def ask() -> None:
        gate = Gate()
        (first,) = await under_way(cache, gate, waiting=0)
        second = asyncio.create_task(late())
        await followed(cache, 1)
        clock.advance(5.0)
        assert_failure(await second, code="DEADLINE_EXCEEDED")
        gate.may_end.set()
        assert await first == success(1)

    loop.run(ask())


@pytest.mark.parametrize("how", ["timeout", "ambient"])
def test_who_computes_for_too_long_hands_over(
    cache: Cache[Any], loop: asyncio.Runner, clock: FakeClock, how: str
) -> None:
    gate = Gate()

    async def ask() -> None:
        if how == "timeout":
            tasks = await under_way(cache, gate, waiting=1, timeout=5.0)
        else:
            with Deadline.after(5.0, clock=clock):
                (first,) = await under_way(cache, gate, waiting=0)
            with Deadline.lifted():
                tasks = [first, asyncio.create_task(cache.get_or_set("k", gate))]
                await followed(cache, 1)
        clock.advance(5.0)
        assert_failure(await tasks[0], code="DEADLINE_EXCEEDED")
        gate.may_end.set()
        assert await tasks[1] == success(1)
        assert gate.ran == 2

    loop.run(ask())


def test_two_who_compute_crosswise_do_not_wait_for_ever(
    cache: Cache[Any], loop: asyncio.Runner
) -> None:
    async def ask() -> None:
        both = asyncio.Barrier(2)

        async def compute(other: str) -> Any:
            await both.wait()
            return await cache.get_or_set(other, lambda: "never")

        tasks = [
            cache.get_or_set("a", lambda: compute("b")),
            cache.get_or_set("b", lambda: compute("a")),
        ]
        answers = await asyncio.wait_for(asyncio.gather(*tasks), 30)
        for answer in answers:  # one is told, and what it gives is what the other gets
            assert_failure(answer, code="CACHE_REENTRANT")

    loop.run(ask())


def test_waiting_by_several_ways_is_no_ring(cache: Cache[Any], loop: asyncio.Runner) -> None:
    async def ask() -> None:
        gate, tasks = Gate(1), dict[str, asyncio.Task[Any]]()

        async def compute(*others: str) -> int:
            calls = [cache.get_or_set(other, gate) for other in others]
            return sum([answer.unwrap() for answer in await asyncio.gather(*calls)])

        for key, others in {"c": (), "a": ("c",), "b": ("c",), "x": ("a", "b"), "d": "x"}.items():
            made = gate if key == "c" else lambda others=others: compute(*others)
            tasks[key] = asyncio.create_task(cache.get_or_set(key, made))
            await gate.begun.wait()
            for _ in range(5):
                await asyncio.sleep(0)
        assert followers_of(cache, "x") == 1
        gate.may_end.set()
        assert await tasks["d"] == success(2)
        assert gate.ran == 1

    loop.run(ask())


def test_one_computation_may_wait_for_another(cache: Cache[Any], loop: asyncio.Runner) -> None:
    async def ask() -> None:
        gate = Gate(5)
        inner = asyncio.create_task(cache.get_or_set("inner", gate))
        await gate.begun.wait()

        async def compute() -> Any:
            twice = [cache.get_or_set("inner", gate) for _ in range(2)]
            return sum([answer.unwrap() for answer in await asyncio.gather(*twice)])

        outer = asyncio.create_task(cache.get_or_set("outer", compute))
        await followed(cache, 2, "inner")
        gate.may_end.set()
        assert [await inner, await outer] == [success(5), success(10)]

    loop.run(ask())


def test_a_task_born_in_a_computation_may_ask_for_its_key_later(
    cache: Cache[Any], loop: asyncio.Runner
) -> None:
    async def ask() -> None:
        later, tasks = asyncio.Event(), list[Any]()
        gate = Gate(2)

        async def refresh() -> Any:
            await later.wait()
            return await cache.get_or_set("k", gate)

        async def compute() -> int:
            tasks.append(asyncio.create_task(refresh()))
            return 1

        assert await cache.get_or_set("k", compute) == success(1)
        await cache.remove("k")
        first = asyncio.create_task(cache.get_or_set("k", gate))
        await gate.begun.wait()
        later.set()
        await followed(cache, 1)
        gate.may_end.set()
        assert [await first, await tasks[0]] == [success(2), success(2)]

    loop.run(ask())


def test_a_computation_whose_loop_is_gone_is_taken_over(cache: Cache[Any]) -> None:
    async def never() -> int:
        await asyncio.Event().wait()
        return 0

    gone = asyncio.new_event_loop()
    leader = gone.create_task(cache.get_or_set("k", never))
    gone.call_soon(gone.stop)
    gone.run_forever()
    gone.close()
    assert asyncio.run(cache.get_or_set("k", lambda: 2)) == success(2)
    leader._log_destroy_pending = False  # type: ignore[attr-defined]  # it is what this is about
    del leader
    gc.collect()  # ends it in a context that is not its own: nothing is raised
    assert asyncio.run(cache.get("k")) == success(2)


# A store outside that fails


def test_get_or_set_computes_while_the_store_is_down(loop: asyncio.Runner) -> None:
    async def ask() -> None:
        store = Shaky()
        cache = on(store)
        store.fails(DOWN, "read", "write")
        with recorded("cache") as events:
            answers = [await cache.get_or_set("k", lambda: [1]) for _ in range(2)]
        assert answers == [success([1])] * 2
        assert cache.stats.computed == 2
        told = [event for event in events if event.phase == "fallback"]
        assert [event.error for event in told] == [DOWN, DOWN]
        assert told[0].fields == {"what": "computed while the store is down"}
        assert store.asked == ["read", "read"], "nothing is written to what is down"
        assert_failure(await cache.get("k"), code="CACHE_UNAVAILABLE")  # never a miss
        assert_failure(await cache.get_many(["k"]), code="CACHE_UNAVAILABLE")
        assert_failure(await cache.health(), code="CACHE_UNAVAILABLE")

    loop.run(ask())


def test_waiters_get_what_was_computed_while_the_store_is_down(loop: asyncio.Runner) -> None:
    async def ask() -> None:
        store = Shaky()
        store.fails(DOWN, "read", "write")
        for value, wanted in (([1], success([1])), ((_ for _ in ()), None)):
            cache, gate = on(store), Gate(value)
            tasks = await under_way(cache, gate, waiting=2)
            gate.may_end.set()
            first, *others = await asyncio.gather(*tasks)
            assert first.value is value
            for answer in others:
                if wanted:
                    assert answer == wanted
                else:
                    assert_failure(answer, code="CODEC_ERROR")

    loop.run(ask())


def test_get_or_set_tells_of_a_store_that_fails_on_write_alone(loop: asyncio.Runner) -> None:
    async def ask() -> None:
        store, told = Shaky(), list[Any]()
        cache = on(store, parts=Parts(emit=told.append))
        store.fails(DOWN, "write")
        assert await cache.get_or_set("k", lambda: 1) == success(1)
        assert [event.fields["what"] for event in told] == ["computed and not kept"]
        assert_failure(await cache.set("k", 1), code="CACHE_UNAVAILABLE")

    loop.run(ask())


def test_get_or_set_answers_where_the_store_refuses_us_and_tells_why(
    loop: asyncio.Runner,
) -> None:
    async def ask() -> None:
        store, told = Shaky(), list[Any]()
        cache = on(store, parts=Parts(emit=told.append))
        store.fails(QiError.authentication("CACHE_READ_FAILED", "wrong password"), "read")
        assert_failure(await cache.get("k"), code="CACHE_READ_FAILED")
        assert await cache.get_or_set("k", lambda: 1) == success(1)
        assert told[-1].error.category == "AUTHENTICATION"
        assert told[-1].fields["what"] == "computed while the store is down"

    loop.run(ask())


def test_what_stands_in_the_place_of_an_entry_is_made_anew(loop: asyncio.Runner) -> None:
    async def ask() -> None:
        store = Shaky()
        cache = on(store)
        store.fails(QiError.conflict("CACHE_READ_FAILED", "a list stands there"), "read")
        assert await cache.get_or_set("k", lambda: 1) == success(1)
        store.failing.clear()
        assert await cache.get("k") == success(1)

    loop.run(ask())


def test_a_policy_retries_and_its_breaker_opens(loop: asyncio.Runner, clock: FakeClock) -> None:
    async def ask() -> None:
        store = Counts()
        breaker = CircuitBreakerConfig(failure_threshold=4, timeout_seconds=30.0)
        policy = Policy(retry=3, breaker=breaker)
        cache = on(store, policy=policy, parts=Parts(clock=clock))
        store.fails(DOWN, "read", times=2)
        assert await cache.get("k") == success(None)
        assert store.asked == ["read"] * 3
        assert len(clock.slept) == 2
        store.fails(DOWN, "increment", times=1)
        assert_failure(await cache.increment("n"), code="CACHE_UNAVAILABLE")  # it may have counted
        assert store.asked[3:] == ["increment"]
        store.fails(DOWN, "read", "write")
        assert not await cache.get("k")
        assert_failure(await cache.get("k"), code="CIRCUIT_OPEN")
        asked = len(store.asked)
        assert await cache.get_or_set("k", lambda: 7) == success(7)
        assert len(store.asked) == asked, "the breaker spares the store"

    loop.run(ask())


def test_a_policy_of_one_call_holds_for_that_call(loop: asyncio.Runner, clock: FakeClock) -> None:
    async def ask() -> None:
        store = Shaky()
        cache = on(store, parts=Parts(clock=clock))
        calls: list[Callable[..., Any]] = [
            lambda **how: cache.get("k", **how),
            lambda **how: cache.get_many(["k"], **how),
            lambda **how: cache.set("k", 1, **how),
            lambda **how: cache.set_many({"k": 1}, **how),
            lambda **how: cache.remove("k", **how),
            lambda **how: cache.clear(**how),
            lambda **how: cache.size(**how),
        ]
        for call in calls:
            store.fails(DOWN, "read", "write", "delete", "count", times=1)
            assert await call(policy=Policy(retry=2))
            store.fails(DOWN, "read", "write", "delete", "count", times=1)
            assert not await call()
        store.fails(DOWN, "read", "write", times=1)
        with recorded("cache") as events:
            await cache.get_or_set("new", lambda: 1, policy=Policy(retry=2))
        assert [event for event in events if event.phase == "fallback"] == []

    loop.run(ask())


def test_a_closed_cache_closes_its_store(loop: asyncio.Runner) -> None:
    async def ask() -> None:
        store = Shaky()
        users = on(store).of(User)
        await users.close()
        assert store.asked == ["close"]
        for call in (users.get("k"), users.increment("k"), users.expire("k", 1), users.health()):
            assert_failure(await call, code="CACHE_NOT_CONNECTED")

    loop.run(ask())


def test_a_cache_closed_while_it_computes_gives_what_was_computed(
    cache: Cache[Any], loop: asyncio.Runner
) -> None:
    async def compute() -> int:
        await cache.close()
        return 1

    answer = loop.run(cache.get_or_set("k", compute))
    assert answer == success(1)


def test_health_of_a_store_that_is_well(cache: Cache[Any], loop: asyncio.Runner) -> None:
    assert loop.run(cache.health()) == success(None)


# The door


def test_without_a_url_several_drivers_are_a_question(
    loop: asyncio.Runner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("one", "two"):
        folder = tmp_path / f"acme_{name}-1.0.dist-info"
        folder.mkdir()
        (folder / "METADATA").write_text(f"Name: acme-{name}\nVersion: 1.0\n\n")
        (folder / "entry_points.txt").write_text(f"[qicore.cache]\n{name} = acme_{name}\n")
    monkeypatch.syspath_prepend(tmp_path)
    plugins.reset()
    error = assert_failure(loop.run(_await(open_cache())))
    assert "one" in f"{error.message} {error.hint}"
    monkeypatch.undo()
    plugins.reset()


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"namespace": "a\n"}, "namespace is at most 128 printable"),
        ({"namespace": "x" * 129}, "namespace is at most 128 printable"),
        ({"namespace": 5}, "namespace must be text"),
        ({"default_ttl": 0}, "default_ttl is wrong: a ttl is a number of seconds above 0"),
        ({"default_ttl": True}, "default_ttl must be a number"),
        ({"ttl_jitter": 1.0}, "ttl_jitter is from 0.0 up to 1.0, got 1.0"),
        ({"ttl_jitter": -0.1}, "ttl_jitter is from 0.0"),
        ({"ttl_jitter": float("nan")}, "ttl_jitter is from 0.0"),
        ({"copy": "perhaps"}, "copy must be true or false"),
        ({"codec": 5}, "codec must be"),
        ({"policy": 5}, "policy must be"),
        ({"max_entries": 0}, "max_entries is at least 1, got 0"),
        ({"max_bytes": "\u00b2"}, "max_bytes must be a whole number"),
        ({"max_bytes": True}, "max_bytes must be a whole number"),
        ({"max_entires": 5}, "did you mean max_entries?"),
        ({"defualt_ttl": 5}, "did you mean default_ttl?"),
        ({"max_entires": 5, "max_bytes": "x"}, "max_entries?; max_bytes must be a whole number"),
    ],
    ids=lambda value: repr(value)[:30],
)
def test_settings_that_are_wrong_are_named(
    loop: asyncio.Runner, settings: dict[str, Any], said: str
) -> None:
    error = assert_failure(loop.run(_await(open_cache("memory:", **settings))))
    assert error.code == "CACHE_SETTINGS_INVALID"
    assert said in error.message


async def _await(opening: Any) -> Any:
    return await opening


@pytest.mark.parametrize(
    ("url", "code", "said"),
    [
        ("memroy:", "PLUGIN_NOT_FOUND", "memory"),
        ("", "PLUGIN_NOT_FOUND", ""),
        ("memory:mine", "CACHE_SETTINGS_INVALID", "memory: has no path"),
        ("memory:?max_entries=no", "CACHE_SETTINGS_INVALID", "max_entries must be a whole number"),
        (
            "memory:?namespace=a",
            "CACHE_SETTINGS_INVALID",
            "did you mean to give it beside the URL?",
        ),
        ("memory:?max_entries=", "CACHE_SETTINGS_INVALID", "max_entries"),
    ],
)
def test_a_url_that_is_wrong_is_named(loop: asyncio.Runner, url: str, code: str, said: str) -> None:
    error = assert_failure(loop.run(_await(open_cache(url))), code=code)
    assert said in f"{error.message} {error.hint}"


def test_settings_come_by_url_and_by_name(loop: asyncio.Runner) -> None:
    ours = Parts(plugins=plugins.PluginPolicy(allow=["qicore-cache"]))

    async def ask() -> None:
        for cache in (
            await opened("memory:?max_entries=2"),
            await opened("memory://?max_entries=9", max_entries=2),  # what is named wins
            await opened(None, max_entries="2", parts=ours),
        ):
            await cache.set_many({"a": 1, "b": 2, "c": 3})
            assert await cache.size() == success(2)

    loop.run(ask())


def test_a_section_opens_in_a_runtime(loop: asyncio.Runner, clock: FakeClock) -> None:
    said = """
    [cache.pages]
    url = "memory:"
    namespace = "pages"
    default_ttl = 5
    max_entries = 2
    """
    environ = {"APP_CACHE__PAGES__COPY": "false", "APP_CACHE__PAGES__TTL_JITTER": "0.5"}
    data = ConfigData.merge(
        [
            ConfigData.from_string(said, "toml").unwrap(),
            ConfigData.from_environment("APP_", environ).unwrap(),
        ]
    )

    async def ask() -> None:
        parts = Parts(clock=clock, random=lambda: 0.5)
        async with Runtime.open(data, parts=parts, handle_sigterm=False) as runtime:
            cache, value = runtime.get(CACHE, "pages"), [1]
            await cache.set("k", value)
            assert (await cache.get("k")).unwrap() is value
            assert await cache.ttl_of("k") == success(3.75)
            (health,) = await runtime.health()
            assert health.is_well

    loop.run(ask())


def test_a_section_that_is_wrong_names_itself(loop: asyncio.Runner) -> None:
    data = ConfigData.from_object({"cache": {"url": "memory:", "default_tll": 5}}).unwrap()
    answer = loop.run(_await(Runtime.open(data, handle_sigterm=False)))
    assert isinstance(answer, Failure)
    error = assert_failure(answer, code="CACHE_SETTINGS_INVALID", component="cache")
    assert "default_tll" in error.message


@pytest.mark.parametrize(
    ("key", "hint"),
    [(7, "write a text"), ("", "write a text"), ("a\nb", "write a text"), ("k" * 2000, "hash")],
    ids=["number", "empty", "newline", "long"],
)
def test_the_hint_of_a_wrong_key_fits_what_is_wrong(key: Any, hint: str) -> None:
    async def main() -> None:
        async with open_cache("memory:") as cache:
            error = assert_failure(await cache.get(key), code="INVALID_KEY")
            assert str(error.hint).startswith(hint)

    asyncio.run(main())


@pytest.mark.parametrize(
    ("ttl", "hint"),
    [("60", "write a number"), (timedelta(seconds=60), "write ttl.total_seconds()"), (0, "None")],
    ids=["text", "timedelta", "zero"],
)
def test_the_hint_of_a_wrong_ttl_fits_what_is_wrong(ttl: Any, hint: str) -> None:
    async def main() -> None:
        async with open_cache("memory:") as cache:
            error = assert_failure(await cache.set("k", 1, ttl=ttl), code="INVALID_TTL")
            assert str(error.hint).startswith(hint)

    asyncio.run(main())


def test_what_is_no_factory_no_freshness_or_no_mapping_is_told_as_such() -> None:
    async def main() -> None:
        async with open_cache("memory:") as cache:
            wrong: Any = 30
            with pytest.raises(
                TypeError, match=r"the factory is a function: load, not load\(\), got int"
            ):
                await cache.get_or_set("k", wrong)
            with pytest.raises(TypeError, match="freshness is a Freshness, got int"):
                await cache.get_or_set("k", lambda: 1, freshness=wrong)
            with pytest.raises(TypeError, match=r"a mapping, \{key: value\}, got list"):
                await cache.set_many([wrong])  # type: ignore[arg-type]  # what is told

    asyncio.run(main())
