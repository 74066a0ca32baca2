"""What callers and handlers do to it: nothing secret gets out, and everything is answered."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import socket
import sys
import traceback
from collections.abc import AsyncIterator, Callable
from typing import Annotated, Any, Literal

import pytest
from fastapi import APIRouter, Depends, FastAPI, Header, HTTPException, Request
from fastapi.dependencies.utils import get_parameterless_sub_dependant
from fastapi.responses import StreamingResponse
from fastapi.routing import APIRoute
from opentelemetry import trace
from pydantic import BaseModel, Field, field_validator

from qicore_core import QiError, Result, success
from qicore_fastapi import Router, install

SECRET = "hunter2-planted"
DSN = f"postgres://bob:{SECRET}@db"


class Cat(BaseModel):
    kind: Literal["cat"]


class Dog(BaseModel):
    kind: Literal["dog"]


class Pet(BaseModel):
    pet: Annotated[Cat | Dog, Field(discriminator="kind")]


class Checked(BaseModel):
    word: str

    @field_validator("word")
    @classmethod
    def short(cls, word: str) -> str:
        if len(word) > 3:
            raise ValueError(f"{word} is too long")
        return word


@pytest.fixture
def app(logger: Any) -> FastAPI:
    made = FastAPI()
    install(made, logger=logger)
    return made


def test_a_validation_error_shows_no_value(app: FastAPI, serve: Any, lines: Any) -> None:
    @app.post("/pets")
    async def pets(pet: Pet) -> Result[str]:
        raise AssertionError

    @app.post("/words")
    async def words(checked: Checked) -> Result[str]:
        raise AssertionError

    @app.get("/number")
    async def number(n: int, x_n: Annotated[int, Header()] = 0) -> Result[int]:
        raise AssertionError

    site = serve(app)
    answers = [
        site.post("/pets", {"pet": {"kind": SECRET}}),
        site.post("/words", {"word": SECRET}),
        site.get(f"/number?n={SECRET}", X_N=SECRET, Authorization=f"Bearer {SECRET}"),
    ]
    site.settle()
    for answer in answers:
        assert (answer.status, answer.json["code"]) == (422, "WEB_REQUEST_INVALID")
        assert answer.json["errors"][0]["msg"]
        assert SECRET not in answer.everything
    assert [line.fields["status"] for line in lines] == [422] * 3
    assert not [line for line in lines if SECRET in line.line]


def test_a_crash_is_logged_with_its_place_and_no_secret(
    app: FastAPI,
    serve: Any,
    lines: Any,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    @app.get("/crash")
    async def crash() -> Result[int]:
        raise ValueError(DSN)

    @app.get("/half")
    async def half() -> StreamingResponse:
        async def chunks() -> AsyncIterator[bytes]:
            yield b"begun"
            raise ValueError(DSN)

        return StreamingResponse(chunks())

    site = serve(app)
    answer = site.get("/crash")
    _send(site, b"GET /half HTTP/1.1\r\nHost: x\r\n\r\n", read=True)
    site.settle()
    assert (answer.status, answer.json["code"]) == (500, "WEB_CRASHED")
    assert [line.error["frames"][-1]["function"].rpartition(".")[2] for line in lines] == [
        "crash",
        "chunks",
    ]
    said = answer.everything + "".join(line.line for line in lines)
    said += caplog.text + capfd.readouterr().err
    assert SECRET not in said
    assert "Traceback" not in answer.everything


def test_what_other_servers_are_told_of_half_an_answer_has_no_secret(app: FastAPI) -> None:
    @app.get("/half")
    async def half() -> StreamingResponse:
        async def chunks() -> AsyncIterator[bytes]:
            yield b"begun"
            raise ValueError(DSN)

        return StreamingResponse(chunks())

    async def receive() -> Any:
        return await asyncio.Future()

    async def send(message: Any) -> None:
        pass

    scope: Any = {"type": "http", "method": "GET", "path": "/half", "root_path": ""}
    with pytest.raises(Exception, match="broke off") as caught:
        asyncio.run(app({**scope, "query_string": b"", "headers": []}, receive, send))
    assert SECRET not in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize("wrong", [b"x" * 10_000, b"a\x00b", "\u00e9".encode(), b"a b"])
def test_a_wrong_id_is_replaced_wherever_it_would_show(
    app: FastAPI, serve: Any, lines: Any, wrong: bytes
) -> None:
    site = serve(app)
    head = b"GET /nowhere HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
    got = _send(site, head + b"X-Request-ID: " + wrong + b"\r\n\r\n", read=True)
    site.settle()
    assert wrong not in got
    assert not [line for line in lines if wrong.decode("latin-1") in line.line]


@pytest.mark.parametrize("path", ["/raw", "/model"])
def test_who_goes_away_in_the_middle_of_a_body_is_no_crash(
    app: FastAPI, serve: Any, lines: Any, path: str
) -> None:
    @app.post("/raw")
    async def raw(request: Request) -> Result[int]:
        return success(len(await request.body()))

    @app.post("/model")
    async def model(checked: Checked) -> Result[int]:
        raise AssertionError

    site = serve(app)
    head = f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
    _send(site, head.encode() + b"Content-Length: 100\r\n\r\n{", read=False)
    while not lines:
        site.get("/healthz")
    site.settle()
    lines = [line for line in lines if line.fields["path"] == path]
    (line,) = lines
    assert (str(line.level), line.fields["status"]) == ("info", 499)
    assert line.error["code"] == "WEB_CLIENT_GONE"


@pytest.mark.parametrize("path", ["/raw", "/model"])
def test_a_body_that_does_not_come_is_refused(
    serve: Any, logger: Any, lines: Any, path: str
) -> None:
    app = FastAPI()
    install(app, logger=logger, body_timeout=0.05)

    @app.post("/raw")
    async def raw(request: Request) -> Result[int]:
        return success(len(await request.body()))

    @app.post("/model")
    async def model(checked: Checked) -> Result[int]:
        raise AssertionError

    site = serve(app)
    head = f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
    answer = _send(site, head.encode() + b"Content-Length: 100\r\n\r\n{", read=True)
    site.settle()
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert b"WEB_BODY_TOO_SLOW" in answer
    assert b"connection: close" in answer.lower()
    assert [line.fields["status"] for line in lines] == [408]


def test_who_waits_for_the_end_of_the_connection_is_not_hurried(logger: Any) -> None:
    app = FastAPI()
    install(app, logger=logger, body_timeout=0.001)

    @app.post("/waits")
    async def waits(request: Request) -> Result[str]:
        await request.body()
        return success((await request.receive())["type"])

    sent: list[Any] = []

    async def main() -> None:
        messages = [{"type": "http.request", "body": b""}]

        async def receive() -> Any:
            if messages:
                return messages.pop()
            await asyncio.sleep(0.01)  # more than a piece of the body may take
            return {"type": "http.disconnect"}

        async def send(message: Any) -> None:
            sent.append(message)

        scope: Any = {"type": "http", "method": "POST", "path": "/waits", "root_path": ""}
        await app({**scope, "query_string": b"", "headers": []}, receive, send)

    asyncio.run(main())
    assert sent[0]["status"] == 200


def test_who_goes_away_in_the_middle_of_an_answer_is_no_crash(
    app: FastAPI, serve: Any, lines: Any
) -> None:
    @app.get("/endless")
    async def endless() -> StreamingResponse:
        async def chunks() -> AsyncIterator[bytes]:
            while True:
                yield b"more"
                await asyncio.sleep(0)

        return StreamingResponse(chunks())

    site = serve(app)
    host, _, port = site.address.partition(":")
    with socket.create_connection((host, int(port)), 10) as caller:
        caller.sendall(b"GET /endless HTTP/1.1\r\nHost: x\r\n\r\n")
        assert caller.recv(100).startswith(b"HTTP/1.1 200")
    while not [line for line in lines if line.fields["path"] == "/endless"]:
        site.get("/healthz")
    site.settle()
    (line,) = [line for line in lines if line.fields["path"] == "/endless"]
    assert (str(line.level), line.fields["status"]) == ("info", 200)
    assert line.error["code"] == "WEB_CLIENT_GONE"


@pytest.mark.parametrize("raised", [asyncio.CancelledError, SystemExit], ids=["cancelled", "exit"])
def test_a_handler_that_is_ended_is_answered_and_the_server_lives(
    app: FastAPI, serve: Any, lines: Any, raised: type[BaseException]
) -> None:
    @app.get("/ended")
    async def ended() -> Result[int]:
        raise raised(DSN)

    site = serve(app)
    answer = site.get("/ended")
    assert (answer.status, answer.json["code"]) == (499, "WEB_CANCELLED")
    assert SECRET not in answer.everything
    assert site.get("/healthz").status == 200
    site.settle()
    assert [line.fields["status"] for line in lines] == [499, 200]


def test_a_request_that_a_stop_cuts_is_answered(app: FastAPI, serve: Any) -> None:
    @app.get("/slow")
    async def slow() -> Result[int]:
        asyncio.get_running_loop().call_soon(stop)
        await asyncio.Event().wait()
        raise AssertionError

    site = serve(app)
    stopping: list[asyncio.Future[Result[None]]] = []

    def stop() -> None:
        stopping.append(asyncio.ensure_future(site.server.stop(0.05)))

    async def stopped() -> Result[None]:
        return await stopping[0]

    answer = site.get("/slow")
    assert (answer.status, answer.json["code"]) == (499, "WEB_CANCELLED")
    ended = asyncio.run_coroutine_threadsafe(stopped(), site.loop).result(10)
    assert ended.unwrap_error().code == "SERVER_DRAIN_TIMEOUT"


async def _guard() -> None:
    raise QiError.permission("NOT_YOURS", "only for Bob")


def _on_the_route(app: FastAPI, router: APIRouter, add: Callable[..., Any]) -> None:
    app.get("/guarded", dependencies=[Depends(_guard)])(add)


def _on_the_router(app: FastAPI, router: APIRouter, add: Callable[..., Any]) -> None:
    guarded = Router(dependencies=[Depends(_guard)])
    guarded.get("/guarded")(add)
    app.include_router(guarded)


def _where_it_is_included(app: FastAPI, router: APIRouter, add: Callable[..., Any]) -> None:
    router.get("/guarded")(add)
    app.include_router(router, dependencies=[Depends(_guard)])


def _two_routers_up(app: FastAPI, router: APIRouter, add: Callable[..., Any]) -> None:
    outer = Router()
    router.get("/guarded")(add)
    outer.include_router(router)
    app.include_router(outer, dependencies=[Depends(_guard)])


def _afterwards(app: FastAPI, router: APIRouter, add: Callable[..., Any]) -> None:
    app.get("/guarded")(add)
    route: Any = app.routes[-1]
    late = get_parameterless_sub_dependant(depends=Depends(_guard), path="/guarded")
    route.dependant.dependencies.append(late)


@pytest.mark.parametrize(
    "guard",
    [_on_the_route, _on_the_router, _where_it_is_included, _two_routers_up, _afterwards],
    ids=lambda guard: guard.__name__.strip("_"),
)
def test_no_dependency_is_passed_by(app: FastAPI, serve: Any, guard: Callable[..., Any]) -> None:
    async def handler() -> Result[str]:
        return success(SECRET)

    guard(app, Router(), handler)
    answer = serve(app).get("/guarded")
    assert (answer.status, answer.json["code"]) == (403, "NOT_YOURS")


def test_an_exceptions_headers_do_not_break_the_answer(app: FastAPI, serve: Any) -> None:
    @app.get("/headers")
    async def headers() -> Result[int]:
        said = {"Content-Length": "3", "Content-Type": "text/plain", "X-Request-ID": "forged"}
        raise HTTPException(409, "no", {**said, "X-Extra": "1", "Retry-After": "7"})

    answer = serve(app).get("/headers", X_Request_ID="r-1")
    assert (answer.status, answer.json["detail"], answer.headers["X-Extra"]) == (409, "no", "1")
    assert answer.headers.get_all("Content-Type") == ["application/problem+json"]
    assert answer.headers.get_all("X-Request-ID") == ["r-1"]
    assert answer.headers.get_all("Retry-After") == ["7"]


def test_what_is_traced_is_traced_step_by_step(logger: Any, serve: Any) -> None:
    steps: list[str] = []

    class Tracer(trace.Tracer):
        def start_span(self, name: str, *args: Any, **options: Any) -> Any:
            steps.append(name)
            return trace.INVALID_SPAN

        def start_as_current_span(self, name: str, *args: Any, **options: Any) -> Any:
            return contextlib.nullcontext(self.start_span(name))

    class Provider(trace.TracerProvider):
        def get_tracer(self, *args: Any, **options: Any) -> Tracer:
            return Tracer()

    app = FastAPI(telemetry={"tracer_provider": Provider()})
    install(app, logger=logger)

    @app.get("/traced")
    async def traced() -> Result[int]:
        return success(1)

    assert serve(app).get("/traced").json == 1
    assert "fastapi.endpoint" in steps


def test_what_somebody_wrapped_stays_wrapped(
    app: FastAPI, serve: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    made, seen = APIRoute.get_route_handler, []

    def wrapped(route: APIRoute) -> Any:
        handle = made(route)

        async def spying(handle: Any, request: Request) -> Any:
            seen.append(request.url.path)
            return await handle(request)

        return functools.partial(spying, handle)

    monkeypatch.setattr(APIRoute, "get_route_handler", wrapped)

    @app.get("/spied")
    async def spied() -> Result[int]:
        return success(1)

    assert serve(app).get("/spied").json == 1
    assert seen == ["/spied"]


def test_a_body_is_read_as_fastapi_reads_it(app: FastAPI, serve: Any) -> None:
    @app.post("/words")
    async def words(checked: Checked | None = None) -> Result[str]:
        return success("none" if checked is None else checked.word)

    site = serve(app)

    def post(body: str | bytes, kind: str | None = "application/json") -> Any:
        answer = site.call("POST", "/words", body, {"Content-Type": kind} if kind else {})
        return answer.json if answer.status == 200 else (answer.status, answer.json["code"])

    assert post('{"word": "tea"}') == "tea"
    assert post('{"word": "tea"}', "application/json; charset=utf-8") == "tea"
    assert post('{"word": "tea"}', "application/merge-patch+json") == "tea"
    assert post("") == "none"
    assert post("null") == "none"
    for wrong in ("{", "[1]", '{"word": "long one"}'):
        assert post(wrong) == (422, "WEB_REQUEST_INVALID")
    assert post(b'"\xff"') == (400, "HTTP_BAD_REQUEST")
    assert post('{"word": "tea"}', "text/plain") == (422, "WEB_REQUEST_INVALID")
    deep = "[" * sys.getrecursionlimit() * 10
    assert post(deep)[0] in (400, 422)


def _send(site: Any, request: bytes, *, read: bool) -> bytes:
    host, _, port = site.address.partition(":")
    with socket.create_connection((host, int(port)), 10) as caller:
        caller.sendall(request)
        return b"".join(iter(lambda: caller.recv(65536), b"")) if read else b""
