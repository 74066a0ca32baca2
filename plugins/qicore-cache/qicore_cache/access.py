"""The two ways from a cache to its store, and what they share: checks, ttl, tags, policy.

A store in this process that keeps objects is asked directly, through its `Space`. Every other store
is sent bytes, through the codec and the policy; where a cache in this process stands before it, it
is asked first. `Cache` is the public face of it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping, Sequence
from copy import copy
from typing import Any, Final, final

from qicore_core import Failure, Parts, Policy, QiError, Result, failure, success

from .codec import JsonCodec
from .computation import Computations
from .errors import closed, codec_error, one_key
from .fit import Fit, Fitted, check
from .freshness import wall_clock
from .kept import Kept, twin
from .near import Near
from .packing import Packing
from .settings import MAX_KEY, MAX_TTL, CacheSettings, key_error, ttl_error
from .stats import CacheStats
from .store import MISSING, CacheStore, DefaultTtlStore, Entry, LockingStore, ObjectStore, Space
from .tags import Tags, listed_tags

__all__ = ["Access"]

_DONE: Final[Result[None]] = success(None)  # one for all: a Result never changes
_TAGS: Final = "\ntags"  # after a namespace: no user can name one so


@final
class Access:
    """What the typed caches of one opened cache share, and the type of one of them.

    Attributes:
        space: the store's own, where it keeps objects; None where it is sent bytes.
        near: what stands before a store that is sent bytes, or None.
        locks: the store, where it has locks that are to be asked.
        now: the time that `Kept.fresh_until` is on: in bytes that of the world, as others read it.
    """

    __slots__ = (
        "_calls", "_default_ttl", "_is_closed", "_jitter", "_root", "clock", "computations",
        "deadline", "locks", "near", "now", "ns", "packing", "random", "settings", "space", "stats",
        "store", "tags",
    )  # fmt: skip

    def __init__(self, store: CacheStore, settings: CacheSettings, parts: Parts, /) -> None:
        self.store, self.settings = store, settings
        self.ns = settings.namespace
        self.stats = CacheStats()
        self.clock, self.random = parts.clock, parts.random
        self.space = tags = None
        if isinstance(store, ObjectStore) and settings.codec is None:
            self.space = store.space(settings.namespace, settings.copy)
            tags = store.space(settings.namespace + _TAGS, False)
        self.now = wall_clock(parts.clock) if self.space is None else parts.clock.monotonic
        self.near: Near | None = None
        self.locks: LockingStore | None = None
        if isinstance(store, LockingStore) and self.space is None and settings.lock_ttl:
            self.locks = store
        self.deadline = Policy().attach("cache", clock=parts.clock, random=parts.random)
        self.computations = Computations(parts.emit)
        self.tags = Tags(store, settings.namespace + _TAGS, tags, self.call)
        self._default_ttl = settings.default_ttl
        if self._default_ttl is None and isinstance(store, DefaultTtlStore):
            self._default_ttl = store.default_ttl
        self._jitter = settings.ttl_jitter
        self.packing = Packing(settings.codec or JsonCodec(), settings.namespace)
        self._is_closed = False
        self._root = self  # what `of` makes is closed with what it was made of
        self._calls = (settings.policy or Policy()).attach(
            "cache", clock=parts.clock, random=parts.random
        )

    def of(self, kind: type[Any], /) -> Access:
        """Give the same for another type of values."""
        other = copy(self)
        fit = Fit(kind)
        other.packing = self.packing.of(fit)
        other.space = self.space and Fitted(self.space, fit)
        other.near = self.near and self.near.of(fit)
        return other

    def behind(self, near: Near, /) -> Access:
        """Give the same with a cache in this process before its store."""
        other = copy(self)
        other.near = near
        return other

    def named(self, key: Any, /) -> str | QiError:
        """Give a key as plain text, or why nothing can be asked about it."""
        if self._root._is_closed:
            return closed()
        if type(key) is not str:
            if not isinstance(key, str):
                return key_error(key)
            key = str.__str__(key)  # a subclass may have a hash of its own: not in our dicts
        return key if key.isprintable() and 0 < len(key) <= MAX_KEY else key_error(key)

    def listed(self, keys: Iterable[str], /) -> Result[list[str]]:
        """Give keys as a list, each once, or why nothing can be asked about one of them."""
        if isinstance(keys, str):
            return failure(one_key(keys))
        wanted: dict[str, None] = {}
        for key in keys:
            named = self.named(key)
            if isinstance(named, QiError):
                return failure(named)
            wanted[named] = None
        return success(list(wanted))

    def seconds(self, ttl: float | None, /) -> float | QiError | None:
        """Give how long to keep an entry, None for ever, or what is wrong with the ttl."""
        if ttl is None:
            ttl = self._default_ttl
            if ttl is None:
                return None
        elif (ttl.__class__ is not float or not 0.0 < ttl <= MAX_TTL) and (error := ttl_error(ttl)):
            return error
        return ttl * (1.0 - self._jitter * self.random()) if self._jitter else ttl

    def call(
        self,
        operation: str,
        timeout: float | None,
        policy: Policy | None,
        fn: Callable[..., Awaitable[Result[Any]]],
        *args: object,
        repeatable: bool = True,
    ) -> Coroutine[Any, Any, Result[Any]]:
        """Ask the store for something, by the policy."""
        if self._root._is_closed:
            return _refused(closed())
        return self._calls.run(  # no await: a frame less on the hot path
            fn, *args, operation=operation, timeout=timeout, policy=policy, repeatable=repeatable
        )

    async def change(
        self,
        operation: str,
        keys: Sequence[str] | None,
        timeout: float | None,
        policy: Policy | None,
        fn: Callable[..., Awaitable[Result[Any]]],
        *args: object,
        repeatable: bool = True,
    ) -> Result[Any]:
        """Ask the store to change keys, None is all of them; what is near of them is forgotten."""
        try:
            return await self.call(operation, timeout, policy, fn, *args, repeatable=repeatable)
        finally:
            if self.near is not None:
                self.near.drop(keys)

    async def remove(
        self, keys: Sequence[str], timeout: float | None, policy: Policy | None, /
    ) -> Result[int]:
        """Forget keys; give how many were there."""
        return await self.change("remove", keys, timeout, policy, self.store.delete, self.ns, keys)

    async def clear(self, timeout: float | None, policy: Policy | None, /) -> Result[None]:
        """Forget everything in this namespace, and the words of its tags."""
        for ns in (self.ns, self.tags.ns):
            clear = (timeout, policy, self.store.delete, ns, None)
            if isinstance(cleared := await self.change("clear", None, *clear), Failure):
                return cleared
        return success()

    async def remove_tag(
        self, tag: str, timeout: float | None, policy: Policy | None, /
    ) -> Result[None]:
        """Forget what bears a tag."""
        named = listed_tags([tag])
        if isinstance(named, Failure):
            return named
        if self._root._is_closed:
            return failure(closed())
        try:
            return await self.tags.remove(named.value[0], timeout, policy)
        finally:
            if self.near is not None:
                self.near.drop(None)

    def look(
        self, keys: Sequence[str], timeout: float | None, policy: Policy | None, /
    ) -> Coroutine[Any, Any, Result[Mapping[str, Any]]]:
        """Give what is there of keys, no more fresh or not: values, and Kept with what is beside.

        What bears a tag that was removed is not there.
        """
        if self.space is not None:
            return self._look_here(self.space, keys)
        if self.near is None:
            return self._read(keys, timeout, policy)
        return self.near.read(keys, self.now(), lambda rest: self._read(rest, timeout, policy))

    async def _look_here(self, space: Space, keys: Sequence[str]) -> Result[Mapping[str, Any]]:
        held: dict[str, Any] = {}
        is_tagged = False
        for key in keys:
            try:
                value = space.get(key)
            except Exception as exception:  # noqa: BLE001  # foreign code: the value's own
                return failure(self.unread(key, exception))
            if value is not MISSING:
                held[key] = value
                is_tagged = is_tagged or (value.__class__ is Kept and bool(value.words))
        return await self.tags.standing(held, None, None) if is_tagged else success(held)

    async def _read(
        self, keys: Sequence[str], timeout: float | None, policy: Policy | None
    ) -> Result[Mapping[str, Any]]:
        started = self.clock.monotonic() if timeout is not None else 0.0
        read = await self.call("get", timeout, policy, self.store.read, self.ns, keys)
        if isinstance(read, Failure):
            return read
        found: dict[str, Any] = {}
        is_tagged = False
        for key in keys:
            if key in read.value:
                try:
                    one = found[key] = self.packing.unpack(key, read.value[key])
                except Exception as exception:  # noqa: BLE001  # foreign: its bytes
                    return failure(self.unread(key, exception))
                is_tagged = is_tagged or (one.__class__ is Kept and bool(one.words))
        if not is_tagged:
            return success(found)
        if timeout is not None:
            timeout = max(timeout - (self.clock.monotonic() - started), 1e-3)
        return await self.tags.standing(found, timeout, policy)

    def given(self, held: Any, default: Any, /) -> Result[Any]:
        """Give what a look found, or the default where that is nothing fresh; and count it."""
        given: Result[Any] | None = None
        if held.__class__ is not Kept:
            given = None if held is MISSING else success(held)
        elif held.fresh_until is None or held.is_fresh(self.now()):
            given = held.result()
        if given is None:
            self.stats.misses += 1
            return success(default)
        self.stats.hits += 1
        return given

    async def keep(
        self,
        values: Mapping[str, Any],
        ttl: float | None,
        timeout: float | None,
        policy: Policy | None,
        tags: Iterable[str] = (),
        /,
    ) -> Result[None]:
        """Keep values, all or none; a Failure among them is kept as one."""
        items: dict[str, tuple[Any, float | None]] = {}
        for key, value in values.items():
            named, seconds = self.named(key), self.seconds(ttl)
            if isinstance(named, QiError):
                return failure(named)
            if isinstance(seconds, QiError):
                return failure(seconds)
            items[named] = (Kept(twin(value)) if isinstance(value, Failure) else value), seconds
        if not tags:
            return await self.write(items, timeout, policy)
        wanted = listed_tags(tags)
        if isinstance(wanted, Failure):
            return wanted

        async def keep() -> Result[None]:
            words = await self.tags.mint(wanted.value, None, policy)
            if isinstance(words, Failure):
                return words
            tagged = {
                key: (Kept(one.value if one.__class__ is Kept else one, words.value), seconds)
                for key, (one, seconds) in items.items()
            }
            return await self.write(tagged, None, policy)

        run = self.deadline.run
        return await (keep() if timeout is None else run(keep, operation="set", timeout=timeout))

    async def write(
        self,
        items: Mapping[str, tuple[Any, float | None]],
        timeout: float | None,
        policy: Policy | None,
        /,
    ) -> Result[None]:
        """Keep values, or Kept with what is beside them, each for its seconds; all or none."""
        entries: dict[str, Entry] = {}
        for key, (value, seconds) in items.items():
            try:
                if self.space is None:
                    entries[key] = Entry(self.packing.pack(key, value), seconds)
                else:
                    check(value, self.settings.copy, self.packing.fit)
            except Exception as exception:  # noqa: BLE001  # foreign code: the value's own
                return failure(codec_error(key, exception))
        if self.space is not None:
            for key, (value, seconds) in items.items():
                try:
                    self.space.put(key, value, seconds)
                except Exception as exception:  # noqa: BLE001  # as above
                    return failure(codec_error(key, exception))
            return _DONE
        write = self.call("set", timeout, policy, self.store.write, self.ns, entries)
        return await (write if self.near is None else self.near.write(items, write))

    def put(self, key: str, value: Any, ttl: float | None, /) -> Result[None]:
        """Keep a value in the space: the hot path."""
        named = self.named(key)
        if type(named) is QiError:
            return failure(named)
        if ttl is None and not self._jitter:
            seconds: float | QiError | None = self._default_ttl
        else:
            seconds = self.seconds(ttl)
            if type(seconds) is QiError:
                return failure(seconds)
        if value.__class__ is Failure:
            value = Kept(twin(value))
        try:
            self.space.put(named, value, seconds)  # type: ignore[union-attr,arg-type]  # there is one
        except Exception as exception:  # noqa: BLE001  # foreign code: the value's own
            return failure(codec_error(named, exception))
        return _DONE

    def unread(self, key: Any, exception: Exception, /) -> QiError:
        """Say why what was asked for cannot be read: the key, or what is kept under it."""
        named = self.named(key)
        return named if isinstance(named, QiError) else codec_error(named, exception, "read")

    async def close(self) -> None:
        """Close the store, for every type, when what renews values in the background has ended."""
        self._root._is_closed = True
        try:
            await self.computations.close()
        finally:
            await self.store.close()
            if self.near is not None:
                await self.near.close()


async def _refused(error: QiError) -> Result[Any]:
    return failure(error)
