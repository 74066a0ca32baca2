"""From exceptions to Results: `@do` for our own code, `from_try_catch` for that of others."""

from __future__ import annotations

from .error import QiError
from .result import Success, failure, success

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine
    from typing import Any, Final, ParamSpec, TypeAlias, TypeVar, overload

    from .result import Result

    T = TypeVar("T")
    P = ParamSpec("P")
    Catch: TypeAlias = type[Exception] | tuple[type[Exception], ...]
else:
    from .lean import overload

__all__ = ["do", "from_async_try_catch", "from_try_catch"]

# CO_COROUTINE, and CO_GENERATOR with CO_ASYNC_GENERATOR, without loading inspect
_COROUTINE: Final = 0x80
_GENERATORS: Final = 0x20 | 0x200


@overload  # an async def is a def too: the first match wins, as intended
def do(  # type: ignore[overload-overlap]
    fn: Callable[P, Coroutine[Any, Any, T]], /
) -> Callable[P, Coroutine[Any, Any, Result[T]]]: ...
@overload
def do(fn: Callable[P, T], /) -> Callable[P, Result[T]]: ...
def do(fn: Callable[..., Any], /) -> Callable[..., Any]:
    """Let a function's body unwrap as if nothing failed: it returns a T, callers see `Result[T]`.

    A QiError raised in the body, by `unwrap` or by hand, comes back as a Failure; any other
    exception is a bug and passes. For `def` and `async def`; a generator function is a TypeError,
    as it would fail only when iterated.

    >>> from qicore_core.result import unwrap
    >>> @do
    ... def total(a, b):
    ...     return unwrap(a) + unwrap(b)
    >>> total(success(1), success(2))
    Success(3)
    """
    from functools import wraps  # late: only needed to decorate

    flags = getattr(getattr(fn, "__code__", None), "co_flags", 0)
    if flags & _GENERATORS:
        raise TypeError(
            f"@do needs a function that returns, {fn.__qualname__} yields: make a Stream"
        )

    async def run_async(*args: Any, **kwargs: Any) -> Result[Any]:
        made: Any = Success()  # filled below: one frame less than success() on a hot path
        try:
            made._held = await fn(*args, **kwargs)
        except QiError as error:
            return failure(error)
        return made  # type: ignore[no-any-return]  # it is a Success

    def run(*args: Any, **kwargs: Any) -> Any:
        try:
            value = fn(*args, **kwargs)
        except QiError as error:
            return failure(error)
        # a def that gives a coroutine, such as a decorated async def or a partial of one
        return _settle(value) if hasattr(value, "cr_frame") else success(value)

    return wraps(fn)(run_async if flags & _COROUTINE else run)


async def _settle(coroutine: Coroutine[Any, Any, T]) -> Result[T]:
    try:
        return success(await coroutine)
    except QiError as error:
        return failure(error)


def from_try_catch(
    fn: Callable[..., T],
    /,
    *args: object,
    catch: Catch = Exception,
    code: str | None = None,
    **kwargs: object,
) -> Result[T]:
    """Call a function and give `success` of its value, or a Failure of what it raised.

    Args:
        fn: called with what follows; a QiError that it raises is the Failure's error as it is.
        catch: an exception type or a tuple of them; any other exception passes.
        code: the error's code in place of UNEXPECTED_EXCEPTION.

    >>> from_try_catch(int, "x", catch=ValueError, code="NOT_A_NUMBER").unwrap_error().code
    'NOT_A_NUMBER'
    """
    return success().map_try(lambda _: fn(*args, **kwargs), catch=catch, code=code)


async def from_async_try_catch(
    fn: Callable[..., Awaitable[T]],
    /,
    *args: object,
    catch: Catch = Exception,
    code: str | None = None,
    **kwargs: object,
) -> Result[T]:
    """Await what a function gives, as `from_try_catch` calls one."""
    try:
        return success(await fn(*args, **kwargs))
    except QiError as error:
        return failure(error)
    except catch as exception:  # foreign code: this is the door made for it
        if not isinstance(exception, Exception):
            raise  # cancellation and exit pass, whatever the caller asked for
        return failure(QiError.from_exception(exception, code=code))
