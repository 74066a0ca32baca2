"""What is kept beside a value, in bytes: a header where there is something, and nothing else."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qicore_cache import Entry, Freshness, JsonCodec, SignedPickleCodec, open_cache
from qicore_cache.kept import Kept
from qicore_cache.packing import Packing
from qicore_core import Failure, QiError, failure, success
from qicore_core.testing import assert_failure

PACKING = Packing(JsonCodec(), "ns")
ERROR = QiError.not_found("NO_SUCH_USER", "there is no such user")


class Shouts:
    """A codec whose bytes begin as our marks do."""

    def encode(self, value: Any, kind: Any, place: str, /) -> bytes:
        return str(value).encode()

    def decode(self, data: bytes, kind: Any, place: str, /) -> Any:
        return data.decode()


@pytest.mark.parametrize("value", [1, -5, "!", None, [1], {"a": 1}], ids=repr)
def test_a_plain_value_is_its_codecs_bytes(value: Any) -> None:
    data = PACKING.pack("k", value)
    assert data == JsonCodec().encode(value)
    assert PACKING.unpack("k", data) == value


@given(
    value=st.one_of(st.text(), st.sampled_from(["!", "!!", "!@", "!{", "!@[]\n"])),
    words=st.dictionaries(st.sampled_from(["a", "\u00e9\U0001f600", "x" * 256]), st.text()),
    until=st.none() | st.floats(allow_nan=False, allow_infinity=False),
    cost=st.floats(0.0, 1e9),
    codec=st.sampled_from([JsonCodec(), Shouts()]),
    fails=st.booleans(),
)
def test_what_is_beside_a_value_comes_back(
    value: str, words: dict[str, str], until: float | None, cost: float, codec: Any, fails: bool
) -> None:
    packing = Packing(codec, "ns")
    held = Kept(failure(ERROR) if fails else value, tuple(words.items()), until, cost)
    back = packing.unpack("k", packing.pack("k", held))
    if words or until is not None:
        assert back == held
    elif fails:
        assert back == Kept(failure(ERROR))
    else:
        assert back == value


def test_the_most_tags_fit_a_header() -> None:
    words = tuple((f"{number:02}" + "\U0001f600" * 254, "f" * 16) for number in range(32))
    held = Kept(1, words, 1e9, 1e9)
    assert PACKING.unpack("k", PACKING.pack("k", held)) == held


HEADERS = [
    b"",
    b"\n1",
    b"[]\n1",
    b"[{},null]\n1",
    b"[[],null,0]\n1",
    b'[{"a":1},null,0]\n1',
    b'[{"":"w"},null,0]\n1',
    b'[{"\\ud800":"w"},null,0]\n1',
    b'[{"a\\n":"w"},null,0]\n1',
    b'[{},"1",0]\n1',
    b"[{},NaN,0]\n1",
    b"[{},Infinity,0]\n1",
    b"[{},1,NaN]\n1",
    b"[{},1" + b"0" * 400 + b",0]\n1",
    b"[{},1,0]",
    b"[{},1,0]\n",
    b"[{},1,0]\n!",
    b"[{},1,0]\n!{}",
    b"[" * 30_000 + b"\n1",
    b" " * 70_000 + b"[{},1,0]\n1",
    json.dumps([{f"t{n}": "w" for n in range(33)}, None, 0]).encode() + b"\n1",
    b"\xff\xfe\n1",
]


@pytest.mark.parametrize("header", HEADERS, ids=lambda data: repr(data[:30]))
def test_a_header_that_is_none_is_a_codec_error(header: bytes) -> None:
    async def ask() -> None:
        async with open_cache("memory:", codec=JsonCodec()) as cache:
            await cache._access.store.write("", {"k": Entry(b"!@" + header)})
            assert_failure(await cache.get("k"), code="CODEC_ERROR")
            assert_failure(await cache.get_many(["k"]), code="CODEC_ERROR")
            assert await cache.get_or_set("k", lambda: 2) == success(2)
            assert await cache.get("k") == success(2)

    asyncio.run(ask())


@given(
    data=st.binary(max_size=60), start=st.sampled_from([b"!", b"!@", b"!!", b"!@[{},1,0]\n", b""])
)
def test_hostile_bytes_are_an_answer(data: bytes, start: bytes) -> None:
    async def ask() -> None:
        async with open_cache("memory:", codec=JsonCodec()) as cache:
            await cache._access.store.write("", {"k": Entry(start + data)})
            answer = await cache.get("k")
            if isinstance(answer, Failure):
                assert answer.error.code == "CODEC_ERROR" or start + data[:1] == b"!{"
            assert isinstance(
                await cache.get_or_set("k", lambda: 2, tags=["t"]), type(answer) | object
            )

    asyncio.run(ask())


def test_what_is_signed_stays_signed_behind_a_header() -> None:
    async def ask() -> None:
        codec, other = (SignedPickleCodec(letter * 32) for letter in (b"a", b"b"))
        async with open_cache("memory:", codec=codec) as cache:
            fresh = Freshness(stale_while=5.0)
            value = {1, 2}
            await cache.get_or_set("k", lambda: value, ttl=5.0, freshness=fresh, tags=["t"])
            assert await cache.get("k") == success(value)
            data = (await cache._access.store.read("", ["k"])).unwrap()["k"]
            assert data.startswith(b"!@")
            with pytest.raises(ValueError, match="signature is not right"):
                Packing(other, "").unpack("k", data)

    asyncio.run(ask())


def test_counting_goes_on_beside_headers() -> None:
    async def ask() -> None:
        async with open_cache("memory:", codec=JsonCodec()) as cache:
            await cache.get_or_set("n", lambda: 1, ttl=5.0)
            assert await cache.increment("n") == success(2)
            await cache.set("m", 1, tags=["t"])
            assert_failure(await cache.increment("m"), code="CACHE_NOT_A_NUMBER")

    asyncio.run(ask())
