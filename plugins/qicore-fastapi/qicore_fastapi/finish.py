"""From what a handler returned to its answer, in one step: by the model's own serialiser."""

from __future__ import annotations

from types import CoroutineType
from typing import Any, Final, final

from fastapi import Response
from fastapi.datastructures import DefaultPlaceholder
from pydantic import PydanticSchemaGenerationError, TypeAdapter, ValidationError
from pydantic_core import PydanticSerializationError

from qicore_core import Failure, Success

from .annotation import shown
from .errors import places, refused
from .problem import answer
from .reply import Reply

__all__ = ["Finish"]

_JSON: Final = b"application/json"
_SHAPING: Final = (
    "response_model_include",
    "response_model_exclude",
    "response_model_exclude_unset",
    "response_model_exclude_defaults",
    "response_model_exclude_none",
)


@final
class Finish:
    """Makes an answer of what a handler returned.

    A value of exactly the model's class is valid as it is; any other is validated first, so that
    what the model lacks is never sent. What then does not fit, such as a dict in a model's field,
    is an error of the handler, not a warning.

    Args:
        name: the handler's.
        options: the route's, as FastAPI takes them; some leave the answer to FastAPI.
    """

    def __init__(self, name: str, options: dict[str, Any]) -> None:
        self._name = name
        self._model = options["response_model"]
        self._status = int(options.get("status_code") or 200)
        self._by_alias = options.get("response_model_by_alias", True)
        self._adapter = None if _leaves_it(options, self._status) else _adapter_of(self._model)

    @property
    def writes(self) -> bool:
        """Whether it makes an answer of any value; else it leaves that to FastAPI."""
        return self._adapter is not None

    def __call__(self, returned: object, given: Response) -> object:
        """Give the answer, with the headers and the status that were set on `given`."""
        if isinstance(returned, Failure):
            return answer(returned.error)
        value = returned.value if isinstance(returned, Success) else returned
        adapter = self._adapter
        if adapter is None or isinstance(value, Response):
            if type(value) is CoroutineType:  # FastAPI would say that it cannot write one
                return answer(refused(self._name, value, self._model and shown(self._model)))
            return value
        made = value
        try:
            if type(value) is not self._model:
                value = adapter.validate_python(value, from_attributes=True)
            body = adapter.serializer.to_json(value, by_alias=self._by_alias, warnings="error")
        except (ValidationError, PydanticSerializationError) as error:
            where = places(error.errors()) if isinstance(error, ValidationError) else []
            return answer(refused(self._name, made, shown(self._model), where))
        return Reply(body, given.status_code or self._status, _JSON, given.raw_headers)


def _leaves_it(options: dict[str, Any], status: int) -> bool:
    """Tell whether the route asks for what FastAPI does: a shaped model, a class, no body."""
    return (
        any(options.get(name) for name in _SHAPING)
        or not isinstance(options.get("response_class"), DefaultPlaceholder)
        or status < 200
        or status in (204, 304)
    )


def _adapter_of(model: Any) -> TypeAdapter[Any] | None:
    if model is None or isinstance(model, DefaultPlaceholder):
        return None
    try:
        return TypeAdapter(model)
    except PydanticSchemaGenerationError:
        return None  # FastAPI says it better, when it makes its own
