"""What is done once for a key, however often it is asked for: a payment, a mail, a request.

Whoever comes first puts his word under the key, does it, and puts the outcome there in place of the
word; whoever comes later gets that outcome. Who dies in the middle loses his word by its ttl, and
the next one does it: so what must never be done twice should know the key itself.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from hashlib import sha256
from secrets import token_hex
from typing import Any, Final, NamedTuple, final

from qicore_cache import JsonCodec
from qicore_core import Failure, QiError, Result, Success, failure, success
from qicore_core.resilience import Clock

from .codes import ONCE_IN_PROGRESS, ONCE_MISMATCH, ONCE_NOT_KEPT
from .hold import Ask, Hold, milliseconds, release
from .names import own_key

__all__ = ["Once", "Turn", "begin"]

_COMPLETE: Final = """if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
return 1"""
_DOING: Final = b"?"
_DONE: Final = b"="
_FAILED: Final = b"!"
_FIRST_PAUSE: Final = 0.01  # seconds
_LAST_PAUSE: Final = 0.25


class Once(NamedTuple):
    """What is to be done once.

    Attributes:
        key: names it.
        kind: the type of what comes of it; None is what JSON has.
        request: what tells it from something else under the same key.
        ttl: seconds for which the outcome is kept.
        lease: seconds after which someone else does it, where whoever does it has died.
        max_bytes: how large a kept outcome is at most.
    """

    key: str
    kind: type[Any] | None
    request: bytes
    ttl: float
    lease: float
    max_bytes: int


@final
class Turn:
    """Either the outcome of before, or the right to do it now. Made by `redis.begin(key)`.

    Attributes:
        outcome: what came of it before; None where it is to be done now.
    """

    __slots__ = ("_ask", "_hold", "_once", "_word", "outcome")

    def __init__(
        self, once: Once, outcome: Result[Any] | None, ask: Ask, word: str, hold: Hold | None, /
    ) -> None:
        self.outcome = outcome
        self._once = once
        self._ask = ask
        self._word = word
        self._hold = hold

    async def complete(self, outcome: Result[Any], /) -> Result[int]:
        """Keep the outcome; give 1, or 0 where someone else has begun in the meantime."""
        if self._hold is None:
            return success(0)
        await self._hold.stop()
        self._hold = None
        once = self._once
        asked = await self._ask(
            (
                "EVAL", _COMPLETE, 1, own_key("once", once.key),
                self._word, _written(once, outcome), milliseconds(once.ttl),
            )
        )  # fmt: skip
        if not isinstance(outcome, Success | Failure):  # a bug, told when nobody will do it again
            given = type(outcome).__name__
            raise TypeError(f"what comes of it is a Result: success(paid), got {given}")
        return asked.map(lambda replies: int(replies[0]))

    async def close(self) -> None:
        """Leave it to others, where it was not completed."""
        hold, self._hold = self._hold, None
        if hold is not None:
            await hold.end()


async def begin(
    ask: Ask, once: Once, wait: float, clock: Clock, random: Callable[[], float], /
) -> Result[Turn]:
    """Take the turn, or give what came of it before.

    Errors:
        ONCE_IN_PROGRESS, ONCE_MISMATCH.
    """
    mark = sha256(once.request).hexdigest()[:16] if once.request else ""
    key, word = own_key("once", once.key), f"?{token_hex(12)}\n{mark}"
    give_up, pause = clock.monotonic() + wait, _FIRST_PAUSE
    while True:
        since = clock.monotonic()
        take = ("SET", key, word, "NX", "PX", milliseconds(once.lease))
        try:
            asked = await ask(take, ("GET", key), ("PTTL", key))
        except BaseException:  # cancelled: it may have been taken all the same
            await release(ask, key, word)
            raise
        if isinstance(asked, Failure):
            await release(ask, key, word)
            return asked
        begun, held, left = asked.value
        if begun is not None:
            hold = Hold(ask, key, word, once.lease, clock, since)
            return success(Turn(once, None, ask, word, hold))
        if held is not None:
            head, _, data = held.partition(b"\n")
            theirs = data if head.startswith(_DOING) else head[1:]
            if theirs.decode("latin-1") != mark:
                return failure(_mismatch(once.key))
            if not head.startswith(_DOING):
                return success(Turn(once, _read(once, head[:1], data), ask, word, None))
        remaining = give_up - clock.monotonic()
        if not remaining > 0.0:  # as it is where wait is no number
            return failure(_in_progress(once.key, left / 1000))
        await clock.sleep(min(pause * (0.5 + random()), remaining))
        pause = min(2.0 * pause, _LAST_PAUSE)


def _written(once: Once, outcome: Result[Any]) -> bytes:
    """Give the bytes of an outcome; one that cannot be kept is kept as an error that says so."""
    try:
        data = _bytes(once, outcome)
    except Exception as why:  # noqa: BLE001  # foreign code: the value's own
        return _bytes(once, failure(_not_kept(once.key, str(why))))
    if len(data) > once.max_bytes:
        return _bytes(once, failure(_not_kept(once.key, f"it is {len(data)} bytes")))
    return data


def _bytes(once: Once, outcome: Result[Any]) -> bytes:
    mark = sha256(once.request).hexdigest()[:16].encode() if once.request else b""
    if isinstance(outcome, Failure):
        return _FAILED + mark + b"\n" + json.dumps(outcome.error.to_dict()).encode()
    return _DONE + mark + b"\n" + JsonCodec().encode(outcome.value, once.kind, once.key)


def _read(once: Once, sign: bytes, data: bytes) -> Result[Any]:
    try:
        if sign == _FAILED:
            return failure(QiError.from_dict(json.loads(data)))
        return success(JsonCodec().decode(data, once.kind, once.key))
    except Exception as why:  # noqa: BLE001  # foreign: its bytes
        return failure(_not_kept(once.key, f"it cannot be read: {why}"))


def _in_progress(key: str, left: float) -> QiError:
    return QiError.contention(
        ONCE_IN_PROGRESS,
        f"{key!r} is being done by someone else",
        hint="try again later, or wait for the outcome (wait=)",
        retry_after=max(left, 0.001),
        source="redis",
    )


def _mismatch(key: str) -> QiError:
    return QiError.conflict(
        ONCE_MISMATCH,
        f"{key!r} has been used for another request",
        hint="take a new key for what is not the same request",
        source="redis",
    )


def _not_kept(key: str, why: str) -> QiError:
    return QiError.conflict(
        ONCE_NOT_KEPT,
        f"{key!r} was done, and its outcome could not be kept: {why}",
        hint="look where its effect is; keep an id in place of the whole",
        source="redis",
    )
