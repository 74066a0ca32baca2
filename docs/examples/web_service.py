"""A web service: users from an API, behind a cache, every failure a problem with its right status.

The v4 guide's example, corrected. There are no globals and no start-up hook: the runtime is opened
when the application starts and closed when it stops. Handlers return Results, so that an API's 404
is a 404 here, its time-out a 504, and neither tells a stranger more than it should. Any number of
requests for one user that is not in the cache make one call.

    SERVICE_PORT=8000 SERVICE_API_URL=https://api.example.com python web_service.py
"""

# ruff: noqa: B008  # use() stands as a default, as FastAPI's Depends() does
from __future__ import annotations

from dataclasses import dataclass

from fastapi import FastAPI

import qicore as qi
from qicore_fastapi import Router, install, use
from qicore_uvicorn import Server

log = qi.get_logger("web_service")


@dataclass(frozen=True)
class ServiceConfig:
    host: str = "127.0.0.1"
    port: int = 8000
    api_url: str = "https://jsonplaceholder.typicode.com"
    ttl: float = 300.0

    @property
    def components(self) -> qi.ConfigData:
        """What the service stands on; a change of back-end is a change of URL."""
        cache = {"url": "memory:", "namespace": "users", "default_ttl": self.ttl}
        sections = {"cache": cache, "http": {"url": self.api_url, "client": "stdlib"}}
        return qi.ConfigData.from_object(sections, "web_service").unwrap()


@dataclass(frozen=True)
class User:
    id: int
    name: str
    email: str


router = Router()


@router.get("/users/{user_id}", errors=[qi.ErrorCategory.NOT_FOUND, qi.ErrorCategory.NETWORK])
async def get_user(
    user_id: int, cache: qi.Cache = use(qi.CACHE), http: qi.HttpClient = use(qi.HTTP)
) -> qi.Result[User]:
    async def fetch() -> qi.Result[User]:
        log.info("fetching", user_id=user_id)
        return await http.get_json(f"/users/{user_id}", User)

    return await cache.of(User).get_or_set(f"user:{user_id}", fetch)


def make_app(config: ServiceConfig) -> FastAPI:
    app = FastAPI(title="QiCore web service example")
    install(app, runtime=qi.Runtime.open(config.components))
    app.include_router(router)
    return app


@qi.do
async def main() -> None:
    config = qi.unwrap(qi.Configuration(ServiceConfig).from_environment("SERVICE_"))
    async with Server(make_app(config), host=config.host, port=config.port).running() as server:
        log.info("serving", address=server.address)
        await server.wait(signals=True)  # SIGTERM and Ctrl-C: what is under way is answered first


if __name__ == "__main__":
    qi.run(main())
