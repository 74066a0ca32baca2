"""The connections of a server: a set that says when it is empty, so that nobody has to look."""

from __future__ import annotations

import asyncio
from typing import Any, final

__all__ = ["Connections"]


@final
class Connections(set[Any]):
    """What uvicorn's protocols enter themselves into, in place of its plain set.

    Attributes:
        total: how many were ever entered.
        is_empty: set while there are none.
    """

    def __init__(self) -> None:
        super().__init__()
        self.total = 0
        self.is_empty = asyncio.Event()
        self.is_empty.set()

    def add(self, protocol: Any, /) -> None:
        """Enter a connection; a protocol that takes over another's is counted again."""
        super().add(protocol)
        self.total += 1
        self.is_empty.clear()

    def discard(self, protocol: Any, /) -> None:
        """Let a connection go."""
        super().discard(protocol)
        if not self:
            self.is_empty.set()

    def remove(self, protocol: Any, /) -> None:
        """Let a connection go, as the WebSocket protocols say it."""
        self.discard(protocol)

    def shut(self) -> None:
        """Close those that wait for a request; the others close after their answer."""
        for protocol in list(self):
            protocol.shutdown()

    def cut(self) -> None:
        """Close them all, whatever is under way."""
        for protocol in list(self):
            protocol.transport.abort()
