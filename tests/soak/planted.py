"""What the program must find: a component that leaks in every way, raises, and gives wrong answers.

For the proof that the program can fail; it is opened by an option that the help does not show.
"""

from __future__ import annotations

import asyncio
import os
import socket
import threading
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from random import Random
from typing import Any

from calls import Operation
from ground import Ground, right

from qicore_core import Result, success

KEPT: list[Any] = []


@asynccontextmanager
async def planted(_: Ground) -> AsyncGenerator[list[Operation]]:
    """Leak, and let go when all is over."""
    end = threading.Event()
    yield [partly(end)]
    end.set()
    for one in KEPT:
        if isinstance(one, socket.socket):
            one.close()


def partly(end: threading.Event) -> Operation:
    """Make the operation that goes wrong in one way after the other."""

    async def leak(random: Random, _: float) -> Result[Any]:
        ways = ("memory", "task", "thread", "socket", "file", "raise", "wrong")
        match random.choice(ways):
            case "memory":
                KEPT.append([[number] for number in range(1000)])
            case "task":
                KEPT.append(asyncio.ensure_future(asyncio.Event().wait()))
            case "thread":
                threading.Thread(target=end.wait, daemon=True).start()
            case "socket":
                KEPT.append(socket.socket())
            case "file":
                KEPT.append(os.open(os.devnull, os.O_RDONLY))
            case "raise":
                raise ZeroDivisionError
            case _:
                return right(success(1), 2)
        return success()

    return leak
