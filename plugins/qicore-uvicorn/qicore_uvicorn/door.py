"""The door for programs that only serve: `serve(app)` as the last line."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Coroutine
from typing import Any, Final, TypeVar

from qicore_core import Failure, Result, get_logger, run, success

from .lifespan import ASGIApp
from .server import Server
from .signals import caught_signals

__all__ = ["serve"]

T = TypeVar("T")
_INTERRUPTED: Final = 130  # 128 + SIGINT, as shells have it


def serve(app: ASGIApp, *, host: str = "127.0.0.1", port: int = 8000, **settings: Any) -> None:
    """Serve an application until SIGTERM or SIGINT, in a loop of its own.

    The first signal drains, a second one cuts. After SIGTERM it returns, and the program ends as it
    likes; after SIGINT the program exits with 130. What fails is said on stderr (code, message,
    hint), and the program exits with its category's exit code.

    Args:
        app: an ASGI application, the object itself.
        host: the address to listen on; the default is reached from this machine alone.
        port: 0 takes a free one; the log says which.
        settings: those of `Server`.
    """
    if run(_serve(Server(app, host=host, port=port, **settings))) is signal.SIGINT:
        raise SystemExit(_INTERRUPTED)


async def _serve(server: Server) -> Result[signal.Signals]:
    log = get_logger("qicore.server")
    with caught_signals() as caught:
        started, ended_by = await _unless_signalled(server.start(), caught)
        if isinstance(started, Failure):
            return started
        if ended_by is None:
            log.info("serving", address=server.address)
            ended_by = await caught.get()
            log.info("stopping", signal=ended_by.name)
            stopped, _ = await _unless_signalled(server.stop(), caught)
            if isinstance(stopped, Failure):
                return stopped
    return success(ended_by)


async def _unless_signalled(
    work: Coroutine[Any, Any, T], caught: asyncio.Queue[signal.Signals]
) -> tuple[T | None, signal.Signals | None]:
    """Do something to its end; a signal cancels it, and is given in its place."""
    doing, signalled = asyncio.create_task(work), asyncio.create_task(caught.get())
    await asyncio.wait({doing, signalled}, return_when=asyncio.FIRST_COMPLETED)
    if doing.done():
        signalled.cancel()
        return doing.result(), None
    doing.cancel()
    await asyncio.wait({doing})
    return None, signalled.result()
