"""What is httpx2's alone: when it is imported, its settings, and the loop that it keeps to."""

from __future__ import annotations

import asyncio
import socket
import ssl
import subprocess
import sys
from typing import Any

import httpcore2
import httpx2
import pytest

from qicore_core import Policy, QiError
from qicore_core.testing import assert_failure, assert_success
from qicore_http import open_http
from qicore_http.conformance import Server
from qicore_httpx.stream import Network


def test_the_sdk_is_imported_when_a_client_is_opened() -> None:
    code = "import qicore_httpx.plugin, sys; print('httpx2' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


@pytest.mark.parametrize(
    ("code", "name", "value"),
    [
        ("HTTP_SETTINGS_INVALID", "client_object", 5),
        ("HTTP_SETTINGS_INVALID", "verify", 5),
        ("HTTP_UNSUPPORTED", "timeout", 5),
        ("HTTP_UNSUPPORTED", "mounts", {}),
    ],
)
def test_a_setting_that_is_wrong_is_named(code: str, name: str, value: object) -> None:
    async def main() -> QiError:
        options: dict[str, Any] = {name: value}
        return assert_failure(await open_http(client="httpx", **options), code=code)

    assert name in asyncio.run(main()).message


def test_a_client_of_the_callers_checks_certificates_itself() -> None:
    async def main() -> None:
        async with httpx2.AsyncClient() as mine:
            options: dict[str, Any] = {"client_object": mine}
            options["verify"] = ssl.create_default_context()
            opened = await open_http(client="httpx", **options)
            assert_failure(opened, code="HTTP_SETTINGS_INVALID", setting="verify")

    asyncio.run(main())


def test_a_host_with_several_addresses_is_reached_by_any_and_the_reason_is_told(
    server: Server,
) -> None:
    async def main() -> None:
        place = f"localhost:{server.port}"  # as a rule ::1, where nobody listens, and 127.0.0.1
        async with open_http(client="httpx") as http:
            assert_success(await http.get(f"http://{place}/x"))
            failed = assert_failure(await http.get("http://localhost:1/x"), code="NETWORK_ERROR")
            assert failed.message == "localhost:1: the connection was refused"

    asyncio.run(main())


def test_a_client_used_in_another_loop_says_so_and_goes_on_in_its_own(server: Server) -> None:
    async def main() -> None:
        async with open_http(server.url, client="httpx") as http:
            assert_success(await http.get("/x"))
            with pytest.raises(RuntimeError, match="event loop"):
                await asyncio.to_thread(lambda: asyncio.run(http.get("/x")))
            assert_success(await http.get("/x"))

    asyncio.run(main())
    assert server.connections == 1


@pytest.mark.parametrize("said", [b"no TLS\r\n\r\n", b""], ids=["no-tls", "end"])
def test_tunnels_that_do_not_come_to_be_take_no_place(said: bytes) -> None:
    async def proxy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        if head.startswith(b"CONNECT"):
            writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
            await reader.read(1)  # of what begins TLS
            writer.write(said)
        else:
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")
        await writer.drain()
        writer.close()

    async def main() -> None:
        listening = await asyncio.start_server(proxy, "127.0.0.1", 0)
        port = listening.sockets[0].getsockname()[1]
        options: dict[str, Any] = {"proxy": f"http://127.0.0.1:{port}", "max_connections": 2}
        async with open_http(client="httpx", idle_timeout=5.0, **options) as http:
            for _ in range(3):
                failed = assert_failure(await http.get("https://server.test/", policy=Policy()))
                assert failed.code in ("SSL_ERROR", "NETWORK_ERROR")
            assert_success(await http.get("http://server.test/"))
        listening.close()

    asyncio.run(main())


def test_a_server_that_answers_and_ends_is_heard_though_it_reads_no_more() -> None:
    async def main() -> None:
        is_heard = asyncio.Event()

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.1 413 No\r\ncontent-length: 5\r\n\r\nlarge")
            writer.write_eof()
            await is_heard.wait()
            writer.close()

        listening = await asyncio.start_server(serve, "127.0.0.1", 0)
        url = f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
        async with open_http(url, client="httpx", policy=Policy(), idle_timeout=5.0) as http:
            answered = await http.put("/x", content=b"x" * 10_000_000)
            assert_failure(answered, code="HTTP_ERROR", status=413)
        is_heard.set()
        listening.close()

    asyncio.run(main())


def test_a_connection_with_something_unsent_serves_no_other_request() -> None:
    async def main() -> None:
        with socket.socket() as deaf:
            deaf.bind(("127.0.0.1", 0))
            deaf.listen()
            stream = await Network(str).connect_tcp(*deaf.getsockname())
            assert not stream.get_extra_info("is_readable")
            with pytest.raises(httpcore2.WriteTimeout):
                await stream.write(bytes(32 * 1024 * 1024), timeout=0.1)
            assert stream.get_extra_info("is_readable")
            await stream.aclose()

    asyncio.run(main())


def test_what_is_read_as_fast_as_it_comes_holds_up_nobody() -> None:
    async def serve(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(bytes(1000))
        writer.close()

    async def main() -> None:
        listening = await asyncio.start_server(serve, "127.0.0.1", 0)
        stream = await Network(str).connect_tcp(*listening.sockets[0].getsockname())
        turns = 0

        async def others() -> None:
            nonlocal turns
            while True:
                turns += 1
                await asyncio.sleep(0)

        assert await stream.read(1, timeout=5.0)
        turning = asyncio.create_task(others())
        for size in range(1, 100):
            assert len(await stream.read(1, timeout=5.0)) == 1
            assert turns >= size
        turning.cancel()
        await stream.aclose()
        listening.close()

    asyncio.run(main())
