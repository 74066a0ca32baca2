"""A client of the caller's: its connections are used, and nothing else of it; it stays open."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import httpx
import httpx2
import pytest

from qicore_core import Policy
from qicore_core.testing import assert_failure, assert_success
from qicore_http import open_http
from qicore_http.conformance import ProxyServer, Server

VENDORS = pytest.mark.parametrize("vendor", [httpx2, httpx], ids=lambda one: one.__name__)


@VENDORS
def test_connections_of_a_client_of_the_callers_are_used_and_stay(
    server: Server, vendor: Any
) -> None:
    async def main() -> None:
        async with vendor.AsyncClient(headers={"x-own": "1"}) as mine:
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


@VENDORS
def test_what_a_client_of_the_callers_raises_is_a_failure(server: Server, vendor: Any) -> None:
    async def main() -> None:
        server.on("/no-http", lambda _: b"nonsense\r\n\r\n")
        async with (
            vendor.AsyncClient() as mine,
            open_http(client="httpx", client_object=mine, policy=Policy()) as http,
        ):
            failed = await http.get("http://127.0.0.1:1/x")
            assert_failure(failed, "NETWORK_ERROR", sent=False)
            assert_failure(await http.get(f"{server.url}/no-http"), "NETWORK_ERROR", sent=True)

    asyncio.run(main())


def test_what_is_no_client_is_named() -> None:
    failed = asyncio.run(_opened(client_object=httpx.Client()))
    error = assert_failure(failed, "HTTP_SETTINGS_INVALID")
    assert "an httpx2.AsyncClient or an httpx.AsyncClient, got httpx.Client" in error.message


async def _opened(**settings: Any) -> object:
    return await open_http(client="httpx", **settings)


@VENDORS
def test_a_proxy_of_a_client_of_the_callers_that_refuses_is_told(vendor: Any) -> None:
    async def main() -> None:
        async with (
            ProxyServer("ada:pw") as proxy,
            vendor.AsyncClient(proxy=proxy.url) as mine,
            open_http(client="httpx", client_object=mine) as http,
        ):
            failed = await http.post("https://nowhere.invalid/x", json=1)
            assert_failure(failed, "HTTP_ERROR", category="AUTHENTICATION", status=407, sent=False)

    asyncio.run(main())


@VENDORS
def test_what_it_logs_of_the_callers_own_requests_is_not_touched(
    server: Server, caplog: pytest.LogCaptureFixture, vendor: Any
) -> None:
    async def main() -> None:
        async with (
            vendor.AsyncClient() as mine,
            open_http(server.url, client="httpx", client_object=mine) as http,
        ):
            assert_success(await http.get("/ours"))
            await mine.get(server.url + "/theirs")

    with caplog.at_level(logging.INFO, vendor.__name__):
        asyncio.run(main())
    assert [("/theirs" in text, "/ours" in text) for text in caplog.messages] == [(True, False)]
