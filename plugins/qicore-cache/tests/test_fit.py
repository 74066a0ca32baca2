"""A typed cache keeps and gives values of its type, wherever they are kept."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import (
    Annotated,
    Any,
    Literal,
    NewType,
    Optional,
    Protocol,
    TypedDict,
    TypeVar,
    Union,
    runtime_checkable,
)

import pytest

from qicore_cache import MISSING, Cache, Freshness, JsonCodec, open_cache, tiered
from qicore_core import Failure, Opening, QiError, failure, success
from qicore_core.testing import assert_failure


@dataclass(frozen=True)
class User:
    name: str


class Admin(User):
    pass


class Named(TypedDict):
    name: str


class Closes(Protocol):
    def close(self) -> None: ...


@runtime_checkable
class Sized(Protocol):
    def __len__(self) -> int: ...


class Box(list[Any]):
    pass


Id = NewType("Id", int)
T = TypeVar("T")


def objects() -> Opening[Cache[Any]]:
    """In this process, as objects."""
    return open_cache("memory:")


def texts() -> Opening[Cache[Any]]:
    """As bytes."""
    return open_cache("memory:", codec=JsonCodec())


def tiers() -> Opening[Cache[Any]]:
    """As both."""
    return tiered(objects(), texts())


PLACES = pytest.mark.parametrize("place", [objects, texts, tiers])


@PLACES
def test_what_another_type_wrote_is_not_given(place: Any) -> None:
    async def main() -> None:
        async with place() as cache:
            await cache.set("k", "text")
            numbers = cache.of(int)
            error = assert_failure(await numbers.get("k"), code="CODEC_ERROR")
            assert "'k'" in error.message
            assert (
                error.hint == "remove the key, or read it by the type and the codec that wrote it"
            )
            assert "it is a str, and this cache is of int" in str(error.cause)
            assert_failure(await numbers.get_many(["k"]), code="CODEC_ERROR")
            assert await numbers.get_or_set("k", lambda: 7) == success(7)
            assert await numbers.get("k") == success(7) == await cache.get("k")

    asyncio.run(main())


@PLACES
def test_a_value_of_another_type_is_not_kept(place: Any) -> None:
    async def main() -> None:
        async with place() as cache:
            users = cache.of(User)
            error = assert_failure(await users.set("k", "Ada"), code="CODEC_ERROR")
            assert error.message == "the value of 'k' cannot be kept"
            assert error.hint == "it is a str, and this cache is of User"
            for kept in (
                await users.set("k", "Ada", ttl=5.0, tags=["t"]),
                await users.set_many({"j": User("Ada"), "k": "Bob"}),
                await users.get_or_set("k", lambda: "Ada"),
                await users.get_or_set("k", lambda: "Ada", ttl=5.0, freshness=Freshness(early=1.0)),
            ):
                assert_failure(kept, code="CODEC_ERROR")
            assert await cache.get_many(["j", "k"]) == success({})

    asyncio.run(main())


@PLACES
def test_what_is_beside_a_value_is_no_other_type(place: Any) -> None:
    async def main() -> None:
        gone = QiError.not_found("GONE", "there is none")
        async with place() as cache:
            users = cache.of(User)
            await users.set("tagged", User("Ada"), tags=["t"])
            assert await users.get("tagged") == success(User("Ada"))
            kept = await users.get_or_set("gone", lambda: failure(gone), failure_ttl=5.0)
            assert kept == failure(gone) == await users.get("gone")
            assert await users.get("none", MISSING) == success(MISSING)
            assert await users.get("none", "default") == success("default")
            assert await cache.of(int).increment("n") == success(1)

    asyncio.run(main())


def test_a_typed_cache_of_a_typed_cache_is_of_the_last_type() -> None:
    async def main() -> None:
        async with objects() as cache:
            await cache.of(int).of(str).set("k", "text")
            assert await cache.of(int).of(str).get("k") == success("text")

    asyncio.run(main())


TAKES: list[tuple[Any, tuple[Any, ...], tuple[Any, ...]]] = [
    (int, (1, True), (1.0, "1", None)),
    (float, (1.0, 1), ("1", None, 1j)),
    (complex, (1j, 1.0, 1), ("1",)),
    (str, ("", "text"), (b"", 1)),
    (User, (User("Ada"), Admin("Bob")), ("Ada", {"name": "Ada"}, None, User)),
    (Admin, (Admin("Bob"),), (User("Ada"),)),
    (list[int], ([], [1], ["looked at no deeper"], Box()), ((), {}, None)),
    (tuple[int, ...], ((), (1,)), ([],)),
    (dict[str, User], ({}, {"a": 1}), ([], User("Ada"))),
    (Mapping[str, int], ({},), ([],)),
    (Sequence[int], ([], ()), ({},)),
    (User | None, (User("Ada"), None), (0, "")),
    (Optional[int], (1, None), ("",)),  # noqa: UP045  # as older code writes it
    (Union[int, list[str]], (1, []), ("", {})),  # noqa: UP007  # as above
    (Literal["a", 1], ("a", 1), ("b", True, 2, [])),
    (Annotated[int, "cents"], (1,), ("1",)),
    (Id, (1,), ("1",)),
    (Named, ({"name": "Ada"},), ([],)),
    (Sized, ([], "", {}), (1,)),
    (Closes, (1, None, "nothing can tell"), ()),
    (Any, (1, None), ()),
    (object, (1, None), ()),
    (T, (1, None), ()),
    (type(None), (None,), (0,)),
]


@pytest.mark.parametrize(("kind", "takes", "refuses"), TAKES, ids=[str(one[0]) for one in TAKES])
def test_a_type_is_what_a_checker_takes_it_for(
    kind: Any, takes: tuple[Any, ...], refuses: tuple[Any, ...]
) -> None:
    async def main() -> None:
        async with objects() as cache:
            typed = cache.of(kind)
            for value in takes:
                assert await typed.set("k", value) == success(None)
                assert await typed.get("k", "miss") == success(value)
            for value in refuses:
                assert_failure(await typed.set("k", value), code="CODEC_ERROR")
                await cache.set("other", value)
                assert isinstance(await typed.get("other"), Failure)

    asyncio.run(main())


@pytest.mark.parametrize("kind", ["User", 5, None, User("Ada"), (int, str), [int]], ids=repr)
def test_what_is_no_type_is_a_bug(kind: Any) -> None:
    async def main() -> None:
        async with objects() as cache:
            with pytest.raises(TypeError, match=r"takes a type, as in cache.of\(User\), got "):
                cache.of(kind)

    asyncio.run(main())
