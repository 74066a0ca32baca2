"""What DESIGN 3.1 promises to those who read types: no checker finds anything here."""

from __future__ import annotations

from collections.abc import Awaitable, Coroutine
from typing import Any, assert_never, assert_type

from qicore_core.attempt import do, from_async_try_catch, from_try_catch
from qicore_core.combine import accumulate, collect, from_optional, partition, traverse
from qicore_core.error import ErrorCategory, QiError
from qicore_core.result import Failure, Result, Success, failure, success, unwrap


def port(raw: str) -> Result[int]:
    if not raw.isdigit():
        return failure(QiError.validation("PORT_INVALID", f"port must be digits, got {raw!r}"))
    return success(int(raw))


async def port_later(raw: str) -> Result[int]:
    return port(raw)


def narrowed_by_truth(r: Result[int]) -> int:
    if r:
        assert_type(r, Success[int])
        return r.value
    assert_type(r, Failure)
    return len(r.error.code)


def narrowed_by_not(r: Result[int]) -> int:
    if not r:
        assert_type(r.error, QiError)
        return 0
    assert_type(r.value, int)
    return r.value


def narrowed_by_success(r: Result[int]) -> int:
    if isinstance(r, Success):
        return r.value
    assert_type(r, Failure)
    return len(r.error.message)


def narrowed_by_failure(r: Result[int]) -> str:
    if isinstance(r, Failure):
        return r.error.code
    assert_type(r, Success[int])
    return str(r.value)


def matched(r: Result[int]) -> str:
    match r:
        case Success(value):
            assert_type(value, int)
            return str(value)
        case Failure(error):
            assert_type(error, QiError)
            return error.code


def matched_to_the_end(r: Result[int]) -> int:
    match r:
        case Success(value):
            return value
        case Failure():
            return 0
        case _:
            assert_never(r)


def passed_on(raw: str) -> Result[str]:
    r = port(raw)
    if not r:
        return r  # a Failure is a Failure in any Result
    return success(f"http://localhost:{r.value}")


def passed_on_by_isinstance(raw: str) -> Result[list[str]]:
    r = port(raw)
    return r if isinstance(r, Failure) else success([str(r.value)])


def wider(r: Result[bool]) -> Result[int]:
    return r  # covariant


@do
def sync_body(raw: str, *, scale: int = 1) -> float:
    number = unwrap(port(raw))
    assert_type(number, int)
    return port(raw).unwrap() * 1.5 * scale


@do
async def async_body(raw: str) -> str:
    awaited = unwrap(await port_later(raw))
    assert_type(awaited, int)
    number = await unwrap(port_later(raw))
    assert_type(number, int)
    return str(number)


assert_type(sync_body("1", scale=2), Result[float])
coroutine = assert_type(async_body("1"), Coroutine[Any, Any, Result[str]])


async def calls() -> None:
    assert_type(await async_body("1"), Result[str])
    assert_type(await from_async_try_catch(async_body, "1"), Result[Result[str]])
    r = port("1")
    assert_type(await r.map_async(later), Success[str] | Failure)
    assert_type(await r.flat_map_async(port_from), Success[int] | Failure)
    assert_type(await r.or_else_async(repair), Success[int] | Failure)


async def later(value: int) -> str:
    return str(value)


async def port_from(value: int) -> Result[int]:
    return success(value)


async def repair(error: QiError) -> Result[int]:
    return success(len(error.code))


def as_text(value: int) -> str:
    return str(value)


def code_of(error: QiError) -> str:
    return error.code


def length_of(error: QiError) -> int:
    return len(error.code)


def zero(error: QiError) -> Result[int]:
    return success(0)


def methods(r: Result[int], nested: Result[Result[int]], text: str) -> None:
    assert_type(r.map(as_text), Result[str])
    assert_type(r.map_try(as_text, catch=ValueError, code="CODE"), Result[str])
    assert_type(r.map_error(QiError.with_context), Result[int])
    assert_type(r.flat_map(lambda value: port(str(value))), Result[int])
    assert_type(r.and_then(lambda value: port(str(value))), Result[int])
    assert_type(r.or_else(zero), Result[int])
    assert_type(r.recover(length_of), Success[int])
    assert_type(r.filter(lambda value: value > 0, QiError.validation("SMALL", "x")), Result[int])
    assert_type(r.inspect(print), Result[int])
    assert_type(r.inspect_error(print), Result[int])
    assert_type(nested.flatten(), Result[int])
    assert_type(r.unwrap(), int)
    assert_type(r.unwrap_or(text), int | str)
    assert_type(r.unwrap_or_else(code_of), int | str)
    assert_type(r.unwrap_error(), QiError)
    assert_type(r.match(on_success=as_text, on_failure=code_of), str)
    assert_type(r.to_optional(), int | None)
    assert_type(r.is_success(), bool)
    assert_type(unwrap(r), int)


def made(number: int) -> Coroutine[Any, Any, int]:
    assert_type(success(), Success[None])
    assert_type(success(number), Success[int])
    assert_type(failure(QiError.internal("CODE", "x")), Failure)
    return assert_type(unwrap(port_later("1")), Coroutine[Any, Any, int])


def combined(results: list[Result[int]], maybe: int | None) -> None:
    assert_type(collect(results), Result[list[int]])
    assert_type(accumulate(results), Result[list[int]])
    assert_type(partition(results), tuple[list[int], list[QiError]])
    assert_type(traverse(port, ["1", "2"]), Result[list[int]])
    assert_type(from_optional(maybe), Result[int])
    assert_type(from_try_catch(as_text, 5, catch=(ValueError, KeyError), code="BAD"), Result[str])


def told(error: QiError) -> None:
    assert_type(error.category, ErrorCategory)
    assert_type(error.retryable, bool)
    assert_type(error.cause, BaseException | None)
    assert_type(error.errors, tuple[QiError, ...])
    assert_type(error.with_context({"a": 1}, b=2), QiError)
    assert_type(QiError.timeout("CODE", "x", hint="h", retry_after=1.5, field="f"), QiError)
    match error:
        case QiError("CODE", ErrorCategory.TIMEOUT):
            pass
        case _:
            pass


def accepted(awaitable: Awaitable[Result[int]]) -> Coroutine[Any, Any, int]:
    return unwrap(awaitable)
