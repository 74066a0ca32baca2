"""`@cached`: the result of a function, kept by its arguments."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from qicore_cache import Cache, cached, open_cache
from qicore_core import QiError, Result, failure, success
from qicore_core.testing import assert_failure


def with_cache(work: Any) -> None:
    async def run() -> None:
        async with open_cache("memory:") as cache:
            await work(cache)

    asyncio.run(run())


def test_a_call_with_the_same_arguments_is_made_once() -> None:
    async def work(cache: Cache[Any]) -> None:
        ran: list[Any] = []

        @cached(cache)
        async def double(n: int, *, plus: object = 0) -> Result[int]:
            """Double it."""
            ran.append(n)
            return success(2 * n)

        for _ in range(2):
            assert await double(4) == success(8)
            assert await double(4, plus=[1]) == success(8)
            assert await double(4, plus=[2]) == success(8)
            assert await double(True) == success(2)
            assert await double(1) == success(2)
        assert len(ran) == 5
        assert double.__doc__ == "Double it."
        name = f"{__name__}.{double.__qualname__}"
        assert await cache.get(f"{name}(4, plus=[1])") == success(8)

    with_cache(work)


def test_a_cache_may_be_given_by_a_function() -> None:
    held: list[Cache[Any]] = []

    @cached(lambda: held[0], ttl=60.0)
    async def double(n: int) -> Result[int]:
        return success(2 * n)

    async def work(cache: Cache[Any]) -> None:
        held[:] = [cache]
        assert await double(4) == success(8)
        assert await cache.size() == success(1)

    with_cache(work)
    with_cache(work)


def test_a_key_may_be_made_of_the_arguments() -> None:
    async def work(cache: Cache[Any]) -> None:
        @cached(cache, key=lambda user: f"user:{user['id']}")
        async def name(user: dict[str, Any]) -> Result[str]:
            return success(user["name"])

        assert await name({"id": 1, "name": "Ada"}) == success("Ada")
        assert await name({"id": 1, "name": "Bob"}) == success("Ada")
        assert await cache.get("user:1") == success("Ada")

    with_cache(work)


@pytest.mark.parametrize("text", ["x" * 5_000, "a\nb", "\ud800", "at 0x12", " at 0x12"], ids=len)
def test_any_text_makes_a_key(text: str) -> None:
    async def work(cache: Cache[Any]) -> None:
        @cached(cache)
        async def length(*texts: str) -> Result[int]:
            return success(len(texts[0]))

        assert await length(text) == success(len(text))
        assert await length(text + "more") == success(len(text) + 4)
        assert await cache.size() == success(2)

    with_cache(work)


class Shop:
    @staticmethod
    def sell() -> None: ...


@pytest.mark.parametrize(
    "value",
    [Shop(), [Shop()], lambda: 1, Shop.sell],
    ids=["object", "list of one", "lambda", "function"],
)
def test_an_argument_that_is_named_by_its_address_is_refused(value: object) -> None:
    async def work(cache: Cache[Any]) -> None:
        @cached(cache)
        async def sells(shop: object) -> Result[int]:
            return success(1)

        with pytest.raises(TypeError, match="key="):
            await sells(value)

    with_cache(work)


def test_a_failure_is_kept_only_where_asked() -> None:
    async def work(cache: Cache[Any]) -> None:
        ran: list[int] = []

        async def fails(n: int) -> Result[int]:
            ran.append(n)
            return failure(QiError.not_found("NO_SUCH_USER", "there is none"))

        plain, keeps = cached(cache)(fails), cached(cache, failure_ttl=5.0)(fails)
        for _ in range(2):
            assert_failure(await plain(1), code="NO_SUCH_USER")
        assert len(ran) == 2
        for _ in range(2):
            assert_failure(await keeps(1), code="NO_SUCH_USER")
        assert len(ran) == 3

    with_cache(work)
