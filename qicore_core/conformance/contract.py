"""How a law becomes a test: `law` marks it, a subclass of `Contract` runs it against one adapter.

Hypothesis refuses a test method that two subclasses inherit, as both would share its state; so each
class gets tests of its own, made of the same laws. An adapter is opened for each example and closed
after it, on one event loop: no example sees what another one left.
"""

from __future__ import annotations

import asyncio
from difflib import get_close_matches
from inspect import cleandoc, getattr_static, iscoroutinefunction
from typing import Any, ClassVar, Final, Generic, TypeVar

import pytest
from hypothesis import HealthCheck, Phase, given, settings

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from hypothesis.strategies import SearchStrategy

    from ..opening import Closes, Opening

__all__ = ["Contract", "law"]

A = TypeVar("A", bound="Closes")
F = TypeVar("F", bound="Callable[..., object]")

_LAW: Final = "__qicore_law__"  # on a law: its strategies
_MADE: Final = "__qicore_test_of_a_law__"
# Opening a real server takes its time, and examples that share nothing may run on any instance.
_IGNORED: Final = (HealthCheck.too_slow, HealthCheck.differing_executors)


def law(**strategies: SearchStrategy[Any]) -> Callable[[F], F]:
    """Mark a method of a Contract as a law, which becomes the test `test_<its name>`.

    An `async def` gets the opened adapter as its first argument, a `def` gets none; then come the
    drawn values, by name. Its docstring says what it demands: authors read it when it fails.

    Args:
        strategies: how each argument is drawn; without any, the law runs once.
    """

    def mark(fn: F) -> F:
        name = fn.__name__
        if name.startswith("test"):
            raise TypeError(f"the law {name!r} needs another name: pytest would run it by itself")
        if not fn.__doc__:
            raise TypeError(f"the law {name!r} needs a docstring that says what it demands")
        setattr(fn, _LAW, strategies)
        return fn

    return mark


class Contract(Generic[A]):
    """What every implementation of something keeps. A domain writes the laws, an author subclasses.

    A class with `abstract=True` has laws and gets no tests; one without gets a test for each law,
    so that four lines of test prove an implementation. A law cannot be overridden: that is a
    TypeError.

    Attributes:
        max_examples: how many examples Hypothesis draws for a law.
        unsupported: laws that this adapter does not keep, each with the reason. They are run and
            expected to fail; one that holds after all is red.
        shrinks: whether an example that breaks a law is made small before it is told. A test that
            asks only whether a law breaks says False, and is done sooner.

    Example:
        An author writes

        ```python
        from qicore_cache.conformance import CacheContract

        class TestDuck(CacheContract):
            url = "duckdb:"
        ```

        because the domain wrote

        ```python
        class CacheContract(Contract[Cache], abstract=True):
            url: str

            def opening(self) -> Opening[Cache]:
                return open_cache(self.url, namespace=uuid4().hex)

            @law(key=keys, value=values)
            async def what_was_set_is_read(self, cache, key, value):
                "What get gives is what was set."
                assert await cache.set(key, value) == success(None)
                assert await cache.get(key) == success(value)
        ```
    """

    max_examples: ClassVar[int] = 25
    unsupported: ClassVar[Mapping[str, str]] = {}
    shrinks: ClassVar[bool] = True

    def opening(self) -> Opening[A]:
        """Say how a fresh adapter is opened, empty and shared with no one."""
        raise NotImplementedError(f"{type(self).__name__} needs `def opening(self)`")

    @classmethod
    def laws(cls) -> dict[str, Callable[..., Any]]:
        """Give the laws by name, those of the most general contract first."""
        found: dict[str, Callable[..., Any]] = {}
        for base in reversed(cls.__mro__):
            for name, fn in vars(base).items():
                if hasattr(fn, _LAW):
                    if name in found:
                        raise TypeError(_overridden(cls, name))
                    found[name] = fn
        return found

    def __init_subclass__(cls, *, abstract: bool = False) -> None:
        super().__init_subclass__()
        laws = cls.laws()
        for name in cls.unsupported:
            if name not in laws:
                near = get_close_matches(name, laws, 1)
                hint = f"; did you mean {near[0]!r}?" if near else ""
                raise TypeError(f"{cls.__name__}.unsupported names no law: {name!r}{hint}")
        for name, fn in laws.items():
            made = getattr_static(cls, f"test_{name}", None)
            if getattr_static(cls, name) is not fn or not (made is None or hasattr(made, _MADE)):
                raise TypeError(_overridden(cls, name))
            if not abstract:
                setattr(cls, f"test_{name}", _test_of(cls, name, fn))


def _test_of(cls: type[Contract[Any]], name: str, fn: Callable[..., Any]) -> Callable[..., None]:
    strategies: dict[str, SearchStrategy[Any]] = getattr(fn, _LAW)
    demand = cleandoc(fn.__doc__ or "").split("\n\n")[0].replace("\n", " ")
    with_adapter = iscoroutinefunction(fn)

    def test(self: Contract[Any], **drawn: object) -> None:
        __tracebackhide__ = True  # pytest then shows the law
        try:
            if with_adapter:
                asyncio.run(_hold(self, fn, drawn))
            else:
                fn(self, **drawn)
        except BaseException as broken:  # pytest.fail() raises one that is no Exception
            broken.add_note(f"{cls.__name__} breaks the law {name!r}: {demand}")
            raise

    test.__name__ = f"test_{name}"
    test.__qualname__ = f"{cls.__qualname__}.test_{name}"
    test.__module__ = cls.__module__
    test.__doc__ = fn.__doc__
    made: Callable[..., None] = test
    if strategies:
        made = given(**strategies)(made)
        phases = settings().phases if cls.shrinks else (Phase.explicit, Phase.generate)
        made = settings(
            max_examples=cls.max_examples,
            deadline=None,
            phases=phases,
            suppress_health_check=_IGNORED,
        )(made)
    if name in cls.unsupported:
        made = pytest.mark.xfail(strict=True, reason=cls.unsupported[name])(made)
    setattr(made, _MADE, True)
    return made


async def _hold(contract: Contract[Any], fn: Callable[..., Any], drawn: dict[str, object]) -> None:
    __tracebackhide__ = True  # as above
    async with contract.opening() as adapter:
        await fn(contract, adapter, **drawn)


def _overridden(cls: type, name: str) -> str:
    return (
        f"{cls.__name__} overrides the law {name!r}; where an adapter cannot keep it, say so: "
        f'unsupported = {{"{name}": "why"}}'
    )
