"""What aiohttp does by itself, and the transport does not let it do."""

from __future__ import annotations

import asyncio
import logging
import socket
import struct
import traceback
from collections.abc import AsyncIterator, Callable, Coroutine
from time import monotonic
from typing import Any

import pytest

from qicore_aiohttp import AiohttpTransport
from qicore_aiohttp.settings import AiohttpSettings
from qicore_core import Failure, Result, success, unwrap
from qicore_core.testing import assert_failure, assert_success
from qicore_http import Body, Headers, HttpReply, HttpRequest, open_http
from qicore_http.conformance import Seen, Server, reply

PATIENCE = 5.0
SECRET = "hunter2hunter2"


@pytest.fixture
def send() -> Send:
    return Send()


class Send:
    """A transport for one test: `run` gives it a loop, and closes it."""

    def __init__(self) -> None:
        self.transport = AiohttpTransport(AiohttpSettings())

    def run(self, main: Callable[[], Coroutine[Any, Any, None]]) -> None:
        async def whole() -> None:
            try:
                async with asyncio.timeout(60.0):
                    await main()
            finally:
                await self.transport.close()

        asyncio.run(whole())

    async def __call__(
        self, method: str, url: str, body: bytes | Body = b"", *, idle_timeout: float = PATIENCE
    ) -> Result[HttpReply]:
        return await self.transport.send(
            HttpRequest(method, url, Headers(), body, idle_timeout=idle_timeout)
        )

    async def whole(self, method: str, url: str, body: bytes | Body = b"") -> Result[bytes]:
        """Send, and read the answer; a Failure of either."""
        sent = await self(method, url, body)
        if isinstance(sent, Failure):
            return sent
        reply = sent.value
        try:
            pieces = [piece async for piece in reply]
        finally:
            await reply.aclose()
        failed = [piece for piece in pieces if isinstance(piece, Failure)]
        return failed[0] if failed else success(b"".join(map(unwrap, pieces)))


def test_nothing_is_added_to_a_request_and_its_target_is_not_written_anew(
    server: Server, send: Send
) -> None:
    target = "/a%2fb%2Fc;d?e=%20+%c3%bc&f=1&f=2&g"

    async def main() -> None:
        for method in ("GET", "DELETE", "OPTIONS", "PROPFIND", "POST"):
            assert_success(await send.whole(method, server.url + target))
        assert_success(await send.whole("PUT", server.url + target, b"x"))

    send.run(main)
    assert {seen.target for seen in server.seen} == {target}
    added = [[name for name, _ in seen.fields if name != "host"] for seen in server.seen]
    assert added == [[], [], [], [], ["content-length"], ["content-length"]]


def test_a_request_is_sent_once_where_a_kept_connection_breaks(server: Server, send: Send) -> None:
    server.on("/cut", _cut)

    async def main() -> None:
        for method in ("GET", "PUT", "DELETE"):
            assert_success(await send.whole("GET", server.url + "/x"))
            assert_failure(await send.whole(method, server.url + "/cut"), code="NETWORK_ERROR")

    send.run(main)
    assert (server.count("/cut"), server.connections) == (3, 3)


def test_an_answer_that_nobody_asked_for_is_no_answer_to_the_next(send: Send) -> None:
    async def main() -> None:
        asked = asyncio.Event()

        async def twice(_: Seen, writer: asyncio.StreamWriter) -> None:
            writer.write(reply(200, b"first"))
            await asked.wait()
            writer.write(reply(200, b"nobody's"))
            await writer.drain()
            asked.clear()

        async with Server() as server:
            server.on("/x", twice)
            server.on("/both", reply(200, b"one") + reply(200, b"two"))
            assert assert_success(await send.whole("GET", server.url + "/x")) == b"first"
            asked.set()
            async with open_http(server.url, client="aiohttp") as other:
                while asked.is_set():
                    assert_success(await other.get("/y"))
                assert_success(await other.get("/y"))  # so that all of the above has arrived
            for path, wanted in (("/z", b"/z"), ("/both", b"one"), ("/z", b"/z")):
                assert wanted in assert_success(await send.whole("GET", server.url + path))

    send.run(main)


def test_a_connection_is_used_again_after_what_is_no_success(server: Server, send: Send) -> None:
    for status in (204, 302, 404, 503):
        server.on(f"/{status}", reply(status, b"" if status == 204 else b"why"))

    async def main() -> None:
        for path in ("/204", "/302", "/404", "/503", "/x"):
            answered = unwrap(await send("GET", server.url + path))
            await answered.aclose()

    send.run(main)
    assert server.connections == 1


def test_cookies_are_neither_kept_nor_told_of(
    server: Server, send: Send, caplog: pytest.LogCaptureFixture
) -> None:
    server.on("/x", reply(200, b"", "set-cookie: a=1; path=/", f"set-cookie: {SECRET} b=1"))

    async def main() -> None:
        for _ in range(2):
            assert_success(await send.whole("GET", server.url + "/x"))

    with caplog.at_level(logging.DEBUG, "aiohttp"):
        send.run(main)
    assert caplog.messages == []
    assert [seen.all("cookie") for seen in server.seen] == [[], []]


