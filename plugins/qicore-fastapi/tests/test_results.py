"""What handlers return, and what callers see of it."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any

import pytest
from fastapi import BackgroundTasks, Depends, FastAPI, HTTPException, Response
from fastapi.responses import PlainTextResponse
from pydantic import BaseModel, Field

from qicore_core import ErrorCategory, QiError, Result, do, failure, success
from qicore_fastapi import Router, install

SECRET = "hunter2-planted"


class Item(BaseModel):
    name: str
    tags: list[str] = Field(default=[], alias="labels")


class Stored(Item):
    password: str = SECRET


class Box(BaseModel):
    item: Item


@dataclass
class Point:
    x: int
    y: int


@pytest.fixture
def app() -> FastAPI:
    made = FastAPI()
    install(made)
    return made


def test_a_result_a_value_and_a_raised_error_are_three_ways(app: FastAPI, serve: Any) -> None:
    @app.get("/result/{name}")
    async def result(name: str) -> Result[Item]:
        if name == "none":
            return failure(QiError.not_found("NO_ITEM", f"there is no {name!r}"))
        return success(Item(name=name))

    @app.get("/plain")
    def plain() -> Item:
        return Item(name="plain", labels=["a"])

    @app.get("/raises")
    def raises() -> Result[Item]:
        raise QiError.conflict("TAKEN", "it is taken")

    @app.get("/do")
    @do
    async def done() -> Item:
        return Item(name="do")

    site = serve(app)
    assert site.get("/result/tea").json == {"name": "tea", "labels": []}
    assert site.get("/plain").json == {"name": "plain", "labels": ["a"]}
    assert site.get("/do").json == {"name": "do", "labels": []}
    missing = site.get("/result/none", X_Request_ID="r-1")
    assert missing.status == 404
    assert missing.headers["Content-Type"] == "application/problem+json"
    assert missing.json == {
        "type": "urn:qi:NO_ITEM",
        "title": "Not found",
        "status": 404,
        "detail": "there is no 'none'",
        "code": "NO_ITEM",
        "instance": "r-1",
    }
    assert (site.get("/raises").status, site.get("/raises").json["code"]) == (409, "TAKEN")


def test_what_the_model_lacks_is_never_sent(app: FastAPI, serve: Any) -> None:
    @app.get("/subclass")
    async def subclass() -> Result[Item]:
        return success(Stored(name="a"))

    @app.get("/dict")
    async def as_dict() -> Result[Item]:
        return success({"name": "a", "password": SECRET})  # type: ignore[arg-type]

    @app.get("/many")
    def many() -> Result[list[Item]]:
        return success([Stored(name="a"), {"name": "b", "password": SECRET}])  # type: ignore[list-item]

    @app.get("/inside")
    async def inside() -> Box:
        return Box(item=Stored(name="a"))

    @app.get("/changed")
    async def changed() -> Box:
        box = Box(item=Item(name="a"))
        box.item = {"name": "a", "password": SECRET}  # type: ignore[assignment]
        return box

    @app.get("/wrong")
    async def wrong() -> Result[Item]:
        return success({"password": SECRET})  # type: ignore[arg-type]

    @app.get("/shaped", response_model_exclude_unset=True)
    async def shaped() -> Result[Item]:
        return success(Stored(name="a"))

    site = serve(app)
    paths = ("/subclass", "/dict", "/many", "/inside", "/changed", "/wrong", "/shaped")
    answers = {path: site.get(path) for path in paths}
    assert [path for path, answer in answers.items() if SECRET in answer.everything] == []
    assert answers["/subclass"].json == answers["/dict"].json == {"name": "a", "labels": []}
    assert [one["name"] for one in answers["/many"].json] == ["a", "b"]
    assert answers["/inside"].json == {"item": {"name": "a", "labels": []}}
    assert answers["/shaped"].json == {"name": "a"}
    for path in ("/changed", "/wrong"):
        assert (answers[path].status, answers[path].json["code"]) == (500, "WEB_RESPONSE_INVALID")


def test_other_shapes_of_success(app: FastAPI, serve: Any) -> None:
    @app.get("/none", status_code=204)
    async def none() -> Result[None]:
        return success()

    @app.get("/point")
    async def point() -> Result[Point]:
        return success(Point(1, 2))

    @app.get("/number")
    def number() -> Result[int | str]:
        return success(7)

    @app.get("/text")
    async def text() -> Result[PlainTextResponse]:
        return success(PlainTextResponse("as it is"))

    @app.get("/untyped")
    async def untyped():  # type: ignore[no-untyped-def]
        return success({"a": 1})

    @app.get("/own", response_class=PlainTextResponse)
    async def own() -> Result[str]:
        return success("own")

    @app.get("/yields")
    async def yields() -> Any:
        yield {"n": 1}

    async def part(prefix: str, name: str) -> Result[str]:
        return success(prefix + name)

    app.get("/partial")(functools.partial(part, prefix="hello "))
    site = serve(app)
    assert (site.get("/none").status, site.get("/none").body) == (204, b"")
    assert site.get("/point").json == {"x": 1, "y": 2}
    assert site.get("/number").json == 7
    assert site.get("/text").text == "as it is"
    assert site.get("/untyped").json == {"a": 1}
    assert site.get("/own").text == "own"
    assert site.get("/yields").json == {"n": 1}
    assert site.get("/partial?name=Ada").json == "hello Ada"


def test_headers_status_and_background_tasks_of_fastapi_stay(app: FastAPI, serve: Any) -> None:
    ran: list[str] = []

    def marks(response: Response) -> None:
        response.headers["X-Mark"] = "dependency"
        response.set_cookie("seen", "1")

    def router_marks(response: Response) -> None:
        response.headers["X-Router"] = "yes"

    router = Router(dependencies=[Depends(marks)])

    @router.post("/made", status_code=201)
    async def made(later: BackgroundTasks) -> Result[Item]:
        later.add_task(ran.append, "later")
        return success(Item(name="new"))

    @router.get("/own")
    def own(response: Response) -> Result[Item]:
        response.status_code = 202
        response.headers["X-Own"] = "handler"
        return success(Item(name="own"))

    app.include_router(router, prefix="/v1", dependencies=[Depends(router_marks)])
    site = serve(app)
    first = site.post("/v1/made", {})
    assert (first.status, first.headers["X-Mark"], first.headers["X-Router"]) == (
        201,
        "dependency",
        "yes",
    )
    assert first.headers["Set-Cookie"].startswith("seen=1")
    second = site.get("/v1/own")
    assert (second.status, second.headers["X-Own"], second.headers["X-Mark"]) == (
        202,
        "handler",
        "dependency",
    )
    site.settle()
    assert ran == ["later"]


def test_a_problem_has_no_context_no_cause_and_no_text_of_ours(app: FastAPI, serve: Any) -> None:
    @app.get("/{category}")
    async def fail(category: str) -> Result[Item]:
        cause = QiError.database("DSN", f"postgres://u:{SECRET}@db")
        make = getattr(QiError, category)
        return failure(
            make("FAILED", f"password={SECRET}", cause=cause, hint=SECRET, password=SECRET)
        )

    site = serve(app)
    for category in ErrorCategory:
        answer = site.get(f"/{category.lower()}")
        assert answer.status == category.http_status
        assert SECRET not in answer.everything
        assert answer.json["code"] == "FAILED"
        if category.http_status >= 500:
            assert answer.json["detail"] == category.public_message


def test_a_wait_is_told_and_a_public_message_shown(app: FastAPI, serve: Any) -> None:
    @app.get("/")
    async def limited() -> Result[Item]:
        return failure(
            QiError.rate_limited(
                "SLOW_DOWN", "bucket 7 is empty", retry_after=1.2, public_message="wait"
            )
        )

    answer = serve(app).get("/")
    assert (answer.status, answer.headers["Retry-After"]) == (429, "2")
    assert answer.json["detail"] == "wait"


def test_what_fastapi_raises_has_the_same_shape(app: FastAPI, serve: Any) -> None:
    @app.post("/items")
    async def make(item: Item, limit: int = 1) -> Result[Item]:
        return success(item)

    @app.get("/http/{status}")
    async def http(status: int, data: bool = False) -> Result[Item]:
        detail: Any = {"why": "so"} if data else "said by us"
        raise HTTPException(status, detail, {"X-Extra": "1"})

    async def guard() -> None:
        raise QiError.permission("NOT_YOURS", "only for Bob")

    @app.get("/guarded", dependencies=[Depends(guard)])
    async def guarded() -> Result[Item]:
        raise AssertionError

    site = serve(app)
    wrong = site.post(f"/items?limit={SECRET}", {"name": [SECRET], "labels": SECRET})
    assert (wrong.status, wrong.json["code"]) == (422, "WEB_REQUEST_INVALID")
    assert [one["loc"] for one in wrong.json["errors"]] == [
        ["query", "limit"],
        ["body", "name"],
        ["body", "labels"],
    ]
    assert SECRET not in wrong.everything
    many = site.post("/items", {"name": "a", "labels": [1] * 5000})
    assert len(many.json["errors"]) == 20
    assert len(many.body) < 5000
    broken = site.call("POST", "/items", f'{{"{SECRET}', {"Content-Type": "application/json"})
    assert (broken.status, broken.json["code"]) == (422, "WEB_REQUEST_INVALID")
    assert SECRET not in broken.everything

    teapot = site.get("/http/418")
    assert (teapot.status, teapot.json["code"]) == (418, "HTTP_I_M_A_TEAPOT")
    assert (teapot.json["detail"], teapot.headers["X-Extra"]) == ("said by us", "1")
    assert site.get("/http/409?data=true").json["data"] == {"why": "so"}
    assert "said by us" not in site.get("/http/503").text
    assert site.get("/http/304").body == b""
    lost = site.get("/nowhere")
    assert (lost.status, lost.json["code"], lost.json["title"]) == (
        404,
        "HTTP_NOT_FOUND",
        "Not Found",
    )
    assert lost.headers["Content-Type"] == "application/problem+json"
    other = site.call("DELETE", "/items")
    assert (other.status, other.json["code"], other.headers["Allow"]) == (
        405,
        "HTTP_METHOD_NOT_ALLOWED",
        "POST",
    )
    assert (site.get("/guarded").status, site.get("/guarded").json["code"]) == (403, "NOT_YOURS")
