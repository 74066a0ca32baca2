"""Whether it is alive, and whether it is ready: two questions, two answers."""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import Any, Final, final

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Match, Route

from qicore_core import Runtime

from .use import RUNTIME

__all__ = ["Probe", "alive", "ready"]

_DRAINING: Final = "qicore.is_draining"  # where a server says so: the README of qicore-uvicorn


@final
class Probe(Route):
    """A route that comes first and that few requests are for: it looks before it matches."""

    def matches(self, scope: MutableMapping[str, Any]) -> tuple[Match, MutableMapping[str, Any]]:
        """Match as any route, where the path ends as it must."""
        if scope["path"].endswith(self.path):  # before it may be where the application is mounted
            return super().matches(scope)
        return Match.NONE, {}


async def alive(request: Request) -> Response:
    """Answer that the process answers; no component is asked, so a slow one restarts nobody."""
    return _said("pass", 200)


async def ready(request: Request) -> Response:
    """Answer whether requests should come: 503 when a component is not well, or the server drains.

    It names components and codes, and has no messages: strangers may ask.
    """
    is_draining = request.scope.get("state", {}).get(_DRAINING)
    if callable(is_draining) and is_draining():
        return _said("fail", 503, draining=True)
    runtime: Runtime | None = getattr(request.app.state, RUNTIME, None)
    checks = [] if runtime is None else await runtime.health()
    is_well = all(check.is_well for check in checks)
    return _said(
        "pass" if is_well else "fail",
        200 if is_well else 503,
        checks=[check.to_dict() for check in checks],
    )


def _said(status: str, code: int, **more: object) -> Response:
    return JSONResponse({"status": status, **more}, code, {"Cache-Control": "no-store"})
