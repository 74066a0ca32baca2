"""Success or Failure: what every operation of QiCore returns.

`Result[T]` is `Success[T] | Failure`; `result.pyi` is its face for type checkers. The shape below
is chosen by measurement: no `__init__` and no `__setattr__` (a bare call and one slot store is the
fastest a Python object can be made), values behind read-only properties, and `__bool__` in C. `map`
and `flat_map` never catch: left identity would break and bugs would hide. Under `python -X dev` the
classes are checked ones. This room must never learn about events, logging or policies.
"""

from __future__ import annotations

import sys
from operator import attrgetter

from .error import QiError, release, twin

__all__ = ["Failure", "Result", "Success", "failure", "success", "unwrap"]


class Result:
    """The sealed base of Success and Failure; to checkers it is the union of the two."""

    __slots__ = ("_held",)
    __class_getitem__ = classmethod(type(list[int]))

    def __init_subclass__(cls) -> None:
        if cls.__module__ != __name__:
            raise TypeError("Result is sealed: it is a Success or a Failure, and nothing else")

    @staticmethod
    def success(value=None, /):
        """Make a Success, as the guide spells it; checkers know `success(value)`."""
        return success(value)

    @staticmethod
    def failure(error, /):
        """Make a Failure, as the guide spells it; checkers know `failure(error)`."""
        return failure(error)

    @staticmethod
    def from_try_catch(fn, /, *args, catch=Exception, code=None, **kwargs):
        """Call `fn`, as the guide spells it; checkers know `from_try_catch(fn, ...)`."""
        return success().map_try(lambda _: fn(*args, **kwargs), catch=catch, code=code)


class Success(Result):
    """A value that an operation gave. Made by `success(value)`; truthy.

    >>> match success(2).map(lambda n: n + 1):
    ...     case Success(value): print(value)
    ...     case Failure(error): print(error)
    3
    """

    __slots__ = ()
    __match_args__ = ("_held",)  # match reads the slot itself; checkers see "value"

    value = property(attrgetter("_held"), doc="What the operation gave.")

    def is_success(self):
        """Tell that it is one; `if result:` says the same and narrows the type."""
        return True

    def is_failure(self):
        """Tell that it is none."""
        return False

    def map(self, fn):
        """Give `success(fn(value))`; what `fn` raises is raised."""
        made = Success()
        made._held = fn(self._held)
        return made

    def map_error(self, fn):
        """Give this Success."""
        return self

    def map_try(self, fn, *, catch=Exception, code=None):
        """Give `success(fn(value))`, or a Failure of what `fn` raised.

        Args:
            fn: called with the value; a QiError that it raises is the Failure's error as it is.
            catch: an exception type or a tuple of them; any other exception passes.
            code: the error's code in place of UNEXPECTED_EXCEPTION.
        """
        try:
            return success(fn(self._held))
        except QiError as error:
            return failure(error)
        except catch as exception:  # foreign code: this is the method made for it
            if not isinstance(exception, Exception):
                raise  # cancellation and exit pass, whatever the caller asked for
            return failure(QiError.from_exception(exception, code=code))

    def flat_map(self, fn):
        """Give what `fn(value)` gives, a Result; what `fn` raises is raised."""
        return fn(self._held)

    and_then = flat_map

    def or_else(self, fn):
        """Give this Success."""
        return self

    def recover(self, fn):
        """Give this Success."""
        return self

    def filter(self, predicate, error):
        """Give this Success if `predicate(value)` holds, else a Failure of `error`.

        Args:
            predicate: asked with the value.
            error: a QiError, or a function from the value to one.
        """
        if predicate(self._held):
            return self
        return failure(error if isinstance(error, QiError) else error(self._held))

    def inspect(self, fn):
        """Call `fn(value)` for its effect and give this Success."""
        fn(self._held)
        return self

    def inspect_error(self, fn):
        """Give this Success."""
        return self

    def flatten(self):
        """Give the Result inside; a value that is none is a TypeError."""
        if not isinstance(self._held, Result):
            raise TypeError(f"flatten needs a Result inside, got {type(self._held).__name__}")
        return self._held

    def unwrap(self):
        """Give the value."""
        return self._held

    def unwrap_or(self, default):
        """Give the value."""
        return self._held

    def unwrap_or_else(self, fn):
        """Give the value."""
        return self._held

    def unwrap_error(self):
        """Refuse with a ValueError: a Success has no error."""
        raise ValueError("unwrap_error on a Success")

    def match(self, *, on_success, on_failure):
        """Give `on_success(value)`."""
        return on_success(self._held)

    def to_optional(self):
        """Give the value."""
        return self._held

    async def map_async(self, fn):
        """Give `success(await fn(value))`."""
        return success(await fn(self._held))

    async def flat_map_async(self, fn):
        """Give what `await fn(value)` gives, a Result."""
        return await fn(self._held)

    async def or_else_async(self, fn):
        """Give this Success."""
        return self

    def __eq__(self, other):
        return self._held == other._held if other.__class__ is Success else NotImplemented

    def __hash__(self):
        return hash((True, self._held))

    def __repr__(self):
        return f"Success({self._held!r})"

    def __reduce__(self):
        return success, (self._held,)


