"""The layer around the application, health, the runtime: asked by raw sockets where it matters."""

from __future__ import annotations

import asyncio
import json
import re
import resource
import socket
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from fastapi import FastAPI, Request, WebSocket
from fastapi.responses import PlainTextResponse, StreamingResponse

from qicore_core import Result, success
from qicore_core.log import correlation_id
from qicore_fastapi import Router, install, request_id

SECRET = "hunter2-planted"
GOOD = re.compile(r"[A-Za-z0-9._-]{1,64}")


@pytest.fixture
def app(logger: Any) -> FastAPI:
    made = FastAPI()
    install(made, logger=logger, max_body_bytes=100_000)

    @made.get("/ids")
    async def ids() -> Result[list[str | None]]:
        return success([request_id(), correlation_id()])

    @made.get("/ids/thread")
    def ids_in_a_thread() -> Result[list[str | None]]:
        return success([request_id(), correlation_id()])

    @made.post("/size")
    async def size(request: Request) -> Result[int]:
        return success(len(await request.body()))

    @made.post("/model")
    async def model(data: dict[str, str]) -> Result[int]:
        return success(len(data))

    @made.post("/stubborn")
    async def stubborn(request: Request) -> Result[str]:
        try:
            await request.body()
        except Exception:  # noqa: BLE001
            return success("never mind")
        return success("read")

    @made.get("/crash")
    async def crash() -> Result[int]:
        password = SECRET
        raise ValueError(f"password={password}")

    @made.get("/half")
    async def half() -> StreamingResponse:
        async def chunks() -> AsyncIterator[bytes]:
            yield b"begun"
            raise ValueError(SECRET)

        return StreamingResponse(chunks())

    return made


def test_a_harmless_id_is_kept_and_any_other_replaced(app: FastAPI, serve: Any, lines: Any) -> None:
    site = serve(app)
    for path in ("/ids", "/ids/thread"):
        answer = site.get(path, X_Request_ID="order-7.a_B")
        assert answer.headers["X-Request-ID"] == "order-7.a_B"
        assert answer.json == ["order-7.a_B"] * 2
    made = {site.get("/ids").headers["X-Request-ID"] for _ in range(3)}
    assert len(made) == 3
    for wrong in ("", "a" * 65, "a b", "a;b", "é", '{"x":1}', "a\tlevel=error"):
        answer = site.call("GET", "/ids", headers={"X-Request-ID": wrong.encode("latin-1")})
        assert GOOD.fullmatch(answer.headers["X-Request-ID"])
        assert answer.headers["X-Request-ID"] != wrong
        assert answer.json == [answer.headers["X-Request-ID"]] * 2
    assert request_id() is None
    site.settle()
    assert all(line.line.count("\n") == 0 for line in lines)


def test_a_log_line_cannot_be_forged(app: FastAPI, serve: Any, lines: Any) -> None:
    site = serve(app)
    for request in (
        b"GET /ids HTTP/1.1\r\nHost: x\r\nX-Request-ID: a\x0bFORGED\r\nConnection: close\r\n\r\n",
        b"GET /x%0aFORGED%0d HTTP/1.0\r\nX-Request-ID: a\r\n FORGED\r\n\r\n",
    ):
        answer = _raw(site, request)
        head = answer.partition(b"\r\n\r\n")[0]
        assert b"FORGED" not in head
    site.settle()
    assert len(lines) == 1  # the first is refused by the server itself: a header has no such byte
    for line in lines:
        assert "\n" not in line.line
        assert "FORGED" not in str(line.correlation_id)


def test_each_request_has_one_line(app: FastAPI, serve: Any, lines: Any) -> None:
    site = serve(app)
    site.get("/ids?token=" + SECRET)
    site.get("/nowhere")
    site.get("/healthz")
    site.get("/crash")
    site.settle()
    said = [(line.fields["path"], line.fields["status"], str(line.level)) for line in lines]
    assert said == [
        ("/ids", 200, "info"),
        ("/nowhere", 404, "info"),
        ("/healthz", 200, "debug"),
        ("/crash", 500, "error"),
    ]
    assert {line.fields["method"] for line in lines} == {"GET"}
    assert all(line.fields["duration"] > 0 for line in lines)
    assert lines[-1].error["code"] == "WEB_CRASHED"
    assert lines[-1].error["cause"]["type"].endswith("ValueError")
    assert not [line for line in lines if SECRET in line.line]


def test_a_crash_says_nothing_but_where_to_look(app: FastAPI, serve: Any, lines: Any) -> None:
    site = serve(app)
    answer = site.get("/crash", X_Request_ID="r-9")
    site.settle()
    assert answer.status == 500
    assert answer.json == {
        "type": "urn:qi:WEB_CRASHED",
        "title": "Internal",
        "status": 500,
        "detail": "the service failed",
        "code": "WEB_CRASHED",
        "instance": "r-9",
    }
    assert lines[-1].correlation_id == "r-9"


def test_middleware_around_is_caught_too(app: FastAPI, serve: Any) -> None:
    class Breaks:
        def __init__(self, inner: Any) -> None:
            self.inner = inner

        async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
            if scope["type"] == "http":
                raise RuntimeError(SECRET)
            await self.inner(scope, receive, send)

    app.add_middleware(Breaks)
    answer = serve(app).get("/ids")
    assert (answer.status, answer.json["code"]) == (500, "WEB_CRASHED")
    assert SECRET not in answer.everything


