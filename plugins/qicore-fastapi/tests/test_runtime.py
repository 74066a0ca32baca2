"""Health, readiness and what handlers stand on."""

from __future__ import annotations

import asyncio
import json
import socket
from typing import Any

import pytest
from fastapi import FastAPI

from qicore_cache import CACHE, Cache, open_cache
from qicore_core import ConfigData, Opening, QiError, Result, Runtime, failure, success
from qicore_fastapi import Router, install, use

SECRET = "hunter2-planted"


def test_health_asks_the_runtime_and_tells_no_messages(serve: Any, logger: Any) -> None:
    class Database:
        error: QiError | None = None

        async def health(self) -> Result[None]:
            return failure(self.error) if self.error else success()

        async def close(self) -> None: ...

    database = Database()
    app = FastAPI()
    install(app, runtime=Runtime.of(sql={"main": database}), logger=logger)
    site = serve(app)
    assert (site.get("/readyz").status, site.get("/readyz").json["status"]) == (200, "pass")
    database.error = QiError.unavailable("SQL_DOWN", f"postgres://u:{SECRET}@db is down")
    ready = site.get("/readyz")
    assert (ready.status, ready.json["status"]) == (503, "fail")
    assert ready.json["checks"][0]["name"] == "sql.main"
    assert ready.json["checks"][0]["code"] == "SQL_DOWN"
    assert SECRET not in ready.everything
    assert site.get("/healthz").json == {"status": "pass"}


def test_readiness_ends_when_the_server_drains(serve: Any, logger: Any) -> None:
    entered, release = asyncio.Event(), asyncio.Event()
    app = FastAPI()
    install(app, logger=logger)

    @app.get("/slow")
    async def slow() -> Result[int]:
        entered.set()
        await release.wait()
        return success(1)

    site = serve(app)
    host, _, port = site.address.partition(":")
    with socket.create_connection((host, int(port)), 10) as kept:
        kept.sendall(
            b"GET /slow HTTP/1.1\r\nHost: x\r\n\r\nGET /readyz HTTP/1.1\r\nHost: x\r\n\r\n"
        )
        asyncio.run_coroutine_threadsafe(entered.wait(), site.loop).result(10)
        stopping = site.stop()
        asyncio.run_coroutine_threadsafe(asyncio.sleep(0), site.loop).result(10)
        assert site.server.is_draining
        site.loop.call_soon_threadsafe(release.set)
        answer = b"".join(iter(lambda: kept.recv(65536), b""))
        assert answer.startswith(b"HTTP/1.1 200")
        assert b"connection: close" in answer.lower()
    assert stopping.result(10)


def test_readiness_says_503_while_the_state_says_so(logger: Any) -> None:
    app = FastAPI()
    install(app, logger=logger)
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> Any:
        return {"type": "http.request"}

    scope = {
        "type": "http", "method": "GET", "path": "/readyz", "raw_path": b"/readyz", "headers": [],
        "query_string": b"", "root_path": "", "scheme": "http", "server": ("x", 1),
        "state": {"qicore.is_draining": lambda: True},
    }  # fmt: skip
    asyncio.run(app(scope, receive, send))  # type: ignore[arg-type]
    assert sent[0]["status"] == 503
    assert json.loads(sent[1]["body"]) == {"status": "fail", "draining": True}


def test_a_handler_gets_its_clients_from_the_runtime(serve: Any, logger: Any) -> None:
    app = FastAPI()
    data = ConfigData.from_object({"cache": {"url": "memory:", "namespace": "web"}}).unwrap()
    install(app, runtime=Runtime.open(data, handle_sigterm=False), logger=logger)
    router = Router()

    @router.put("/{key}/{value}", status_code=204)
    async def put(key: str, value: str, cache: Cache = use(CACHE)) -> Result[None]:  # noqa: B008
        return await cache.set(key, value)

    @router.get("/{key}")
    async def get(key: str, cache: Cache = use(CACHE)) -> Result[str]:  # noqa: B008
        return await cache.get(key, "none")

    app.include_router(router)
    site = serve(app)
    assert site.call("PUT", "/k/v").status == 204
    assert site.get("/k").json == "v"
    assert [check["name"] for check in site.get("/readyz").json["checks"]] == ["cache"]
    with pytest.raises(TypeError, match=r"use\(CACHE\)"):
        use(Cache)  # type: ignore[arg-type]


def test_a_runtime_that_is_open_stays_the_callers(logger: Any) -> None:
    async def main() -> None:
        async with open_cache("memory:") as cache:
            app = FastAPI()
            install(app, runtime=Runtime.of(cache=cache), logger=logger)
            async with app.router.lifespan_context(app):
                pass
            assert await cache.set("k", 1)

    asyncio.run(main())


def test_a_runtime_that_does_not_open_keeps_the_application_from_starting(logger: Any) -> None:
    from qicore_uvicorn import Server

    async def start() -> Result[Runtime]:
        return failure(QiError.unavailable("DB_DOWN", "the database is down"))

    app = FastAPI()
    install(app, runtime=Opening(start), logger=logger)
    error = asyncio.run(_start(Server(app, port=0)))
    assert (error.code, error.category) == ("SERVER_START_FAILED", "UNAVAILABLE")


async def _start(server: Any) -> QiError:
    error: QiError = (await server.start()).unwrap_error()
    return error


def test_use_in_an_application_that_nobody_starts_is_a_mistake_that_the_log_names(
    serve: Any, logger: Any, lines: Any
) -> None:
    app, outer = FastAPI(), FastAPI()
    install(app, logger=logger)
    outer.mount("/inner", app)

    @app.get("/")
    async def get(cache: Cache = use(CACHE)) -> Result[str]:  # noqa: B008
        return await cache.get("k", "none")

    site = serve(outer)
    assert site.get("/inner/").status == 500
    site.settle()
    assert "install(app, runtime=Runtime.open(data))" in str(lines[-1].error["cause"])