class Failure(Result):
    """The QiError that an operation failed with. Made by `failure(error)`; falsy.

    `if not result: return result` passes it on. It holds no frame: neither its error nor what that
    came from keeps a traceback.
    """

    __slots__ = ()
    __match_args__ = ("_held",)  # as above; checkers see "error"
    __bool__ = bool  # C code: bool() is False, without a Python frame

    error = property(attrgetter("_held"), doc="What the operation failed with.")

    def is_success(self):
        """Tell that it is none; `if result:` says the same and narrows the type."""
        return False

    def is_failure(self):
        """Tell that it is one."""
        return True

    def map(self, fn):
        """Give this Failure."""
        return self

    def map_error(self, fn):
        """Give a Failure of `fn(error)`, a QiError."""
        return failure(fn(self._held))

    def map_try(self, fn, *, catch=Exception, code=None):
        """Give this Failure."""
        return self

    def flat_map(self, fn):
        """Give this Failure."""
        return self

    and_then = flat_map

    def or_else(self, fn):
        """Give what `fn(error)` gives, a Result: another way to succeed, or another failure."""
        return fn(self._held)

    def recover(self, fn):
        """Give `success(fn(error))`: a value in place of the error."""
        return success(fn(self._held))

    def filter(self, predicate, error):
        """Give this Failure."""
        return self

    def inspect(self, fn):
        """Give this Failure."""
        return self

    def inspect_error(self, fn):
        """Call `fn(error)` for its effect and give this Failure."""
        fn(self._held)
        return self

    def flatten(self):
        """Give this Failure."""
        return self

    def unwrap(self):
        """Raise the QiError's twin, so that this holds no frame; `@do` makes it a Failure again."""
        raise twin(self._held)

    def unwrap_or(self, default):
        """Give `default`."""
        return default

    def unwrap_or_else(self, fn):
        """Give `fn(error)`."""
        return fn(self._held)

    def unwrap_error(self):
        """Give the error."""
        return self._held

    def match(self, *, on_success, on_failure):
        """Give `on_failure(error)`."""
        return on_failure(self._held)

    def to_optional(self):
        """Give None."""

    async def map_async(self, fn):
        """Give this Failure."""
        return self

    async def flat_map_async(self, fn):
        """Give this Failure."""
        return self

    async def or_else_async(self, fn):
        """Give what `await fn(error)` gives, a Result."""
        return await fn(self._held)

    def __eq__(self, other):
        return self._held == other._held if other.__class__ is Failure else NotImplemented

    def __hash__(self):
        return hash((False, self._held))

    def __repr__(self):
        return f"Failure({self._held!r})"

    def __reduce__(self):
        return failure, (self._held,)


def success(value=None, /):
    """Make a Success of a value; `success()` holds None."""
    made = Success()
    made._held = value
    return made


def failure(error, /):
    """Make a Failure of a QiError; anything else is a TypeError."""
    made = Failure()
    try:
        if error._cause is not None or error.__traceback__ is not None:
            _let_go(error)
    except AttributeError:
        raise TypeError(f"a Failure holds a QiError, got {type(error).__name__}") from None
    made._held = error
    return made


def _let_go(error):
    if not isinstance(error, QiError):
        raise AttributeError  # it looks like one, as the class itself does
    release(error)


def unwrap(result, /):
    """Give the value of a Result, or of an awaitable of one; a Failure raises its QiError.

    >>> unwrap(success(1))
    1
    """
    kind = result.__class__
    if kind is Success:
        return result._held
    if kind is Failure:
        raise twin(result._held)
    return _unwrap_awaited(result)


async def _unwrap_awaited(awaitable):
    result = await awaitable
    if result.__class__ is Success:
        return result._held
    if result.__class__ is Failure:
        raise twin(result._held)
    raise TypeError(f"unwrap needs a Result or an awaitable of one, got {type(result).__name__}")


if sys.flags.dev_mode:
    from .checked import install

    install(Success, Failure)
