"""What a mistake in a program says: where it is, what it is, and what to write."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from fastapi import Depends, FastAPI
from fastapi.sse import EventSourceResponse
from pydantic import BaseModel

from qicore_cache import CACHE, Cache, open_cache
from qicore_core import ConfigData, QiError, Result, Runtime, Stream, success
from qicore_core.testing import assert_failure
from qicore_fastapi import Router, install, use
from qicore_uvicorn import Server

SECRET = "hunter2-planted"


class User(BaseModel):
    name: str


@pytest.fixture
def app(logger: Any) -> FastAPI:
    made = FastAPI()
    install(made, logger=logger)
    return made


async def _load() -> User:
    return User(name="Ada")


def _no_return() -> Result[User]:  # type: ignore[return]
    success(User(name="Ada"))


async def _no_return_inside() -> list[User] | int | None:  # type: ignore[return]
    success(User(name="Ada"))


async def _success_of_none() -> Result[User]:
    return success(None)  # type: ignore[arg-type]


async def _no_await() -> User:
    return _load()  # type: ignore[return-value]


def _success_without_await() -> Result[list[User]]:
    return success(_load())  # type: ignore[arg-type]


async def _untyped():  # type: ignore[no-untyped-def]
    return _load()


async def _another_type() -> Result[User]:
    return success(SECRET)  # type: ignore[arg-type]


async def _stream_without_await() -> Stream[User]:
    return _load()  # type: ignore[return-value]


def _stream_without_return() -> Stream[User]:  # type: ignore[return]
    success()


MISTAKES: dict[Any, tuple[str, str]] = {
    _no_return: ("_no_return returned None, not User", "without `return`"),
    _success_of_none: ("_success_of_none returned None, not User", "without `return`"),
    _no_await: ("_no_await returned a coroutine, not User", "await it"),
    _success_without_await: (
        "_success_without_await returned a coroutine, not list[User]",
        "await it",
    ),
    _untyped: ("_untyped returned a coroutine", "await it"),
    _another_type: ("_another_type returned a value (str) that does not fit User", "return User,"),
    _stream_without_await: (
        "_stream_without_await returned a coroutine, not Stream[User]",
        "await it",
    ),
    _stream_without_return: (
        "_stream_without_return returned None, not Stream[User]",
        "without `return`",
    ),
}


@pytest.mark.parametrize("handler", MISTAKES, ids=lambda one: one.__name__)
def test_what_a_handler_returns_by_mistake_is_said(
    handler: Any, app: FastAPI, serve: Any, lines: Any
) -> None:
    message, hint = MISTAKES[handler]
    app.get("/")(handler)
    site = serve(app)
    answer = site.get("/")
    assert (answer.status, answer.json["code"]) == (500, "WEB_RESPONSE_INVALID")
    assert handler.__name__ not in answer.everything
    site.settle()
    error = lines[-1].error
    assert error["message"] == message
    assert hint in error["hint"]
    assert SECRET not in str(error)


@pytest.mark.parametrize(
    "handler", [_no_return, _no_await, _another_type], ids=lambda one: one.__name__
)
def test_it_is_said_too_where_fastapi_shapes_the_answer(
    handler: Any, app: FastAPI, serve: Any, lines: Any
) -> None:
    message, hint = MISTAKES[handler]
    app.get("/", response_model_exclude_unset=True)(handler)
    site = serve(app)
    answer = site.get("/")
    assert (answer.status, answer.json["code"]) == (500, "WEB_RESPONSE_INVALID")
    site.settle()
    error = lines[-1].error
    assert error["message"] == message
    assert hint in error["hint"]
    assert SECRET not in str(error)


def test_none_is_no_mistake_where_it_is_allowed(app: FastAPI, serve: Any) -> None:
    app.get("/")(_no_return_inside)
    assert serve(app).get("/").body == b"null"


def test_a_request_that_does_not_fit_counts_its_errors(app: FastAPI, serve: Any) -> None:
    @app.get("/")
    async def get(a: int, b: int = 0) -> int:
        return a + b

    site = serve(app)
    assert site.get("/?a=x").json["detail"] == "the request does not fit: 1 error"
    assert site.get("/?a=x&b=y").json["detail"] == "the request does not fit: 2 errors"


def _client(name: str = "") -> Any:
    def get(cache: Cache = use(CACHE, name)) -> None: ...  # noqa: B008

    return get


def _on_a_handler(app: FastAPI) -> None:
    app.get("/a")(_client("audit"))


def _in_a_dependency(app: FastAPI) -> None:
    app.get("/a", dependencies=[Depends(_client("audit"))])(lambda: None)


def _where_a_router_is_included(app: FastAPI) -> None:
    router, outer = Router(), Router()
    router.get("/a")(lambda: None)
    outer.include_router(router, dependencies=[Depends(_client("audit"))])
    app.include_router(outer)


@pytest.mark.parametrize(
    "add",
    [_on_a_handler, _in_a_dependency, _where_a_router_is_included],
    ids=lambda one: one.__name__,
)
def test_a_section_that_is_missing_keeps_the_application_from_starting(
    add: Any, logger: Any
) -> None:
    async def main() -> None:
        app = FastAPI()
        data = ConfigData.from_object({"cache": {"main": {"url": "memory:"}}}).unwrap()
        install(app, runtime=Runtime.open(data, handle_sigterm=False), logger=logger)
        app.get("/fine")(_client())
        add(app)
        error = assert_failure(await Server(app, port=0).start(), code="SERVER_START_FAILED")
        assert error.category == "CONFIGURATION"
        assert isinstance(error.cause, QiError)
        assert error.cause.code == "WEB_CLIENT_MISSING"
        assert "GET /a: the runtime has no cache.audit; it has cache.main" in error.message
        assert "/fine" not in error.message

    asyncio.run(main())


def test_a_client_without_a_runtime_keeps_the_application_from_starting(app: FastAPI) -> None:
    app.get("/a")(_client())
    app.websocket("/ws")(_client())
    with pytest.raises(QiError, match=r"GET /a: .*runtime=Runtime\.open\(data\)") as caught:
        asyncio.run(_started(app))
    assert caught.value.code == "WEB_CLIENT_MISSING"
    assert "WebSocket /ws" in caught.value.message


def test_a_client_that_a_test_puts_another_in_place_of_is_not_asked_for(app: FastAPI) -> None:
    wanted = _client()
    app.get("/a", dependencies=[Depends(wanted)])(lambda: None)
    app.dependency_overrides[wanted] = lambda: None
    asyncio.run(_started(app))


def test_an_open_runtime_is_looked_at_too(logger: Any) -> None:
    async def main() -> None:
        async with open_cache("memory:") as cache:
            app = FastAPI()
            install(app, runtime=Runtime.of(cache=cache), logger=logger)
            app.get("/a")(_client())
            await _started(app)
            app.get("/b")(_client("audit"))
            with pytest.raises(QiError, match=r"GET /b: the runtime has no cache\.audit"):
                await _started(app)

    asyncio.run(main())


async def _started(app: FastAPI) -> None:
    async with app.router.lifespan_context(app):
        pass


@pytest.mark.parametrize(
    "runtime",
    [ConfigData.from_object({}).unwrap(), Runtime, Runtime.open, "app.toml"],
    ids=["data", "class", "method", "path"],
)
def test_a_runtime_that_is_none_says_what_it_takes(runtime: Any) -> None:
    app = FastAPI()
    with pytest.raises(TypeError, match=r"a Runtime or Runtime\.open\(data\), got \w+$"):
        install(app, runtime=runtime)
    install(app)  # nothing was installed


def test_what_is_not_here_yet_is_unsupported(app: FastAPI) -> None:
    def events() -> Stream[User]: ...  # type: ignore[empty-body]

    for ask in (
        lambda: use("main"),  # type: ignore[arg-type, type-var]
        lambda: install(FastAPI(), metrics_path="/metrics"),
        lambda: app.get("/events", response_class=EventSourceResponse)(events),
    ):
        with pytest.raises(QiError, match="is not here yet: ") as caught:
            ask()
        assert (caught.value.code, caught.value.category) == ("WEB_UNSUPPORTED", "UNSUPPORTED")


def test_an_annotation_is_shown_by_its_name() -> None:
    async def inside() -> list[Result[User]]: ...  # type: ignore[empty-body]

    app = FastAPI()
    install(app)
    with pytest.raises(TypeError, match=r"returns list\[Result\[User\]\], and"):
        app.get("/")(inside)
