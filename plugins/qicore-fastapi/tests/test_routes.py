"""OpenAPI, streams, and annotations that cannot be used."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

import pytest
from fastapi import FastAPI
from pydantic import BaseModel, Field

from qicore_core import ErrorCategory, QiError, Result, Stream, failure, success
from qicore_fastapi import Router, install, problems

SECRET = "hunter2-planted"


class Item(BaseModel):
    name: str
    tags: list[str] = Field(default=[], alias="labels")


class Stored(Item):
    password: str = SECRET


@pytest.fixture
def app() -> FastAPI:
    made = FastAPI()
    install(made)
    return made


def test_openapi_knows_the_model_and_the_failures(app: FastAPI) -> None:
    router = Router()

    @router.get("/{name}", errors=[ErrorCategory.NOT_FOUND, QiError.conflict("BUSY", "it is busy")])
    async def one(name: str) -> Result[Item]:
        raise AssertionError

    for verb in ("put", "post", "patch", "delete"):
        getattr(router, verb)("/{name}", errors=[ErrorCategory.NOT_FOUND])(one)
    app.include_router(router)
    app.get("/own", responses=problems(ErrorCategory.TIMEOUT))(one)
    document = app.openapi()
    said = document["paths"]["/{name}"]["get"]["responses"]
    assert said["200"]["content"]["application/json"]["schema"] == {
        "$ref": "#/components/schemas/Item"
    }
    assert set(said) == {"200", "404", "409", "default"}
    assert set(said["404"]["content"]) == {"application/problem+json"}
    example = said["409"]["content"]["application/problem+json"]["examples"]["BUSY"]["value"]
    assert (example["code"], example["detail"]) == ("BUSY", "it is busy")
    assert set(document["paths"]["/{name}"]) == {"get", "put", "post", "patch", "delete"}
    assert "504" in document["paths"]["/own"]["get"]["responses"]
    assert "HTTPValidationError" not in document["components"]["schemas"]
    assert not {"/healthz", "/readyz"} & set(document["paths"])


def test_a_stream_is_lines_and_ends_with_a_problem_when_it_fails(app: FastAPI, serve: Any) -> None:
    closed: list[str] = []

    def stream_of(*values: Any, begins: bool = True) -> Stream[Item]:
        async def items() -> Any:
            try:
                for value in values:
                    await asyncio.sleep(0)
                    yield failure(value) if isinstance(value, QiError) else success(value)
            finally:
                closed.append("closed")

        async def start() -> Result[Any]:
            if not begins:
                return failure(QiError.unavailable("NO_MODEL", f"key {SECRET}"))
            return success(items())

        return Stream(start)

    @app.get("/whole")
    async def whole() -> Stream[Item]:
        return stream_of(Item(name="a"), Stored(name="b"), {"name": "c", "password": SECRET})

    @app.get("/cut")
    def cut() -> Result[Stream[Item]]:
        return success(stream_of(Item(name="a"), QiError.network("CUT", f"at {SECRET}")))

    @app.get("/wrong")
    async def wrong() -> Stream[Item]:
        return stream_of(Item(name="a"), 7, Item(name="never"))

    @app.get("/unable")
    async def unable() -> Stream[Item]:
        return stream_of(begins=False)

    @app.get("/refused")
    async def refused() -> Result[Stream[Item]]:
        return failure(QiError.permission("NO", "no"))

    site = serve(app)
    answer = site.get("/whole")
    assert answer.headers["Content-Type"] == "application/x-ndjson"
    assert answer.text == "".join(f'{{"name":"{name}","labels":[]}}\n' for name in "abc")
    first, last = site.get("/cut").text.splitlines()
    assert first == '{"name":"a","labels":[]}'
    assert '"urn:qi:CUT"' in last
    assert SECRET not in last
    assert '"WEB_RESPONSE_INVALID"' in site.get("/wrong").text.splitlines()[-1]
    assert (site.get("/unable").status, site.get("/unable").json["code"]) == (503, "NO_MODEL")
    assert site.get("/refused").status == 403
    assert closed == ["closed"] * 3
    schema = app.openapi()["paths"]["/whole"]["get"]["responses"]["200"]["content"]
    assert set(schema) == {"application/x-ndjson"}


def test_an_annotation_that_cannot_be_used_says_what_to_write(app: FastAPI) -> None:
    async def bare() -> Result: ...  # type: ignore[type-arg]
    async def part() -> Result[Item] | None: ...
    async def inside() -> list[Result[Item]]: ...
    async def twice() -> Result[Result[Item]]: ...
    async def unknown() -> Result[NotThere]: ...  # type: ignore[name-defined]  # noqa: F821
    async def dressed() -> Annotated[Stream, "x"]: ...  # type: ignore[type-arg]

    for handler in (bare, part, inside, twice, unknown, dressed):
        with pytest.raises(TypeError, match=handler.__name__):
            app.get("/x")(handler)
