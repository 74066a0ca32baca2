"""One component of a Runtime: how it is opened and closed in time, and asked if it is well."""

from __future__ import annotations

from time import perf_counter

from .. import codes
from ..error import QiError
from ..kinds import Health
from ..result import Failure, failure, success

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from typing import Final, TypeVar

    from ..result import Result

    T = TypeVar("T")

__all__ = ["Late", "check", "close", "limited"]

_MOMENT: Final = 0.1  # seconds, for what was cancelled to end, and for what comes after a late one


class Late(Exception):  # noqa: N818  # it is no error yet: who catches it says what was late
    """It was not done in time, was cancelled, and was left if that did not end it."""


async def limited(call: Callable[[], Awaitable[T]], until: float | None, /) -> T:
    """Give what a call gives, in a task of its own, or raise Late.

    asyncio.timeout only cancels: what swallows that would be waited for without end.

    Args:
        until: a time of the event loop's clock; None is no limit. Where this wait is cancelled, so
            is the call, and it has until then to end.
    """
    import asyncio  # late: a program may use the core without it

    now = asyncio.get_running_loop().time

    async def held() -> tuple[T | None, BaseException | None]:
        try:
            return await call(), None
        except BaseException as exception:  # noqa: BLE001  # raised below: SystemExit in a task
            return None, exception  # would end the event loop

    async def wait() -> None:
        timeout = None if until is None else max(_MOMENT, until - now())
        await asyncio.wait([task], timeout=timeout)

    task, in_time = asyncio.create_task(held()), False
    try:
        await wait()
        in_time = task.done()
    finally:
        if not in_time:
            task.cancel()
            await wait()
    value, exception = task.result() if task.done() else (None, asyncio.CancelledError())
    if exception is None:
        return value  # type: ignore[return-value]  # what the call gave
    if not in_time and isinstance(exception, asyncio.CancelledError):
        raise Late
    raise exception


async def close(
    name: str, closer: Callable[[], Awaitable[object]], until: float, /
) -> Result[None]:
    """Close one, by a time of the event loop's clock; what it raises is a bug and passes.

    Errors:
        RUNTIME_CLOSE_TIMEOUT: it was not closed by then and was left.
        what it fails with, with `component` in its context.
    """
    try:
        result = await limited(closer, until)
    except Late:
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
        result = await limited(asked, asyncio.get_running_loop().time() + timeout)
        if isinstance(result, Failure):
            error = result.error
    except Late:
        error = QiError.timeout(
            codes.HEALTH_TIMEOUT, f"{name} did not answer within {timeout} s", source=name
        )
    except (Exception, SystemExit, asyncio.CancelledError) as exception:  # foreign code
        asking = asyncio.current_task()
        if isinstance(exception, asyncio.CancelledError) and asking and asking.cancelling():
            raise  # it was asked of us; else the check lost a wait of its own, and ends no other
        error = QiError.from_exception(exception, source=name)
    return Health(name, error, perf_counter() - began)
