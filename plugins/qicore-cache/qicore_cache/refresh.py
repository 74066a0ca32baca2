"""The tasks that renew values behind their readers' backs, and who awaits them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import Future
from threading import Lock
from typing import final

from qicore_core import Deadline

from .flight import detached

__all__ = ["Refreshes"]


@final
class Refreshes:
    """One task at most for each key, on the loop of whoever asked first; all end at `close`."""

    __slots__ = ("_is_closed", "_lock", "_running")

    def __init__(self) -> None:
        self._lock = Lock()
        self._running: dict[str, tuple[asyncio.Task[None], Future[None]]] = {}
        self._is_closed = False

    def start(self, key: str, renew: Callable[[], Awaitable[object]], /) -> None:
        """Renew a key, unless that is under way."""
        loop = asyncio.get_running_loop()
        with self._lock:
            before = self._running.get(key)
            if self._is_closed or (before and not before[0].get_loop().is_closed()):
                return
            task: asyncio.Task[None] = loop.create_task(_run(renew), name=f"renew {key}")
            ended: Future[None] = Future()
            self._running[key] = task, ended
        task.add_done_callback(lambda task: self._ended(key, task, ended))

    async def close(self) -> None:
        """Cancel every task and await it; those of a loop that stands still are only told."""
        with self._lock:
            self._is_closed = True
            running = list(self._running.values())
        own, waiting = asyncio.current_task(), list[asyncio.Future[None]]()
        for task, ended in running:
            loop = task.get_loop()
            if task is own or loop.is_closed():
                continue
            loop.call_soon_threadsafe(task.cancel)
            if loop.is_running():
                waiting.append(asyncio.wrap_future(ended))
        if waiting:
            await asyncio.wait(waiting)

    def _ended(self, key: str, task: asyncio.Task[None], ended: Future[None]) -> None:
        with self._lock:
            if self._running.get(key, (None,))[0] is task:
                del self._running[key]
        ended.set_result(None)
        if not task.cancelled() and (bug := task.exception()) is not None:
            task.get_loop().call_exception_handler(
                {"message": f"the factory of {key!r} raised", "exception": bug, "task": task}
            )


async def _run(renew: Callable[[], Awaitable[object]]) -> None:
    """Renew apart from the caller: neither its deadline nor what it computes holds here."""
    detached()
    with Deadline.lifted():
        await renew()
