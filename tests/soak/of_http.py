"""HTTP clients, by each transport, and what is asked of them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from random import Random
from typing import Any

from calls import Operation
from ground import KEYS, POLICY, Ground, right
from peers import BIG

from qicore_cache import open_cache
from qicore_core import Deadline, Failure, QiError, Result, failure, success
from qicore_http import HttpClient, open_http

CUT = QiError.timeout("SOAK_CUT", "the stream was left, as its time was over")


@asynccontextmanager
async def http(transport: str, ground: Ground) -> AsyncGenerator[list[Operation]]:
    """A client with retries, a breaker and a response cache."""
    async with (
        open_cache("memory:", namespace="responses", max_entries=KEYS // 4) as cache,
        open_http(ground.urls["http"], client=transport, policy=POLICY, cache=cache) as client,
    ):
        yield HttpCalls(client).all()


class HttpCalls:
    """What is asked of an HTTP client: bodies both ways, whole and in pieces, kept or not."""

    def __init__(self, client: HttpClient) -> None:
        self.client = client

    def all(self) -> list[Operation]:
        """Give it, as often as it is to be asked."""
        return [
            self.get,
            self.get,
            self.post,
            self.upload,
            self.fresh,
            self.fresh,
            self.gone,
            self.big,
            self.stream,
        ]

    async def get(self, random: Random, timeout: float) -> Result[Any]:
        asked = f"/echo/{random.randrange(1 << 30)}"
        answered = await self.client.get(asked, timeout=timeout)
        return right(answered.flat_map(lambda one: one.json()).map(lambda it: it["target"]), asked)

    async def post(self, random: Random, timeout: float) -> Result[Any]:
        body = str(random.random()) * random.choice((1, 1000))
        answered = await self.client.post(
            "/echo", content=body, headers={"Idempotency-Key": "1"}, timeout=timeout
        )
        return right(answered.flat_map(lambda one: one.json()).map(lambda it: it["body"]), body)

    async def upload(self, random: Random, timeout: float) -> Result[Any]:
        async def pieces() -> AsyncIterator[bytes]:
            for _ in range(10):
                await asyncio.sleep(0)
                yield b"x" * 100

        answered = await self.client.post("/echo", content=pieces(), timeout=timeout)
        told = answered.flat_map(lambda one: one.json()).map(lambda it: it["body"])
        return right(told, "x" * 1000)

    async def fresh(self, random: Random, timeout: float) -> Result[Any]:
        asked = f"/fresh?{random.randrange(KEYS)}"
        return right((await self.client.get(asked, timeout=timeout)).map(lambda it: it.text), asked)

    async def gone(self, random: Random, timeout: float) -> Result[Any]:
        answered = await self.client.get("/gone", timeout=timeout)
        is_gone = isinstance(answered, Failure) and answered.error.context.get("status") == 404
        return success() if is_gone else answered

    async def big(self, random: Random, timeout: float) -> Result[Any]:
        return right((await self.client.get("/big", timeout=timeout)).map(lambda it: it.body), BIG)

    async def stream(self, random: Random, timeout: float) -> Result[Any]:
        enough = random.choice((1, len(BIG)))
        try:
            async with (
                asyncio.timeout(Deadline.within(timeout)),
                self.client.stream("GET", "/big", timeout=timeout) as pieces,
            ):
                read = 0
                async for piece in pieces:
                    if isinstance(piece, Failure):
                        return piece
                    read += len(piece.value)
                    if enough <= read < len(BIG):
                        return success()  # left in the middle
                return right(success(read), len(BIG))
        except TimeoutError:
            return failure(CUT)  # the policy's time is for the beginning of a stream
        except QiError as error:
            return failure(error)
