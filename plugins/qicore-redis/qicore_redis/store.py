"""Entries in Redis: the narrow protocol on the left, commands on the right.

A namespace has an epoch, a random word under a key of its own, and the keys of its entries hold it:
`qicore:shop:3f0c9a51b2d4:user:1`. To clear the namespace is to write another word: whatever is
kept under the old one is out of reach at once, and ends by its ttl. Every exchange asks for the
epoch along with what it wants, in the same packet; where someone has cleared the namespace in
between, it learns the new word and asks again. An epoch that the server lost is not made up anew
from a counter: a random word never brings back what was cleared.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from secrets import token_hex
from typing import TYPE_CHECKING, Any, Final, NamedTuple, final

from qicore_cache import MISSING, Entry, Missing
from qicore_cache.errors import CONNECTION_FAILED, UNAVAILABLE
from qicore_core import ErrorCategory, ErrorMap, Failure, Parts, QiError, Result, failure, success

from .names import endless_key, epoch_key, glob, lock_key, place
from .roads import Command, Roads
from .settings import RedisSettings

if TYPE_CHECKING:
    from .tracking import ClusterTracker, Tracker

__all__ = ["RedisStore", "not_opened"]

_EPOCH_BYTES: Final = 6
_TRIES: Final = 5  # each means that someone cleared the namespace in the same moment
_BATCH: Final = 500
_UNLOCK: Final = """if redis.call('GET', KEYS[1]) == ARGV[1] then
return redis.call('DEL', KEYS[1]) end return 0"""


class _Epoch(NamedTuple):
    """The word that holds in a namespace, as far as is known."""

    word: bytes
    place: str  # what stands before the keys of its entries
    ask: Command


@final
class RedisStore:
    """A cache store on Redis or Valkey. Made by `RedisStore.open`.

    Args:
        roads: the way to the servers.
        errors: what their errors mean.
        is_owner: whether closing the store closes the roads.

    Attributes:
        default_ttl: seconds that an entry is kept where the cache names none.
    """

    __slots__ = ("_epochs", "_errors", "_is_owner", "_roads", "_trackers", "default_ttl")

    def __init__(self, roads: Roads, errors: ErrorMap, is_owner: bool = True, /) -> None:
        self.default_ttl = roads.settings.default_ttl
        self._roads = roads
        self._errors = errors
        self._is_owner = is_owner
        self._epochs: dict[str, _Epoch] = {}
        self._trackers: list[Tracker | ClusterTracker] = []

    @classmethod
    async def open(cls, settings: RedisSettings, parts: Parts, /) -> Result[RedisStore]:
        """Open a store and ask the server for a sign of life.

        Errors:
            CACHE_CONNECTION_FAILED: there is none.
        """
        from .errors import RedisErrors  # late: it names redis-py's exceptions

        roads, errors = Roads(settings), RedisErrors(settings)
        answer = await errors.run(roads.send, ("PING",))
        if isinstance(answer, Failure):
            await roads.close()
            return failure(not_opened(answer.error, settings))
        return success(cls(roads, errors))

    async def read(self, ns: str, keys: Iterable[str], /) -> Result[Mapping[str, bytes]]:
        """Give what is there; what is asked in one turn of the loop goes out in one packet."""
        wanted = list(keys)
        asked = await self._ask(ns, wanted)
        if isinstance(asked, Failure):
            return asked
        if len(wanted) == 1:
            data = asked.value[0]
            return success({} if data is None else {wanted[0]: data})
        found = zip(wanted, asked.value, strict=True)
        return success({key: data for key, data in found if data is not None})

    async def write(self, ns: str, entries: Mapping[str, Entry], /) -> Result[None]:
        """Keep the entries, in one packet."""

        def commands(place: str) -> list[Command]:
            made: list[Command] = []
            for key, entry in entries.items():
                if entry.ttl is None:
                    made.append(("SET", place + key, entry.data))
                else:
                    made.append(("SET", place + key, entry.data, "PX", _milliseconds(entry.ttl)))
            if any(entry.ttl is None for entry in entries.values()):
                made.append(("SET", endless_key(ns), "1"))
            return made

        return (await self._ask(ns, commands)).map(_nothing)

    async def delete(self, ns: str, keys: Iterable[str] | None, /) -> Result[int]:
        """Forget keys, or with None the whole namespace, which is not counted."""
        if keys is None:
            return await self._errors.run(self._clear, ns)
        gone = list(keys)
        if not gone:
            return success(0)
        asked = await self._ask(ns, lambda place: [("UNLINK", place + key) for key in gone])
        return asked.map(sum)

    async def count(self, ns: str, /) -> Result[int]:
        """Count the entries: the server looks at all its keys."""

        async def run() -> int:
            seen: set[bytes] = set()
            async for keys in self._roads.scan(glob((await self._epoch(ns)).place) + "*"):
                seen.update(keys)
            return len(seen)

        return await self._errors.run(run)

    async def increment(self, ns: str, key: str, by: int, ttl: float | None, /) -> Result[int]:
        """Add to a number in place; a new one gets its end before it is counted."""

        def commands(place: str) -> list[Command]:
            if ttl is None:
                return [("INCRBY", place + key, by), ("SET", endless_key(ns), "1")]
            start = ("SET", place + key, 0, "PX", _milliseconds(ttl), "NX")
            return [start, ("INCRBY", place + key, by)]

        asked = await self._ask(ns, commands)
        return asked.map(lambda replies: replies[0] if ttl is None else replies[1])

    async def expire(self, ns: str, key: str, ttl: float | None, /) -> Result[int]:
        """Set the seconds that an entry has left."""

        def commands(place: str) -> list[Command]:
            if ttl is not None:
                return [("PEXPIRE", place + key, _milliseconds(ttl))]
            return [
                ("EXISTS", place + key),
                ("PERSIST", place + key),
                ("SET", endless_key(ns), "1"),
            ]

        return (await self._ask(ns, commands)).map(lambda replies: replies[0])

    async def ttl_of(self, ns: str, key: str, /) -> Result[float | Missing | None]:
        """Give the seconds that an entry has left."""
        asked = await self._ask(ns, lambda place: [("PTTL", place + key)])
        return asked.map(lambda replies: _left(replies[0]))

    async def lock(self, ns: str, key: str, token: str, ttl: float, /) -> Result[int]:
        """Take the lock of a key."""

        async def run() -> int:
            name = lock_key(ns, key)
            [taken] = await self._roads.send(("SET", name, token, "NX", "PX", _milliseconds(ttl)))
            return 0 if taken is None else 1

        return await self._errors.run(run)

    async def unlock(self, ns: str, key: str, token: str, /) -> Result[int]:
        """Give the lock back, where it is still this token's."""

        async def run() -> int:
            [gone] = await self._roads.send(("EVAL", _UNLOCK, 1, lock_key(ns, key), token))
            return int(gone)

        return await self._errors.run(run)

    async def track(
        self, ns: str, changed: Callable[[Iterable[str] | None], object], /
    ) -> Result[None]:
        """Have the server tell what changes in a namespace; it knows nothing but its prefix."""
        from .tracking import ClusterTracker, Ear, Tracker  # late: it imports redis-py

        kind = ClusterTracker if self._roads.settings.is_cluster else Tracker
        tracker = kind(Ear(self._roads.settings, place(ns), changed))
        started = await self._errors.run(tracker.start)
        if started:
            self._trackers.append(tracker)
        return started

    async def close(self) -> None:
        """Close every connection, when the exchanges under way have ended."""
        while self._trackers:
            await self._trackers.pop().close()
        if self._is_owner:
            await self._roads.close()

    async def _ask(
        self, ns: str, commands: Callable[[str], Sequence[Command]] | Sequence[str], /
    ) -> Result[list[Any]]:
        """Send commands, or the GETs of keys, for the epoch that holds."""
        try:
            for _ in range(_TRIES):
                epoch = self._epochs.get(ns) or await self._epoch(ns)
                before = epoch.place
                if callable(commands):
                    replies = await self._roads.send(epoch.ask, *commands(before))
                elif len(commands) == 1:
                    replies = await self._roads.get(epoch.ask, before + commands[0])
                else:
                    gets = [("GET", before + key) for key in commands]
                    replies = await self._roads.send(epoch.ask, *gets)
                if replies[0] == epoch.word:
                    del replies[0]
                    return success(replies)
                self._epochs.pop(ns, None)
        except Exception as exception:  # foreign code: the rest is raised
            error = self._errors.translate(exception)
            if error is None:
                raise
            return failure(error)
        return failure(_cleared_too_often(ns))

    async def _epoch(self, ns: str) -> _Epoch:
        """Give the word that holds, as far as is known; the first one to ask makes it."""
        key, ours = epoch_key(ns), token_hex(_EPOCH_BYTES)
        _, word = await self._roads.send(("SET", key, ours, "NX"), ("GET", key))
        # A full server may have let it go between the two: whoever asks next makes another one.
        return self._keep(ns, word if isinstance(word, bytes) else ours.encode())

    def _keep(self, ns: str, word: bytes) -> _Epoch:
        epoch = _Epoch(word, place(ns, word.decode("latin-1")), ("GET", epoch_key(ns)))
        self._epochs[ns] = epoch
        return epoch

    async def _clear(self, ns: str) -> int:
        """Write another word; sweep up what would never end by itself."""
        word = token_hex(_EPOCH_BYTES)
        endless = endless_key(ns)
        _, has_endless, _ = await self._roads.send(
            ("SET", epoch_key(ns), word), ("GET", endless), ("UNLINK", endless)
        )
        epoch = self._keep(ns, word.encode())
        if has_endless:
            await self._sweep(ns, epoch.place.encode())
        return 0

    async def _sweep(self, ns: str, kept: bytes) -> None:
        """Remove the entries of all epochs but one; the keys of others are never named."""
        word = "[0-9a-f]" * (2 * _EPOCH_BYTES)
        async for keys in self._roads.scan(f"{glob(place(ns))}{word}:*"):
            gone = [key for key in keys if not key.startswith(kept)]
            for start in range(0, len(gone), _BATCH):
                await self._roads.send(*[("UNLINK", key) for key in gone[start : start + _BATCH]])


def _milliseconds(ttl: float) -> int:
    return max(1, round(ttl * 1000))


def _left(milliseconds: int) -> float | Missing | None:
    if milliseconds == -2:
        return MISSING
    return None if milliseconds == -1 else milliseconds / 1000


def _nothing(_: object) -> None:
    return None


def not_opened(error: QiError, settings: RedisSettings) -> QiError:
    """Say that nothing could be opened."""
    is_denied = error.category is ErrorCategory.AUTHENTICATION
    make = QiError.authentication if is_denied else QiError.unavailable
    tls = " and speaks TLS there" if settings.is_tls else ""
    return make(
        CONNECTION_FAILED,
        f"no cache at {error.message}",
        hint=error.hint or f"look whether the server runs{tls}, and whether the URL is its own",
        retryable=error.retryable,
        cause=error,
        source="cache",
    )


def _cleared_too_often(ns: str) -> QiError:
    return QiError.contention(
        UNAVAILABLE,
        f"the namespace {ns!r} was cleared {_TRIES} times while it was asked",
        hint="clear it less often",
    )