def test_a_large_body_arrives_whole(server: Server, send: Send) -> None:
    body = bytes(range(256)) * 20_000

    async def main() -> None:
        assert_success(await send.whole("POST", server.url + "/x", body))

    server.on("/x", reply(200))
    send.run(main)
    assert server.seen[0].body == body
    assert server.seen[0].all("content-length") == [str(len(body))]


@pytest.mark.parametrize("said", [4, 6])
def test_a_body_of_another_length_than_said_is_refused(
    said: int, server: Server, send: Send
) -> None:
    async def main() -> None:
        sent = await send("POST", server.url + "/x", Body(_pieces(b"ab", b"cde"), said))
        assert_failure(sent, code="INVALID_REQUEST")
        assert_success(await send.whole("GET", server.url + "/y"))

    send.run(main)
    assert [seen.method for seen in server.seen] == ["GET"]


@pytest.mark.parametrize("is_cancelled", [False, True], ids=["silence", "cancelled"])
@pytest.mark.parametrize("kind", ["bytes", "chunks", "length"])
def test_a_body_that_nobody_reads_is_given_up(kind: str, is_cancelled: bool, send: Send) -> None:
    closed: list[bool] = []
    lost = asyncio.Event()

    async def endless() -> AsyncIterator[bytes]:
        try:
            while True:
                yield b"x" * 100_000
        finally:
            closed.append(True)

    async def main() -> None:
        begun = asyncio.Event()

        async def deaf(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.transport.pause_reading()  # type: ignore[attr-defined]  # a transport of a socket
            begun.set()
            await lost.wait()
            writer.transport.resume_reading()  # type: ignore[attr-defined]  # as above
            try:
                while await reader.read(1 << 20):
                    pass
            except OSError:
                pass  # the client has reset the connection
            writer.close()
            ended.set()

        ended = asyncio.Event()
        async with await asyncio.start_server(deaf, "127.0.0.1", 0) as listening:
            port = listening.sockets[0].getsockname()[1]
            bodies: dict[str, bytes | Body] = {
                "bytes": b"x" * 50_000_000,
                "chunks": Body(endless),
                "length": Body(endless, 10**12),
            }
            seconds = PATIENCE if is_cancelled else 0.3
            began = monotonic()
            sending = asyncio.create_task(
                send("POST", f"http://127.0.0.1:{port}/x", bodies[kind], idle_timeout=seconds)
            )
            await begun.wait()
            if is_cancelled:
                await asyncio.wait([sending], timeout=0.1)
                sending.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await sending
            else:
                assert_failure(await sending, code="TIMEOUT_ERROR", sent=True)
            assert monotonic() - began < PATIENCE
            lost.set()
            async with asyncio.timeout(PATIENCE):
                await ended.wait()  # the connection is closed, though not all of it was read
            assert closed == ([] if kind == "bytes" else [True])

    send.run(main)


def test_a_reset_is_no_end_of_an_answer_without_a_length(send: Send) -> None:
    async def reset(_: Seen, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\n\r\nhalf")
        await writer.drain()
        await read.wait()
        linger = struct.pack("ii", 1, 0)
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        writer.transport.abort()

    async def main() -> None:
        async with Server() as server:
            server.on("/x", reset)
            answered = unwrap(await send("GET", server.url + "/x"))
            assert assert_success(await anext(answered)) == b"half"
            read.set()
            assert_failure(await anext(answered), code="NETWORK_ERROR", sent=True)
            await answered.aclose()

    read = asyncio.Event()
    send.run(main)


def test_no_text_of_an_exception_of_aiohttp_is_kept(server: Server, send: Send) -> None:
    server.on("/echo", lambda seen: f"NOT HTTP {seen.target}\r\n\r\n".encode())
    server.on("/cut", reply(200, SECRET.encode(), f"set-cookie: {SECRET} x=1", length=99))
    server.on("/silent", _silent)

    async def main() -> None:
        for url in (
            f"{server.url}/echo", f"{server.url}/silent", "http://127.0.0.1:1/",
            "http://no-such-host.invalid/", "http://127.1/",
            server.url.replace("http:", "https:"),
        ):  # fmt: skip
            headers = Headers({"authorization": SECRET})
            request = HttpRequest("GET", f"{url}?token={SECRET}", headers, idle_timeout=0.3)
            error = assert_failure(await send.transport.send(request))
            assert "its text is kept back" in error.to_string()
            shown = [*traceback.format_exception(error), repr(error), repr(error.cause)]
            assert SECRET not in "".join(shown), url

    send.run(main)


async def _cut(_: Seen, writer: asyncio.StreamWriter) -> None:
    writer.close()


async def _silent(_: Seen, writer: asyncio.StreamWriter) -> None:
    """Say nothing, and leave the connection open."""


def _pieces(*pieces: bytes) -> Callable[[], AsyncIterator[bytes]]:
    async def start() -> AsyncIterator[bytes]:
        for piece in pieces:
            yield piece

    return start
