"""A request that is cancelled while the pool tidies up or connects leaves nothing open."""

from __future__ import annotations

import asyncio
import gc
import warnings

from qicore_core.testing import FaultProxy, assert_success
from qicore_http import open_http
from qicore_http.conformance import Seen, Server, reply


def test_what_a_cancelled_request_was_closing_is_closed() -> None:
    async def main() -> list[str]:
        async with (
            Server() as server,
            FaultProxy("127.0.0.1", server.port) as proxy,
            open_http(f"http://127.0.0.1:{proxy.port}", client="httpx") as client,
        ):
            for turns in range(1, 25):  # of the loop, after which it is cancelled
                proxy.heal()
                for answer in await asyncio.gather(*[client.get("/x") for _ in range(10)]):
                    assert_success(answer)
                proxy.cut()
                while proxy._links:  # noqa: ASYNC110  # nothing tells
                    await asyncio.sleep(0)
                for _ in range(10):
                    await asyncio.sleep(0)
                request = asyncio.create_task(client.get("/x"))
                for _ in range(turns):
                    await asyncio.sleep(0)
                request.cancel()
                await asyncio.wait([request])
            await asyncio.sleep(0)
        gc.collect()
        return [str(one.message) for one in seen]

    with warnings.catch_warnings(record=True, action="always") as seen:
        assert asyncio.run(main()) == []


def test_what_cannot_be_used_any_more_is_closed_as_a_whole() -> None:
    writers: list[asyncio.StreamWriter] = []

    async def answer(_: Seen, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        writer.write(reply(200))

    async def main() -> None:
        async with Server() as server, open_http(server.url, client="httpx") as client:
            server.on("/x", answer)
            for turns in range(1, 25):  # of the loop, after which it is cancelled
                writers.clear()
                for answered in await asyncio.gather(*[client.get("/x") for _ in range(10)]):
                    assert_success(answered)
                for writer in writers:
                    writer.write(b"unasked")
                for _ in range(10):  # turns in which the client can hear it
                    await asyncio.sleep(0)
                request = asyncio.create_task(client.get("/y"))
                for _ in range(turns):
                    await asyncio.sleep(0)
                request.cancel()
                await asyncio.wait([request])
                async with asyncio.timeout(5.0):
                    while server.open > 1:  # noqa: ASYNC110  # the server sees the end when it does
                        await asyncio.sleep(0.01)

    asyncio.run(main())
