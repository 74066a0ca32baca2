"""The signals that end a program, while somebody asks for them, and no longer."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import Generator
from typing import Final

__all__ = ["caught_signals"]

_ENDING: Final = (signal.SIGTERM, signal.SIGINT)


@contextlib.contextmanager
def caught_signals() -> Generator[asyncio.Queue[signal.Signals]]:
    """Catch SIGTERM and SIGINT inside the block; what handled them before does so again after.

    Outside the main thread, and on loops without signals, nothing is caught.
    """
    loop = asyncio.get_running_loop()
    caught: asyncio.Queue[signal.Signals] = asyncio.Queue()
    before = {}
    for number in _ENDING:
        handler = signal.getsignal(number)
        try:
            loop.add_signal_handler(number, caught.put_nowait, number)
        except (NotImplementedError, RuntimeError, ValueError):
            continue
        before[number] = handler
    try:
        yield caught
    finally:
        for number, handler in before.items():
            loop.remove_signal_handler(number)
            signal.signal(number, handler)
