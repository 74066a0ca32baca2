"""HTTP/2, to a real server that speaks it."""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
import subprocess
import sys
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import pytest
import trustme
from hypercorn.asyncio import serve
from hypercorn.config import Config

from qicore_core import Failure, Policy
from qicore_core.testing import FaultProxy, assert_failure, assert_success
from qicore_http import AddressGuard, HttpClient, open_http
from qicore_http.conformance import ProxyServer

HOST: Final = "127.0.0.1"
NAMED: Final = "inside.example"
ONCE: Final = Policy(timeout=10.0)


class Peer:
    """A server of HTTP/2 whose paths are what it does.

    Attributes:
        port: where it is.
        trust: what trusts its certificate.
        seen: version, method, path and body of what it was asked.
        clients: from where, one for each connection.
        is_silent: set when it was asked for "/silent", which it never answers.
    """

    port = 0

    def __init__(self) -> None:
        self.trust = ssl.create_default_context()
        self.seen: list[tuple[str, str, str, bytes]] = []
        self.clients: set[tuple[str, int]] = set()
        self.is_silent = asyncio.Event()

    @property
    def url(self) -> str:
        return f"https://{HOST}:{self.port}"

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        body, more = b"", True
        while more:
            event = await receive()
            body, more = body + event.get("body", b""), event.get("more_body", False)
        self.seen.append((scope["http_version"], scope["method"], scope["path"], body))
        self.clients.add(tuple(scope["client"]))
        headers = [(b"x-authority", dict(scope["headers"]).get(b"host", b""))]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        if scope["path"] == "/silent":
            self.is_silent.set()
            await asyncio.Event().wait()
        await send({"type": "http.response.body", "body": body or b"x" * 200_000})


@asynccontextmanager
async def peer(
    folder: Path, *, versions: tuple[str, ...] = ("h2", "http/1.1")
) -> AsyncGenerator[Peer]:
    made, authority = Peer(), trustme.CA()
    authority.configure_trust(made.trust)
    pem = folder / "server.pem"
    authority.issue_cert(HOST, NAMED).private_key_and_cert_chain_pem.write_to_path(str(pem))
    listening = socket.create_server((HOST, 0))
    made.port = listening.getsockname()[1]
    config, over = Config(), asyncio.Event()
    config.bind = [f"fd://{listening.detach()}"]
    config.certfile = config.keyfile = str(pem)
    config.alpn_protocols = list(versions)
    config.errorlog = None
    config.graceful_timeout = 0.1
    serving = asyncio.create_task(serve(made, config, shutdown_trigger=over.wait))  # type: ignore[arg-type]  # an ASGI application
    try:
        yield made
    finally:
        over.set()
        await serving


def opened(made: Peer, **settings: Any) -> Any:
    return open_http(
        made.url, client="httpx", http2=True, verify=made.trust, policy=ONCE, **settings
    )


async def _pieces() -> AsyncIterator[bytes]:
    for _ in range(5):
        yield b"y" * 50_000


def test_requests_share_a_connection_of_http2(tmp_path: Path) -> None:
    async def main() -> None:
        async with peer(tmp_path) as made, opened(made) as http:
            assert len(assert_success(await http.get("/x")).body) == 200_000
            several = [http.post("/x", json=number) for number in range(20)]
            for number, answered in enumerate(await asyncio.gather(*several)):
                assert assert_success(answered).json().unwrap() == number
            large = assert_success(await http.put("/x", content=b"z" * 500_000))
            assert large.body == b"z" * 500_000
            streamed = assert_success(await http.post("/x", content=_pieces()))
            assert streamed.body == b"y" * 250_000
            assert assert_success(await http.head("/x")).body == b""
            assert {version for version, *_ in made.seen} == {"2"}
            assert len(made.clients) == 1

    asyncio.run(main())


