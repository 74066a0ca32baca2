"""What a type hint comes to: a `Shape`, by which values are read, described and kept secret.

A text that reads as the type is taken from wherever it comes; nothing else is ever converted, so
that true is no 1, 1 is no "1", and "false" is never true. Imported late, with `reading`: it loads
typing and dataclasses.
"""

from __future__ import annotations

from dataclasses import is_dataclass
from types import UnionType
from typing import (
    Annotated,
    Any,
    Final,
    Literal,
    NewType,
    TypeVar,
    Union,
    get_args,
    get_origin,
    get_type_hints,
)

from ..secret import Secret
from .key import nearest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from typing import TypeAlias

    Scalar: TypeAlias = tuple[str, bool, Callable[[Any, Any], object]]

__all__ = ["Shape", "shape_of", "some"]

_LISTS: Final[Mapping[str, Callable[[Iterable[Any]], object]]] = {
    "list": list, "MutableSequence": list,
    "tuple": tuple, "Sequence": tuple, "Collection": tuple, "Iterable": tuple,
    "set": set, "MutableSet": set,
    "frozenset": frozenset, "Set": frozenset,
}  # fmt: skip
"""What makes a list of each name; a read-only one is a tuple or a frozenset."""

_TRUTH: Final = {
    **dict.fromkeys(("true", "yes", "on", "1"), True),
    **dict.fromkeys(("false", "no", "off", "0"), False),
}
_SECONDS: Final = {"us": 1e-6, "ms": 1e-3, "s": 1, "m": 60, "h": 3600, "d": 86400}
_DURATION: Final = r"(\d{1,9}(?:\.\d{1,9})?)\s?(ms|us|d|h|m|s)\s?"
_MOST: Final = 10  # names in a message


def shape_of(hint: Any, /) -> Shape:
    """Say what a hint comes to, out of Annotated, Final, NewType and `type` statements."""
    while True:
        kind, of = get_origin(hint) or hint, get_args(hint)
        if kind is Annotated or kind is Final:
            hint = of[0]
        elif isinstance(hint, NewType):
            hint = hint.__supertype__
        elif type(hint).__name__ == "TypeAliasType":
            hint = hint.__value__
        else:
            break
    name = getattr(kind, "__name__", "")
    if kind is Any or kind is object or isinstance(kind, TypeVar):
        return Shape("any", kind)
    if kind is Union or kind is UnionType:
        return Shape("union", kind, of)
    if kind is Secret:
        return Shape("secret", kind, of or (Any,))
    if is_dataclass(kind):
        return Shape("section", kind)
    if name in ("dict", "Mapping", "MutableMapping"):
        return Shape("mapping", dict, of or (Any, Any))
    if name in _LISTS:
        is_fixed = kind is tuple and of and of[-1] is not Ellipsis
        return Shape("tuple" if is_fixed else "list", _LISTS[name], of or (Any,))
    if kind is Literal or hasattr(kind, "__members__"):
        return Shape("choice", kind, of)
    return Shape("value", kind)


