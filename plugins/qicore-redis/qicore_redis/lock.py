"""One holder at a time, in any number of processes.

A lock on one server is a lease: a holder that stands still for longer than its ttl, or cannot reach
the server, loses it while it still works. So each holder has a fence, a number that is greater than
that of every holder before: whatever the lock guards refuses a number lower than one it has seen.
The fence is the server's time in microseconds, or one more than the last: it grows even where the
server lost its data.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from secrets import token_hex
from typing import Any, Final, TypeVar, final

from qicore_core import Failure, QiError, Result, failure, success
from qicore_core.resilience import Clock

from .codes import LOCK_HELD, LOCK_LOST
from .hold import Ask, Hold, milliseconds, release
from .names import own_key

T = TypeVar("T")

__all__ = ["Lock", "take_lock"]

_TAKE: Final = """if not redis.call('SET', KEYS[1], ARGV[1], 'NX', 'PX', ARGV[2]) then
return {0, redis.call('PTTL', KEYS[1])} end
local time = redis.call('TIME')
local fence = math.max(time[1] * 1000000 + time[2], (tonumber(redis.call('GET', KEYS[2])) or 0) + 1)
redis.call('SET', KEYS[2], string.format('%.0f', fence), 'PX', ARGV[2] + 86400000)
return {1, fence}"""
_FIRST_PAUSE: Final = 0.01  # seconds
_LAST_PAUSE: Final = 0.25


@final
class Lock:
    """A lock that is held. Made by `redis.lock(name)`.

    Attributes:
        name: what is locked.
        fence: greater than that of every holder before.
    """

    __slots__ = ("_hold", "fence", "name")

    def __init__(self, name: str, fence: int, hold: Hold, /) -> None:
        self.name = name
        self.fence = fence
        self._hold = hold

    @property
    def is_held(self) -> bool:
        """Tell whether nobody else can have it; asks no one."""
        return self._hold.is_held

    async def until_lost(self) -> None:
        """Wait until it is lost or given back."""
        await self._hold.lost.wait()

    async def run(self, fn: Callable[..., Awaitable[Result[T]]], /, *args: Any) -> Result[T]:
        """Await `fn(*args)` for as long as the lock is held; it is cancelled where that is lost.

        Errors:
            LOCK_LOST: it was lost before the work was done.
        """
        if not self.is_held:
            return failure(_lost(self.name))

        async def work() -> Result[T]:
            return await fn(*args)

        working, losing = asyncio.create_task(work()), asyncio.create_task(self.until_lost())
        try:
            await asyncio.wait([working, losing], return_when=asyncio.FIRST_COMPLETED)
        finally:
            losing.cancel()
            is_lost = not working.done()
            working.cancel()
            await asyncio.wait([working, losing])
        return failure(_lost(self.name)) if is_lost and working.cancelled() else working.result()

    async def close(self) -> Result[None]:
        """Give it back.

        Errors:
            LOCK_LOST: it was lost before, or the server cannot be reached: then its ttl ends it.
        """
        return success() if await self._hold.end() else failure(_lost(self.name))


async def take_lock(
    ask: Ask, name: str, ttl: float, wait: float, clock: Clock, random: Callable[[], float], /
) -> Result[Lock]:
    """Take a lock, or wait for it: looking again at growing and random intervals.

    Args:
        ask: sends commands to the server, and gives their replies.
        name: what is locked.
        ttl: seconds after which a holder that does not renew it loses it.
        wait: seconds to wait for whoever has it.
        clock: tells the time.
        random: spreads those who wait.
    """
    key, fence_key, word = own_key("lock", name), own_key("lock", name) + ":fence", token_hex(12)
    command = ("EVAL", _TAKE, 2, key, fence_key, word, milliseconds(ttl))
    give_up, pause = clock.monotonic() + wait, _FIRST_PAUSE
    while True:
        since = clock.monotonic()
        try:
            asked = await ask(command)
        except BaseException:  # cancelled: it may have been taken all the same
            await release(ask, key, word)
            raise
        if isinstance(asked, Failure):
            await release(ask, key, word)
            return asked
        [[is_taken, number]] = asked.value
        if is_taken:
            return success(Lock(name, number, Hold(ask, key, word, ttl, clock, since)))
        left = give_up - clock.monotonic()
        if not left > 0.0:  # as it is where wait is no number
            return failure(_held(name, number / 1000))
        await clock.sleep(min(pause * (0.5 + random()), left))
        pause = min(2.0 * pause, _LAST_PAUSE)


def _held(name: str, left: float) -> QiError:
    return QiError.contention(
        LOCK_HELD,
        f"someone else has the lock {name!r}",
        hint="wait longer for it (wait=), or try again later",
        retry_after=max(left, 0.001),
        source="redis",
    )


def _lost(name: str) -> QiError:
    return QiError.contention(
        LOCK_LOST,
        f"the lock {name!r} was lost: it could not be renewed in time",
        hint="do the work again under a new lock, and let the resource look at its fence",
        source="redis",
    )
