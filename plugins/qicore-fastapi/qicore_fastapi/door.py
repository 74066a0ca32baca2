"""The door: `install(app)`, before the routes."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator, Callable
from typing import Any, Final

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from qicore_core import Logger, Opening, QiError, Runtime, get_logger

from .handlers import on_crash, on_error, on_http_exception, on_invalid
from .health import alive, ready
from .layer import ASGIApp, Layer
from .route import ResultRoute
from .use import RUNTIME

__all__ = ["install"]

_MIB: Final = 1024 * 1024


def install(
    app: FastAPI,
    /,
    *,
    runtime: Runtime | Opening[Runtime] | None = None,
    max_body_bytes: int = _MIB,
    health_path: str | None = "/healthz",
    ready_path: str | None = "/readyz",
    logger: Logger | None = None,
) -> None:
    """Let an application's handlers return Results, and give every failure one shape.

    Called before the routes, as they are made by what is installed; too late is a RuntimeError.

    Args:
        app: the application.
        runtime: what `use` gives clients from and readiness asks. A Runtime that is open stays the
            caller's; an Opening is entered when the application starts and left when it stops.
        max_body_bytes: how large the body of a request may be.
        health_path: where it says that it is alive; None is nowhere.
        ready_path: where it says whether it is ready; None is nowhere.
        logger: where each request gets its line; by default the logger `qicore.web`.
    """
    _refuse_if_late(app)
    if max_body_bytes < 0:
        raise ValueError(f"max_body_bytes is 0 or more, got {max_body_bytes}")
    log = logger or get_logger("qicore.web")
    app.router.route_class = ResultRoute
    app.add_exception_handler(QiError, on_error)
    app.add_exception_handler(RequestValidationError, on_invalid)
    app.add_exception_handler(HTTPException, on_http_exception)
    app.add_exception_handler(Exception, on_crash)
    for path, endpoint in ((health_path, alive), (ready_path, ready)):
        if path is not None:
            app.add_route(path, endpoint, include_in_schema=False)
    if isinstance(runtime, Runtime):
        setattr(app.state, RUNTIME, runtime)
    elif runtime is not None:
        _open_with(app, runtime)
    quiet = frozenset(path for path in (health_path, ready_path) if path is not None)
    build: Callable[[], Any] = app.build_middleware_stack

    def layered() -> ASGIApp:
        if app.debug:
            log.warn("debug is on: a crash shows its traceback to the caller")
        return Layer(build(), log, max_body_bytes, quiet)

    # add_middleware would put it inside whatever is added later; this is always outermost
    app.build_middleware_stack = layered  # type: ignore[method-assign]


def _refuse_if_late(app: FastAPI) -> None:
    if app.router.route_class is ResultRoute:
        raise RuntimeError("install(app) was called for this application already")
    own = {app.openapi_url, app.docs_url, app.redoc_url, app.swagger_ui_oauth2_redirect_url}
    there = [path for route in app.routes if (path := getattr(route, "path", "?")) not in own]
    if there or app.middleware_stack is not None:
        shown = ", ".join(there[:5]) or "the application has started"
        raise RuntimeError(
            f"install(app) came too late, there are routes already ({shown}): what they return is "
            "not understood; call install(app) right after FastAPI()"
        )


def _open_with(app: FastAPI, opening: Opening[Runtime]) -> None:
    """Open a runtime around the application's own lifespan."""
    inner = app.router.lifespan_context

    @contextlib.asynccontextmanager
    async def lifespan(started: Any) -> AsyncGenerator[Any]:
        async with opening as runtime:
            setattr(app.state, RUNTIME, runtime)
            try:
                async with inner(started) as state:
                    yield state
            finally:
                delattr(app.state, RUNTIME)

    app.router.lifespan_context = lifespan