class Shape:
    """What a type hint comes to.

    Attributes:
        sort: how it is read: "any", "union", "secret", "section" (a dataclass), "mapping", "list",
            "tuple" (of a fixed length), "choice" or "value".
        kind: the class, or what makes a list.
        of: the hints in its brackets, as many as the sort takes; of a Literal the values.
    """

    __slots__ = ("kind", "of", "sort")

    def __init__(self, sort: str, kind: Any, of: tuple[Any, ...] = ()) -> None:
        self.sort = sort
        self.kind = kind
        self.of = of

    def describe(self) -> str:
        """Say in words what it takes."""
        match self.sort:
            case "section" | "mapping":
                return "a section"
            case "list":
                return "a list"
            case "tuple":
                return f"a list of {len(self.of)}"
            case "choice":
                return f"one of {some(self._choices())}"
            case "union" | "secret":
                return " or ".join(dict.fromkeys([shape_of(one).describe() for one in self.of]))
            case _:
                scalar, name = _scalar(self.kind), getattr(self.kind, "__name__", str(self.kind))
                return scalar[0] if scalar else "nothing" if name == "NoneType" else f"a {name}"

    def advice(self, value: object, /) -> str | None:
        """Say how a value that does not fit could be written, where that is plain to see."""
        if isinstance(value, str) and self.sort == "choice":
            near = nearest(value, self._choices())
            return f"did you mean {near}?" if near else None
        if isinstance(value, str) and self.sort in ("list", "tuple"):
            return 'write a list, such as ["a", "b"]'
        is_number = self.kind is str and isinstance(value, int | float)
        return "write it in quotes" if is_number else None

    def holds_secret(self) -> bool:
        """Tell whether it is a Secret or holds one, in its brackets or in a dataclass."""
        todo: list[Shape] = [self]
        seen = {(self.kind, id(self.of))}
        for one in todo:
            if one.sort == "secret":
                return True
            for inner in map(shape_of, one.fields().values() if one.sort == "section" else one.of):
                if (inner.kind, id(inner.of)) not in seen:
                    seen.add((inner.kind, id(inner.of)))
                    todo.append(inner)
        return False

    def fields(self) -> dict[str, Any]:
        """Give the hint of each field of a dataclass."""
        return get_type_hints(self.kind, include_extras=True)

    def inside(self) -> Callable[[str], Any]:
        """Give what tells the hint of each name in a section; None where it holds none such."""
        match self.sort:
            case "section":
                return self.fields().get
            case "mapping":
                return lambda name: self.of[1]
            case _:
                inner = [shape_of(one).inside() for one in self.of if self.sort == "union"]
                return lambda name: next(filter(None, [find(name) for find in inner]), None)

    def convert(self, value: object, is_word: bool, /) -> object:
        """Make a choice or a value of a plain value.

        A ValueError, ArithmeticError or LookupError says that it does not fit.
        """
        if self.kind is Literal:
            words = {str(one).casefold(): one for one in self.of if not isinstance(one, str)}
            same = [one for one in self.of if type(one) is type(value) and one == value]
            return same[0] if same or not is_word else words[str(value).casefold()]
        if self.sort == "choice":
            return _member(self.kind.__members__, value)
        scalar = _scalar(self.kind)
        if type(value) is self.kind or (scalar is None and isinstance(value, self.kind)):
            return value  # of a scalar the very type: true is an int, and a datetime a date
        is_readable = isinstance(value, str) or (hasattr(value, "__fspath__") and scalar == _PATH)
        if scalar is not None and (is_readable or (type(value) in (int, float) and scalar[1])):
            return scalar[2](self.kind, value)
        raise ValueError

    def _choices(self) -> list[str]:
        if self.kind is Literal:
            return list(map(str, self.of))
        return [str(one.value) for one in self.kind.__members__.values()]


def some(names: Sequence[str], /) -> str:
    """Name the first few of them."""
    return ", ".join(names[:_MOST]) + (", ..." if len(names) > _MOST else "")


def _member(members: Mapping[str, Any], value: object) -> object:
    """Give the member of an enum with a value, or by its name."""
    for one in members.values():
        if one is value or (type(one.value) is type(value) and one.value == value):
            return one
    by_value = {str(one.value).casefold(): one for one in members.values()}
    by_name = {name.casefold(): one for name, one in members.items()}
    if isinstance(value, str):
        return (by_value | by_name)[value.casefold()]
    raise ValueError


def _scalar(kind: Any) -> Scalar | None:
    """Give what a type expects, in words; whether of a number, too; what reads it.

    By name, so that nobody pays for decimal, uuid or datetime who has no such field.
    """
    if hasattr(kind, "__fspath__"):
        return _PATH
    return _SCALARS.get(f"{kind.__module__.partition('.')[0]}.{kind.__qualname__}")


def _called(kind: Any, value: object) -> object:
    return kind(str(value).strip())  # a number by its text: Decimal(0.1) is not 0.1


def _moment(kind: Any, text: str) -> object:
    return kind.fromisoformat(text.strip())


def _duration(kind: Any, value: object) -> object:
    from re import findall, fullmatch  # late: few have such a field

    text = str(value).strip().lower()
    if not fullmatch(f"(?:{_DURATION})+", text):
        return kind(seconds=float(text))
    parts = findall(_DURATION, text)
    return sum([float(number) * kind(seconds=_SECONDS[unit]) for number, unit in parts], kind())


def _path(kind: Any, value: object) -> object:
    if value:
        return kind(value)
    raise ValueError  # Path("") would be the working directory


_PATH: Final[Scalar] = ("a path", False, _path)
_SCALARS: Final[Mapping[str, Scalar]] = {
    "builtins.str": ("text", False, lambda kind, text: text),
    "builtins.int": ("a whole number", False, _called),
    "builtins.float": ("a number", True, lambda kind, value: float(value)),
    "builtins.bool": ("true or false", False, lambda kind, text: _TRUTH[text.strip().lower()]),
    "decimal.Decimal": ("a decimal number", True, _called),
    "uuid.UUID": ("a UUID", False, _called),
    "datetime.datetime": ("a date and time such as 2030-01-31T12:30:00Z", False, _moment),
    "datetime.date": ("a date such as 2030-01-31", False, _moment),
    "datetime.time": ("a time such as 12:30:00", False, _moment),
    "datetime.timedelta": ('a duration such as 30 (seconds), "500ms" or "1h30m"', True, _duration),
}
