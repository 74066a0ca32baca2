"""Routes whose handlers return Results: what FastAPI makes of them, and what they answer."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Sequence
from typing import Any, Final, TypeAlias, TypeVar

from fastapi import APIRouter, Response
from fastapi.datastructures import Default, DefaultPlaceholder
from fastapi.routing import APIRoute
from pydantic import TypeAdapter
from starlette.concurrency import run_in_threadpool

from qicore_core import ErrorCategory, QiError

from .annotation import Handler, read, shown
from .errors import refused, unsupported
from .finish import Finish
from .ndjson import NDJSON, NdjsonResponse, stream_answer
from .problem import answer, documented, problems
from .short import Handle, shortened

__all__ = ["ResultRoute", "Router"]

H = TypeVar("H", bound=Callable[..., Any])
_Errors: TypeAlias = Sequence[ErrorCategory | QiError]

_REPLY: Final = "qicore_reply"  # the parameter by which FastAPI hands in its own answer's headers


class ResultRoute(APIRoute):
    """A route whose handler may return `Result[T]`, T or a Response, or raise a QiError.

    The response model is T, and OpenAPI says that every failure is a problem.
    """

    _always_answers = False  # whether what FastAPI awaits gives a Response in any case

    def __init__(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:
        if not _yields(endpoint):  # FastAPI streams what yields; there is no Result in it
            handler = read(endpoint)
            said = options.setdefault("response_model", Default(None))
            name = getattr(endpoint, "__qualname__", repr(endpoint))
            if handler.is_stream:
                _refuse_events(name, options.get("response_class"))
                options["response_model"] = None
                options["response_class"] = NdjsonResponse
                options["responses"] = {
                    **_stream_response(handler),
                    **(options.get("responses") or {}),
                }
            elif isinstance(said, DefaultPlaceholder):
                options["response_model"] = handler.model
            if _is_response(options["response_model"]):
                options["response_model"] = None
            finish = Finish(name, options)
            self._always_answers = handler.is_stream or (finish.writes and _is_async(endpoint))
            endpoint = _wrapped(endpoint, name, handler, finish)
        everything = documented("Every failure is a problem")
        options["responses"] = {"default": everything, **(options.get("responses") or {})}
        super().__init__(path, endpoint, **options)

    def get_route_handler(self) -> Handle:
        """Give what answers a request; FastAPI asks for it, once for each router around too."""
        handle = super().get_route_handler()
        return shortened(handle, _REPLY) if self._always_answers else handle


class Router(APIRouter):
    """FastAPI's router, for handlers that return Results: `@router.get("/", errors=[...])`.

    Every verb takes `errors`: ErrorCategories, or QiErrors as examples, that OpenAPI documents. The
    other arguments are FastAPI's.
    """

    def __init__(self, *, route_class: type[APIRoute] = ResultRoute, **options: Any) -> None:
        super().__init__(route_class=route_class, **options)

    def get(self, path: str, *, errors: _Errors = (), **options: Any) -> Callable[[H], H]:
        """Add a handler of GET."""
        return super().get(path, **_with(errors, options))

    def put(self, path: str, *, errors: _Errors = (), **options: Any) -> Callable[[H], H]:
        """Add a handler of PUT."""
        return super().put(path, **_with(errors, options))

    def post(self, path: str, *, errors: _Errors = (), **options: Any) -> Callable[[H], H]:
        """Add a handler of POST."""
        return super().post(path, **_with(errors, options))

    def patch(self, path: str, *, errors: _Errors = (), **options: Any) -> Callable[[H], H]:
        """Add a handler of PATCH."""
        return super().patch(path, **_with(errors, options))

    def delete(self, path: str, *, errors: _Errors = (), **options: Any) -> Callable[[H], H]:
        """Add a handler of DELETE."""
        return super().delete(path, **_with(errors, options))


def _with(errors: _Errors, options: dict[str, Any]) -> dict[str, Any]:
    return {**options, "responses": {**problems(*errors), **(options.get("responses") or {})}}


def _wrapped(
    endpoint: Callable[..., Any], name: str, handler: Handler, finish: Finish
) -> Callable[..., Any]:
    """Wrap a handler in one that FastAPI understands, and that is given the answer's headers."""
    reply = next(
        (name for name, one in handler.signature.parameters.items() if one.annotation is Response),
        None,
    )
    reply_name = reply or _REPLY

    def parted(arguments: dict[str, Any]) -> Response:
        given: Response = arguments[reply_name] if reply else arguments.pop(reply_name)
        return given

    wrapper: Callable[..., Any]
    if handler.is_stream:
        items = TypeAdapter(handler.model)
        wanted = f"Stream[{shown(handler.model)}]"
        is_async = _is_async(endpoint)

        @functools.wraps(endpoint)
        async def streaming(**arguments: Any) -> Any:
            given = parted(arguments)
            try:
                if is_async:
                    returned = await endpoint(**arguments)
                else:
                    returned = await run_in_threadpool(endpoint, **arguments)
            except QiError as error:
                return answer(error)
            return await stream_answer(
                returned, items, given, lambda value: refused(name, value, wanted)
            )

        wrapper = streaming
    elif _is_async(endpoint):

        @functools.wraps(endpoint)
        async def awaiting(**arguments: Any) -> Any:
            given = parted(arguments)
            try:
                returned = await endpoint(**arguments)
            except QiError as error:
                return answer(error)
            return finish(returned, given)

        wrapper = awaiting
    else:

        @functools.wraps(endpoint)
        def calling(**arguments: Any) -> Any:
            given = parted(arguments)
            try:
                returned = endpoint(**arguments)
            except QiError as error:
                return answer(error)
            return finish(returned, given)

        wrapper = calling
    signature = handler.signature
    if reply is None:
        asked = inspect.Parameter(_REPLY, inspect.Parameter.KEYWORD_ONLY, annotation=Response)
        signature = signature.replace(parameters=[*signature.parameters.values(), asked])
    made: Any = wrapper
    made.__signature__ = signature
    return wrapper


def _stream_response(handler: Handler) -> dict[int | str, dict[str, Any]]:
    schema = TypeAdapter(handler.model).json_schema(mode="serialization")
    if "$defs" in schema:  # OpenAPI finds those among its components alone
        schema = {"title": schema.get("title", "Item")}
    said = "One item a line; a stream that fails ends with a problem"
    return {200: {"description": said, "content": {NDJSON: {"schema": schema}}}}


def _refuse_events(name: str, response_class: Any) -> None:
    if getattr(response_class, "media_type", None) == "text/event-stream":
        raise unsupported(
            f"a Stream as server-sent events, as {name} asks for",
            "leave response_class out, and it is sent as NDJSON",
        )


def _is_response(model: Any) -> bool:
    return isinstance(model, type) and issubclass(model, Response)


def _is_async(endpoint: Any) -> bool:
    return inspect.iscoroutinefunction(endpoint) or inspect.iscoroutinefunction(
        getattr(endpoint, "__call__", None)  # noqa: B004  # its kind is asked for, not whether
    )


def _yields(endpoint: Any) -> bool:
    kind = inspect.unwrap(endpoint)
    return inspect.isgeneratorfunction(kind) or inspect.isasyncgenfunction(kind)
