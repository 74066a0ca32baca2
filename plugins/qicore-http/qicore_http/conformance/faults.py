"""What goes wrong on the way: told as it is, tried again where that is safe, and never for ever."""

# ruff: noqa: S101  # a law asserts

from __future__ import annotations

import asyncio
import socket
import struct
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from itertools import islice
from time import monotonic
from typing import Final

from qicore_core import CircuitBreakerConfig, Failure, Parts, Policy, Success
from qicore_core.conformance import law
from qicore_core.testing import FakeClock, FaultProxy, assert_failure, assert_success

from .pair import QUICK, HttpLaws, Pair
from .server import Seen, Speaks, reply

__all__ = ["FaultLaws", "nobody"]

_ROUNDS: Final = 10
# Chunks that are none, or that one reader takes for more than another. RFC 9112, section 7.1.
CHUNKS: Final = (
    b"zz\r\nhi", b"-2\r\nhi", b"+2\r\nhi", b"0x2\r\nhi", b" 2\r\nhi", b"2\r\nhixx", b"2\nhi",
    b"2\r\nhixx0\r\n", b"0_2\r\nhi", b"ffffffffffffffffff\r\nhi", b"\r\n2\r\nhi",
)  # fmt: skip
_ONCE: Final = Policy(timeout=10.0)


