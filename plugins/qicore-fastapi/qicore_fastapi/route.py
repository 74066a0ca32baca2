"""Routes whose handlers return Results: what FastAPI makes of them, and what they answer."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Sequence
from typing import Any, Final, TypeAlias, TypeVar, final

from fastapi import APIRouter, Response
from fastapi.datastructures import Default, DefaultPlaceholder
from fastapi.routing import APIRoute
from pydantic import PydanticSchemaGenerationError, TypeAdapter, ValidationError
from pydantic_core import PydanticSerializationError
from starlette.concurrency import run_in_threadpool

from qicore_core import ErrorCategory, Failure, QiError, Success

from .annotation import Handler, read
from .errors import RESPONSE_INVALID
from .ndjson import NDJSON, NdjsonResponse, stream_answer
from .problem import answer, documented, problems

__all__ = ["ResultRoute", "Router"]

H = TypeVar("H", bound=Callable[..., Any])
_Errors: TypeAlias = Sequence[ErrorCategory | QiError]

_REPLY: Final = "qicore_reply"  # the parameter by which FastAPI hands in its own answer's headers
_SHAPING: Final = (
    "response_model_include",
    "response_model_exclude",
    "response_model_exclude_unset",
    "response_model_exclude_defaults",
    "response_model_exclude_none",
)


class ResultRoute(APIRoute):
    """A route whose handler may return `Result[T]`, T or a Response, or raise a QiError.

    The response model is T, and OpenAPI says that every failure is a problem.
    """

    def __init__(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:
        if not _yields(endpoint):  # FastAPI streams what yields; there is no Result in it
            handler = read(endpoint)
            said = options.setdefault("response_model", Default(None))
            if handler.is_stream:
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
            endpoint = _wrapped(endpoint, handler, options)
        everything = documented("Every failure is a problem")
        options["responses"] = {"default": everything, **(options.get("responses") or {})}
        super().__init__(path, endpoint, **options)


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
    endpoint: Callable[..., Any], handler: Handler, options: dict[str, Any]
) -> Callable[..., Any]:
    """Wrap a handler in one that FastAPI understands, and that is given the answer's headers."""
    reply = next(
        (name for name, one in handler.signature.parameters.items() if one.annotation is Response),
        None,
    )
    reply_name = reply or _REPLY
    finish = _Finish(getattr(endpoint, "__qualname__", repr(endpoint)), options)

    def parted(arguments: dict[str, Any]) -> Response:
        given: Response = arguments[reply_name] if reply else arguments.pop(reply_name)
        return given

    wrapper: Callable[..., Any]
    if handler.is_stream:
        items = TypeAdapter(handler.model)
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
            return await stream_answer(returned, items, given)

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


@final
class _Finish:
    """Makes an answer of what a handler returned.

    A model's own serialiser writes it, in one step and without FastAPI's way over plain data. A
    value of exactly the model's class is valid as it is; any other is validated first, so that what
    the model lacks is never sent. What then does not fit, such as a dict in a model's field, is an
    error of the handler, not a warning.
    """

    def __init__(self, name: str, options: dict[str, Any]) -> None:
        self._name = name
        self._model = options["response_model"]
        self._status = int(options.get("status_code") or 200)
        self._adapter: TypeAdapter[Any] | None = None
        shaped = any(options.get(name) for name in _SHAPING)
        own_class = not isinstance(options.get("response_class"), DefaultPlaceholder)
        if isinstance(self._model, DefaultPlaceholder) or self._model is None:
            return
        if not (shaped or own_class or self._status < 200 or self._status in (204, 304)):
            try:
                self._adapter = TypeAdapter(self._model)
            except PydanticSchemaGenerationError:
                pass  # FastAPI says it better, when it makes its own
        self._by_alias = options.get("response_model_by_alias", True)

    def __call__(self, returned: object, given: Response) -> object:
        if isinstance(returned, Failure):
            return answer(returned.error)
        value = returned.value if isinstance(returned, Success) else returned
        if self._adapter is None or isinstance(value, Response):
            return value
        try:
            if type(value) is not self._model:
                value = self._adapter.validate_python(value, from_attributes=True)
            body = self._adapter.serializer.to_json(
                value, by_alias=self._by_alias, warnings="error"
            )
        except (ValidationError, PydanticSerializationError) as error:
            return answer(self._refused(error))
        made = Response(
            body,
            status_code=given.status_code or self._status,
            media_type="application/json",
        )
        made.raw_headers.extend(given.raw_headers)
        return made

    def _refused(self, error: ValidationError | PydanticSerializationError) -> QiError:
        """Say where it does not fit; the exception itself holds the values, so it is no cause."""
        places: list[object] = []
        if isinstance(error, ValidationError):
            found = error.errors(include_url=False, include_context=False, include_input=False)
            places = [{"loc": one["loc"], "type": one["type"]} for one in found[:20]]
        return QiError.internal(
            RESPONSE_INVALID,
            f"{self._name} returned what its response model refuses",
            hint=f"return {self._model}, made by its constructor",
            source="web",
            places=places,
        )


def _stream_response(handler: Handler) -> dict[int | str, dict[str, Any]]:
    schema = TypeAdapter(handler.model).json_schema(mode="serialization")
    if "$defs" in schema:  # OpenAPI finds those among its components alone
        schema = {"title": schema.get("title", "Item")}
    said = "One item a line; a stream that fails ends with a problem"
    return {200: {"description": said, "content": {NDJSON: {"schema": schema}}}}


def _is_response(model: Any) -> bool:
    return isinstance(model, type) and issubclass(model, Response)


def _is_async(endpoint: Any) -> bool:
    return inspect.iscoroutinefunction(endpoint) or inspect.iscoroutinefunction(
        getattr(endpoint, "__call__", None)  # noqa: B004  # its kind is asked for, not whether
    )


def _yields(endpoint: Any) -> bool:
    kind = inspect.unwrap(endpoint)
    return inspect.isgeneratorfunction(kind) or inspect.isasyncgenfunction(kind)
