"""Every law of the contract catches something broken, and an honest store breaks none."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, is_dataclass
from typing import Any

import pytest

from qicore_cache import Cache, Entry, Freshness, JsonCodec, Missing
from qicore_cache.conformance import CacheContract, ground
from qicore_cache.memory import MemoryStore
from qicore_cache.settings import CacheSettings
from qicore_core import Failure, Opening, Parts, QiError, Result, failure, success
from qicore_core.testing import FakeClock


class Honest:
    """A store of bytes, right in everything; the table below breaks it one part at a time."""

    codec: Any = JsonCodec()

    def __init__(self, clock: FakeClock) -> None:
        self.inner = MemoryStore(max_entries=10_000, max_bytes=1 << 30, now=clock.monotonic)
        self.locks = MemoryStore(max_entries=10_000, max_bytes=1 << 30, now=clock.monotonic)
        self.ears: list[tuple[str, Any]] = []

    def client(self, cache: Cache[Any]) -> Any:
        """Give what the laws are tried on."""
        return cache

    def key(self, key: str) -> str:
        return key

    async def read(self, ns: str, keys: Iterable[str], /) -> Result[Mapping[str, bytes]]:
        named = {key: self.key(key) for key in keys}
        read = await self.inner.read(ns, named.values())
        return read.map(lambda got: {key: got[at] for key, at in named.items() if at in got})

    async def write(self, ns: str, entries: Mapping[str, Entry], /) -> Result[None]:
        self.tell(ns, entries)
        return await self.inner.write(ns, {self.key(key): one for key, one in entries.items()})

    async def delete(self, ns: str, keys: Iterable[str] | None, /) -> Result[int]:
        self.tell(ns, keys)
        return await self.inner.delete(ns, None if keys is None else [self.key(k) for k in keys])

    async def count(self, ns: str, /) -> Result[int]:
        return await self.inner.count(ns)

    async def increment(self, ns: str, key: str, by: int, ttl: float | None, /) -> Result[int]:
        return await self.inner.increment(ns, self.key(key), by, ttl)

    async def expire(self, ns: str, key: str, ttl: float | None, /) -> Result[int]:
        return await self.inner.expire(ns, self.key(key), ttl)

    async def ttl_of(self, ns: str, key: str, /) -> Result[float | Missing | None]:
        return await self.inner.ttl_of(ns, self.key(key))

    async def lock(self, ns: str, key: str, token: str, ttl: float, /) -> Result[int]:
        if (await self.locks.read(ns, [key])).unwrap():
            return success(0)
        return (await self.locks.write(ns, {key: Entry(token.encode(), ttl)})).map(lambda _: 1)

    async def unlock(self, ns: str, key: str, token: str, /) -> Result[int]:
        holder = (await self.locks.read(ns, [key])).unwrap().get(key)
        return await self.locks.delete(ns, [key] if holder == token.encode() else [])

    async def track(self, ns: str, changed: Any, /) -> Result[None]:
        self.ears.append((ns, changed))
        return success()

    def tell(self, ns: str, keys: Iterable[str] | None) -> None:
        for of, changed in self.ears:
            if of == ns:
                changed(keys)

    async def close(self) -> None:
        """Keep what is in it: the laws open it in several namespaces."""


class Plain:
    """JSON as it is, which has no tuples."""

    def encode(self, value: Any, kind: Any, place: str, /) -> bytes:
        return json.dumps(value, default=str).encode()

    def decode(self, data: bytes, kind: Any, place: str, /) -> Any:
        return json.loads(data)


class LosesTypes(Honest):
    codec = Plain()


class LosesNone(Honest):
    async def write(self, ns: str, entries: Mapping[str, Entry], /) -> Result[None]:
        worth = {key: entry for key, entry in entries.items() if entry.data != b"null"}
        return await super().write(ns, worth)


class FoldsCase(Honest):
    def key(self, key: str) -> str:
        return key.casefold()


class TrimsKeys(Honest):
    def key(self, key: str) -> str:
        return key.strip() or key


class CutsKeys(Honest):
    def key(self, key: str) -> str:
        return key[:1023]


class CountsTheKeys(Honest):
    async def delete(self, ns: str, keys: Iterable[str] | None, /) -> Result[int]:
        gone = await super().delete(ns, keys)
        return gone if keys is None else success(len(list(keys)))


class NeverEnds(Honest):
    async def write(self, ns: str, entries: Mapping[str, Entry], /) -> Result[None]:
        return await super().write(ns, {key: Entry(one.data) for key, one in entries.items()})


class CountsWhatEnded(Honest):
    async def count(self, ns: str, /) -> Result[int]:
        return success(len(self.inner._nodes(ns)))


class SaysItMoved(Honest):
    async def expire(self, ns: str, key: str, ttl: float | None, /) -> Result[int]:
        return success(1)


class KeepsTheOldEnd(Honest):
    async def write(self, ns: str, entries: Mapping[str, Entry], /) -> Result[None]:
        made = {}
        for key, one in entries.items():
            left = (await self.ttl_of(ns, key)).unwrap()
            made[key] = one if isinstance(left, Missing) else Entry(one.data, left)
        return await super().write(ns, made)


class ClearsByPrefix(Honest):
    async def delete(self, ns: str, keys: Iterable[str] | None, /) -> Result[int]:
        if keys is not None:
            return await super().delete(ns, keys)
        like = [name for name in self.inner._spaces if name.startswith(ns)]
        return success(sum([(await self.inner.delete(name, None)).unwrap() for name in like]))


class ClearsAll(ClearsByPrefix):
    async def delete(self, ns: str, keys: Iterable[str] | None, /) -> Result[int]:
        return await super().delete(ns if keys is not None else "", keys)


class CountsInTwoSteps(Honest):
    async def increment(self, ns: str, key: str, by: int, ttl: float | None, /) -> Result[int]:
        if key != "n":  # one break at a time
            return await super().increment(ns, key, by, ttl)
        held = (await self.read(ns, [key])).unwrap().get(key, b"0")
        await asyncio.sleep(0)
        await self.write(ns, {key: Entry(b"%d" % (int(held) + by), ttl)})
        return success(int(held) + by)


class CountsBeyond(Honest):
    """Numbers of any size."""

    async def increment(self, ns: str, key: str, by: int, ttl: float | None, /) -> Result[int]:
        made = await super().increment(ns, key, by, ttl)
        held = (await self.read(ns, [key])).unwrap()[key]
        if made or held == b'"x"':
            return made
        await self.write(ns, {key: Entry(b"%d" % (int(held) + by))})
        return success(int(held) + by)


class CountingMovesTheEnd(Honest):
    async def increment(self, ns: str, key: str, by: int, ttl: float | None, /) -> Result[int]:
        made = await super().increment(ns, key, by, ttl)
        await self.expire(ns, key, ttl)
        return made


class KeepsWordsForEver(Honest):
    """What is kept for a tag is there for ever, as a counter that begins anew would be."""

    first: dict[str, Entry]

    async def write(self, ns: str, entries: Mapping[str, Entry], /) -> Result[None]:
        if ns.endswith("\ntags"):
            first = self.__dict__.setdefault("first", {})
            entries = {key: first.setdefault(key, one) for key, one in entries.items()}
        return await super().write(ns, entries)


class NeverForgetsAWord(Honest):
    async def delete(self, ns: str, keys: Iterable[str] | None, /) -> Result[int]:
        if ns.endswith("\ntags") and keys is not None:
            return success(0)
        return await super().delete(ns, keys)


class LocksNobody(Honest):
    async def lock(self, ns: str, key: str, token: str, ttl: float, /) -> Result[int]:
        return success(1)


class LocksForEver(Honest):
    async def lock(self, ns: str, key: str, token: str, ttl: float, /) -> Result[int]:
        return await super().lock(ns, key, token, 1e9)


class UnlocksForAnybody(Honest):
    async def unlock(self, ns: str, key: str, token: str, /) -> Result[int]:
        return await self.locks.delete(ns, [key])


class LocksAmongEntries(Honest):
    async def lock(self, ns: str, key: str, token: str, ttl: float, /) -> Result[int]:
        if (await self.inner.read(ns, [key])).unwrap():
            return success(0)
        return (await self.inner.write(ns, {key: Entry(b"1", ttl)})).map(lambda _: 1)


class KeepsTheLock(Honest):
    async def unlock(self, ns: str, key: str, token: str, /) -> Result[int]:
        return success(1)


class TellsNothing(Honest):
    def tell(self, ns: str, keys: Iterable[str] | None) -> None:
        """Forget to."""


class TellsNoClear(Honest):
    def tell(self, ns: str, keys: Iterable[str] | None) -> None:
        if keys is not None:
            super().tell(ns, keys)


# Where a store cannot break a law, a client does.


class Client:
    """A cache that passes everything on."""

    def __init__(self, cache: Any) -> None:
        self.cache = cache

    def __getattr__(self, name: str) -> Any:
        return getattr(self.cache, name)

    def of(self, kind: Any) -> Any:
        return type(self)(self.cache.of(kind))


class ForgetsTheClass(Client):
    async def get(self, key: str, *default: Any) -> Any:
        found = await self.cache.get(key, *default)
        return found.map(lambda value: asdict(value) if is_dataclass(value) else value)  # type: ignore[arg-type]


class TakesAnyTtl(Client):
    async def set(self, key: str, value: Any, *, ttl: Any = None) -> Any:
        made = await self.cache.set(key, value, ttl=ttl)
        return made or await self.cache.set(key, value)


class TakesAnyKey(Client):
    async def remove(self, key: Any) -> Any:
        return await self.cache.remove(str(key) or "none")


class KeepsTheFirst(Client):
    async def set_many(self, values: dict[Any, Any]) -> Any:
        outcomes = [await self.cache.set(*item) for item in values.items()]
        return outcomes[-1]


class DropsInSilence(Client):
    async def set(self, key: str, value: Any, **how: Any) -> Any:
        made = await self.cache.set(key, value, **how)
        return success() if not made and made.error.code == "CODEC_ERROR" else made


class ComputesForEach(Client):
    async def get_or_set(self, key: str, factory: Any, **how: Any) -> Any:
        found = await self.cache.get(key, self)
        if not found or found.value is not self:
            return found
        made = factory()
        made = await made if hasattr(made, "__await__") else made
        made = made if isinstance(made, Result) else success(made)
        return await self.cache.set(key, made.value) and made if made else made


class KeepsFailures(Client):
    async def get_or_set(self, key: str, factory: Any, **how: Any) -> Any:
        return await self.cache.get_or_set(key, factory, failure_ttl=60.0)


class CatchesBugs(Client):
    async def get_or_set(self, key: str, factory: Any, **how: Any) -> Any:
        try:
            return await self.cache.get_or_set(key, factory, **how)
        except Exception as bug:  # noqa: BLE001  # the mistake
            return failure(QiError.from_exception(bug))


class CancelsAll(Client):
    """Those who wait await the task of the one who computes."""

    running: dict[str, Any]

    async def get_or_set(self, key: str, factory: Any, **how: Any) -> Any:
        running = self.__dict__.setdefault("running", {})
        if key in running:
            return await running[key]
        running[key] = asyncio.current_task()
        return await self.cache.get_or_set(key, factory, **how)


class WithoutFreshness(Client):
    async def get_or_set(self, key: str, factory: Any, *, freshness: Any = None, **how: Any) -> Any:
        return await self.cache.get_or_set(key, factory, **how)


class StaleForAll(Client):
    async def get_or_set(self, key: str, factory: Any, *, freshness: Any = None, **how: Any) -> Any:
        error = Freshness(stale_if_error=60.0)
        return await self.cache.get_or_set(key, factory, freshness=error, **how)


class RenewsForEach(Client):
    """Every caller starts a task of its own."""

    async def get_or_set(self, key: str, factory: Any, **how: Any) -> Any:
        given = await self.cache.get_or_set(key, factory, **how)
        if (await self.cache.get(key, self)).value is self:
            made = factory()
            await self.cache.set(key, await made if hasattr(made, "__await__") else made)
        return given


class TagsAfterwards(Client):
    async def get_or_set(self, key: str, factory: Any, *, tags: Any = (), **how: Any) -> Any:
        given = await self.cache.get_or_set(key, factory, **how)
        if given and tags:
            await self.cache.set(key, given.value, tags=tags)
        return given


class TakesAnyTag(Client):
    async def set(self, key: str, value: Any, *, tags: Any = (), **how: Any) -> Any:
        made = await self.cache.set(key, value, tags=tags, **how)
        return made or await self.cache.set(key, value, **how)


class StaysOpen(Client):
    async def close(self) -> None:
        """Forget to."""


def through(client: type[Client]) -> type[Honest]:
    return type(client.__name__, (Honest,), {"client": staticmethod(client)})


class Shares(Honest):
    """A store in this process that gives out what it holds."""

    def space(self, ns: str, copy: bool, /) -> Any:
        return self.inner.space(ns, False)

    codec = None


CAUGHT = [
    ("what_was_set_is_read", LosesTypes),
    ("what_was_not_set_is_missing", LosesNone),
    ("keys_that_look_alike_are_told_apart", FoldsCase),
    ("keys_that_look_alike_are_told_apart", TrimsKeys),
    ("keys_that_look_alike_are_told_apart", CutsKeys),
    ("it_behaves_like_a_dict", CountsTheKeys),
    ("what_is_changed_outside_stays_inside", Shares),
    ("a_typed_cache_gives_its_type", through(ForgetsTheClass)),
    ("an_entry_ends_with_its_ttl", NeverEnds),
    ("an_entry_ends_with_its_ttl", CountsWhatEnded),
    ("expire_moves_the_end", SaysItMoved),
    ("expire_moves_the_end", KeepsTheOldEnd),
    ("clear_stays_in_its_namespace", ClearsByPrefix),
    ("clear_stays_in_its_namespace", ClearsAll),
    ("an_invalid_ttl_is_refused", through(TakesAnyTtl)),
    ("an_invalid_key_is_refused", through(TakesAnyKey)),
    ("an_invalid_key_is_refused", through(KeepsTheFirst)),
    ("what_would_not_come_back_is_refused", through(DropsInSilence)),
    ("no_step_of_a_counter_is_lost", CountsInTwoSteps),
    ("no_step_of_a_counter_is_lost", CountingMovesTheEnd),
    ("no_step_of_a_counter_is_lost", CountsBeyond),
    ("a_closed_cache_says_so", through(StaysOpen)),
    ("many_callers_are_one_computation", through(ComputesForEach)),
    ("a_failure_is_not_kept_unless_asked", through(KeepsFailures)),
    ("a_bug_in_a_factory_passes", through(CatchesBugs)),
    ("a_cancelled_computation_is_handed_over", through(CancelsAll)),
    ("asking_for_what_one_computes_is_an_answer", through(ComputesForEach)),
    ("what_is_stale_is_given_while_it_is_renewed", through(WithoutFreshness)),
    ("what_is_stale_is_given_while_it_is_renewed", through(RenewsForEach)),
    ("what_is_stale_is_given_where_computing_fails", through(WithoutFreshness)),
    ("what_is_stale_is_given_where_computing_fails", through(StaleForAll)),
    ("what_was_expensive_is_renewed_early", through(WithoutFreshness)),
    ("a_tag_removes_what_bears_it", NeverForgetsAWord),
    ("a_lost_tag_brings_nothing_back", KeepsWordsForEver),
    ("a_removal_counts_for_what_is_being_computed", through(TagsAfterwards)),
    ("an_invalid_tag_is_refused", through(TakesAnyTag)),
    ("a_lock_has_one_holder", LocksNobody),
    ("a_lock_has_one_holder", LocksForEver),
    ("a_lock_has_one_holder", UnlocksForAnybody),
    ("a_lock_has_one_holder", LocksAmongEntries),
    ("two_caches_are_one_computation", LocksNobody),
    ("two_caches_are_one_computation", KeepsTheLock),
    ("changes_by_others_are_told", TellsNothing),
    ("changes_by_others_are_told", TellsNoClear),
]


def contract_of(kind: type[Honest]) -> type[CacheContract]:
    """Give the contract of a store; the openings of one example share it."""

    class Laws(CacheContract):
        max_examples = 50
        shrinks = False  # the first example that fails will do

        def opening(self) -> Opening[Cache[Any]]:
            self.clock = FakeClock()
            self.store = kind(self.clock)
            return super().opening()

        def open_in(self, namespace: str) -> Opening[Cache[Any]]:
            async def start() -> Result[Cache[Any]]:
                settings = CacheSettings(namespace=namespace, codec=self.store.codec)
                parts = Parts(clock=self.clock)
                return success(self.store.client(Cache(self.store, settings, parts)))

            return Opening(start)

        async def wait(self, seconds: float) -> None:
            self.clock.advance(seconds)

    return Laws


TestAnHonestStore = contract_of(Honest)
TestAnHonestClient = contract_of(through(Client))


def test_for_each_law_there_is_something_broken() -> None:
    assert list(dict.fromkeys([name for name, _ in CAUGHT])) == list(CacheContract.laws())


@pytest.mark.parametrize(("name", "kind"), CAUGHT, ids=lambda part: getattr(part, "__name__", part))
def test_a_law_catches_what_is_broken(
    name: str, kind: type[Honest], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ground, "_LOOKS", 5)  # what is broken does not come, however long we wait
    laws: Any = contract_of(kind)
    with pytest.raises((AssertionError, asyncio.CancelledError)) as caught:
        getattr(laws(), f"test_{name}")()
    assert caught.value.__notes__[0].startswith(f"Laws breaks the law {name!r}: ")


def test_the_contract_asks_the_door_by_default() -> None:
    class Laws(CacheContract):
        url = "nothing:"

    async def start() -> object:
        return await Laws().opening()

    answer = asyncio.run(start())
    assert isinstance(answer, Failure)
    assert answer.error.code == "PLUGIN_NOT_FOUND"
