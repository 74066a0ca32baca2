"""What the settings of this room are: values, which refuse to be changed."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, ClassVar, Final, NoReturn, Self, dataclass_transform
else:
    from ..lean import dataclass_transform

__all__ = ["Value", "require"]

_MAX_BITS: Final = 1000  # of an integer that is reckoned with as a float


class _Fields(type):
    """Make what a class annotates its slots, and what it gives them their usual values."""

    __slots__ = ()
    _usual: dict[str, Any]

    def __new__(cls, name: str, bases: tuple[type, ...], body: dict[str, Any]) -> _Fields:
        fields = tuple(body.get("__annotations__", ()))
        usual = {field: body.pop(field) for field in fields if field in body}
        return super().__new__(cls, name, bases, {**body, "__slots__": fields, "_usual": usual})


@dataclass_transform(frozen_default=True)
class Value(metaclass=_Fields):
    """A read-only record of the fields that a class annotates, as a frozen dataclass is.

    It is made of them in their order or by name, checked, compared, hashed, shown and pickled.
    """

    if TYPE_CHECKING:
        __slots__: ClassVar[tuple[str, ...]]

    def __init__(self, *given: Any, **named: Any) -> None:
        first = dict(zip(self.__slots__, given, strict=False))
        fields = {**type(self)._usual, **first, **named}
        is_twice = len(first) < len(given) or not first.keys().isdisjoint(named)
        if is_twice or fields.keys() != set(self.__slots__):
            takes = ", ".join(self.__slots__)
            raise TypeError(f"{type(self).__name__} takes {takes}; got {(*given, *named)!r}")
        self._keep(**fields)
        self._check()

    def _check(self) -> None:
        """Refuse what cannot work; a class has its own."""

    def _keep(self, **fields: Any) -> None:
        for name, field in fields.items():
            object.__setattr__(self, name, field)

    def _fields(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.__slots__}

    def replace(self, **changes: Any) -> Self:
        """Make another with some fields changed, checked as a new one is.

        Args:
            changes: by the names of the fields; another name is a TypeError.
        """
        return type(self)(**{**self._fields(), **changes})

    def __setattr__(self, name: str, value: object, /) -> NoReturn:
        raise AttributeError(f"{self!r} is read-only: replace({name}=...) makes another")

    def __delattr__(self, name: str, /) -> NoReturn:
        raise AttributeError(f"{self!r} is read-only")

    def __eq__(self, other: object, /) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        return self._fields() == other._fields()

    def __hash__(self) -> int:
        return hash((type(self), *self._fields().values()))

    def __repr__(self) -> str:
        usual = type(self)._usual
        said = [
            f"{name}={field!r}"
            for name, field in self._fields().items()
            if name not in usual or usual[name] != field
        ]
        return f"{type(self).__name__}({', '.join(said)})"

    def __reduce__(self) -> tuple[object, ...]:
        return _make, (type(self), self._fields())


def _make(kind: type[Any], fields: dict[str, Any]) -> Any:
    return kind(**fields)


def require(fits: bool, what: str, got: object) -> None:
    """Refuse a setting that cannot work, with a ValueError that says what would."""
    if isinstance(got, int) and got.bit_length() > _MAX_BITS:
        raise ValueError(f"{what}, got a number of {got.bit_length()} bits")
    if not fits:
        raise ValueError(f"{what}, got {got!r}")
