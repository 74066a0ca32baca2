"""What the laws of an HTTP client stand on: a client and the server that it speaks to."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AsyncExitStack
from typing import Any, ClassVar, Final, final

from qicore_core import Opening, Policy, Result, RetryPolicy, success
from qicore_core.conformance import Contract

from ..client import HttpClient
from ..door import open_http
from .server import Server

__all__ = ["HttpLaws", "Pair", "QUICK", "SECRET"]

QUICK: Final = Policy(retry=RetryPolicy(3, base=0.001, budget=None), timeout=20.0)
SECRET: Final = "hunter2hunter2"  # noqa: S105  # it guards nothing
"""What no law may find in anything that is shown."""


@final
class Pair:
    """A client and the server that it speaks to; closing closes both.

    Attributes:
        client: with the server as its base URL, and quick retries.
        server: what it speaks to.
    """

    def __init__(self, contract: HttpLaws) -> None:
        self._contract = contract
        self._stack = AsyncExitStack()

    async def begin(self) -> Pair:
        """Start both."""
        self.server = await self._stack.enter_async_context(Server())
        self.client = await self.another()
        return self

    async def another(self, base: str | None = None, /, **settings: Any) -> HttpClient:
        """Open one more client, closed with the pair."""
        opening = self._contract.open_client(
            base or self.server.url, **{"policy": QUICK, **settings}
        )
        return await self._stack.enter_async_context(opening)

    async def keep(self, thing: Any) -> Any:
        """Enter something that the pair leaves."""
        return await self._stack.enter_async_context(thing)

    async def close(self) -> None:
        """Close the clients, then the server."""
        await self._stack.aclose()


class HttpLaws(Contract[Pair], abstract=True):
    """What every set of laws of an HTTP client has.

    Attributes:
        client: which transport is opened.
        settings: the transport's settings.
        patience: seconds that a law waits for what comes at once where all is well.
        cancelled: how many requests are cut short before others must be answered.
    """

    client: ClassVar[str]
    settings: ClassVar[Mapping[str, Any]] = {}
    patience: ClassVar[float] = 5.0
    cancelled: ClassVar[int] = 200

    def open_client(self, base: str, /, **settings: Any) -> Opening[HttpClient]:
        """Open a client through the real door."""
        return open_http(base, client=self.client, **{**self.settings, **settings})

    def opening(self) -> Opening[Pair]:
        """Start a server and open a client of it."""

        async def start() -> Result[Pair]:
            return success(await Pair(self).begin())

        return Opening(start)
