"""A word under a key that others cannot take, for as long as its owner renews it.

The server ends it by its ttl, and the owner goes by a clock of its own that began before the
server's: so the owner never believes for longer than the server that it holds. What renews it is a
task of the hold; where that fails for too long, the hold is lost and says so.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Final, TypeAlias, final

from qicore_core import Failure, Result
from qicore_core.resilience import Clock

__all__ = ["Ask", "Hold", "milliseconds", "release"]

Ask: TypeAlias = "Callable[..., Awaitable[Result[list[Any]]]]"

_RENEW: Final = """if redis.call('GET', KEYS[1]) == ARGV[1] then
return redis.call('PEXPIRE', KEYS[1], ARGV[2]) end return 0"""
_RELEASE: Final = """if redis.call('GET', KEYS[1]) == ARGV[1] then
return redis.call('DEL', KEYS[1]) end return 0"""
_RELEASING: Final = 1.0  # seconds: then the ttl ends it


@final
class Hold:
    """What was taken.

    Args:
        ask: sends commands to the server, and gives their replies.
        key: where it stands.
        word: what stands there.
        ttl: seconds after which the server ends it.
        clock: the owner's clock.
        since: when it was asked for.

    Attributes:
        lost: set when it is lost.
    """

    __slots__ = ("_ask", "_clock", "_key", "_task", "_ttl", "_until", "_word", "lost")

    def __init__(
        self, ask: Ask, key: str, word: str, ttl: float, clock: Clock, since: float, /
    ) -> None:
        self.lost = asyncio.Event()
        self._ask = ask
        self._key = key
        self._word = word
        self._ttl = ttl
        self._clock = clock
        self._until = since + ttl
        self._task: asyncio.Task[None] | None = asyncio.create_task(
            self._renew(), name=f"renew {key}"
        )

    @property
    def is_held(self) -> bool:
        """Tell whether nobody else can have it."""
        if self._clock.monotonic() >= self._until:
            self.lost.set()
        return not self.lost.is_set()

    async def stop(self) -> None:
        """Renew it no more."""
        task, self._task = self._task, None
        if task is not None and not task.done():  # as it is where its loop has ended
            task.cancel()
            await asyncio.wait([task])

    async def end(self) -> bool:
        """Give it back; tell whether it was held until now."""
        try:
            await self.stop()
        finally:  # also for one who is cancelled
            was_held = self.is_held
            self.lost.set()
            is_released = await release(self._ask, self._key, self._word)
        return is_released and was_held

    async def _renew(self) -> None:
        pause = self._ttl / 3.0
        while (left := self._until - self._clock.monotonic()) > 0.0:
            await self._clock.sleep(min(pause, left))
            began = self._clock.monotonic()
            renewed = await self._renewed(max(self._until - began, 0.001))
            if renewed == 0:
                break
            if renewed is None:  # nobody knows: ask again soon
                pause = self._ttl / 10.0
                continue
            self._until = began + self._ttl
            pause = self._ttl / 3.0
        self.lost.set()

    async def _renewed(self, timeout: float) -> int | None:
        """Give 1 where it goes on, 0 where it has ended, None where the server did not say."""
        command = ("EVAL", _RENEW, 1, self._key, self._word, milliseconds(self._ttl))
        try:
            async with self._clock.timeout(timeout):
                asked = await self._ask(command)
        except TimeoutError:
            return None
        return None if isinstance(asked, Failure) else int(asked.value[0])


async def release(ask: Ask, key: str, word: str, /) -> bool:
    """Take a word away, where it still stands; what cannot be reached ends by its ttl."""
    try:
        return await _released(ask, key, word)
    except asyncio.CancelledError:  # before or after it was done: once more, as others wait for it
        await _released(ask, key, word)
        raise


async def _released(ask: Ask, key: str, word: str) -> bool:
    try:
        async with asyncio.timeout(_RELEASING):
            asked = await ask(("EVAL", _RELEASE, 1, key, word))
    except TimeoutError:
        return False
    return not isinstance(asked, Failure) and bool(asked.value[0])


def milliseconds(ttl: float, /) -> int:
    """Give seconds as the server takes them."""
    return max(1, round(ttl * 1000))
