"""A rate that all processes share: GCRA, one number for each name, by the server's time.

The number is the moment at which a steady stream of calls would have used up what was taken. A call
may go when that is no farther ahead than the burst; else it waits for its turn, which is taken
already, or is refused. Source: ITU-T I.371, the virtual scheduling algorithm.
"""

from __future__ import annotations

from typing import Final, final

from qicore_core import Deadline, Failure, QiError, Rate, Result, failure, success
from qicore_core.codes import RATE_EXCEEDED
from qicore_core.resilience import Clock

from .hold import Ask
from .names import name_error, own_key

__all__ = ["Limit"]

_TAKE: Final = """local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local last = tonumber(redis.call('GET', KEYS[1])) or 0
local next = math.max(last, now) + ARGV[1]
local wait = math.max(0, next - ARGV[2] - now)
if wait <= tonumber(ARGV[3]) then
local left = math.max(1, math.ceil((next - now) / 1000))
redis.call('SET', KEYS[1], string.format('%.0f', next), 'PX', left) end
return math.ceil(wait)"""
_MICROSECONDS: Final = 1_000_000
_LONGEST: Final = 1e15  # microseconds, thirty years: what is added to a date stays exact


@final
class Limit:
    """A rate being kept by all who name it. Made by `redis.limit(name, rate)`."""

    __slots__ = ("_ask", "_clock", "_key", "_wrong", "name", "rate")

    def __init__(self, ask: Ask, name: str, rate: Rate, clock: Clock, /) -> None:
        if not isinstance(rate, Rate):
            raise TypeError(f"the rate is a Rate: Rate(5.0), got {type(rate).__name__}")
        self.name = name
        self.rate = rate
        self._ask = ask
        self._wrong = name_error(name)
        self._key = "" if self._wrong else own_key("limit", name)
        self._clock = clock

    async def acquire(self) -> Result[None]:
        """Wait for a turn. One who is cancelled while waiting has had it.

        Errors:
            RATE_EXCEEDED: it would come later than the rate's `max_wait`, or the deadline;
                `retry_after` says when.
            INVALID_KEY, and what a server that is asked fails with.
        """
        if self._wrong is not None:
            return failure(self._wrong)
        deadline = Deadline.current()
        most = self.rate.max_wait
        if deadline is not None:
            most = max(0.0, min(most, deadline.remaining()))
        step = min(_MICROSECONDS / self.rate.per_second, _LONGEST)
        asked = await self._ask(
            (
                "EVAL", _TAKE, 1, self._key,
                f"{step:.3f}", f"{step * self.rate.burst:.3f}", f"{most * _MICROSECONDS:.0f}",
            )
        )  # fmt: skip
        if isinstance(asked, Failure):
            return asked
        wait = asked.value[0] / _MICROSECONDS
        if wait > most:
            return failure(_exceeded(self.name, self.rate, wait))
        if wait > 0.0:
            await self._clock.sleep(wait)
        return success()


def _exceeded(name: str, rate: Rate, wait: float) -> QiError:
    return QiError.rate_limited(
        RATE_EXCEEDED,
        f"more calls of {name!r} than {rate.per_second:g} per second",
        retry_after=wait,
        hint="call less often, or allow a higher rate, a larger burst or a longer max_wait",
        source="redis",
    )
