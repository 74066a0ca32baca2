"""What the settings of this room are: values, which refuse to be changed."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, NoReturn, Self, dataclass_transform
else:

    def dataclass_transform(**_):
        """Tell type checkers alone that the attributes are read-only."""
        return lambda cls: cls


__all__ = ["Value", "require"]


@dataclass_transform(frozen_default=True, kw_only_default=True)
class Value:
    """A read-only record of its `__slots__`: compared, hashed, shown and pickled by them."""

    __slots__: tuple[str, ...] = ()

    if TYPE_CHECKING:

        def __init__(self, **fields: Any) -> None: ...

    def _keep(self, *fields: object) -> None:
        for name, field in zip(self.__slots__, fields, strict=True):
            object.__setattr__(self, name, field)

    def _fields(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.__slots__}

    def replace(self, **changes: Any) -> Self:
        """Make another with some fields changed, checked as a new one is.

        Args:
            changes: by the names that the constructor takes; another name is a TypeError.
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
        usual: dict[str, object] = getattr(type(self).__init__, "__kwdefaults__", None) or {}
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
    if not fits:
        raise ValueError(f"{what}, got {got!r}")
