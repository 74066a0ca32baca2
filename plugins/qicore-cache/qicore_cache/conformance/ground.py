"""What all laws of a cache stand on: how it is opened, and how time passes for it."""

# ruff: noqa: S101  # a law asserts

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar
from uuid import uuid4

from qicore_core import Opening, Parts
from qicore_core.conformance import Contract

from ..client import Cache
from ..door import open_cache

__all__ = ["CacheGround", "Point", "becomes"]

_TURNS = 50  # of the loop, without waiting
_LOOKS = 250  # then one each pause, five seconds in all
_PAUSE = 0.02  # seconds


@dataclass(frozen=True)
class Point:
    """A value with a type of its own, for the laws of typed caches."""

    x: int
    tags: tuple[str, ...] = ()


class CacheGround(Contract[Cache[Any]], abstract=True):
    """How a cache is opened for its laws.

    Attributes:
        url: what is opened; each example gets a namespace of its own in it.
        settings: the driver's settings.
    """

    max_examples = 30
    url: ClassVar[str]
    settings: ClassVar[Mapping[str, Any]] = {}

    def parts(self) -> Parts:
        """Give the parts to open with; a driver without a clock of its own gets a fake one here."""
        return Parts()

    async def wait(self, seconds: float) -> None:
        """Let time pass for the driver; the fake clock's `advance`, where there is one."""
        await asyncio.sleep(seconds)

    def opening(self) -> Opening[Cache[Any]]:
        """Open a cache in a namespace that nobody else has."""
        return self.open_in(uuid4().hex)

    def open_in(self, namespace: str) -> Opening[Cache[Any]]:
        """Open a cache in a namespace."""
        return open_cache(self.url, namespace=namespace, parts=self.parts(), **self.settings)


async def becomes(ask: Callable[[], Awaitable[object]], wanted: object) -> None:
    """Wait until what is asked gives what is wanted; some seconds at most."""
    given: object = None
    for look in range(_TURNS + _LOOKS):
        given = await ask()
        if given == wanted:
            return
        await asyncio.sleep(0.0 if look < _TURNS else _PAUSE)
    assert given == wanted, "it did not come to that"
