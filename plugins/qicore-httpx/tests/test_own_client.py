"""A client of the caller's: its connections are used, and nothing else of it; it stays open."""

from __future__ import annotations

import asyncio
import logging

import httpx2
import pytest

from qicore_core.testing import assert_failure, assert_success
from qicore_http import open_http
from qicore_http.conformance import ProxyServer, Server


def test_connections_of_a_client_of_the_callers_are_used_and_stay(server: Server) -> None:
    async def main() -> None:
        async with httpx2.AsyncClient(headers={"x-own": "1"}) as mine:
            for _ in range(2):
                async with open_http(server.url, client="httpx", client_object=mine) as http:
                    assert_success(await http.get("/x"))
            assert server.connections == 1
            assert server.seen[0].all("x-own") == server.seen[0].all("user-agent") == []
            assert not mine.is_closed
            async with open_http(server.url, client="httpx", client_object=mine) as http:
                await mine.aclose()
                assert_failure(await http.get("/x"), code="HTTP_NOT_CONNECTED")

    asyncio.run(main())


def test_a_proxy_of_a_client_of_the_callers_that_refuses_is_told() -> None:
    async def main() -> None:
        async with (
            ProxyServer("ada:pw") as proxy,
            httpx2.AsyncClient(proxy=proxy.url) as mine,
            open_http(client="httpx", client_object=mine) as http,
        ):
            failed = await http.post("https://nowhere.invalid/x", json=1)
            assert_failure(failed, "HTTP_ERROR", category="AUTHENTICATION", status=407, sent=False)

    asyncio.run(main())


def test_what_it_logs_of_the_callers_own_requests_is_not_touched(
    server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    async def main() -> None:
        async with (
            httpx2.AsyncClient() as mine,
            open_http(server.url, client="httpx", client_object=mine) as http,
        ):
            assert_success(await http.get("/ours"))
            await mine.get(server.url + "/theirs")

    with caplog.at_level(logging.INFO, "httpx2"):
        asyncio.run(main())
    assert [("/theirs" in text, "/ours" in text) for text in caplog.messages] == [(True, False)]
