"""What FastAPI and Starlette raise, in the shape of every failure."""

from __future__ import annotations

import re
from typing import Any, Final

from fastapi.exceptions import RequestValidationError, ResponseValidationError
from starlette.requests import Request
from starlette.responses import Response

from qicore_core import ErrorCategory, QiError
from qicore_core.secret import MASK, redact_text

from .annotation import shown
from .errors import REQUEST_INVALID, places, refused
from .problem import answer, phrase

__all__ = ["on_error", "on_http_exception", "on_invalid", "on_unfit"]

_MOST: Final = 20  # a body of a million wrong items gets an answer of bounded size
_LONGEST: Final = 200
_QUOTING: Final = frozenset(("assertion_error", "union_tag_invalid", "value_error"))


async def on_error(request: Request, error: Exception) -> Response:
    """Answer a QiError that was raised, in a dependency as a rule."""
    assert isinstance(error, QiError)  # noqa: S101  # it is registered for nothing else
    return answer(error)


async def on_invalid(request: Request, error: Exception) -> Response:
    """Answer a request that does not fit: where and why, and never the value."""
    found: Any = error.errors() if isinstance(error, RequestValidationError) else ()
    errors = [
        {
            "loc": [_short(place) for place in one.get("loc", ())[:10]],
            "type": _short(one.get("type", "")),
            "msg": _short(_reason(one)),
        }
        for one in found[:_MOST]
    ]
    said = QiError.validation(
        REQUEST_INVALID,
        f"the request does not fit: {len(found)} error{'' if len(found) == 1 else 's'}",
        source="web",
        errors=errors,
    )
    return answer(said, errors=errors)


async def on_unfit(request: Request, error: Exception) -> Response:
    """Answer for a handler whose value FastAPI refuses, on a route whose answer it shapes."""
    assert isinstance(error, ResponseValidationError)  # noqa: S101  # registered for nothing else
    route = request.scope["route"]
    name = getattr(route.endpoint, "__qualname__", repr(route.endpoint))
    return answer(refused(name, error.body, shown(route.response_model), places(error.errors())))


async def on_http_exception(request: Request, error: Exception) -> Response:
    """Answer an HTTPException, a 404 and a 405 of the router among them.

    Its status and headers stay; below 500 its detail too, as whoever raises one writes it for the
    caller.
    """
    status: int = getattr(error, "status_code", 500)
    headers = getattr(error, "headers", None)
    given = getattr(error, "detail", None)
    if status < 200 or status in (204, 304):
        return Response(status_code=status, headers=headers)  # which may have no body
    title = phrase(status)
    public = given if isinstance(given, str) and given and status < 500 else title
    more = {"data": given} if status < 500 and isinstance(given, dict | list) else {}
    code = f"HTTP_{re.sub('[^A-Z0-9]+', '_', title.upper()).strip('_')}"
    make = getattr(QiError, _category(status).lower())
    said: QiError = make(code, str(given or title), public_message=public, source="web")
    return answer(said, status, headers, title=title, **more)


def _reason(one: dict[str, Any]) -> str:
    """Give why something does not fit; a few reasons of pydantic's quote the value."""
    said = str(one.get("msg", ""))
    value = one.get("ctx", {}).get("tag", one.get("input"))
    if one.get("type") in _QUOTING and isinstance(value, str) and value:
        said = said.replace(value, MASK)
    return redact_text(said)


def _category(status: int) -> ErrorCategory:
    for category in ErrorCategory:
        if category.http_status == status:
            return category
    return ErrorCategory.VALIDATION if status < 500 else ErrorCategory.INTERNAL


def _short(value: object) -> object:
    return value if isinstance(value, int) else str(value)[:_LONGEST]
