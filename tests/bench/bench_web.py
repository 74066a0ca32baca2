"""A handler that returns a Result, with request id and JSON log, beside plain FastAPI.

Both have the same routes and response models, and are called as a server calls them, without a
socket: what a server adds is the same for both. FastAPI gives no id and logs nothing; ours writes
one line of JSON for each request to the null device.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from typing import Any

from fastapi import FastAPI, HTTPException
from harness import Row, compare
from pydantic import BaseModel

from qicore_core import QiError, Result, failure, success
from qicore_core.log import LoggerFactory
from qicore_fastapi import install

CALLS = 30  # awaited in one run of the loop, so that starting it weighs nothing
NULL = os.open(os.devnull, os.O_WRONLY)
HEADERS = [(b"host", b"127.0.0.1:8000"), (b"user-agent", b"bench"), (b"accept", b"*/*")]
ORDER = b'{"name": "tea", "amount": 2}'


class Item(BaseModel):
    """What the routes answer."""

    name: str
    amount: int


class Order(BaseModel):
    """What one of them takes."""

    name: str
    amount: int


def measure() -> list[Row]:
    """Compare a request to each route."""
    plain, ours = _plain(), _ours()
    rows = []
    with asyncio.Runner() as loop:
        for name, method, path in (
            ("a model", "GET", "/model"),
            ("a small dict", "GET", "/dict"),
            ("a model, by a number in the path", "GET", "/items/7"),
            ("a model in, a model out", "POST", "/orders"),
            ("a failure", "GET", "/missing"),
        ):
            costs = compare(
                {
                    "ours": _many(loop, ours, method, path),
                    "plain": _many(loop, plain, method, path),
                },
                rounds=200,
                inner=1,
            )
            peer = "FastAPI" if path != "/missing" else "FastAPI's HTTPException"
            rows.append(Row(name, peer, costs["ours"] / CALLS, costs["plain"] / CALLS, 1.0))
    return rows


def _plain() -> FastAPI:
    app = FastAPI()

    @app.get("/model")
    async def model() -> Item:
        return Item(name="tea", amount=1)

    @app.get("/dict")
    async def small() -> dict[str, int | str]:
        return {"name": "tea", "amount": 1}

    @app.get("/items/{amount}")
    async def item(amount: int) -> Item:
        return Item(name="tea", amount=amount)

    @app.post("/orders")
    async def ordered(order: Order) -> Item:
        return Item(name=order.name, amount=order.amount)

    @app.get("/missing")
    async def missing() -> Item:
        raise HTTPException(404, "there is no tea")

    return app


def _ours() -> FastAPI:
    app = FastAPI()
    install(app, logger=LoggerFactory.create("web", format="json", sink=NULL).unwrap())

    @app.get("/model")
    async def model() -> Result[Item]:
        return success(Item(name="tea", amount=1))

    @app.get("/dict")
    async def small() -> Result[dict[str, int | str]]:
        return success({"name": "tea", "amount": 1})

    @app.get("/items/{amount}")
    async def item(amount: int) -> Result[Item]:
        return success(Item(name="tea", amount=amount))

    @app.post("/orders")
    async def ordered(order: Order) -> Result[Item]:
        return success(Item(name=order.name, amount=order.amount))

    @app.get("/missing")
    async def missing() -> Result[Item]:
        return failure(QiError.not_found("NO_TEA", "there is no tea"))

    return app


def _many(loop: asyncio.Runner, app: Any, method: str, path: str) -> Callable[[], object]:
    body = ORDER if method == "POST" else b""
    headers = list(HEADERS)
    if body:
        length = str(len(body)).encode()
        headers += [(b"content-type", b"application/json"), (b"content-length", length)]

    def scope() -> dict[str, Any]:
        return {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": "1.1",
            "method": method,
            "scheme": "http",
            "path": path,
            "raw_path": path.encode(),
            "query_string": b"",
            "root_path": "",
            "headers": headers,
            "client": ("127.0.0.1", 50000),
            "server": ("127.0.0.1", 8000),
            "state": {},
        }

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Any) -> None:
        pass

    async def many() -> None:
        for _ in range(CALLS):
            await app(scope(), receive, send)

    return lambda: loop.run(many())