class FaultLaws(HttpLaws, abstract=True):
    """The laws of what goes wrong."""

    @law()
    async def only_what_may_be_repeated_is(self, pair: Pair) -> None:
        """A GET, PUT and DELETE are tried again; a POST only with an Idempotency-Key."""
        pair.server.on("/x", reply(503))
        pair.server.on("/cut", _silent_end)
        pair.server.on("/bad", reply(400))
        for method, wanted in (("GET", 3), ("PUT", 3), ("DELETE", 3), ("POST", 1), ("PATCH", 1)):
            for path in ("/x", "/cut"):
                before = pair.server.count(path)
                assert_failure(await pair.client.request(method, path))
                assert pair.server.count(path) - before == wanted, (method, path)
        assert_failure(await pair.client.post("/x", headers={"Idempotency-Key": "1"}))
        assert pair.server.count("/x") == 11 + 3
        assert_failure(await pair.client.get("/bad"))
        assert pair.server.count("/bad") == 1

    @law()
    async def what_was_never_sent_is_repeated(self, pair: Pair) -> None:
        """A server that is not there is a NETWORK_ERROR; even a POST is tried again then."""
        for url in (nobody(), "http://no-such-host.invalid"):
            failed = await pair.client.post(url + "/x", json=1)
            assert_failure(failed, "NETWORK_ERROR", category="NETWORK", attempts=3, sent=False)

    @law()
    async def retry_after_is_kept(self, pair: Pair) -> None:
        """Seconds and a date are waited for; what does not fit the deadline fails at once."""
        times: list[float] = []

        def busy(_: Seen) -> bytes:
            times.append(monotonic())
            return reply(503, b"", "retry-after: 1") if len(times) % 2 else reply(200)

        pair.server.on("/x", busy)
        assert_success(await pair.client.get("/x"))
        assert 1.0 <= times[1] - times[0] < 5.0
        later = format_datetime(datetime.now(UTC) + timedelta(hours=1), usegmt=True)
        for said, least in ((later, 3000.0), ("3600", 3600.0)):
            pair.server.on("/late", reply(429, b"", f"retry-after: {said}"))
            error = assert_failure(await pair.client.get("/late"), category="RATE_LIMITED")
            assert least <= (error.retry_after or 0.0) <= 3600.0
        assert pair.server.count("/late") == 2
        for said in ("²", "soon", "9" * 400, "-5", "Thu, 01 Jan 1970 00:00:00 GMT"):
            pair.server.on("/late", reply(429, b"", f"retry-after: {said}"))
            assert_failure(await pair.client.get("/late"), category="RATE_LIMITED")

    @law()
    async def a_breaker_is_of_one_host(self, pair: Pair) -> None:
        """Where one host fails its circuit opens, and others are called all the same."""
        breaker = CircuitBreakerConfig(failure_threshold=3)
        client = await pair.another(policy=Policy(breaker=breaker, timeout=10.0))
        place = nobody()
        codes = [assert_failure(await client.get(place)).code for _ in range(4)]
        assert codes == ["NETWORK_ERROR"] * 3 + ["CIRCUIT_OPEN"]
        assert_success(await client.get("/x"))

    @law()
    async def a_half_open_breaker_passes_its_probes_alone(self, pair: Pair) -> None:
        """Of thirty callers of a host that may be back, as many as are permitted reach it."""
        clock, may_answer = FakeClock(), asyncio.Event()

        async def answer(_: Seen, writer: asyncio.StreamWriter) -> None:
            await may_answer.wait()
            writer.write(reply(200))

        breaker = CircuitBreakerConfig(failure_threshold=1, half_open_permits=3)
        client = await pair.another(policy=Policy(breaker=breaker), parts=Parts(clock=clock))
        pair.server.on("/x", reply(503))
        assert_failure(await client.get("/x"), code="HTTP_ERROR")
        assert_failure(await client.get("/x"), code="CIRCUIT_OPEN")
        pair.server.on("/x", answer)
        clock.advance(breaker.timeout_seconds)
        calls = [asyncio.create_task(client.get("/x")) for _ in range(30)]
        ends = asyncio.as_completed(calls, timeout=self.patience)
        for end in islice(ends, 27):
            assert_failure(await end, code="CIRCUIT_OPEN")
        may_answer.set()
        for end in ends:
            assert_success(await end)
        assert pair.server.count("/x") == 1 + 3

    @law()
    async def a_drip_does_not_stretch_the_deadline(self, pair: Pair) -> None:
        """Whatever the server does, the answer is there when the timeout has passed."""
        pair.server.on("/x", reply(200, b"x" * 10_000))
        proxy: FaultProxy = await pair.keep(FaultProxy("127.0.0.1", pair.server.port))
        client = await pair.another(f"http://127.0.0.1:{proxy.port}")
        for is_silent in (False, True):
            proxy.drip(40.0)
            if is_silent:
                proxy.blackhole()
            began = monotonic()
            late = await client.get("/x", timeout=0.4)
            error = assert_failure(late, code="DEADLINE_EXCEEDED")
            assert f"127.0.0.1:{proxy.port} was not done within 0.4" in error.message
            assert monotonic() - began < 2.0
        proxy.heal()
        pair.server.on("/flood", _interim_for_ever)
        began = monotonic()
        assert_failure(await client.get("/flood", timeout=0.4))
        assert monotonic() - began < 2.0
        assert_success(await client.get("/x"))

    @law()
    async def silence_comes_to_an_end(self, pair: Pair) -> None:
        """A server that says nothing for idle_timeout is a TIMEOUT_ERROR, in a stream too."""
        client = await pair.another(idle_timeout=0.3, policy=Policy())
        pair.server.on("/silent", _silent)
        pair.server.on("/half", _half)
        async with asyncio.timeout(self.patience):
            assert_failure(await client.get("/silent"), code="TIMEOUT_ERROR", sent=True)
            assert_failure(await client.get("/half"), code="TIMEOUT_ERROR")
            assert_failure(await client.stream("GET", "/half").collect(), code="TIMEOUT_ERROR")

    @law()
    async def cancelled_requests_free_their_connections(self, pair: Pair) -> None:
        """After many requests that were cut short, the next ones are answered at once."""
        proxy: FaultProxy = await pair.keep(
            FaultProxy("127.0.0.1", pair.server.port, max_connections=2 * self.cancelled)
        )
        client = await pair.another(f"http://127.0.0.1:{proxy.port}", policy=_ONCE)
        assert_success(await client.get("/x"))
        proxy.blackhole()
        for _ in range(_ROUNDS):
            tasks = [
                asyncio.create_task(client.get("/x")) for _ in range(self.cancelled // _ROUNDS)
            ]
            await asyncio.wait(tasks, timeout=0.05)
            for task in tasks:
                task.cancel()
            ended = await asyncio.wait_for(
                asyncio.gather(*tasks, return_exceptions=True), self.patience
            )
            assert all(isinstance(end, asyncio.CancelledError) for end in ended)
        proxy.heal()
        again = [client.get("/x", timeout=self.patience) for _ in range(200)]
        for answer in await asyncio.gather(*again):
            assert_success(answer)

    @law()
    async def an_answer_cut_short_is_no_success(self, pair: Pair) -> None:
        """An end or a reset before the last byte is a NETWORK_ERROR, however it is framed."""
        client = await pair.another(policy=_ONCE)
        cut = reply(200, b"half", length=8)
        head = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
        chunks = head + b"4\r\nhalf\r\n"
        for said in (
            cut,
            chunks,
            chunks[:-4],
            chunks + b"4\r\nha",
            *(head + bad + b"\r\n0\r\n\r\n" for bad in CHUNKS),
            b"HTTP/1.1 20",
            b"",
            b"SSH\r\n\r\n",
        ):
            for is_reset in (False, True):
                pair.server.on("/x", _then_end(said, is_reset))
                failed = await client.get("/x")
                assert_failure(failed, "NETWORK_ERROR", category="NETWORK", sent=True)
        proxy: FaultProxy = await pair.keep(FaultProxy("127.0.0.1", pair.server.port))
        by = await pair.another(f"http://127.0.0.1:{proxy.port}", policy=_ONCE)
        pair.server.on("/x", reply(200, b"whole"))
        for spoil in (proxy.half_close, proxy.cut, proxy.reset):
            for after in (0, 20, len(reply(200, b"whole")) - 1):
                spoil(after_bytes=after)
                assert_failure(await by.get("/x"), "NETWORK_ERROR", category="NETWORK", sent=True)
        pair.server.on("/x", _then_end(b"HTTP/1.0 200 OK\r\n\r\nall", False))
        assert assert_success(await client.get("/x")).body == b"all"

    @law()
    async def a_stream_gives_what_comes_and_says_how_it_ended(self, pair: Pair) -> None:
        """Its bytes are the body's; a cut is its last item; a status is a Failure before any."""
        client, server = await pair.another(policy=QUICK, max_response_bytes=10), pair.server
        server.on("/x", reply(200, b"x" * 100_000))
        whole = assert_success(await client.stream("GET", "/x").collect())
        assert b"".join(whole) == b"x" * 100_000
        server.on("/cut", _then_end(reply(200, b"half", length=8), False))
        items = [item async for item in client.stream("GET", "/cut")]
        assert [item.value for item in items if isinstance(item, Success)] == [b"half"]
        assert isinstance(items[-1], Failure)
        assert_failure(items[-1], code="NETWORK_ERROR")
        assert server.count("/cut") == 1
        server.on("/503", reply(503))
        assert_failure(await client.stream("GET", "/503"), code="HTTP_ERROR", attempts=3)
        assert_failure(await client.stream("GET", "ftp://x"), code="INVALID_URL")

    @law()
    async def a_stream_that_is_left_is_closed(self, pair: Pair) -> None:
        """One left early closes its connection; one that never began sends nothing."""
        proxy: FaultProxy = await pair.keep(FaultProxy("127.0.0.1", pair.server.port))
        client = await pair.another(f"http://127.0.0.1:{proxy.port}")
        pair.server.on("/x", _half)
        for _ in range(3):
            async with client.stream("GET", "/x") as stream:
                async for piece in stream.values():
                    assert piece == b"half"
                    break
        unused = client.stream("GET", "/never")
        await unused.close()
        async with asyncio.timeout(self.patience):
            while pair.server.open:  # noqa: ASYNC110  # the server sees the end when it does
                await asyncio.sleep(0.01)
        assert pair.server.count("/never") == 0
        assert_success(await client.get("/y"))

    @law()
    async def a_closed_client_says_so(self, pair: Pair) -> None:
        """After close everything is HTTP_NOT_CONNECTED, and closing again does no harm."""
        client = await pair.another()
        pair.server.on("/silent", _silent)
        waiting = asyncio.create_task(client.get("/silent"))
        assert_success(await client.get("/x"))
        await client.close()
        await client.close()
        async with asyncio.timeout(self.patience):
            assert isinstance(await waiting, Failure)
        assert_failure(await client.get("/x"), code="HTTP_NOT_CONNECTED")
        assert_failure(await client.stream("GET", "/x"), code="HTTP_NOT_CONNECTED")


async def _silent(_: Seen, writer: asyncio.StreamWriter) -> None:
    """Say nothing, and leave the connection open."""


async def _interim_for_ever(_: Seen, writer: asyncio.StreamWriter) -> None:
    several = b"HTTP/1.1 100 OK\r\n\r\nHTTP/1.1 103 OK\r\n\r\n" * 500
    try:
        while True:
            writer.write(several)
            await writer.drain()
    finally:
        writer.transport.abort()  # to close it would wait for what nobody reads


async def _half(_: Seen, writer: asyncio.StreamWriter) -> None:
    writer.write(reply(200, b"half", length=8))
    await writer.drain()


async def _silent_end(_: Seen, writer: asyncio.StreamWriter) -> None:
    writer.close()


def _then_end(said: bytes, is_reset: bool) -> Speaks:
    async def speak(_: Seen, writer: asyncio.StreamWriter) -> None:
        writer.write(said)
        await writer.drain()
        if is_reset:
            linger = struct.pack("ii", 1, 0)
            writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            writer.transport.abort()
        writer.close()

    return speak


def nobody() -> str:
    """Give the URL of a port where nobody listens."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{free.getsockname()[1]}"
