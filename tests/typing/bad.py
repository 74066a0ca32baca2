"""Planted mistakes: every checker must report each line that is marked, and no other.

Checked by `check.py`; the word after the mark is for the reader.
"""

from __future__ import annotations

from typing import assert_never

from qicore_core.attempt import do, from_try_catch
from qicore_core.boundary import ErrorMap
from qicore_core.combine import collect
from qicore_core.error import ErrorCategory, QiError
from qicore_core.opening import Opening
from qicore_core.result import Failure, Result, Success, failure, success, unwrap


def port(raw: str) -> Result[int]:
    return success(int(raw))


async def port_later(raw: str) -> Result[int]:
    return port(raw)


def unguarded(r: Result[int]) -> int:
    return r.value  # E: a Failure has no value


def unguarded_error(r: Result[int]) -> QiError:
    return r.error  # E: a Success has no error


def wrong_side(r: Result[int]) -> None:
    if r:
        r.error  # E: it is a Success here
    else:
        r.value  # E: it is a Failure here


def asked_by_method(r: Result[int]) -> int:
    if r.is_success():
        return r.value  # E: a method cannot narrow
    return 0


def constructed() -> None:
    Success(5)  # E: the class takes no value
    Failure(QiError.internal("CODE", "x"))  # E: the class takes no error
    failure(ValueError("x"))  # E: no QiError
    failure("x")  # E: no QiError


def written(r: Result[int]) -> None:
    if r:
        r.value = 6  # E: read-only
    else:
        r.error = QiError.internal("CODE", "x")  # E: read-only


def not_exhaustive(r: Result[int]) -> int:
    match r:
        case Success(value):
            return value
        case _:
            assert_never(r)  # E: a Failure is left


def wrong_return(raw: str) -> Result[str]:
    return port(raw)  # E: int is no str


def wrong_value() -> Result[int]:
    return success("x")  # E: str is no int


def not_flattened(r: Result[int]) -> Result[int]:
    return r.map(lambda value: port(str(value)))  # E: a Result in a Result


def wrong_step(r: Result[int]) -> None:
    r.flat_map(len)  # E: len gives no Result


@do
def body() -> int:
    return unwrap(port("1"))


@do
async def body_later() -> int:
    return await unwrap(port_later("1"))


async def misread() -> None:
    plain: int = body()  # E: callers see a Result
    later: int = await body_later()  # E: callers see a Result
    forgotten: int = unwrap(port_later("1"))  # E: not awaited
    body(1)  # E: the signature is kept
    unwrap(5)  # E: no Result
    collect([1, 2])  # E: no Results
    from_try_catch(int, "x", catch=KeyboardInterrupt)  # E: no Exception
    print(plain, later, forgotten)


def wrong_error() -> None:
    QiError.validation("CODE")  # E: no message
    QiError.validation("CODE", "x", retryable="yes")  # E: no bool
    ErrorCategory.WHERE  # E: no such category
    QiError.internal("CODE", "x").code = "OTHER"  # E: read-only


def wrong_doors(errors: ErrorMap) -> None:
    ErrorMap("s", {KeyboardInterrupt: ("CODE", ErrorCategory.UNKNOWN, "x")})  # E: no Exception
    Opening(port_later)  # E: start takes nothing, and an int cannot be closed
