"""The short way to a handler that asks for nothing but its path, its query and a body of JSON.

FastAPI reads cookies, headers and query of each request, keeps a response for headers that nobody
sets, and asks at every step whether it is traced: a quarter of the time of a small answer. Where
a handler asks for none of that, it is called at once, with arguments that FastAPI's own functions
made. Everything else goes FastAPI's way: a parameter that does not fit, a body in another format,
a route that has what this room has never heard of, as it is for a `Dependant` alone that equals
one made of what is understood here.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Coroutine
from typing import Any, Final, TypeAlias

from fastapi import Request, Response
from fastapi.dependencies.models import Dependant
from fastapi.dependencies.utils import request_body_to_args, request_params_to_args

__all__ = ["Handle", "shortened"]

Handle: TypeAlias = Callable[[Request], Coroutine[Any, Any, Response]]

_JSON: Final = "application/json"

_NOTHING_SET: Final = Response()
_NOTHING_SET.status_code = None  # type: ignore[assignment]  # as FastAPI says that none is set
_NOTHING_SET.raw_headers = []


def shortened(handle: Handle, reply: str) -> Handle:
    """Give what FastAPI made of a route a shorter way, if it may have one.

    Args:
        handle: FastAPI's function from a request to a response. What it stands on is read from its
            closure, as the dependencies of an including router are there and nowhere else.
        reply: the parameter in which the endpoint is given the answer's headers. The endpoint
            answers with a Response whatever happens.
    """
    around = inspect.getclosurevars(handle).nonlocals if inspect.isfunction(handle) else {}
    asked = around.get("dependant")
    if not isinstance(asked, Dependant) or asked != _understood(asked, reply):
        return handle
    is_embedded = around.get("embed_body_fields", False)
    if asked.body_params and around.get("is_body_form", True):
        return handle

    async def short(request: Request) -> Response:
        if (
            asked.dependencies  # some libraries add theirs when the application starts
            or asked.header_params
            or asked.cookie_params
            or request.scope.get("fastapi.telemetry") is not None
        ):
            return await handle(request)
        values: dict[str, Any] = {reply: _NOTHING_SET}
        errors: list[Any] = []
        if asked.path_params:
            found, errors = request_params_to_args(asked.path_params, request.path_params)
            values |= found
        if asked.query_params and not errors:
            found, errors = request_params_to_args(asked.query_params, request.query_params)
            values |= found
        if asked.body_params and not errors:
            if request.headers.get("content-type") != _JSON:
                return await handle(request)
            try:
                body = await request.json()
            except (ValueError, RecursionError):  # the request keeps what it has read
                return await handle(request)
            found, errors = await request_body_to_args(asked.body_params, body, is_embedded)
            values |= found
        if errors:
            return await handle(request)  # which says all that is wrong
        answered: Response = await asked.call(**values)  # type: ignore[misc]  # a route's is set
        return answered

    return short


def _understood(asked: Dependant, reply: str) -> Dependant:
    return Dependant(
        path_params=asked.path_params,
        query_params=asked.query_params,
        body_params=asked.body_params,
        call=asked.call,
        path=asked.path,
        scope=asked.scope,
        response_param_name=reply,
    )
