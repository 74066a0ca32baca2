"""A session of the caller's: its connector and proxy are used, and nothing else; it stays open."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from qicore_aiohttp import AiohttpTransport
from qicore_aiohttp.settings import AiohttpSettings
from qicore_core import Failure
from qicore_core.testing import assert_failure, assert_success
from qicore_http import HttpRequest, HttpResponse, open_http
from qicore_http.conformance import Seen, Server, reply

PATIENCE = 5.0


def test_connections_of_a_session_of_the_callers_are_used_and_stay(server: Server) -> None:
    async def main() -> None:
        auth = {"x-own": "1", "authorization": "Bearer x"}
        async with aiohttp.ClientSession(headers=auth, cookies={"a": "b"}) as mine:
            for _ in range(2):
                async with open_http(server.url, client="aiohttp", client_object=mine) as http:
                    assert_success(await http.get("/x"))
            assert server.connections == 1
            assert [name for name, _ in server.seen[0].fields] == ["host", "accept-encoding"]
            assert not mine.closed
            async with open_http(server.url, client="aiohttp", client_object=mine) as http:
                await mine.close()
                assert_failure(await http.get("/x"), code="HTTP_NOT_CONNECTED")

    asyncio.run(main())


def test_what_waits_in_a_session_that_its_owner_closes_fails(server: Server) -> None:
    """To close it cancels what waits for a connection; nobody cancelled the calls."""
    server.on("/silent", _silent)

    async def main() -> list[object]:
        connector = aiohttp.TCPConnector(limit=1)
        async with aiohttp.ClientSession(connector=connector) as mine:
            transport = AiohttpTransport(AiohttpSettings(client_object=mine))
            request = HttpRequest("GET", server.url + "/silent")
            sending = [asyncio.create_task(transport.send(request)) for _ in range(3)]
            async with asyncio.timeout(PATIENCE):
                while not server.seen:  # noqa: ASYNC110  # it runs in another thread
                    await asyncio.sleep(0)
            await mine.close()
            return await asyncio.wait_for(asyncio.gather(*sending, return_exceptions=True), 5)

    first, *waiting = asyncio.run(main())
    assert isinstance(first, Failure)
    for one in waiting:
        assert_failure(one, code="HTTP_NOT_CONNECTED", sent=False)  # type: ignore[arg-type]  # or an exception


def test_the_proxy_of_a_session_is_used(server: Server) -> None:
    server.on("http://nowhere.invalid/x", reply(200, b"by the proxy"))
    proxy = server.url.replace("//", "//ada:p%40w@")

    async def main() -> HttpResponse:
        async with (
            aiohttp.ClientSession(proxy=proxy) as mine,
            open_http(client="aiohttp", client_object=mine) as http,
        ):
            return assert_success(await http.get("http://nowhere.invalid/x"))

    assert asyncio.run(main()).body == b"by the proxy"
    assert server.seen[0].all("proxy-authorization") == ["Basic YWRhOnBAdw=="]


def test_a_unix_socket_is_reached_by_a_session_of_ones_own(tmp_path: Path) -> None:
    path = str(tmp_path / "s")

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(reply(200, b"by the socket"))
        await writer.drain()
        writer.close()

    async def main() -> HttpResponse:
        async with (
            await asyncio.start_unix_server(answer, path),
            aiohttp.ClientSession(connector=aiohttp.UnixConnector(path)) as mine,
            open_http(client="aiohttp", client_object=mine) as http,
        ):
            return assert_success(await http.get("http://localhost/x"))

    assert asyncio.run(main()).body == b"by the socket"


def test_a_session_of_the_callers_is_refused_where_requests_are_guarded(server: Server) -> None:
    async def main() -> None:
        async with aiohttp.ClientSession() as mine:
            transport = AiohttpTransport(AiohttpSettings(client_object=mine))
            request = HttpRequest("GET", server.url, address="127.0.0.1")
            assert_failure(await transport.send(request), code="HTTP_UNSUPPORTED")

    asyncio.run(main())
    assert server.connections == 0


def test_a_session_of_another_loop_is_refused(server: Server) -> None:
    async def main() -> None:
        async with aiohttp.ClientSession() as mine:
            transport = AiohttpTransport(AiohttpSettings(client_object=mine))
            request = HttpRequest("GET", server.url)
            with pytest.raises(RuntimeError, match="event loop"):
                await asyncio.to_thread(_run, transport.send(request))

    asyncio.run(main())
    assert server.connections == 0


async def _silent(_: Seen, writer: asyncio.StreamWriter) -> None:
    """Say nothing, and leave the connection open."""


def _run(call: Coroutine[Any, Any, object]) -> object:
    return asyncio.run(call)