def test_a_last_resort_of_the_programs_own_comes_first(
    app: FastAPI, serve: Any, lines: Any
) -> None:
    @app.exception_handler(Exception)
    async def own(request: Request, error: Exception) -> PlainTextResponse:
        return PlainTextResponse("sorry", 500)

    site = serve(app)
    answer = site.get("/crash")
    site.settle()
    assert (answer.status, answer.text) == (500, "sorry")
    assert [line.error["code"] for line in lines] == ["WEB_CRASHED"]


def test_half_an_answer_is_cut_not_completed(app: FastAPI, serve: Any, lines: Any) -> None:
    site = serve(app)
    answer = _raw(site, b"GET /half HTTP/1.1\r\nHost: x\r\n\r\n")
    site.settle()
    assert answer.startswith(b"HTTP/1.1 200")
    assert not answer.endswith(b"0\r\n\r\n")
    assert SECRET.encode() not in answer
    assert [str(line.level) for line in lines] == ["error"]


def test_a_body_at_the_limit_passes_and_one_above_does_not(app: FastAPI, serve: Any) -> None:
    site = serve(app)
    assert site.call("POST", "/size", b"x" * 100_000).json == 100_000
    for path in ("/size", "/model", "/stubborn"):
        declared = site.call("POST", path, b"x" * 100_001)
        assert (declared.status, declared.json["code"]) == (413, "WEB_BODY_TOO_LARGE")
        assert declared.headers["Connection"] == "close"
        assert GOOD.fullmatch(declared.headers["X-Request-ID"])


def test_a_gigabyte_that_is_announced_is_not_waited_for(app: FastAPI, serve: Any) -> None:
    answer = _raw(
        serve(app), b"POST /size HTTP/1.1\r\nHost: x\r\nContent-Length: 1073741824\r\n\r\nxxx"
    )
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert json.loads(answer.partition(b"\r\n\r\n")[2])["code"] == "WEB_BODY_TOO_LARGE"


@pytest.mark.parametrize("path", ["/size", "/model", "/stubborn"])
def test_a_body_without_end_is_refused_in_bounded_memory(
    app: FastAPI, serve: Any, path: str
) -> None:
    site = serve(app)
    host, _, port = site.address.partition(":")
    chunk = b"10000\r\n" + b"x" * 0x10000 + b"\r\n"
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    sent, received = 0, b""
    with socket.create_connection((host, int(port)), 10) as caller:
        head = f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        caller.sendall(head.encode() + b"Transfer-Encoding: chunked\r\n\r\n")
        try:
            while sent < 200 * len(chunk):  # 13 MB; refused long before
                caller.sendall(chunk)
                sent += len(chunk)
        except OSError:
            pass  # the server has closed: what it said may still be read
        try:
            received = caller.recv(65536)
        except OSError:
            received = (
                b""  # reset by what was still on its way: TCP, not the server, lost the answer
            )
    assert received == b"" or received.startswith(b"HTTP/1.1 413 ")
    assert sent < 200 * len(chunk)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 20_000  # kilobytes


def test_a_streamed_body_above_the_limit_is_answered(app: FastAPI, serve: Any, lines: Any) -> None:
    def chunks() -> Iterator[bytes]:
        yield b"x" * 100_000
        yield b"x"

    site = serve(app)
    answer = site.call("POST", "/size", chunks(), chunked=True)
    site.settle()
    assert (answer.status, answer.json["code"]) == (413, "WEB_BODY_TOO_LARGE")
    assert [line.fields["status"] for line in lines] == [413]


def test_install_says_when_it_comes_too_late_or_twice() -> None:
    app = FastAPI()
    app.get("/early")(lambda: 1)
    with pytest.raises(RuntimeError, match="/early"):
        install(app)
    twice = FastAPI(docs_url=None)
    install(twice)
    with pytest.raises(RuntimeError, match="already"):
        install(twice)
    with pytest.raises(ValueError, match="max_body_bytes"):
        install(FastAPI(), max_body_bytes=-1)
    with pytest.raises(ValueError, match="body_timeout"):
        install(FastAPI(), body_timeout=0)
    included = FastAPI()
    included.include_router(Router(prefix="/v1"))
    with pytest.raises(RuntimeError, match="too late"):
        install(included)


def test_debug_is_told(logger: Any, lines: Any, serve: Any) -> None:
    app = FastAPI(debug=True)
    install(app, logger=logger)
    serve(app)
    assert [line.message for line in lines][:1] == [
        "debug is on: a crash shows its traceback to the caller"
    ]


def test_cors_is_closed(app: FastAPI, serve: Any) -> None:
    answer = serve(app).get("/ids", Origin="https://elsewhere.example")
    assert not [name for name in answer.headers if name.lower().startswith("access-control")]


def test_a_websocket_passes(app: FastAPI) -> None:
    @app.websocket("/ws")
    async def ws(socket: WebSocket) -> None:
        await socket.accept()
        await socket.send_text("hello")
        await socket.close()

    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message["type"])

    async def receive() -> Any:
        return {"type": "websocket.connect"}

    scope = {
        "type": "websocket",
        "path": "/ws",
        "headers": [],
        "query_string": b"",
        "root_path": "",
    }
    asyncio.run(app(scope, receive, send))  # type: ignore[arg-type]
    assert sent == ["websocket.accept", "websocket.send", "websocket.close"]


def _raw(site: Any, request: bytes) -> bytes:
    host, _, port = site.address.partition(":")
    with socket.create_connection((host, int(port)), 10) as caller:
        caller.sendall(request)
        return b"".join(iter(lambda: caller.recv(65536), b""))
