"""What a typed cache keeps and gives: values of its type, so that a hit has the type of a miss.

Looked at is the outermost shape, as a type checker sees it: for `list[int]` that it is a list, for
`User | None` that it is one of both, an int where a float is asked for. What is inside was looked
at by whoever made it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from types import UnionType
from typing import (
    Annotated,
    Any,
    Final,
    Literal,
    TypeAlias,
    TypeVar,
    Union,
    final,
    get_args,
    get_origin,
    is_typeddict,
)

from qicore_core import Failure, Result

from .isolate import copied
from .kept import Kept
from .store import MISSING, Space

__all__ = ["Fit", "Fitted", "check"]

Test: TypeAlias = Callable[[Any], bool]
_PROMOTED: Final[dict[type, tuple[type, ...]]] = {
    float: (float, int),
    complex: (complex, float, int),
}  # Source: PEP 484, the numeric tower


@final
class Fit:
    """One type of values.

    Args:
        kind: a class, or what a type checker takes in its place.

    Attributes:
        kind: the same.
        fits: tells whether a value is of it.
    """

    __slots__ = ("fits", "kind")

    def __init__(self, kind: Any, /) -> None:
        self.kind = kind
        self.fits = _test(kind)

    def check(self, value: Any, /) -> None:
        """Raise a TypeError where a value, or what a Kept holds, is of another type."""
        plain = value.value if value.__class__ is Kept else value
        if not (self.fits(plain) or isinstance(plain, Failure)):
            given = type(plain).__qualname__
            raise TypeError(f"it is a {given}, and this cache is of {_said(self.kind)}")


@final
class Fitted:
    """A space of which only values of one type are read and written."""

    __slots__ = ("_fit", "_fits", "_get", "_space")

    def __init__(self, space: Space, fit: Fit, /) -> None:
        self._space: Space = space._space if isinstance(space, Fitted) else space
        self._get = self._space.get
        self._fit, self._fits = fit, fit.fits

    def get(self, key: str, /) -> Any:
        """Give the value under a key, or MISSING; one of another type is a TypeError."""
        value = self._get(key)
        if value is not MISSING and not self._fits(value):
            self._fit.check(value)
        return value

    def put(self, key: str, value: Any, ttl: float | None, /) -> None:
        """Keep a value; one of another type is a TypeError."""
        if not self._fits(value):
            self._fit.check(value)
        self._space.put(key, value, ttl)

    def increment(self, key: str, by: int, ttl: float | None, /) -> Result[int]:
        """Add to the number under a key."""
        return self._space.increment(key, by, ttl)

    def drop(self, keys: Iterable[str] | None, /) -> int:
        """Forget those keys and give how many were there; None is all of them."""
        return self._space.drop(keys)


def check(value: Any, copy: bool, fit: Fit | None, /) -> None:
    """Raise what keeping a value in memory would, before any of several is kept."""
    if (value.value if value.__class__ is Kept else value) is MISSING:
        raise TypeError("MISSING stands for no value")
    if fit is not None:
        fit.check(value)
    if copy:
        copied(value)


def _test(kind: Any) -> Test:
    """Make what tells whether a value is of a type."""
    if kind is Any or isinstance(kind, TypeVar):
        return lambda _: True
    for name in ("__supertype__", "__value__"):  # NewType; `type X = ...`
        if hasattr(kind, name):
            return _test(getattr(kind, name))
    of, arguments = get_origin(kind) or kind, get_args(kind)
    if of is Annotated:
        return _test(arguments[0])
    if of is Literal:
        return lambda value: any(type(value) is type(one) and value == one for one in arguments)
    if of is Union or of is UnionType:
        tests = [_test(type(None) if one is None else one) for one in arguments]
        return lambda value: any(test(value) for test in tests)
    if is_typeddict(of):
        of = dict
    if not isinstance(of, type):
        raise TypeError(f"cache.of takes a type, as in cache.of(User), got {kind!r}")
    if getattr(of, "_is_protocol", False) and not getattr(of, "_is_runtime_protocol", False):
        return lambda _: True  # nothing can tell
    if of in _PROMOTED:
        return lambda value: isinstance(value, _PROMOTED[of])
    return of.__instancecheck__  # isinstance without a frame of ours


def _said(kind: Any) -> str:
    return kind.__qualname__ if isinstance(kind, type) and not get_args(kind) else repr(kind)
