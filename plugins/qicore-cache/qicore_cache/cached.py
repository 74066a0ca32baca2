"""`@cached`: the result of a function, kept by its arguments."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterable
from functools import wraps
from typing import Any, ParamSpec, TypeVar

from qicore_core import Result

from .client import Cache
from .freshness import Freshness

P = ParamSpec("P")
T = TypeVar("T")

__all__ = ["cached"]


def cached(
    cache: Cache[Any] | Callable[[], Cache[Any]],
    /,
    *,
    ttl: float | None = None,
    key: Callable[..., str] | None = None,
    failure_ttl: float | None = None,
    freshness: Freshness | None = None,
    tags: Callable[..., Iterable[str]] | Iterable[str] = (),
) -> Callable[
    [Callable[P, Coroutine[Any, Any, Result[T]]]], Callable[P, Coroutine[Any, Any, Result[T]]]
]:
    """Keep what an async function gives, by its arguments, as `get_or_set` does.

    Args:
        cache: where; or a function that gives it when the call is made, as a cache is seldom open
            when its users are defined.
        ttl: seconds to keep a value; None is the cache's default.
        key: makes the key of the arguments; by default their repr, behind the function's name. An
            argument that its repr names by its address needs one, or the call is a TypeError.
        failure_ttl: seconds to keep a Failure; None keeps none.
        freshness: whether it is renewed before it ends, or given for a while after that.
        tags: what `remove_tag` forgets it by; or makes them of the arguments.

    Example:
        ```python
        @cached(lambda: runtime.get(CACHE), ttl=60.0)
        async def user(uid: int) -> Result[User]: ...
        ```
    """

    def decorate(
        fn: Callable[P, Coroutine[Any, Any, Result[T]]],
    ) -> Callable[P, Coroutine[Any, Any, Result[T]]]:
        prefix = f"{fn.__module__}.{fn.__qualname__}"

        @wraps(fn)
        async def run(*args: P.args, **kwargs: P.kwargs) -> Result[T]:
            where = cache if isinstance(cache, Cache) else cache()
            named = key(*args, **kwargs) if key else _key(prefix, args, kwargs)
            result: Result[T] = await where.get_or_set(
                named,
                lambda: fn(*args, **kwargs),
                ttl=ttl,
                failure_ttl=failure_ttl,
                freshness=freshness,
                tags=tags(*args, **kwargs) if callable(tags) else tags,
            )
            return result

        return run

    return decorate


def _key(prefix: str, args: tuple[object, ...], kwargs: dict[str, object]) -> str:
    """Name a call; what would be too long, or could not be shown, goes by its hash."""
    shown = [_shown(prefix, value) for value in args]
    shown += [f"{name}={_shown(prefix, kwargs[name])}" for name in sorted(kwargs)]
    said = ", ".join(shown)
    if len(prefix) + len(said) < 200 and said.isprintable():
        return f"{prefix}({said})"
    from hashlib import sha256  # late: few keys are so long

    return f"{prefix}#{sha256(said.encode('utf-8', 'surrogatepass')).hexdigest()}"


def _shown(prefix: str, value: object) -> str:
    said = repr(value)
    if " at 0x" in said and not isinstance(value, str):  # the next object may have that address
        raise TypeError(f"{prefix} needs cached(..., key=...): {said[:60]} does not name its value")
    return said
