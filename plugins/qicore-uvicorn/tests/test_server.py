"""A server by its public door, over real sockets."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Generator
from pathlib import Path
from time import perf_counter
from typing import Any

import pytest

from qicore_core import ErrorCategory, QiError
from qicore_uvicorn import Server


class App:
    """An application that says its name; `/slow` waits until it is released."""

    def __init__(self, name: str = "one", *, refuses: BaseException | None = None) -> None:
        self.name = name
        self.refuses = refuses
        self.events: list[str] = []
        self.entered = asyncio.Event()
        self.release = asyncio.Event()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            await self._live(scope, receive, send)
            return
        if scope["path"] == "/slow":
            self.entered.set()
            await self.release.wait()
        body = self.name.encode()
        if scope["path"] == "/state":
            body = f"{scope['state']['left']} {scope['state']['qicore.is_draining']()}".encode()
        headers = [(b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    async def _live(self, scope: Any, receive: Any, send: Any) -> None:
        await receive()
        if self.refuses:
            await send({"type": "lifespan.startup.failed", "message": "no"})
            raise self.refuses
        scope["state"]["left"] = f"by {self.name}"
        self.events.append("started")
        await send({"type": "lifespan.startup.complete"})
        await receive()
        self.events.append("stopped")
        await send({"type": "lifespan.shutdown.complete"})


class Caller:
    """One kept-alive connection, each call in a thread."""

    def __init__(self, server: Server) -> None:
        assert server.address is not None
        self.connection = http.client.HTTPConnection(
            server.address.removeprefix("http://"), timeout=10
        )

    async def get(self, path: str = "/") -> tuple[int, str, str | None]:
        return await asyncio.to_thread(self._get, path)

    def _get(self, path: str) -> tuple[int, str, str | None]:
        self.connection.request("GET", path)
        answer = self.connection.getresponse()
        return answer.status, answer.read().decode(), answer.getheader("connection")

    def close(self) -> None:
        self.connection.close()


@contextlib.contextmanager
def caller(server: Server) -> Generator[Caller]:
    with contextlib.closing(Caller(server)) as made:
        yield made


def test_it_starts_on_a_free_port_and_stops() -> None:
    async def main() -> None:
        app = App()
        async with Server(app, port=0).running() as server:
            with caller(server) as one:
                assert await one.get() == (200, "one", None)
                assert await one.get("/state") == (200, "by one False", None)
            assert server.stats().requests == 2
            assert server.stats().connections_total == 1
            assert server.stats().uptime > 0
        assert app.events == ["started", "stopped"]
        assert server.address is None
        assert server.stats().uptime == 0.0

    asyncio.run(main())


def test_a_taken_port_is_a_failure_and_the_application_never_starts() -> None:
    async def main() -> None:
        app = App()
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
            error = (await Server(app, port=port).start()).unwrap_error()
        assert (error.code, error.category) == ("SERVER_PORT_IN_USE", ErrorCategory.CONFLICT)
        assert str(port) in error.message
        assert error.hint
        assert app.events == []

    asyncio.run(main())


@pytest.mark.parametrize(
    "where",
    [
        {"host": "203.0.113.7"},
        {"host": "no-such-host.invalid"},
        {"host": "double..dot"},
        {"host": "long" * 50},
        {"host": "[::1]"},
        {"host": "nul\0"},
        {"host": ""},
        {"port": 65536},
        {"port": -1},
        {"port": "80"},
        {"unix": ""},
        {"unix": "nul\0"},
        {"unix": "/nowhere/app.sock"},
        {"unix": "/tmp/" + "long" * 50},
    ],
    ids=lambda where: f"{where}"[:30],
)
def test_where_nobody_can_listen_is_a_failure_of_the_configuration(where: dict[str, Any]) -> None:
    app = App()
    settings: dict[str, Any] = {"port": 0, **where}
    error = asyncio.run(_start(Server(app, **settings)))
    assert error.code == "SERVER_START_FAILED"
    assert error.category == ErrorCategory.CONFIGURATION
    assert error.hint
    assert app.events == []
    (said,) = where.values()
    assert str(said) in error.message or repr(said) in error.message


@pytest.mark.skipif(os.name != "posix", reason="elsewhere any port may be bound")
def test_a_port_that_is_not_allowed_says_which_are() -> None:
    script = """
