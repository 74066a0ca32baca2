"""What a handler says that it returns, read when it is registered.

FastAPI makes its response model of the annotation; `Result[T]` is no model, T is. An annotation
that cannot be used is a mistake in the program, and is told where it is made.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from typing import Any, Final, NamedTuple, get_args, get_origin, get_type_hints

from qicore_core import Result, Stream

__all__ = ["Handler", "read", "shown"]

_WHERE: Final = re.compile(r"(?:[\w<>-]+\.)+(?=\w)")  # the modules and functions around a name


class Handler(NamedTuple):
    """What is known of a handler.

    Attributes:
        signature: its own, with the annotations as types.
        model: what a success holds, or one item of a stream; None where nothing is said.
        is_stream: whether a success is a Stream.
    """

    signature: inspect.Signature
    model: Any
    is_stream: bool


def read(handler: Callable[..., Any]) -> Handler:
    """Read a handler's annotations; what cannot be used is a TypeError that says what to write."""
    name = getattr(handler, "__qualname__", None) or repr(handler)
    signature = inspect.signature(handler)
    try:
        hints = get_type_hints(_function(handler), include_extras=True)
    except NameError as error:
        raise TypeError(
            f"the annotations of {name} cannot be used: {error}. FastAPI reads them when the route "
            "is made: import the name outside `if TYPE_CHECKING` and define it in the module"
        ) from error
    parameters = [
        one.replace(annotation=hints.get(one.name, one.annotation))
        for one in signature.parameters.values()
    ]
    returned = hints.get("return")
    signature = signature.replace(parameters=parameters, return_annotation=inspect.Signature.empty)
    if get_origin(returned) is Result:
        (returned,) = get_args(returned)
    is_stream = get_origin(returned) is Stream
    if is_stream:
        (returned,) = get_args(returned)
    _check(returned, name)
    return Handler(signature, None if returned is type(None) else returned, is_stream)


def shown(annotation: Any) -> str:
    """Give an annotation as one writes it: `User`, `list[User]`.

    >>> from fractions import Fraction
    >>> shown(Fraction), shown(list[Fraction]), shown(Fraction | None)
    ('Fraction', 'list[Fraction]', 'Fraction | None')
    """
    if isinstance(annotation, type) and not get_args(annotation):
        return annotation.__name__
    return _WHERE.sub("", str(annotation))


def _function(handler: Any) -> Any:
    """Find the function whose annotations count: behind a partial, a decorator, an object."""
    while hasattr(handler, "func"):
        handler = handler.func
    if not inspect.isroutine(handler) and not inspect.isclass(handler):
        handler = type(handler).__call__
    return handler


def _check(annotation: Any, name: str) -> None:
    if annotation is Result or annotation is Stream:
        bare = "Stream" if annotation is Stream else "Result"
        raise TypeError(
            f"{name} returns a bare {bare}: say what it holds, {bare}[Item]; "
            "a Result without a value is a Result[None]"
        )
    if _is_ours(annotation):
        raise TypeError(
            f"{name} returns {shown(annotation)}, and a Result or a Stream cannot be a part of "
            "something: write Result[A | B], Result[list[Item]] or Stream[Item]"
        )


def _is_ours(annotation: Any) -> bool:
    kind = get_origin(annotation) or annotation
    if isinstance(kind, type) and issubclass(kind, (Result, Stream)):
        return True
    return any(_is_ours(part) for part in get_args(annotation))
