"""The door: `install(app)`, before the routes."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator, Callable
from typing import Any, Final

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError, ResponseValidationError
from starlette.exceptions import HTTPException
from starlette.middleware.errors import ServerErrorMiddleware

from qicore_core import Logger, Opening, QiError, Runtime, get_logger

from .errors import unsupported
from .handlers import on_error, on_http_exception, on_invalid, on_unfit
from .health import Probe, alive, ready
from .layer import ASGIApp, Layer
from .route import ResultRoute
from .use import RUNTIME, check_uses

__all__ = ["install"]

_MIB: Final = 1024 * 1024


def install(
    app: FastAPI,
    /,
    *,
    runtime: Runtime | Opening[Runtime] | None = None,
    max_body_bytes: int = _MIB,
    body_timeout: float = 30.0,
    health_path: str | None = "/healthz",
    ready_path: str | None = "/readyz",
    metrics_path: str | None = None,
    logger: Logger | None = None,
) -> None:
    """Let an application's handlers return Results, and give every failure one shape.

    Called before the routes, as they are made by what is installed; too late is a RuntimeError.

    Args:
        app: the application.
        runtime: what `use` gives clients from and readiness asks. A Runtime that is open stays the
            caller's; an Opening is entered when the application starts and left when it stops.
        max_body_bytes: how large the body of a request may be.
        body_timeout: how many seconds each piece of a body may take; who drips is not waited for.
        health_path: where it says that it is alive; None is nowhere.
        ready_path: where it says whether it is ready; None is nowhere.
        metrics_path: where its figures are; WEB_UNSUPPORTED for now.
        logger: where each request gets its line; by default the logger `qicore.web`.
    """
    _refuse_if_late(app)
    if max_body_bytes < 0:
        raise ValueError(f"max_body_bytes is 0 or more, got {max_body_bytes}")
    if not body_timeout > 0:
        raise ValueError(f"body_timeout is more than 0 seconds, got {body_timeout}")
    if metrics_path is not None:
        raise unsupported(
            "install(app, metrics_path=...)", "mount the application of your metrics library"
        )
    if not (runtime is None or isinstance(runtime, Runtime | Opening)):
        raise TypeError(
            "install(app, runtime=...) takes a Runtime or Runtime.open(data), "
            f"got {type(runtime).__name__}"
        )
    log = logger or get_logger("qicore.web")
    app.router.route_class = ResultRoute
    app.add_exception_handler(QiError, on_error)
    app.add_exception_handler(RequestValidationError, on_invalid)
    app.add_exception_handler(ResponseValidationError, on_unfit)
    app.add_exception_handler(HTTPException, on_http_exception)
    for path, endpoint in ((health_path, alive), (ready_path, ready)):
        if path is not None:
            app.router.routes.append(Probe(path, endpoint, include_in_schema=False))
    if isinstance(runtime, Runtime):
        setattr(app.state, RUNTIME, runtime)
    _start_with(app, runtime if isinstance(runtime, Opening) else None)
    quiet = frozenset(path for path in (health_path, ready_path) if path is not None)
    build: Callable[[], Any] = app.build_middleware_stack

    def layered() -> ASGIApp:
        inner = build()
        if app.debug:
            log.warn("debug is on: a crash shows its traceback to the caller")
        elif isinstance(inner, ServerErrorMiddleware) and inner.handler is None:
            inner = inner.app  # Starlette's last resort; the layer is ours, and one is enough
        return Layer(inner, log, max_body_bytes, body_timeout, quiet)

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


def _start_with(app: FastAPI, opening: Opening[Runtime] | None) -> None:
    """Open a runtime around the application's own lifespan, and see that it has what is used."""
    inner = app.router.lifespan_context

    @contextlib.asynccontextmanager
    async def lifespan(started: Any) -> AsyncGenerator[Any]:
        async with contextlib.AsyncExitStack() as stack:
            if opening is not None:
                setattr(app.state, RUNTIME, await stack.enter_async_context(opening))
                stack.callback(delattr, app.state, RUNTIME)
            check_uses(app)
            yield await stack.enter_async_context(inner(started))

    app.router.lifespan_context = lifespan
