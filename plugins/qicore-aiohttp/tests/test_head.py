"""Which heads are refused, whatever parser aiohttp has; and what its exceptions mean."""

from __future__ import annotations

import asyncio

import aiohttp
import pytest

from qicore_aiohttp.head import head_of
from qicore_core.testing import assert_failure
from qicore_http import open_http
from qicore_http.conformance import Server, reply


@pytest.mark.parametrize(
    ("status", "fields"),
    [
        (101, []),
        (99, []),
        (1000, []),
        (200, [(b"a b", b"c")]),
        (200, [(b"", b"c")]),
        (200, [(b"x", b"\0")]),
        (200, [(b"content-length", b"+2")]),
        (200, [(b"content-length", b"2, 3")]),
        (200, [(b"content-length", b"2"), (b"Content-Length", b"3")]),
        (200, [(b"content-length", b"2"), (b"transfer-encoding", b"chunked")]),
        (200, [(b"transfer-encoding", b"gzip, chunked")]),
    ],
)
def test_a_head_with_two_readings_is_refused(
    status: int, fields: list[tuple[bytes, bytes]]
) -> None:
    assert head_of(status, fields) is None


def test_a_head_is_read_as_it_came() -> None:
    fields = [(b"Via", "ü".encode()), (b"via", b"\xfc"), (b"Content-Length", b"2")] * 2
    headers = head_of(200, fields)
    assert headers is not None
    assert headers.all("via") == ["ü"] * 4
    assert [name for name, _ in headers.pairs()] == ["via", "via", "content-length"] * 2


@pytest.mark.parametrize(
    ("url", "code", "said"),
    [
        ("http://no-such-host.invalid/", "NETWORK_ERROR", "there is no such host"),
        ("http://127.0.0.1:1/", "NETWORK_ERROR", "the connection was refused"),
        ("http://127.1/", "INVALID_URL", "aiohttp refuses the URL"),
    ],
)
def test_an_outage_has_its_reason(url: str, code: str, said: str) -> None:
    async def main() -> None:
        async with open_http(client="aiohttp") as http:
            assert said in assert_failure(await http.get(url), code).message

    asyncio.run(main())


def test_a_proxy_that_refuses_has_sent_nothing(server: Server) -> None:
    server.on("nowhere.invalid:443", reply(403))

    async def main() -> None:
        async with (
            aiohttp.ClientSession(proxy=server.url) as mine,
            open_http(client="aiohttp", client_object=mine) as http,
        ):
            failed = await http.post("https://nowhere.invalid/x", json=1)
            error = assert_failure(failed, "HTTP_ERROR", category="PERMISSION", sent=False)
            assert error.message == "the proxy answered 403"

    asyncio.run(main())


def test_what_waits_for_a_connection_for_too_long_is_not_sent(server: Server) -> None:
    server.on("/x", reply(200, b"half", length=8))

    async def main() -> None:
        connector = aiohttp.TCPConnector(limit=1)
        async with (
            aiohttp.ClientSession(connector=connector) as mine,
            open_http(client="aiohttp", client_object=mine, idle_timeout=0.2) as http,
            mine.get(server.url + "/x"),  # its body has no end: the one connection stays taken
        ):
            failed = await http.get(server.url + "/y", timeout=5.0)
            assert_failure(failed, "TIMEOUT_ERROR", sent=False)

    asyncio.run(main())
    assert server.count("/y") == 0
