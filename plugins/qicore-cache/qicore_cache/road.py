"""The two roads from a cache to its store, and what they share: checks, ttl, flight, policy.

A store in this process that keeps objects is asked directly, through its `Space`. Every other store
is sent bytes, through the codec and the policy. `Cache` is the public face of a road.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from inspect import isawaitable
from typing import Any, Final, final

from qicore_core import Failure, Policy, QiError, Result, Success, collect, failure, success
from qicore_core.events import CallEvent
from qicore_core.kinds import Parts

from .codec import JsonCodec
from .errors import CODEC_ERROR, INVALID_KEY, NOT_CONNECTED
from .flight import Flights
from .isolate import copied
from .settings import MAX_KEY, MAX_TTL, CacheSettings, key_error, ttl_error
from .store import MISSING, CacheStore, Entry, Missing, ObjectStore

__all__ = ["CacheStats", "Road"]

_FAILED: Final = b"!"  # before the JSON of a Failure that is kept, and bytes that begin so too
_READ_HINT: Final = "remove the key, or read it by the type and the codec that wrote it"
_DONE: Final[Result[None]] = success(None)  # one for all: a Result never changes


@final
@dataclass(slots=True)
class CacheStats:
    """What a cache has counted since it was opened; near enough under many threads.

    Attributes:
        hits: how often a value was there.
        misses: how often none was.
        computed: how often `get_or_set` called its factory.
    """

    hits: int = 0
    misses: int = 0
    computed: int = 0

    @property
    def hit_ratio(self) -> float:
        """The share of hits, 0.0 to 1.0."""
        asked = self.hits + self.misses
        return self.hits / asked if asked else 0.0


@final
class Road:
    """What the typed caches of one opened cache share, and the type of one of them."""

    __slots__ = (
        "_calls", "_codec", "_default_ttl", "_emit", "_flights", "_is_closed", "_jitter", "_kind",
        "_random", "_root", "_settings", "deadline", "space", "stats", "store",
    )  # fmt: skip

    def __init__(self, store: CacheStore, settings: CacheSettings, parts: Parts, /) -> None:
        self.store = store
        self.stats = CacheStats()
        self.space = None
        if isinstance(store, ObjectStore) and settings.codec is None:
            self.space = store.space(settings.namespace, settings.copy)
        self.deadline = Policy().attach("cache", clock=parts.clock, random=parts.random)
        self._settings = settings
        self._default_ttl = settings.default_ttl
        self._jitter = settings.ttl_jitter
        self._random = parts.random
        self._emit = parts.emit
        self._codec = settings.codec or JsonCodec()
        self._flights = Flights()
        self._is_closed = False
        self._root = self  # what `of` makes is closed with what it was made of
        self._kind: type[Any] | None = None
        self._calls = (settings.policy or Policy()).attach(
            "cache", clock=parts.clock, random=parts.random
        )

    def of(self, kind: type[Any], /) -> Road:
        """Give the same road for another type of values."""
        other = object.__new__(Road)
        for name in Road.__slots__:
            setattr(other, name, getattr(self, name))
        other._kind = kind
        return other

    @property
    def ns(self) -> str:
        """The namespace."""
        return self._settings.namespace

    def refused(self, key: Any, /) -> QiError | None:
        """Say why nothing can be asked about a key, or None."""
        if self._root._is_closed:
            return QiError.unavailable(
                NOT_CONNECTED,
                "the cache was closed",
                hint="open it again",
                source="cache",
                retryable=False,
            )
        if isinstance(key, str) and key.isprintable() and 0 < len(key) <= MAX_KEY:
            return None
        return key_error(key)

    def listed(self, keys: Iterable[str], /) -> Result[list[str]]:
        """Give keys as a list, each once, or why nothing can be asked about one of them."""
        if isinstance(keys, str):
            return failure(_one_key(keys))
        wanted = list(keys)
        for key in wanted:
            if error := self.refused(key):
                return failure(error)
        return success(list(dict.fromkeys(wanted)))

    def seconds(self, ttl: float | None, /) -> float | QiError | None:
        """Give how long to keep an entry, None for ever, or what is wrong with the ttl."""
        if ttl is None:
            ttl = self._default_ttl
            if ttl is None:
                return None
        elif (ttl.__class__ is not float or not 0.0 < ttl <= MAX_TTL) and (error := ttl_error(ttl)):
            return error
        return ttl * (1.0 - self._jitter * self._random()) if self._jitter else ttl

    def can_count(self) -> bool:
        """Tell whether the codec writes ints as stores count them, in digits."""
        return self._codec.encode(10, self._kind, "") == b"10"

    async def call(
        self,
        operation: str,
        timeout: float | None,
        policy: Policy | None,
        fn: Callable[..., Awaitable[Result[Any]]],
        *args: object,
        repeatable: bool = True,
    ) -> Result[Any]:
        """Ask the store for something, by the policy."""
        if self._root._is_closed and (error := self.refused("closed")):
            return failure(error)
        return await self._calls.run(
            fn, *args, operation=operation, timeout=timeout, policy=policy, repeatable=repeatable
        )

    async def fetch(
        self, keys: Iterable[str], timeout: float | None, policy: Policy | None, /
    ) -> Result[dict[str, Result[Any]]]:
        """Read keys: each that is there with its value, or the Failure kept for it."""
        wanted = self.listed(keys)
        if isinstance(wanted, Failure):
            return wanted
        space = self.space
        held: Mapping[str, bytes] = {}
        if space is None:
            read = await self.call("get", timeout, policy, self.store.read, self.ns, wanted.value)
            if isinstance(read, Failure):
                return read
            held = read.value
        found: dict[str, Result[Any]] = {}
        for key in wanted.value:
            try:
                if space is not None:
                    value = space.get(key)
                    if value is not MISSING:
                        found[key] = value if value.__class__ is Failure else success(value)
                elif key in held:
                    found[key] = self._decode(key, held[key])
            except Exception as exception:  # noqa: BLE001  # foreign: the value's own, or its bytes
                return failure(self.unread(key, exception))
        self.stats.hits += len(found)
        self.stats.misses += len(wanted.value) - len(found)
        return success(found)

    async def keep(
        self,
        values: Mapping[str, Any],
        ttl: float | None,
        timeout: float | None,
        policy: Policy | None,
        /,
    ) -> Result[None]:
        """Keep values, all or none; a Failure among them is kept as one."""
        entries: dict[str, Entry] = {}
        for key, value in values.items():
            seconds = self.seconds(ttl)
            if isinstance(seconds, QiError):
                return failure(seconds)
            if error := self.refused(key):
                return failure(error)
            try:
                if self.space is None:
                    entries[key] = Entry(self._encode(key, value), seconds)
                else:
                    self._check(value)
            except Exception as exception:  # noqa: BLE001  # foreign code: the value's own
                return failure(_codec_error(key, exception))
        if self.space is not None:
            return collect([self.put(*item, ttl) for item in values.items()]).map(_nothing)
        return await self.call("set", timeout, policy, self.store.write, self.ns, entries)

    def put(self, key: str, value: Any, ttl: float | None, /) -> Result[None]:
        """Keep a value in the space: the hot path."""
        error = self.refused(key)
        if error is not None:
            return failure(error)
        seconds = self.seconds(ttl)
        if type(seconds) is QiError:
            return failure(seconds)
        try:
            self.space.put(key, value, seconds)  # type: ignore[union-attr]  # there is one
        except Exception as exception:  # noqa: BLE001  # foreign code: the value's own
            return failure(_codec_error(key, exception))
        return _DONE

    async def compute(
        self,
        key: str,
        factory: Callable[[], Any],
        ttl: float | None,
        failure_ttl: float | None,
        policy: Policy | None,
        /,
    ) -> Result[Any]:
        """Give what is under a key, or compute and keep it; one at a time for each key."""

        async def fly() -> Result[Any]:
            held = await self._held(key, policy)
            if isinstance(held, Success):
                if not isinstance(held.value, Missing):
                    return held.value
            elif held.error.category.retry == "never" and held.error.code != CODEC_ERROR:
                return held  # what was asked is wrong: computing would hide that
            outcome = await self._made(factory)
            if isinstance(held, Failure) and held.error.code != CODEC_ERROR:
                self._tell("computed while the store is down", held.error)
                return outcome
            if isinstance(outcome, Failure) and failure_ttl is None:
                return outcome
            worth = (outcome.value, ttl) if isinstance(outcome, Success) else (outcome, failure_ttl)
            kept = await self.keep({key: worth[0]}, worth[1], None, policy)
            if isinstance(kept, Failure):
                if kept.error.code == CODEC_ERROR:
                    return kept
                self._tell("computed and not kept", kept.error)
            return outcome

        def share(outcome: Result[Any]) -> Result[Any]:
            if not self._settings.copy or isinstance(outcome, Failure):
                return outcome
            try:
                return success(copied(outcome.value))
            except Exception as exception:  # noqa: BLE001  # foreign code: the value's own
                return failure(_codec_error(key, exception, "shared"))

        return await self._flights.run(key, fly, share)

    def unread(self, key: Any, exception: Exception, /) -> QiError:
        """Say why what was asked for cannot be read: the key, or what is kept under it."""
        return self.refused(key) or _codec_error(key, exception, "read")

    async def close(self) -> None:
        """Close the store, for every type."""
        self._root._is_closed = True
        await self.store.close()

    async def _made(self, factory: Callable[[], Any]) -> Result[Any]:
        self.stats.computed += 1
        made = factory()
        if isawaitable(made):
            made = await made
        return made if isinstance(made, Success | Failure) else success(made)

    async def _held(self, key: str, policy: Policy | None) -> Result[Result[Any] | Missing]:
        """Look whether someone kept a value in the meantime."""
        if self.space is None:
            found = await self.fetch([key], None, policy)
            return found if isinstance(found, Failure) else success(found.value.get(key, MISSING))
        try:
            value = self.space.get(key)  # not counted: it was when the caller asked
        except Exception as exception:  # noqa: BLE001  # foreign code: the value's own
            return failure(self.unread(key, exception))
        return success(value if isinstance(value, Failure | Missing) else success(value))

    def _check(self, value: Any) -> None:
        """Raise what keeping the value in memory would, before any of several is kept."""
        if value is MISSING:
            raise TypeError("MISSING stands for no value")
        if self._settings.copy:
            copied(value)

    def _encode(self, key: str, value: Any) -> bytes:
        if isinstance(value, Failure):
            return _FAILED + json.dumps(value.error.to_dict()).encode()
        data = self._codec.encode(value, self._kind, f"{self.ns}\n{key}")
        return _FAILED + data if data.startswith(_FAILED) else data

    def _decode(self, key: str, data: bytes) -> Result[Any]:
        if data.startswith(_FAILED):
            data = data[1:]
            if not data.startswith(_FAILED):
                return failure(QiError.from_dict(json.loads(data)))
        return success(self._codec.decode(data, self._kind, f"{self.ns}\n{key}"))

    def _tell(self, what: str, error: QiError) -> None:
        self._emit(CallEvent("cache", "get_or_set", "fallback", 0.0, error, {"what": what}))


def _nothing(_: object) -> None:
    return None


def _one_key(key: str) -> QiError:
    return QiError.validation(
        INVALID_KEY,
        f"several keys are a list of them, got the text {key[:40]!r}",
        hint="write [key]",
        source="cache",
    )


def _codec_error(key: str, exception: Exception, done: str = "kept") -> QiError:
    return QiError.validation(
        CODEC_ERROR,
        f"the value of {key!r} cannot be {done}",
        hint=_READ_HINT if done == "read" else str(exception) or type(exception).__name__,
        cause=exception,
        source="cache",
        key=key,
    )
