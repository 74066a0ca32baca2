"""What QiCore gives to tests: time that is made, events kept, assertions, real faults."""

from __future__ import annotations

import asyncio
import importlib
import socket
import struct
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from qicore_core import testing
from qicore_core.error import ErrorCategory, QiError
from qicore_core.events import CallEvent, emit, is_listening, listen
from qicore_core.resilience.clock import SYSTEM_CLOCK, Clock
from qicore_core.result import failure, success
from qicore_core.testing import (
    FakeClock,
    FaultProxy,
    assert_failure,
    assert_success,
    instant,
    recorded,
)

DOWN = QiError.unavailable("DOWN", "password=hunter2 was refused", host="db", port=5432)


def in_loop(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    async def bounded(*args: object) -> None:
        async with asyncio.timeout(10):
            await test(*args)

    def run_it() -> None:
        asyncio.run(bounded())

    run_it.__name__ = test.__name__
    return run_it


# the window


def test_every_name_of_the_window_is_there() -> None:
    assert sorted(testing.__all__) == testing.__all__
    for name in testing.__all__:
        assert getattr(testing, name) is not None
    with pytest.raises(AttributeError, match="no_such_name"):
        _ = testing.no_such_name  # type: ignore[attr-defined]


def test_the_window_loads_nothing_before_it_is_asked() -> None:
    code = "import sys, qicore_core.testing; print(*sys.modules)"
    child = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    loaded = set(child.stdout.split())
    assert {"asyncio", "pytest", "qicore_core.testing.proxy"} & loaded == set()


@pytest.mark.parametrize("name", ["", ".testing", ".testing.pytest_plugin"])
def test_what_every_run_of_pytest_loads_can_be_loaded_anew(name: str) -> None:
    """It is loaded before coverage begins to count; this is where its lines are seen."""
    module = sys.modules.get(f"qicore_core{name}") or importlib.import_module(f"qicore_core{name}")
    assert importlib.reload(module) is module
    assert sorted(module.__all__) == module.__all__


# FakeClock


def test_the_clock_is_one_that_policies_take() -> None:
    clock: Clock = FakeClock(5.0)
    assert clock.monotonic() == 5.0


def test_time_passes_when_the_test_says_so() -> None:
    clock = FakeClock()
    clock.advance(1.5)
    clock.sleep_sync(2.0)
    clock.sleep_sync(-1.0)
    assert (clock.monotonic(), clock.slept) == (3.5, [2.0, -1.0])
    with pytest.raises(ValueError, match="go back"):
        clock.advance(-0.1)


@in_loop
async def test_an_hour_of_sleep_takes_no_time() -> None:
    clock = FakeClock()
    began = asyncio.get_running_loop().time()
    await clock.sleep(3600.0)
    assert clock.monotonic() == 3600.0
    assert asyncio.get_running_loop().time() - began < 60.0


@in_loop
async def test_sleepers_wake_in_the_order_of_their_time() -> None:
    clock = FakeClock()
    woke: list[tuple[str, float]] = []

    async def sleeper(name: str, *naps: float) -> None:
        for nap in naps:
            await clock.sleep(nap)
            woke.append((name, clock.monotonic()))

    await asyncio.gather(sleeper("a", 5.0), sleeper("b", 1.0, 1.0, 6.0), sleeper("c", 5.0))
    assert woke == [("b", 1.0), ("b", 2.0), ("a", 5.0), ("c", 5.0), ("b", 8.0)]


@in_loop
async def test_a_sleeper_that_is_cancelled_holds_nobody_up() -> None:
    clock = FakeClock()
    short = asyncio.create_task(clock.sleep(1.0))
    long = asyncio.create_task(clock.sleep(2.0))
    await asyncio.sleep(0)
    short.cancel()
    await long
    assert clock.monotonic() == 2.0


@in_loop
async def test_advance_wakes_who_sleeps_less() -> None:
    clock = FakeClock()
    asleep = asyncio.create_task(clock.sleep(1.0))
    await asyncio.sleep(0)
    clock.advance(10.0)
    await asleep
    assert clock.monotonic() == 10.0


@in_loop
async def test_a_timer_cuts_a_sleep_short_at_its_moment() -> None:
    clock = FakeClock()
    timer = clock.timeout(1.0)
    with pytest.raises(TimeoutError):
        async with timer:
            await clock.sleep(5.0)
    assert timer.expired()
    assert clock.monotonic() == 1.0


@in_loop
async def test_a_timer_that_is_left_in_time_does_nothing() -> None:
    clock = FakeClock()
    async with clock.timeout(2.0) as timer:
        await clock.sleep(1.0)
    clock.advance(5.0)
    await asyncio.sleep(0)
    assert not timer.expired()


@in_loop
async def test_of_two_timers_the_earlier_expires() -> None:
    clock = FakeClock()
    outer, inner = clock.timeout(3.0), clock.timeout(1.0)
    async with outer:
        with pytest.raises(TimeoutError):
            async with inner:
                await clock.sleep(5.0)
        await clock.sleep(1.0)
    assert (outer.expired(), inner.expired()) == (False, True)


@in_loop
async def test_a_timer_expires_by_advance_and_one_without_time_at_once() -> None:
    clock = FakeClock()

    async def wait(seconds: float) -> None:
        async with clock.timeout(seconds):
            await asyncio.Future()

    waiting = asyncio.create_task(wait(1.0))
    await asyncio.sleep(0)
    clock.advance(2.0)
    with pytest.raises(TimeoutError):
        await waiting
    with pytest.raises(TimeoutError):
        await wait(0.0)


# instant


@in_loop
async def test_in_an_instant_the_clock_of_the_machine_does_not_wait() -> None:
    with instant():
        await SYSTEM_CLOCK.sleep(3600.0)
        SYSTEM_CLOCK.sleep_sync(3600.0)
    with pytest.raises(TimeoutError):  # and afterwards it does
        async with asyncio.timeout(0.01):
            await SYSTEM_CLOCK.sleep(3600.0)


# recorded


def test_events_of_the_block_are_kept_in_order() -> None:
    emit(CallEvent("cache", "before"))
    with recorded() as events, recorded("http") as of_http:
        emit(CallEvent("cache", "get"))
        emit(CallEvent("http", "post"))
    emit(CallEvent("cache", "after"))
    assert [event.operation for event in events] == ["get", "post"]
    assert [event.operation for event in of_http] == ["post"]
    assert not is_listening()


# assertions


def test_assertions_give_what_they_found() -> None:
    assert assert_success(success(42)) == 42
    assert assert_failure(failure(DOWN)) is DOWN
    assert assert_failure(failure(DOWN), "DOWN", category="UNAVAILABLE", port=5432) is DOWN
    assert assert_failure(failure(DOWN), category=ErrorCategory.UNAVAILABLE) is DOWN


async def unawaited() -> None: ...


@pytest.mark.parametrize(
    ("check", "said"),
    [
        (lambda: assert_success(failure(DOWN)), "Failure DOWN: password=*** was refused"),
        (lambda: assert_failure(success(1)), "expected a Failure, got Success(1)"),
        (lambda: assert_failure(success(1), "DOWN"), "expected DOWN, got Success(1)"),
        (lambda: assert_failure(failure(DOWN), "UP"), "code is 'DOWN', expected 'UP'"),
        (
            lambda: assert_failure(failure(DOWN), category="TIMEOUT"),
            "expected 'TIMEOUT'",
        ),
        (
            lambda: assert_failure(failure(DOWN), "DOWN", port=1, user="bob"),
            "context['port'] is 5432, expected 1\n  context has no 'user', expected 'bob'",
        ),
        (lambda: assert_success(7), "expected a Result, got int"),  # type: ignore[arg-type]
        (lambda: assert_failure(None), "expected a Result, got NoneType"),  # type: ignore[arg-type]
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_failed_assertion_says_what_came_instead(check: Callable[[], object], said: str) -> None:
    with pytest.raises(AssertionError) as caught:
        check()
    assert said in str(caught.value)
    assert "hunter2" not in str(caught.value)


def test_a_forgotten_await_is_named() -> None:
    coroutine = unawaited()
    with pytest.raises(AssertionError, match=r"got coroutine; was it awaited\?"):
        assert_success(coroutine)  # type: ignore[arg-type]
    coroutine.close()


# FaultProxy


class Echo:
    """A peer that says what it hears and knows whether its connections ended."""

    def __init__(self) -> None:
        self.heard = b""
        self.ended = asyncio.Event()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(65536):
                self.heard += data
                writer.write(data)
                await writer.drain()
        except ConnectionError:
            pass
        finally:
            self.ended.set()
            writer.close()


class Client:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    def say(self, data: bytes) -> None:
        self.writer.write(data)

    async def ask(self, data: bytes) -> bytes:
        self.say(data)
        return await self.reader.readexactly(len(data))

    async def hears_nothing(self) -> bool:
        try:
            async with asyncio.timeout(0.05):
                return not await self.reader.read(1)
        except TimeoutError:
            return True


@asynccontextmanager
async def proxied(**options: int) -> AsyncIterator[tuple[FaultProxy, Echo]]:
    echo = Echo()
    server = await asyncio.start_server(echo.serve, "127.0.0.1", 0)
    try:
        async with FaultProxy(*server.sockets[0].getsockname(), **options) as proxy:
            yield proxy, echo
    finally:
        server.close()
        await server.wait_closed()


@asynccontextmanager
async def connected(proxy: FaultProxy) -> AsyncIterator[Client]:
    reader, writer = await asyncio.open_connection(proxy.host, proxy.port)
    try:
        yield Client(reader, writer)
    finally:
        writer.transport.abort()


@in_loop
async def test_a_proxy_without_fault_passes_all_and_counts() -> None:
    big = bytes(range(256)) * 4096
    async with proxied() as (proxy, echo), connected(proxy) as one, connected(proxy) as two:
        assert await one.ask(b"hello") == b"hello"
        assert await two.ask(big) == big
        assert (proxy.connections, proxy.bytes_up, proxy.bytes_down) == (2, *[5 + len(big)] * 2)
        one.writer.write_eof()
        assert await one.reader.read() == b""
        await echo.ended.wait()


@in_loop
async def test_a_client_that_stops_sending_still_hears_the_rest() -> None:
    async with proxied() as (proxy, _), connected(proxy) as client:
        client.say(b"last words")
        client.writer.write_eof()
        assert await client.reader.read() == b"last words"


@in_loop
async def test_a_peer_that_stops_answering_still_hears_the_rest() -> None:
    heard: list[bytes] = []
    ended = asyncio.Event()

    async def say_and_hear(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"that is all")
        writer.write_eof()
        heard.append(await reader.read())
        writer.close()
        ended.set()

    server = await asyncio.start_server(say_and_hear, "127.0.0.1", 0)
    async with (
        server,
        FaultProxy(*server.sockets[0].getsockname()) as proxy,
        connected(proxy) as client,
    ):
        assert await client.reader.read() == b"that is all"
        client.say(b"and yet")
        client.writer.write_eof()
        await ended.wait()
    assert heard == [b"and yet"]


@in_loop
async def test_delay_holds_answers_back_until_it_is_healed() -> None:
    async with proxied() as (proxy, _), connected(proxy) as client:
        loop = asyncio.get_running_loop()
        proxy.delay(0.05)
        began = loop.time()
        assert await client.ask(b"hello") == b"hello"
        assert loop.time() - began >= 0.05
        proxy.delay(3600.0)
        client.say(b"again")
        assert await client.hears_nothing()
        proxy.heal()
        assert await client.reader.readexactly(5) == b"again"


@in_loop
async def test_drip_passes_an_answer_slowly_and_whole() -> None:
    async with proxied() as (proxy, _), connected(proxy) as client:
        loop = asyncio.get_running_loop()
        proxy.drip(100.0)
        began = loop.time()
        assert await client.ask(b"x" * 20) == b"x" * 20
        assert loop.time() - began >= 0.1
        proxy.drip(0.5)
        client.say(b"abc")
        assert await client.reader.read(100) == b"a"
        proxy.heal()
        assert await client.reader.readexactly(2) == b"bc"


@in_loop
async def test_a_black_hole_swallows_both_ways_until_it_is_healed() -> None:
    async with proxied() as (proxy, echo), connected(proxy) as client:
        await client.ask(b"hello")
        proxy.blackhole()
        client.say(b"again")
        assert await client.hears_nothing()
        assert echo.heard == b"hello"
        async with connected(proxy) as another:
            another.say(b"new")
            assert await another.hears_nothing()
        proxy.heal()
        assert await client.reader.readexactly(5) == b"again"


@in_loop
async def test_cut_ends_an_answer_in_order_after_so_many_bytes() -> None:
    async with proxied() as (proxy, echo), connected(proxy) as client:
        await client.ask(b"hello")
        proxy.cut(after_bytes=3)
        client.say(b"again")
        assert await client.reader.read() == b"aga"
        await echo.ended.wait()
        assert proxy.bytes_down == 8
        async with connected(proxy) as another:  # it counts anew for each connection
            another.say(b"hello")
            assert await another.reader.read() == b"hel"
            proxy.heal()
        async with connected(proxy) as healthy:
            assert await healthy.ask(b"hello") == b"hello"


@in_loop
async def test_bytes_are_counted_over_many_answers() -> None:
    async with proxied() as (proxy, _), connected(proxy) as client:
        proxy.cut(after_bytes=8)
        assert await client.ask(b"hello") == b"hello"
        client.say(b"again")
        assert await client.reader.read() == b"aga"


@in_loop
async def test_cut_at_once_ends_idle_connections_and_new_ones() -> None:
    async with proxied() as (proxy, _), connected(proxy) as client:
        await client.ask(b"hello")
        proxy.cut()
        assert await client.reader.read() == b""
        async with connected(proxy) as another:
            assert await another.reader.read() == b""


@in_loop
async def test_a_cut_ends_a_connection_whose_answer_is_held_back() -> None:
    async with proxied() as (proxy, echo), connected(proxy) as client:
        proxy.delay(3600.0)
        client.say(b"held")
        assert await client.hears_nothing()
        proxy.cut()
        async with asyncio.timeout(5.0):
            assert await client.reader.read() == b""
            await echo.ended.wait()


@in_loop
async def test_reset_is_a_reset() -> None:
    async with proxied() as (proxy, echo), connected(proxy) as client:
        await client.ask(b"hello")
        proxy.reset()
        with pytest.raises(ConnectionResetError):
            await client.reader.read()
        await echo.ended.wait()
        async with connected(proxy) as another:
            with pytest.raises(ConnectionResetError):
                await another.reader.read()


@in_loop
async def test_reset_in_the_middle_of_an_answer() -> None:
    async with proxied() as (proxy, _), connected(proxy) as client:
        proxy.reset(after_bytes=2)
        client.say(b"hello")
        with pytest.raises(ConnectionResetError):
            await client.reader.readexactly(5)
        assert proxy.bytes_down == 2


@in_loop
async def test_half_close_ends_the_answer_and_still_reads_the_client() -> None:
    async with proxied() as (proxy, echo), connected(proxy) as client:
        proxy.half_close(after_bytes=2)
        client.say(b"hello")
        assert await client.reader.read() == b"he"
        client.say(b" and more")
        client.writer.write_eof()
        await echo.ended.wait()
        assert echo.heard == b"hello and more"


@in_loop
async def test_half_close_at_once() -> None:
    async with proxied() as (proxy, echo), connected(proxy) as client:
        await client.ask(b"hello")
        proxy.half_close()
        assert await client.reader.read() == b""
        client.say(b"!")
        client.writer.write_eof()
        await echo.ended.wait()
        assert echo.heard == b"hello!"


@in_loop
async def test_a_client_that_goes_away_ends_its_peer() -> None:
    async with proxied() as (proxy, echo):
        async with connected(proxy) as client:
            await client.ask(b"hello")
        await echo.ended.wait()


@in_loop
async def test_a_peer_that_is_not_there_is_a_reset() -> None:
    async with proxied() as (proxy, _):
        nobody = FaultProxy("127.0.0.1", proxy.port)
    async with nobody, connected(nobody) as client:
        with pytest.raises(ConnectionResetError):
            await client.reader.read()


@in_loop
async def test_one_connection_too_many_is_reset() -> None:
    async with proxied(max_connections=1) as (proxy, _), connected(proxy) as client:
        await client.ask(b"hello")
        async with connected(proxy) as another:
            with pytest.raises(ConnectionResetError):
                await another.reader.read()
        assert proxy.connections == 1
        proxy.cut()
        assert await client.reader.read() == b""
        proxy.heal()
        for _ in range(100):
            await asyncio.sleep(0)
        async with connected(proxy) as another:  # there is room again
            assert await another.ask(b"hello") == b"hello"


@in_loop
async def test_half_closing_one_that_has_just_gone_is_no_error() -> None:
    loop = asyncio.get_running_loop()
    async with proxied() as (proxy, _):
        with socket.socket() as client:
            client.setblocking(False)
            await loop.sock_connect(client, (proxy.host, proxy.port))
            await loop.sock_sendall(client, b"hello")
            assert await loop.sock_recv(client, 5) == b"hello"
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        proxy.half_close()  # the reset has come, and the proxy has not read it


@in_loop
async def test_half_closing_ends_an_answer_that_a_black_hole_holds() -> None:
    async with proxied() as (proxy, echo), connected(proxy) as client:
        proxy.delay(3600.0)
        client.say(b"held")
        assert await client.hears_nothing()
        proxy.blackhole()
        assert await client.hears_nothing()
        proxy.half_close()
        assert await client.reader.read() == b""
        client.say(b" and heard")
        async with asyncio.timeout(5.0):
            while echo.heard != b"held and heard":  # noqa: ASYNC110  # nothing tells
                await asyncio.sleep(0)


@in_loop
async def test_leaving_the_proxy_ends_every_connection() -> None:
    async with proxied() as (proxy, echo), connected(proxy) as client:
        await client.ask(b"hello")
        proxy.blackhole()
        client.say(b"held")
        await proxy.__aexit__(None, None, None)
        with pytest.raises(ConnectionResetError):
            await client.reader.read()
        await echo.ended.wait()


@pytest.mark.parametrize("end", ["cut", "reset", "leave"])
def test_a_connection_that_the_proxy_ends_is_no_error_of_the_loop(end: str) -> None:
    reported: list[dict[str, Any]] = []

    async def main() -> None:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _, context: reported.append(context))
        async with proxied() as (proxy, _), connected(proxy) as client:
            await client.ask(b"hello")
            if end != "leave":
                getattr(proxy, end)()
                await asyncio.wait([link.task for link in proxy._links])

    asyncio.run(main())
    assert [one for one in reported if "proxy.py" in str(one)] == []


@in_loop
async def test_a_client_that_resets_while_the_proxy_ends_is_no_error_of_the_loop() -> None:
    reported: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: reported.append(context))
    async with proxied() as (proxy, _), connected(proxy) as client:
        client.say(b"x" * 20_000_000)  # and never reads: the proxy cannot pass it all
        while not proxy._links:  # noqa: ASYNC110  # nothing tells
            await asyncio.sleep(0)
        (link,) = proxy._links
        while not link._client.transport.get_write_buffer_size():  # noqa: ASYNC110
            await asyncio.sleep(0)
        proxy.cut()
        await asyncio.sleep(0)  # it closes, and waits until all is sent
        client.writer.get_extra_info("socket").setsockopt(
            socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)
        )
        client.writer.transport.abort()
        await asyncio.wait([link.task], timeout=5.0)
    assert reported == []


