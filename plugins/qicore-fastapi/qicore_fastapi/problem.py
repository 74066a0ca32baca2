"""How a failure looks to a stranger: problem details, and nothing that is not meant for one.

Source: RFC 9457.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final

from starlette.responses import Response

from qicore_core import ErrorCategory, QiError

from .exchange import CURRENT
from .reply import Reply

__all__ = ["MEDIA_TYPE", "PROBLEM", "answer", "problem", "problems", "render"]

MEDIA_TYPE: Final = "application/problem+json"
_MEDIA_TYPE: Final = MEDIA_TYPE.encode()
_OURS: Final = ("content-length", "content-type")
_to_json: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode

PROBLEM: Final[dict[str, Any]] = {
    "title": "Problem",
    "type": "object",
    "required": ["type", "title", "status", "detail", "code"],
    "properties": {
        "type": {"type": "string", "description": "urn:qi: and the code"},
        "title": {"type": "string", "description": "what kind of trouble it is"},
        "status": {"type": "integer"},
        "detail": {"type": "string", "description": "what happened"},
        "code": {"type": "string", "description": "the stable name of what happened"},
        "instance": {"type": "string", "description": "the id of the request"},
        "errors": {"type": "array", "items": {"type": "object"}},
    },
}
"""The schema of a problem, as OpenAPI has it."""


def problem(error: QiError, status: int | None = None, /, **more: object) -> dict[str, object]:
    """Give a failure as problem details: no context, no cause, no message that is not public.

    Args:
        error: its category gives title and status, its `public_message` the detail.
        status: in place of the category's.
        more: members besides.
    """
    said: dict[str, object] = {
        "type": f"urn:qi:{error.code}",
        "title": _title(error.category),
        "status": error.category.http_status if status is None else status,
        "detail": error.public_message,
        "code": error.code,
    }
    exchange = CURRENT.get()
    if exchange is not None:
        said["instance"] = exchange.id
    return {**said, **more}


def answer(
    error: QiError,
    status: int | None = None,
    /,
    headers: Mapping[str, str] | None = None,
    **more: object,
) -> Response:
    """Make the answer of a failure, and leave the failure for the log."""
    exchange = CURRENT.get()
    if exchange is not None:
        exchange.error = error
    if status is None:
        status = error.category.http_status
    named = [
        (name.lower().encode("latin-1"), one.encode("latin-1"))
        for name, one in (headers or {}).items()
        if name.lower() not in _OURS
    ]
    wait = error.retry_after
    if wait is not None and math.isfinite(wait):
        named.append((b"retry-after", b"%d" % max(0, math.ceil(wait))))
    return Reply(render(problem(error, status, **more)), status, _MEDIA_TYPE, named)


def render(body: Mapping[str, object]) -> bytes:
    """Write a problem as JSON."""
    return _to_json(body).encode("utf-8", "replace")


def problems(*errors: ErrorCategory | QiError) -> dict[int | str, dict[str, Any]]:
    """Document failures in OpenAPI: `@app.get("/", responses=problems(ErrorCategory.NOT_FOUND))`.

    Args:
        errors: categories, or QiErrors as examples: their code and public message are shown.

    >>> list(problems(ErrorCategory.NOT_FOUND, ErrorCategory.CONFLICT))
    [404, 409]
    """
    out: dict[int | str, dict[str, Any]] = {}
    for error in errors:
        category = error if isinstance(error, ErrorCategory) else error.category
        said = out.setdefault(category.http_status, documented(_title(category)))
        if isinstance(error, QiError):
            examples = said["content"][MEDIA_TYPE].setdefault("examples", {})
            examples[error.code] = {"value": problem(error)}
    return out


def documented(description: str) -> dict[str, Any]:
    """Give a problem as a response in OpenAPI."""
    return {"description": description, "content": {MEDIA_TYPE: {"schema": PROBLEM}}}


def phrase(status: int) -> str:
    """Give what a status is called."""
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return f"Status {status}"


def _title(category: ErrorCategory) -> str:
    return category.replace("_", " ").capitalize()
