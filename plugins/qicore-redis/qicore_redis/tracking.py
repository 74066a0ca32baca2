"""Changes that the server tells of, so that what is kept near of it can be forgotten.

A connection of its own (RESP3) hears of every key that begins so, whoever writes or removes it, and
of those that end. The server remembers nothing for each key. While the connection is broken nothing
is heard: when it breaks, and when there is another one, all may have changed. A silent one is asked
now and then whether it is still there.

In a cluster each master is listened to. Which they are is asked whenever one of them may be lost,
and now and then.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterable
from contextlib import suppress
from typing import Any, Final, final

from redis.exceptions import RedisError

from .cluster import Address, Cluster
from .connecting import close_guards, connections, open_line
from .line import Line, packed
from .settings import RedisSettings

__all__ = ["ClusterTracker", "Ear", "Tracker"]

_FIRST_PAUSE: Final = 0.05  # seconds
_LAST_PAUSE: Final = 5.0
_LOOK_AGAIN: Final = 1.0  # seconds, where a node that should be listened to is not
_PING: Final = packed([("PING",)])


@final
class Ear:
    """What is listened for, and the task that listens; it belongs to the loop that made it.

    Args:
        settings: where the servers are.
        prefix: what stands before the namespace's keys.
        changed: called with the keys that changed, or None for all.
    """

    __slots__ = ("_loop", "_task", "changed", "prefix", "settings")

    def __init__(
        self,
        settings: RedisSettings,
        prefix: str,
        changed: Callable[[Iterable[str] | None], object],
        /,
    ) -> None:
        self.settings = settings
        self.prefix = prefix
        self.changed = changed
        self._loop = asyncio.get_running_loop()
        self._task: asyncio.Task[None] | None = None

    def listen(self, stay: Coroutine[Any, Any, None], /) -> None:
        """Start the task."""
        self._task = asyncio.create_task(stay, name=f"track {self.prefix}")

    async def end(self, leave: Callable[[], Coroutine[Any, Any, None]], /) -> None:
        """End the task, then leave, both in its loop; one that stands still is left alone."""

        async def end() -> None:
            if self._task is not None:
                self._task.cancel()
                await asyncio.wait([self._task])
            await leave()

        if self._loop is asyncio.get_running_loop():
            await end()
        elif self._loop.is_running():
            await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(end(), self._loop))


@final
class Tracker:
    """What listens for the changes of a namespace at one server."""

    __slots__ = ("_ear", "_line", "_pool")

    def __init__(self, ear: Ear, /) -> None:
        self._ear = ear
        self._pool = connections(ear.settings, protocol=3)
        self._line: Line | None = None

    async def start(self) -> None:
        """Connect, and listen until `close`."""
        await self._listen()
        self._ear.listen(self._stay())

    async def close(self) -> None:
        """Hear no more."""
        await self._ear.end(self._leave)

    @property
    def is_listening(self) -> bool:
        """Tell whether there is a connection."""
        return self._line is not None and self._line.is_open

    async def _listen(self) -> Line:
        line = self._line = await open_line(
            self._pool, self._ear.settings, lambda _: self._ear.changed(None), self._heard
        )
        ask = packed([("CLIENT", "TRACKING", "ON", "BCAST", "PREFIX", self._ear.prefix)])
        try:
            [answer] = await line.exchange(ask, 1)
            if isinstance(answer, RedisError):
                raise answer
        except BaseException:
            line.leave()
            raise
        return line

    async def _stay(self) -> None:
        """Ask a silent server whether it is there; where it is not, connect again and again."""
        pause = _FIRST_PAUSE
        while True:
            line = self._line
            if line is not None and line.is_open:
                pause = _FIRST_PAUSE
                await asyncio.wait([line.lost], timeout=self._ear.settings.health_check_interval)
                if line.is_open:
                    with suppress(OSError, RedisError):
                        await line.exchange(_PING, 1)  # overdue, it ends the line
                continue
            try:
                await self._listen()
                self._ear.changed(None)
            except (OSError, RedisError):
                await asyncio.sleep(pause)
                pause = min(2.0 * pause, _LAST_PAUSE)

    async def _leave(self) -> None:
        if self._line is not None:
            self._line.leave()
            await self._line.lost
        await close_guards(self._pool)

    def _heard(self, push: list[Any]) -> None:
        kind, keys = push[0], push[1]
        if kind != b"invalidate":
            return
        if keys is None:  # the whole database was emptied
            self._ear.changed(None)
            return
        changed: list[str] = []
        for name in keys:
            rest = name.decode("utf-8", "replace").removeprefix(self._ear.prefix)
            word, colon, key = rest.partition(":")
            if colon:
                changed.append(key)
            elif word == "epoch":  # the namespace was cleared
                self._ear.changed(None)
                return
        if changed:
            self._ear.changed(changed)


@final
class ClusterTracker:
    """What listens for the changes of a namespace at every master."""

    __slots__ = ("_cluster", "_ear", "_look", "_trackers")

    def __init__(self, ear: Ear, /) -> None:
        self._ear = ear
        self._cluster = Cluster(ear.settings)
        self._trackers: dict[Address, Tracker] = {}
        self._look = asyncio.Event()

    async def start(self) -> None:
        """Listen to every master, until `close`; to those that cannot be reached now, later."""
        try:
            if not await self._follow():
                self._look.set()
        except BaseException:
            await self._leave()
            raise
        self._ear.listen(self._stay())

    async def close(self) -> None:
        """Hear no more."""
        await self._ear.end(self._leave)

    async def _stay(self) -> None:
        wait = self._ear.settings.health_check_interval
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(wait):
                    await self._look.wait()
            self._look.clear()
            wait = _LOOK_AGAIN
            with suppress(OSError, RedisError):
                if await self._follow():
                    wait = self._ear.settings.health_check_interval

    async def _follow(self) -> bool:
        """Listen to the masters of now, and tell whether all are heard.

        A former one is heard until then, as their replica. Where none can be, that is raised.
        """
        masters, error = await self._cluster.masters(), None
        for address in masters - self._trackers.keys():
            ear = Ear(self._ear.settings.at(*address), self._ear.prefix, self._heard)
            tracker = Tracker(ear)
            try:
                await tracker.start()
            except (OSError, RedisError) as exception:
                error = exception
                continue
            self._trackers[address] = tracker
            self._ear.changed(None)
        for address in self._trackers.keys() - masters:
            await self._trackers.pop(address).close()
        if error is not None and not self._trackers:
            raise error
        return error is None and all(one.is_listening for one in self._trackers.values())

    async def _leave(self) -> None:
        for tracker in self._trackers.values():
            await tracker.close()
        await self._cluster.close()

    def _heard(self, keys: Iterable[str] | None) -> None:
        if keys is None:  # perhaps as a master is gone
            self._look.set()
        self._ear.changed(keys)
