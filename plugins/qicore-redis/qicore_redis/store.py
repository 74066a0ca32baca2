"""Entries in Redis: the narrow protocol on the left, commands on the right.

A namespace has an epoch, a random word under a key of its own, and the keys of its entries hold it:
`qicore:shop:3f0c9a51b2d4:user:1`. To clear the namespace is to write another word: whatever is
kept under the old one is out of reach at once, and ends by its ttl. Every exchange asks for the
epoch along with what it wants, in the same packet; where someone has cleared the namespace in
between, it learns the new word and asks again. An epoch that the server lost is not made up anew
from a counter: a random word never brings back what was cleared.

Reads of one moment become one MGET: the first of a turn of the loop goes straight out, those that
come in the same turn go together behind it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from secrets import token_hex
from typing import Any, Final, TypeAlias, final

from qicore_cache import MISSING, Entry, Missing
from qicore_cache.errors import CONNECTION_FAILED, UNAVAILABLE
from qicore_core import ErrorCategory, ErrorMap, Failure, Parts, QiError, Result, failure, success

from .settings import RedisSettings
from .wire import Command, Wire, open_wire

__all__ = ["RedisStore"]

_Answer: TypeAlias = "asyncio.Future[dict[str, bytes]]"

_EPOCH_BYTES: Final = 6
_TRIES: Final = 5  # each means that someone cleared the namespace in the same moment
_BATCH: Final = 500


@final
class RedisStore:
    """A cache store on Redis or Valkey. Made by `RedisStore.open`.

    Attributes:
        default_ttl: seconds that an entry is kept where the cache names none.
    """

    __slots__ = ("_epochs", "_errors", "_reads", "_wire", "default_ttl")

    def __init__(self, wire: Wire, errors: ErrorMap, /) -> None:
        self.default_ttl = 300.0
        self._wire = wire
        self._errors = errors
        self._epochs: dict[str, str] = {}
        self._reads: dict[str, _Reads] = {}

    @classmethod
    async def open(cls, settings: RedisSettings, parts: Parts, /) -> Result[RedisStore]:
        """Open a store and ask the server for a sign of life.

        Errors:
            CACHE_CONNECTION_FAILED: there is none.
        """
        from .errors import ERRORS  # late: it names redis-py's exceptions

        wire = open_wire(settings)
        answer = await ERRORS.run(wire.send, ("PING",))
        if isinstance(answer, Failure):
            await wire.close()
            return failure(_not_opened(answer.error, settings))
        return success(cls(wire, ERRORS))

    async def read(self, ns: str, keys: Iterable[str], /) -> Result[Mapping[str, bytes]]:
        """Give what is there; one key alone shares its exchange with others of the same moment."""
        wanted = list(keys)
        if len(wanted) != 1:
            return await self._errors.run(self._read, ns, wanted)
        reads = self._reads.get(ns)
        if reads is None:
            reads = self._reads[ns] = _Reads(lambda keys: self._read(ns, keys))
        return await self._errors.run(reads.one, wanted[0])

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
                made.append(("SET", _endless(ns), "1"))
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
            async for keys in self._wire.scan(_glob(_place(ns, await self._epoch(ns))) + "*"):
                seen.update(keys)
            return len(seen)

        return await self._errors.run(run)

    async def increment(self, ns: str, key: str, by: int, ttl: float | None, /) -> Result[int]:
        """Add to a number in place; a new one gets its end before it is counted."""

        def commands(place: str) -> list[Command]:
            if ttl is None:
                return [("INCRBY", place + key, by), ("SET", _endless(ns), "1")]
            start = ("SET", place + key, 0, "PX", _milliseconds(ttl), "NX")
            return [start, ("INCRBY", place + key, by)]

        asked = await self._ask(ns, commands)
        return asked.map(lambda replies: replies[0] if ttl is None else replies[1])

    async def expire(self, ns: str, key: str, ttl: float | None, /) -> Result[int]:
        """Set the seconds that an entry has left."""

        def commands(place: str) -> list[Command]:
            if ttl is not None:
                return [("PEXPIRE", place + key, _milliseconds(ttl))]
            return [("EXISTS", place + key), ("PERSIST", place + key), ("SET", _endless(ns), "1")]

        return (await self._ask(ns, commands)).map(lambda replies: replies[0])

    async def ttl_of(self, ns: str, key: str, /) -> Result[float | Missing | None]:
        """Give the seconds that an entry has left."""
        asked = await self._ask(ns, lambda place: [("PTTL", place + key)])
        return asked.map(lambda replies: _left(replies[0]))

    async def close(self) -> None:
        """Close every connection, when the reads under way have ended."""
        for reads in self._reads.values():
            await reads.close()
        await self._wire.close()

    async def _ask(
        self, ns: str, commands: Callable[[str], Sequence[Command]], /
    ) -> Result[list[Any]]:
        """Send commands for the epoch that holds."""

        async def run() -> list[Any]:
            for _ in range(_TRIES):
                epoch = await self._epoch(ns)
                said, *replies = await self._wire.send(
                    ("GET", _epoch_key(ns)), *commands(_place(ns, epoch))
                )
                if self._holds(ns, epoch, said):
                    return replies
            raise _cleared_too_often(ns)

        return await self._errors.run(run)

    async def _read(self, ns: str, keys: Sequence[str], /) -> dict[str, bytes]:
        for _ in range(_TRIES):
            epoch = await self._epoch(ns)
            place = _place(ns, epoch)
            said, *found = await self._wire.read([_epoch_key(ns), *[place + key for key in keys]])
            if self._holds(ns, epoch, said):
                return {
                    key: data for key, data in zip(keys, found, strict=True) if data is not None
                }
        raise _cleared_too_often(ns)

    async def _epoch(self, ns: str) -> str:
        """Give the word that holds, as far as is known; the first one to ask makes it."""
        epoch = self._epochs.get(ns)
        if epoch is None:
            key = _epoch_key(ns)
            _, said = await self._wire.send(
                ("SET", key, token_hex(_EPOCH_BYTES), "NX"), ("GET", key)
            )
            epoch = self._epochs[ns] = said.decode()
        return epoch

    def _holds(self, ns: str, epoch: str, said: bytes | None) -> bool:
        if said is not None and said.decode() == epoch:
            return True
        self._epochs.pop(ns, None)
        return False

    async def _clear(self, ns: str) -> int:
        """Write another word; sweep up what would never end by itself."""
        epoch = token_hex(_EPOCH_BYTES)
        endless = _endless(ns)
        _, has_endless, _ = await self._wire.send(
            ("SET", _epoch_key(ns), epoch), ("GET", endless), ("UNLINK", endless)
        )
        self._epochs[ns] = epoch
        if has_endless:
            await self._sweep(ns, _place(ns, epoch).encode())
        return 0

    async def _sweep(self, ns: str, kept: bytes) -> None:
        """Remove the entries of all epochs but one; the keys of others are never named."""
        entries = _glob(_place(ns, "")) + "*:*"  # an entry's key has a colon more than our own
        async for keys in self._wire.scan(entries):
            gone = [key for key in keys if not key.startswith(kept)]
            for start in range(0, len(gone), _BATCH):
                await self._wire.send(*[("UNLINK", key) for key in gone[start : start + _BATCH]])


@final
class _Reads:
    """The reads of one namespace that come in the same turn of the loop."""

    __slots__ = ("_fetch", "_is_turn", "_running", "_waiting")

    def __init__(self, fetch: Callable[[Sequence[str]], Coroutine[Any, Any, dict[str, bytes]]]):
        self._fetch = fetch
        self._is_turn = False  # one has gone out in this turn
        self._waiting: list[tuple[str, _Answer]] = []
        self._running: set[asyncio.Task[None]] = set()

    async def one(self, key: str) -> dict[str, bytes]:
        """Read a key: straight out, or together with those that came in the same turn."""
        if not self._is_turn:
            self._is_turn = True
            asyncio.get_running_loop().call_soon(self._turn)
            return await self._fetch([key])
        future = asyncio.get_running_loop().create_future()
        self._waiting.append((key, future))
        return await future  # whoever is cancelled goes alone

    async def close(self) -> None:
        """Wait for those under way."""
        if self._running:
            await asyncio.wait(self._running)

    def _turn(self) -> None:
        self._is_turn = False
        if self._waiting:
            waiting, self._waiting = self._waiting, []
            task = asyncio.get_running_loop().create_task(self._together(waiting))
            self._running.add(task)
            task.add_done_callback(self._running.discard)

    async def _together(self, waiting: Sequence[tuple[str, _Answer]]) -> None:
        found, failed = {}, None
        try:
            found = await self._fetch([key for key, _ in waiting])
        except Exception as error:  # noqa: BLE001  # handed on to those who wait
            failed = error
        for _, future in waiting:
            if future.done():  # cancelled
                continue
            if failed is None:
                future.set_result(found)
            else:
                future.set_exception(failed)


def _place(ns: str, epoch: str) -> str:
    """Give what stands before the keys of a namespace; what it holds can not end it."""
    escaped = ns.replace("%", "%25").replace(":", "%3A")
    return f"qicore:{escaped}:{epoch}:" if epoch else f"qicore:{escaped}:"


def _epoch_key(ns: str) -> str:
    return _place(ns, "") + "epoch"


def _endless(ns: str) -> str:
    """Name the key that says: some entries here have no end."""
    return _place(ns, "") + "endless"


def _glob(prefix: str) -> str:
    """Write a beginning so that SCAN takes it as it is."""
    return "".join([f"\\{sign}" if sign in "\\*?[]^-" else sign for sign in prefix])


def _milliseconds(ttl: float) -> int:
    return max(1, round(ttl * 1000))


def _left(milliseconds: int) -> float | Missing | None:
    if milliseconds == -2:
        return MISSING
    return None if milliseconds == -1 else milliseconds / 1000


def _nothing(_: object) -> None:
    return None


def _not_opened(error: QiError, settings: RedisSettings) -> QiError:
    where = settings.path or ", ".join([f"{host}:{port}" for host, port in settings.servers])
    is_denied = error.category is ErrorCategory.AUTHENTICATION
    make = QiError.authentication if is_denied else QiError.unavailable
    return make(
        CONNECTION_FAILED,
        f"no cache at {where}: {error.message}",
        hint=error.hint or "look whether the server runs, and whether the URL is its own",
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
