"""One component of a Runtime: how it is closed in time and how it is asked whether it is well."""

from __future__ import annotations

from time import perf_counter

from .. import codes
from ..error import QiError
from ..kinds import Health
from ..result import Failure, failure, success

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from ..result import Result

__all__ = ["check", "close"]


async def close(
    name: str, closer: Callable[[], Awaitable[object]], until: float, /
) -> Result[None]:
    """Close one, by a time of the event loop's clock; what it raises is a bug and passes.

    Errors:
        RUNTIME_CLOSE_TIMEOUT: it was not closed by then and was left.
        what it fails with, with `component` in its context.
    """
    import asyncio  # late: a program may use the core without it

    timer = asyncio.timeout_at(until)
    try:
        async with timer:
            result = await closer()
    except TimeoutError:
        if not timer.expired():
            raise
        return failure(
            QiError.timeout(
                codes.RUNTIME_CLOSE_TIMEOUT,
                f"{name} was not closed in time and was left",
                hint="raise close_timeout, or look at what it waits for",
                source="runtime",
                component=name,
            )
        )
    if isinstance(result, Failure):
        return failure(result.error.with_context(component=name))
    return success()


async def check(name: str, asked: Callable[[], Awaitable[object]], timeout: float, /) -> Health:
    """Ask one whether it is well; to fail, to raise and to be late are not."""
    import asyncio  # late, as above

    began = perf_counter()
    error: QiError | None = None
    try:
        async with asyncio.timeout(timeout):
            result = await asked()
        if isinstance(result, Failure):
            error = result.error
    except TimeoutError:
        error = QiError.timeout(
            codes.HEALTH_TIMEOUT, f"{name} did not answer within {timeout} s", source=name
        )
    except (Exception, SystemExit, asyncio.CancelledError) as exception:  # foreign code
        asking = asyncio.current_task()
        if isinstance(exception, asyncio.CancelledError) and asking and asking.cancelling():
            raise  # it was asked of us; else the check lost a wait of its own, and ends no other
        error = QiError.from_exception(exception, source=name)
    return Health(name, error, perf_counter() - began)
