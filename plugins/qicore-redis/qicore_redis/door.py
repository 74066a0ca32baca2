"""The door to what Redis can beside caching: `open_redis(url)` gives locks, rates and outcomes."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Final, TypeVar, cast, final

from qicore_cache import Cache
from qicore_cache.errors import SETTINGS_INVALID
from qicore_cache.settings import CacheSettings, ttl_error
from qicore_core import ErrorMap, Failure, Opening, Parts, Policy, Rate, Result, failure
from qicore_core.config.settings import read_settings
from qicore_core.events import CallEvent

from .limit import Limit
from .lock import Lock, take_lock
from .names import name_error
from .once import Once, Turn, begin
from .roads import Command, Roads
from .settings import RedisSettings
from .store import RedisStore, not_opened

T = TypeVar("T")

__all__ = ["Redis", "open_redis"]

_DAY: Final = 86400.0
_SHARED: Final = frozenset(
    ("AUTH", "HELLO", "MONITOR", "MULTI", "PSUBSCRIBE", "QUIT", "RESET", "SELECT", "SSUBSCRIBE",
     "SUBSCRIBE", "WATCH"),
)  # fmt: skip


def open_redis(
    url: str, /, *, policy: Policy | None = None, parts: Parts | None = None, **settings: object
) -> Opening[Redis]:
    """Open Redis or Valkey for locks, rates, outcomes and caches, all on the same connections.

    Args:
        url: as of a cache: "redis://localhost/0", "rediss://", "redis+sentinel://", ...
        policy: how the server is asked: a breaker, timeouts. Nothing here is asked twice by itself.
        parts: the clock, random and events.
        settings: as of a cache; see RedisSettings.

    Errors:
        CACHE_SETTINGS_INVALID: the URL or a setting is wrong.
        CACHE_CONNECTION_FAILED: no server, not this user, or no TLS.

    Example:
        ```python
        async with open_redis("redis://localhost") as redis:
            async with redis.lock("report") as lock: ...
        ```
    """

    async def start() -> Result[Redis]:
        read = RedisSettings.read(url, settings)
        if isinstance(read, Failure):
            return read
        from .errors import RedisErrors  # late: it names redis-py's exceptions

        roads = Roads(read.value)
        redis = Redis(roads, RedisErrors(read.value), policy or Policy(), parts or Parts())
        answer = await redis.ask(("PING",))
        if isinstance(answer, Failure):
            await roads.close()
            return failure(not_opened(answer.error, read.value))
        return answer.map(lambda _: redis)

    return Opening(start)


@final
class Redis:
    """What a server can beside caching. Made by `open_redis`."""

    __slots__ = ("_calls", "_errors", "_parts", "_roads")

    def __init__(self, roads: Roads, errors: ErrorMap, policy: Policy, parts: Parts, /) -> None:
        self._roads = roads
        self._errors = errors
        self._parts = parts
        self._calls = policy.attach("redis", clock=parts.clock, random=parts.random)

    def lock(self, name: str, /, *, ttl: float = 30.0, wait: float = 10.0) -> Opening[Lock]:
        """Take a lock, for `async with` or `await`; leaving gives it back.

        Args:
            name: what is locked.
            ttl: seconds after which a holder that stands still, or cannot reach the server, loses
                it. It is renewed for as long as it is held.
            wait: seconds to wait for whoever has it; 0.0 asks once.

        Errors:
            LOCK_HELD: someone else had it all the time.
            INVALID_KEY, INVALID_TTL, and what a server that is asked fails with.
        """

        async def start() -> Result[Lock]:
            if wrong := name_error(name) or ttl_error(ttl):
                return failure(wrong)
            parts = self._parts
            return await take_lock(self.ask, name, ttl, wait, parts.clock, parts.random)

        return Opening(start)

    def limit(self, name: str, rate: Rate, /) -> Limit:
        """Keep a rate together with all who name it, by the server's time.

        Args:
            name: what is counted: "api", "mail:ada".
            rate: how often; `Rate(100.0, burst=20, max_wait=0.0)` refuses in place of waiting.
        """
        return Limit(self.ask, name, rate, self._parts.clock)

    async def once(
        self,
        key: str,
        fn: Callable[[], Awaitable[Result[T]]],
        /,
        *,
        kind: type[T] | None = None,
        request: bytes | str = b"",
        ttl: float = _DAY,
        lease: float = 30.0,
        wait: float = 0.0,
        max_bytes: int = 65536,
    ) -> Result[T]:
        """Do something once for a key, and give what came of it then to whoever asks again.

        A Failure that may be tried again is no outcome: the next one does it. So it is where `fn`
        raises or is cancelled. Where the server cannot be asked, nothing is done.

        Args:
            key: names it: the Idempotency-Key of a request.
            fn: does it.
            kind: the type of the value, for dataclasses; None is what JSON has.
            request: what is asked for; another request under the same key is refused.
            ttl: seconds for which the outcome is kept.
            lease: seconds after which the next one does it where this process has died.
            wait: seconds to wait for the outcome of whoever is doing it.
            max_bytes: how large a kept outcome is at most; what is larger is not done again either.

        Errors:
            ONCE_IN_PROGRESS: someone else is doing it.
            ONCE_MISMATCH: the key was used for another request.
            ONCE_NOT_KEPT: it was done, and its outcome could not be kept.
            INVALID_KEY, INVALID_TTL, and what a server that is asked fails with.
        """
        if not callable(fn):
            given = type(fn).__name__
            raise TypeError(f"fn is a function that does it: pay, not pay(), got {given}")
        begun = await self.begin(
            key, kind=kind, request=request, ttl=ttl, lease=lease, wait=wait, max_bytes=max_bytes
        )
        if isinstance(begun, Failure):
            return begun
        turn = begun.value
        if turn.outcome is not None:
            return cast("Result[T]", turn.outcome)
        try:
            outcome = await fn()
            if isinstance(outcome, Failure) and outcome.error.retryable:
                return outcome
            kept = await turn.complete(outcome)
            if isinstance(kept, Failure):
                self._parts.emit(
                    CallEvent(
                        "redis", "once", "fallback", 0.0, kept.error, {"what": "done and not kept"}
                    )
                )
            return outcome
        finally:
            await turn.close()

    async def begin(
        self,
        key: str,
        /,
        *,
        kind: type[Any] | None = None,
        request: bytes | str = b"",
        ttl: float = _DAY,
        lease: float = 30.0,
        wait: float = 0.0,
        max_bytes: int = 65536,
    ) -> Result[Turn]:
        """Take the turn to do something once, or give the outcome: `once`, in steps.

        Whoever has the turn calls `complete`, or `close` to leave it to others.
        """
        if wrong := name_error(key) or ttl_error(ttl) or ttl_error(lease):
            return failure(wrong)
        asked = request.encode("utf-8", "surrogatepass") if isinstance(request, str) else request
        once = Once(key, kind, asked, ttl, lease, max_bytes)
        return await begin(self.ask, once, wait, self._parts.clock, self._parts.random)

    def cache(self, namespace: str = "", /, **settings: object) -> Result[Cache[Any]]:
        """Give a cache on the same connections; closing it leaves them open.

        Args:
            namespace: keeps its keys apart.
            settings: as of `open_cache`: default_ttl, ttl_jitter, codec, policy.

        Errors:
            CACHE_SETTINGS_INVALID: a setting is wrong.
        """
        store = RedisStore(self._roads, self._errors, False)
        said = {"default_ttl": store.default_ttl, **settings, "namespace": namespace}
        read = read_settings(CacheSettings, said, "cache", kind="cache", code=SETTINGS_INVALID)
        return read.map(lambda own: Cache(store, own, self._parts))

    async def ask(self, *commands: Command) -> Result[list[Any]]:
        """Send commands of your own in one packet, each a tuple; give their replies, text as bytes.

        In a cluster the key is what follows the command's name. It should not begin with `qicore`.
        What changes the connection for all who share it, SELECT, MULTI or SUBSCRIBE, is a
        ValueError; EVAL does several things as one.
        """
        for name in [str(command[0]).upper() for command in commands]:
            if name in _SHARED:
                raise ValueError(f"{name} would change the connection for all who share it")
        return await self._calls.run(
            self._send, commands, operation=str(commands[0][0]).lower(), repeatable=False
        )

    async def health(self) -> Result[None]:
        """Ask the server for a sign of life."""
        return (await self.ask(("PING",))).map(lambda _: None)

    async def close(self) -> None:
        """Close every connection, when what is under way has ended."""
        await self._roads.close()

    async def _send(self, commands: tuple[Command, ...]) -> Result[list[Any]]:
        return await self._errors.run(self._roads.send, *commands)
