"""Opening, Stream, ErrorMap and Secret as those who read types see them: nothing to find here."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any, assert_type

from qicore_core.boundary import ErrorMap
from qicore_core.error import ErrorCategory, QiError
from qicore_core.events import CallEvent, listen
from qicore_core.opening import Opening, Stream
from qicore_core.result import Result, success, unwrap
from qicore_core.secret import Secret


class Cache:
    async def close(self) -> None: ...


def open_cache() -> Opening[Cache]:
    async def start() -> Result[Cache]:
        return success(Cache())

    return Opening(start)


def numbers() -> Stream[int]:
    async def give() -> AsyncIterator[Result[int]]:
        yield success(1)

    async def start() -> Result[AsyncIterator[Result[int]]]:
        return success(give())

    return Stream(start)


async def opened() -> None:
    assert_type(await open_cache(), Result[Cache])
    assert_type(await unwrap(open_cache()), Cache)
    async with open_cache() as cache:
        assert_type(cache, Cache)


async def streamed() -> Result[list[int]]:
    async with numbers() as stream:
        assert_type(stream, Stream[int])
        async for item in stream:
            assert_type(item, Result[int])
        async for value in stream.values():
            assert_type(value, int)
    assert_type(await unwrap(numbers()), Stream[int])
    assert_type(await numbers().collect(), Result[list[int]])
    return await numbers().collect()


async def entered_and_returned() -> int:
    async with open_cache():
        return 1  # leaving swallows nothing: no "missing return" below


def rule(exception: ValueError) -> QiError | None:
    return QiError.validation("BAD", str(exception))


ERRORS = ErrorMap(
    "shop",
    {OSError: ("DISK_FAILED", ErrorCategory.UNAVAILABLE, "the disk failed"), ValueError: rule},
)


@ERRORS
def read(path: str, *, size: int = 1) -> bytes:
    return b""


@ERRORS
async def read_later(path: str) -> bytes:
    return b""


async def bounded() -> None:
    assert_type(read("x", size=2), Result[bytes])
    assert_type(await read_later("x"), Result[bytes])
    assert_type(ERRORS.call(len, "x"), Result[int])
    assert_type(await ERRORS.run(fetch, "x"), Result[float])
    async for item in ERRORS.stream(lines()):
        assert_type(item, Result[str])


async def fetch(url: str) -> float:
    return 1.0


async def lines() -> AsyncIterator[str]:
    yield ""


def shown(event: CallEvent) -> None: ...


stop: Callable[[], None] = listen(shown)


def revealed(secret: Secret[str]) -> None:
    assert_type(secret.reveal(), str)


coroutine: Coroutine[Any, Any, Result[bytes]] = read_later("x")
