"""What a type hint says: the type in it, what it holds, how to say in words what it takes.

Imported late, with `reading`: it loads typing and dataclasses.
"""

from __future__ import annotations

from dataclasses import is_dataclass
from types import NoneType, UnionType
from typing import (
    Annotated,
    Any,
    Final,
    Literal,
    NewType,
    Union,
    get_args,
    get_origin,
    get_type_hints,
)

from ..secret import Secret
from .convert import scalar
from .key import nearest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

__all__ = [
    "LISTS",
    "MAPPINGS",
    "advice",
    "argument",
    "describe",
    "fixed_length",
    "hint_in",
    "holds_secret",
    "is_secret",
    "is_union",
    "kind_of",
    "plain",
    "some",
]

LISTS: Final[Mapping[str, Callable[[Iterable[Any]], object]]] = {
    "list": list, "MutableSequence": list,
    "tuple": tuple, "Sequence": tuple, "Collection": tuple, "Iterable": tuple,
    "set": set, "MutableSet": set,
    "frozenset": frozenset, "Set": frozenset,
}  # fmt: skip
"""What makes a list of each name; a read-only one is a tuple or a frozenset."""

MAPPINGS: Final = ("dict", "Mapping", "MutableMapping")

_MOST: Final = 10  # names in a message


def plain(hint: Any, /) -> Any:
    """Take a type out of Annotated, Final, NewType and `type` statements."""
    while True:
        if get_origin(hint) in (Annotated, Final):
            hint = get_args(hint)[0]
        elif isinstance(hint, NewType):
            hint = hint.__supertype__
        elif type(hint).__name__ == "TypeAliasType":
            hint = hint.__value__
        else:
            return hint


def kind_of(hint: Any, /) -> Any:
    """Give the class of a plain hint: list of `list[int]`, Union of a union."""
    return get_origin(hint) or hint


def is_union(kind: Any, /) -> bool:
    """Tell whether a kind is that of `X | Y`, in either spelling."""
    return kind is Union or kind is UnionType


def argument(hint: Any, number: int, /) -> Any:
    """Give one of the types in brackets, Any where there is none."""
    arguments = get_args(hint)
    return arguments[number] if number < len(arguments) else Any


def fixed_length(hint: Any, /) -> int | None:
    """Give how many items a tuple has to have; None where any number will do."""
    arguments = get_args(hint)
    is_fixed = get_origin(hint) is tuple and arguments and arguments[-1] is not Ellipsis
    return len(arguments) if is_fixed else None


def hint_in(hint: Any, name: str, /) -> Any:
    """Give the type of what a section of a type holds under a name; None where it holds none."""
    hint = plain(hint)
    kind = kind_of(hint)
    if is_dataclass(kind):
        return get_type_hints(kind, include_extras=True).get(name)
    if getattr(kind, "__name__", "") in MAPPINGS:
        return argument(hint, 1)
    if is_union(kind):
        found = [hint_in(one, name) for one in get_args(hint)]
        return next((one for one in found if one is not None), None)
    return None


def is_secret(hint: Any, /) -> bool:
    """Tell whether a type is a Secret, or a union, list or dict of some."""
    return any(kind_of(one) is Secret for one in _within(hint))


def holds_secret(hint: Any, /) -> bool:
    """Tell whether a type is a Secret or holds one, in a dataclass too."""
    todo, seen = [hint], set[object]()
    while todo:
        for one in _within(todo.pop()):
            kind = kind_of(one)
            if kind is Secret:
                return True
            if is_dataclass(kind) and kind not in seen:
                seen.add(kind)
                todo += get_type_hints(kind, include_extras=True).values()
    return False


def describe(hint: Any, /) -> str:
    """Say in words what a type takes."""
    hint = plain(hint)
    kind = kind_of(hint)
    name = getattr(kind, "__name__", str(kind))
    choices = _choices(hint)
    simple = scalar(kind)
    if is_union(kind):
        return " or ".join(dict.fromkeys(map(describe, get_args(hint))))
    if kind is Secret:
        return describe(argument(hint, 0))
    if choices:
        return f"one of {some(choices)}"
    if simple is not None:
        return simple[0]
    if name in LISTS:
        length = fixed_length(hint)
        return "a list" if length is None else f"a list of {length}"
    if is_dataclass(kind) or name in MAPPINGS:
        return "a section"
    return "nothing" if hint is NoneType else f"a {name}"


def advice(hint: Any, value: object, /) -> str | None:
    """Say how a value that does not fit could be written, where that is plain to see."""
    hint = plain(hint)
    choices = _choices(hint)
    if isinstance(value, str):
        near = nearest(value, choices)
        if near:
            return f"did you mean {near}?"
        if getattr(kind_of(hint), "__name__", "") in LISTS:
            return 'write a list, such as ["a", "b"]'
    if hint is str and isinstance(value, int | float):
        return "write it in quotes"
    return None


def some(names: Sequence[str], /) -> str:
    """Name the first few of them."""
    return ", ".join(names[:_MOST]) + (", ..." if len(names) > _MOST else "")


def _within(hint: Any) -> Iterator[Any]:
    """Go through a type and the types in its brackets."""
    hint = plain(hint)
    yield hint
    if kind_of(hint) is not Literal:
        for one in get_args(hint):
            yield from _within(one)


def _choices(hint: Any) -> list[str]:
    if get_origin(hint) is Literal:
        return [str(one) for one in get_args(hint)]
    return [str(one.value) for one in getattr(hint, "__members__", {}).values()]
