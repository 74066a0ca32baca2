"""A request that is cancelled while the pool tidies up or connects leaves nothing open."""

from __future__ import annotations

import asyncio
import gc
import warnings

from qicore_core.testing import FaultProxy, assert_success
from qicore_http import open_http
from qicore_http.conformance import Server


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