import asyncio, os
from qicore_uvicorn import Server
async def app(scope, receive, send): raise AssertionError
async def main():
    await asyncio.get_running_loop().getaddrinfo("127.0.0.1", 0)  # loads what is loaded late
    if os.geteuid() == 0:
        os.seteuid(65534)
    return (await Server(app, port=1).start()).unwrap_error()
error = asyncio.run(main())
os.seteuid(os.getuid())
print(error.code, error.category, error.hint)
"""
    unprivileged = Path("/proc/sys/net/ipv4/ip_unprivileged_port_start")
    if unprivileged.exists() and int(unprivileged.read_text()) <= 1:
        pytest.skip("this machine lets everybody have port 1")
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=30
    )
    assert done.stdout.startswith("SERVER_START_FAILED PERMISSION "), done.stderr
    assert "1024" in done.stdout


async def _start(server: Server) -> QiError:
    return (await server.start()).unwrap_error()


def test_an_application_that_does_not_start_keeps_its_category_and_frees_the_port() -> None:
    async def main() -> None:
        refuses = QiError.unavailable("DB_DOWN", "the database is down", hint="start it")
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        error = await _start(Server(App(refuses=refuses), port=port))
        assert (error.code, error.category) == ("SERVER_START_FAILED", ErrorCategory.UNAVAILABLE)
        assert (error.cause, error.hint) == (refuses, "start it")
        bug = await _start(Server(App(refuses=ZeroDivisionError("by zero")), port=port))
        assert bug.code == "SERVER_START_FAILED"
        assert isinstance(bug.cause, ZeroDivisionError)
        async with Server(App(), port=port).running():
            pass

    asyncio.run(main())


def test_an_application_without_a_lifespan_is_served() -> None:
    async def bare(scope: Any, receive: Any, send: Any) -> None:
        assert scope["type"] == "http"
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body"})

    async def main() -> None:
        async with Server(bare, port=0).running() as server:
            with caller(server) as one:
                assert (await one.get())[0] == 204

    asyncio.run(main())


def test_an_idle_server_stops_at_once() -> None:
    async def main() -> list[float]:
        took = []
        for _ in range(5):
            server = (await Server(App(), port=0).start()).unwrap()
            with caller(server) as one:
                await one.get()  # and the connection is kept alive
                began = perf_counter()
                (await server.stop()).unwrap()
                took.append(perf_counter() - began)
        return took

    assert (
        min(asyncio.run(main())) < 0.1
    )  # 0.2 by the way of uvicorn, which looks ten times a second


def test_a_request_under_way_is_drained() -> None:
    async def main() -> None:
        app = App()
        server = (await Server(app, port=0).start()).unwrap()
        with caller(server) as slow, caller(server) as idle:
            await idle.get()
            answer = asyncio.create_task(slow.get("/slow"))
            await app.entered.wait()
            assert server.stats().in_flight == 1
            stopping = asyncio.create_task(server.stop())
            await asyncio.wait({stopping}, timeout=0.05)
            assert server.is_draining
            app.release.set()
            assert await answer == (200, "one", "close")
            (await stopping).unwrap()
        assert app.events == ["started", "stopped"]

    asyncio.run(main())


def test_what_does_not_end_in_time_is_cut_and_counted() -> None:
    async def main() -> None:
        app = App()
        server = (await Server(app, port=0).start()).unwrap()
        with caller(server) as slow:
            answer = asyncio.create_task(slow.get("/slow"))
            await app.entered.wait()
            error = (await server.stop(0.05)).unwrap_error()
            assert (error.code, error.context["in_flight"]) == ("SERVER_DRAIN_TIMEOUT", 1)
            assert (await answer)[0] == 500
        assert app.events == ["started", "stopped"]
        assert (await server.stop()).unwrap_error().code == "SERVER_NOT_RUNNING"
        assert await server.close()

    asyncio.run(main())


def test_a_notice_keeps_accepting_while_readiness_says_no() -> None:
    async def main() -> None:
        server = (await Server(App(), port=0, notice=0.5).start()).unwrap()
        stopping = asyncio.create_task(server.stop())
        await asyncio.wait({stopping}, timeout=0.05)
        with caller(server) as one:
            assert await one.get("/state") == (200, "by one True", "close")
        (await stopping).unwrap()

    asyncio.run(main())


def test_closing_while_a_stop_is_under_way_waits_for_it() -> None:
    async def main() -> None:
        app = App()
        server = (await Server(app, port=0).start()).unwrap()
        with caller(server) as slow:
            answer = asyncio.create_task(slow.get("/slow"))
            await app.entered.wait()
            stopping = asyncio.create_task(server.stop())
            await asyncio.wait({stopping}, timeout=0.05)
            closing = asyncio.create_task(server.close())
            await asyncio.wait({closing}, timeout=0.05)
            app.release.set()
            assert (await answer)[0] == 200
        assert await stopping
        assert await closing

    asyncio.run(main())


def test_a_stop_that_is_cancelled_has_stopped() -> None:
    async def main() -> None:
        app = App()
        server = (await Server(app, port=0).start()).unwrap()
        with caller(server) as slow:
            answer = asyncio.create_task(slow.get("/slow"))
            await app.entered.wait()
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(server.stop(), 0.05)
            assert server.address is None
            with pytest.raises((OSError, http.client.HTTPException)):
                await answer

    asyncio.run(main())


def test_a_reload_under_load_fails_no_request() -> None:
    async def main() -> None:
        first = App("v0")
        async with Server(first, port=0).running() as server:
            over = False
            seen: asyncio.Queue[str] = asyncio.Queue()
            versions = set()

            async def hammer(keep: bool) -> None:
                connection = Caller(server)
                while not over:
                    status, body, _ = await connection.get()
                    assert status == 200
                    seen.put_nowait(body)
                    if not keep:
                        connection.close()
                        connection = Caller(server)
                connection.close()

            async with asyncio.TaskGroup() as group:
                for number in range(6):
                    group.create_task(hammer(keep=number % 2 == 0))
                for number in range(1, 6):
                    (await server.reload(App(f"v{number}"))).unwrap()
                    for _ in range(40):  # requests answered meanwhile
                        versions.add(await seen.get())
                over = True
            while not seen.empty():
                versions.add(seen.get_nowait())
            assert versions >= {f"v{number}" for number in range(1, 6)}
            assert server.stats().reloads == 5
        assert first.events == ["started", "stopped"]

    asyncio.run(main())


def test_a_request_ends_in_the_application_that_it_began_with() -> None:
    async def main() -> None:
        old = App("old")
        async with Server(old, port=0).running() as server:
            with caller(server) as slow, caller(server) as quick:
                answer = asyncio.create_task(slow.get("/slow"))
                await old.entered.wait()
                reloading = asyncio.create_task(server.reload(App("new")))
                while (await quick.get())[1] == "old":
                    pass
                assert old.events == ["started"]
                old.release.set()
                assert (await answer)[1] == "old"
                (await reloading).unwrap()
                assert old.events == ["started", "stopped"]

    asyncio.run(main())


def test_a_reload_that_does_not_start_leaves_the_old_one_serving() -> None:
    async def main() -> None:
        async with Server(App("old"), port=0).running() as server:
            refused = await server.reload(App(refuses=ValueError("bad")))
            assert refused.unwrap_error().code == "SERVER_START_FAILED"
            with caller(server) as one:
                assert (await one.get())[1] == "old"
        assert (await server.reload(App())).unwrap_error().code == "SERVER_NOT_RUNNING"

    asyncio.run(main())


def test_a_unix_socket_is_served_and_a_stale_one_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # a socket's path has 107 bytes at most; a folder of tests, more

    async def main() -> None:
        path = "app.sock"
        with socket.socket(socket.AF_UNIX) as stale:
            stale.bind(path)
        async with Server(App(), unix=path).running() as server:
            assert server.address == f"unix:{path}"
            reader, writer = await asyncio.open_unix_connection(path)
            writer.write(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            assert (await reader.read()).endswith(b"one")
            writer.close()
            await writer.wait_closed()
            error = await _start(Server(App(), unix=path))
            assert error.code == "SERVER_PORT_IN_USE"
        assert (await _start(Server(App(), unix="notes.txt"))).code == "SERVER_PORT_IN_USE"

    (tmp_path / "notes.txt").write_text("mine")
    asyncio.run(main())
    assert (tmp_path / "notes.txt").read_text() == "mine"
    assert not (tmp_path / "app.sock").exists()


def test_no_signal_handler_is_touched_unless_asked() -> None:
    async def main() -> None:
        before = signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)
        async with Server(App(), port=0).running() as server:
            assert (signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)) == before
            waiting = asyncio.create_task(server.wait(signals=True))
            await asyncio.sleep(0)
            os.kill(os.getpid(), signal.SIGTERM)
            assert await waiting is signal.SIGTERM
            assert (signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)) == before
            waiting = asyncio.create_task(server.wait())
        assert await waiting is None

    asyncio.run(main())


@pytest.mark.parametrize("asked", [{"workers": 2}, {"tls": object()}], ids=["workers", "tls"])
def test_what_is_not_here_yet_says_so(asked: dict[str, Any]) -> None:
    error = asyncio.run(_start(Server(App(), port=0, **asked)))
    assert (error.code, error.category) == ("SERVER_UNSUPPORTED", ErrorCategory.UNSUPPORTED)


def test_a_second_start_is_refused_and_an_import_string_is_a_mistake() -> None:
    async def main() -> None:
        async with Server(App(), port=0).running() as server:
            assert (await server.start()).unwrap_error().category == ErrorCategory.CONFLICT
        async with server.running():
            pass  # and it may be started again

    asyncio.run(main())
    with pytest.raises(TypeError, match="ASGI application"):
        Server("module:app")  # type: ignore[arg-type]


def test_what_an_application_raises_is_told_once_and_without_its_secrets(
    caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    async def raises(scope: Any, receive: Any, send: Any) -> None:
        assert scope["type"] == "http"
        if scope["path"] == "/half":
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": b"begun", "more_body": True})
        raise ValueError("postgres://bob:hunter2-planted@db is down")

    async def main() -> None:
        async with Server(raises, port=0).running() as server:
            with caller(server) as one:
                assert await one.get() == (500, "Internal Server Error", "close")
            with caller(server) as one, pytest.raises(http.client.HTTPException):
                await one.get("/half")

    asyncio.run(main())
    said = caplog.text + capfd.readouterr().err
    assert "hunter2-planted" not in said
    assert said.count("postgres://***@db is down") == 2


def test_strangers_do_not_choose_their_address() -> None:
    seen: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        assert scope["type"] == "http"
        seen.append((scope["client"][0], scope["scheme"]))
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body"})

    async def main(trusted: tuple[str, ...]) -> None:
        async with Server(app, port=0, trusted_proxies=trusted).running() as server:
            connection = http.client.HTTPConnection(str(server.address).removeprefix("http://"))
            said = {"X-Forwarded-For": "198.51.100.9", "X-Forwarded-Proto": "https"}
            await asyncio.to_thread(connection.request, "GET", "/", None, said)
            assert (await asyncio.to_thread(connection.getresponse)).status == 204
            connection.close()

    asyncio.run(main(()))
    asyncio.run(main(("127.0.0.1",)))
    assert seen == [("127.0.0.1", "http"), ("198.51.100.9", "https")]
