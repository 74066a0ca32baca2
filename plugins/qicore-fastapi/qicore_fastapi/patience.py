"""How long a piece of a body is waited for.

One timer serves all requests: it is set for whoever began to wait first, and set again when it
rings. A timer of its own for each request would cost more than reading most bodies.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar, final

__all__ = ["Patience"]

T = TypeVar("T")


@final
class Patience:
    """Waits for each thing as long as is allowed, and no longer.

    Args:
        timeout: seconds.
    """

    def __init__(self, timeout: float) -> None:
        self.timeout = timeout
        self._since: dict[asyncio.Task[Any], float] = {}  # the first has waited longest
        self._loop: asyncio.AbstractEventLoop | None = None  # of the timer; None: it is not set

    async def wait(self, receive: Callable[[], Awaitable[T]]) -> T:
        """Give what is received; a TimeoutError when it does not come."""
        loop, task = asyncio.get_running_loop(), asyncio.current_task()
        assert task is not None  # noqa: S101  # whoever awaits is in one
        self._since[task] = loop.time()
        if self._loop is not loop:
            self._loop = loop
            loop.call_later(self.timeout, self._ring, loop)
        try:
            return await receive()
        except asyncio.CancelledError:
            if task in self._since or task.uncancel() > 0:
                raise  # by somebody else
            raise TimeoutError from None
        finally:
            self._since.pop(task, None)

    def _ring(self, loop: asyncio.AbstractEventLoop) -> None:
        now = loop.time()
        self._loop = None
        for task, since in list(self._since.items()):
            if since + self.timeout > now:
                self._loop = loop
                loop.call_at(since + self.timeout, self._ring, loop)
                return
            del self._since[task]
            task.cancel()