def test_no_log_holds_a_header_of_request_or_answer(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The server, which writes with the same library, reads the first and writes the other."""

    async def main() -> None:
        async with peer(tmp_path) as made, opened(made) as http:
            for _ in range(2):
                assert_success(await http.get("/x", headers={"x-mine": "hunter2"}))

    with caplog.at_level(logging.DEBUG):
        asyncio.run(main())
    said = [one.getMessage() for one in caplog.records if one.name.startswith("hpack")]
    assert any("hunter2" in one for one in said if one.startswith("Decoded"))
    assert not any("x-mine" in one for one in said if one.startswith(("Adding", "Encod")))
    assert not any("x-authority" in one for one in said if one.startswith("Decoded"))


def test_a_server_that_speaks_none_is_spoken_to_in_1_1(tmp_path: Path) -> None:
    async def main() -> None:
        async with peer(tmp_path, versions=("http/1.1",)) as made, opened(made) as http:
            assert_success(await http.get("/x"))
            assert made.seen[0][0] == "1.1"

    asyncio.run(main())


def test_it_goes_to_the_checked_address_and_by_a_proxy(tmp_path: Path) -> None:
    async def asked(made: Peer, http: HttpClient) -> None:
        got = assert_success(await http.get(f"https://{NAMED}:{made.port}/x"))
        assert got.headers["x-authority"] == f"{NAMED}:{made.port}"
        assert made.seen[-1][0] == "2"

    async def resolve(host: str, port: int) -> list[str]:
        return [HOST]

    async def main() -> None:
        guard = AddressGuard(allow=[HOST], resolve=resolve)
        async with peer(tmp_path) as made, ProxyServer("ada:pw", {NAMED: HOST}) as proxy:
            async with opened(made, guard=guard) as http:
                await asked(made, http)
            assert proxy.seen == []
            by = proxy.url.replace("//", "//ada:pw@")
            async with opened(made, proxy=by) as http:
                await asked(made, http)
            assert proxy.seen == [("CONNECT", f"{NAMED}:{made.port}")]

    asyncio.run(main())


def test_requests_that_are_cancelled_or_silent_leave_the_others_alone(tmp_path: Path) -> None:
    async def main() -> None:
        async with peer(tmp_path) as made, opened(made, idle_timeout=2.0) as http:
            assert_success(await http.get("/x"))
            waiting = [asyncio.create_task(http.get("/silent")) for _ in range(50)]
            await asyncio.wait(waiting, timeout=0.1)
            for task in waiting[1:]:
                task.cancel()
            ended = await asyncio.gather(*waiting, return_exceptions=True)
            assert_failure(ended[0], code="TIMEOUT_ERROR")  # type: ignore[arg-type]  # it was not cancelled
            assert all(isinstance(one, asyncio.CancelledError) for one in ended[1:])
            for answered in await asyncio.gather(*[http.get("/x") for _ in range(50)]):
                assert_success(answered)

    asyncio.run(main())


def test_more_are_cancelled_than_a_server_has_streams_for(tmp_path: Path) -> None:
    async def main() -> None:
        async with peer(tmp_path) as made, opened(made) as http:
            assert_success(await http.get("/x"))
            for _ in range(4):
                waiting = [asyncio.create_task(http.get("/silent")) for _ in range(60)]
                await asyncio.wait(waiting, timeout=0.2)
                for task in waiting:
                    task.cancel()
                await asyncio.gather(*waiting, return_exceptions=True)
                assert_success(await http.get("/x"))
            assert len(made.clients) == 1

    asyncio.run(main())


def test_answers_that_nobody_reads_do_not_fill_the_connection(tmp_path: Path) -> None:
    async def main() -> None:
        async with peer(tmp_path) as made, opened(made) as http:
            for _ in range(120):  # 24 MB, where the window has 16
                async with http.stream("GET", "/x"):
                    pass
            assert_success(await http.get("/x"))
            assert len(made.clients) == 1

    asyncio.run(main())


def test_a_connection_that_ends_is_told_and_not_used_again(tmp_path: Path) -> None:
    async def main() -> None:
        async with peer(tmp_path) as made, FaultProxy(HOST, made.port) as proxy:
            url = f"https://{HOST}:{proxy.port}"
            async with opened(made) as http:
                assert_success(await http.post(url + "/x", json=1))
                waiting = asyncio.create_task(http.post(url + "/silent", json=1))
                async with asyncio.timeout(5.0):
                    await made.is_silent.wait()
                proxy.reset()
                failed = await waiting
                assert isinstance(failed, Failure)
                assert_failure(failed, "NETWORK_ERROR", sent=True)
                proxy.heal()
                assert_success(await http.post(url + "/x", json=1))
                proxy.reset()  # now while it is idle
                proxy.heal()
                for _ in range(20):  # turns of the loop in which the client can see it
                    await asyncio.sleep(0)
                assert_success(await http.post(url + "/x", json=1))

    asyncio.run(main())


def test_without_the_package_it_says_what_brings_it() -> None:
    code = """
import asyncio, sys
sys.modules["h2"] = None
from qicore_http import open_http
async def main():
    print((await open_http(client="httpx")).is_success())
    print((await open_http(client="httpx", http2=True)).error.hint)
asyncio.run(main())
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["True", "pip install 'qicore-httpx[http2]'"]


@pytest.mark.parametrize("client", ["stdlib", "aiohttp"])
def test_another_transport_says_which_one_does(client: str) -> None:
    refused = asyncio.run(_refused(client))
    error = assert_failure(refused, code="HTTP_UNSUPPORTED", setting="http2")
    assert "qicore-httpx[http2]" in (error.hint or "")


async def _refused(client: str) -> Any:
    return await open_http(client=client, http2=True)