@in_loop
async def test_a_cancellation_by_somebody_else_passes_through_the_proxy() -> None:
    async with proxied() as (proxy, _), connected(proxy) as client:
        await client.ask(b"hello")
        (link,) = proxy._links
        asyncio.get_running_loop().set_exception_handler(lambda *_: None)
        link.task.cancel()
        proxy.reset()
        await asyncio.wait([link.task])
        assert link.task.cancelled()


@in_loop
async def test_a_client_that_reads_nothing_does_not_keep_a_proxy_open_that_was_cut() -> None:
    async with proxied() as (proxy, _), connected(proxy) as client:
        client.say(b"x" * 64 * 2**20)
        assert await client.reader.readexactly(1) == b"x"
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await client.writer.drain()  # every buffer on the way is full
        proxy.cut()


@pytest.mark.parametrize(
    "spoil",
    [
        lambda proxy: proxy.delay(-1.0),
        lambda proxy: proxy.drip(-1.0),
        lambda proxy: proxy.cut(after_bytes=-1),
    ],
    ids=["delay", "drip", "cut"],
)
def test_a_fault_of_less_than_nothing_is_refused(spoil: Callable[[FaultProxy], None]) -> None:
    with pytest.raises(ValueError, match="at least 0, got -1"):
        spoil(FaultProxy("127.0.0.1", 1))


# the fixtures, which pytest finds by itself


def test_the_fixture_fake_clock_is_a_clock_at_zero(fake_clock: FakeClock) -> None:
    assert fake_clock.monotonic() == 0.0


def test_the_fixture_call_events_keeps_what_happens(call_events: list[CallEvent]) -> None:
    emit(CallEvent("cache", "get"))
    assert [event.operation for event in call_events] == ["get"]


@pytest.fixture
def left_behind() -> Iterator[None]:
    """Set up before `events_reset`, it is torn down after it."""
    yield
    assert not is_listening()


@pytest.mark.usefixtures("left_behind", "events_reset")
def test_the_fixture_events_reset_forgets_listeners() -> None:
    listen(print)
    assert is_listening()


@pytest.mark.usefixtures("no_waiting")
def test_the_fixture_no_waiting_lets_nothing_wait() -> None:
    SYSTEM_CLOCK.sleep_sync(3600.0)
