"""Codecs: what goes in comes out or is refused, and hostile bytes are an answer."""

from __future__ import annotations

import asyncio
import json
import pickle
import re
import sys
import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta, timezone
from decimal import Decimal
from enum import IntEnum
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qicore_cache import Cache, Codec, Entry, JsonCodec, MsgpackCodec, SignedPickleCodec, open_cache
from qicore_cache.conformance.draws import VALUES, is_alike
from qicore_core import Secret, success
from qicore_core.testing import assert_failure

SECRET = b"k" * 32
ZONES = st.none() | st.integers(-1439, 1439).map(lambda m: timezone(timedelta(minutes=m)))
EXACT = VALUES | st.recursive(
    st.datetimes(timezones=ZONES).map(lambda value: value.replace(fold=0))
    | st.times(timezones=ZONES).map(lambda value: value.replace(fold=0))
    | st.dates()
    | st.timedeltas()
    | st.decimals(allow_nan=False)
    | st.uuids()
    | st.complex_numbers(allow_nan=False)
    | st.binary()
    | st.text(st.characters(codec=None, categories=("L", "Cs", "Cc", "So"))),
    lambda inner: (
        st.lists(inner)
        | st.tuples(inner)
        | st.dictionaries(st.text() | st.booleans() | st.just("$"), inner)
        | st.dictionaries(st.tuples(st.integers()), inner)
    ),
    max_leaves=5,
)


@dataclass(frozen=True)
class Leaf:
    x: int
    at: datetime | None = None


@dataclass
class Tree:
    leaves: list[Leaf]
    of: dict[str, Tree] = field(default_factory=dict)
    total: int = field(init=False, default=0)


@dataclass
class Stranger:
    x: int


@dataclass
class Table(dict):  # type: ignore[type-arg]
    x: int = 1


class Level(IntEnum):
    LOW = 1


@settings(max_examples=300)
@given(value=EXACT)
def test_json_gives_back_value_and_type(value: object) -> None:
    codec = JsonCodec()
    assert is_alike(codec.decode(codec.encode(value)), value)


@settings(max_examples=300)
@given(value=EXACT)
def test_msgpack_gives_back_value_and_type_or_refuses_what_is_too_long(value: object) -> None:
    codec = MsgpackCodec()
    try:
        data = codec.encode(value)
    except TypeError as refused:
        assert "int of more than 64 bits" in str(refused)  # noqa: PT017  # most values are taken
        assert re.search(r"\d{19}", repr(value))
    else:
        assert is_alike(codec.decode(data), value)


def test_msgpack_is_an_extra_that_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "msgpack", None)
    with pytest.raises(ModuleNotFoundError, match=r"pip install 'qicore-cache\[msgpack\]'"):
        MsgpackCodec()


@pytest.mark.parametrize("data", [b"\xd6\xff\0\0\0\1", b"\xd4\x05x"], ids=["time", "extension"])
def test_msgpack_gives_no_types_that_it_does_not_write(data: bytes) -> None:
    with pytest.raises(ValueError, match="which no codec of ours writes"):
        MsgpackCodec().decode(b"\x03" + data)


def test_msgpack_keeps_bytes_as_they_are_and_cannot_count() -> None:
    async def main() -> None:
        assert len(MsgpackCodec().encode(b"x" * 100)) == 103
        async with open_cache("memory:", codec=MsgpackCodec()) as cache:
            assert await cache.of(Leaf).set("k", Leaf(1)) == success(None)
            assert await cache.of(Leaf).get("k") == success(Leaf(1))
            assert_failure(await cache.increment("n"), code="CACHE_UNSUPPORTED")

    asyncio.run(main())


@settings(max_examples=100)
@given(value=EXACT, kind=st.sampled_from([None, Tree]), place=st.text())
def test_signed_pickle_gives_back_value_and_type(value: object, kind: Any, place: str) -> None:
    codec = SignedPickleCodec(Secret(SECRET))
    assert is_alike(codec.decode(codec.encode(value, kind, place), kind, place), value)


def test_a_typed_cache_gives_back_every_class_that_its_type_leads_to() -> None:
    codec = JsonCodec()
    tree = Tree([Leaf(1, datetime(2026, 1, 2, tzinfo=UTC))], {"a": Tree([])})
    tree.total = 7
    for kind in (Tree, list[Tree], dict[str, Tree | None]):
        made = codec.decode(codec.encode(tree, kind), kind)
        assert made == tree
        assert repr(made) == repr(tree)


def deep(levels: int) -> Any:
    value: Any = 1
    for _ in range(levels):
        value = [value]
    return value


@pytest.mark.parametrize(
    ("value", "kind", "why"),
    [
        (object(), None, "no object comes back exactly"),
        (OrderedDict(a=1), None, "no OrderedDict comes back exactly"),
        (Level.LOW, None, "no Level comes back exactly"),
        (Leaf(1), None, r"use cache.of\(Leaf\)"),
        (Leaf(1), Stranger, r"use cache.of\(Leaf\)"),
        (Table(), Table, "not safe"),
        (deep(200), None, "deeper than 100"),
        (datetime(2026, 1, 2, tzinfo=ZoneInfo("UTC")), None, "zone or fold would be lost"),
        (time(1, fold=1), None, "fold would be lost"),
        ({(object(),): 1}, None, "no object comes back exactly"),
        (10**5_000, None, "digits"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_json_refuses_what_would_not_come_back(value: object, kind: Any, why: str) -> None:
    with pytest.raises((TypeError, ValueError), match=why):
        JsonCodec().encode(value, kind)


HOSTILE = [
    b"",
    b"\xff\xfe",
    b"{",
    b"[" * 100_000,
    b'{"$":' * 50_000,
    b'{"$":["list",1]}',
    b'{"$":["tuple","abc"]}',
    b'{"$":["set",[[1]]]}',
    b'{"$":["set",{"a":1}]}',
    b'{"$":["dict",{"ab":1}]}',
    b'{"$":["dict",[["a"]]]}',
    b'{"$":["dict",["ab"]]}',
    b'{"$":["dict",[[[1],2]]]}',
    b'{"$":["bytes",5]}',
    b'{"$":["bytes","?"]}',
    b'{"$":["datetime","2026"]}',
    b'{"$":["timedelta",[1e308,1e308]]}',
    b'{"$":["decimal","x"]}',
    b'{"$":["uuid",5]}',
    b'{"$":["complex",[1,2,3]]}',
    b'{"$":["unknown",1]}',
    b'{"$":[["a"],1]}',
    b'{"$":["bytes"]}',
    b'{"$":1}',
    b'{"$":null}',
    b'{"$":["class",["os.system",{"command":"true"}]]}',
    b'{"$":["class",["builtins.eval",{}]]}',
    b'{"$":["class",["test_codec.Leaf",{"x":1}]]}',
    b'{"$":["class",5]}',
    b'{"$":["class",[["a"],{}]]}',
    b"9" * 10_000,
    b"!",
    b"!{}",
    b"![]",
    b'!{"code":5}',
    b"\x02",
    b"\x02" + b"x" * 32 + b"cos\nsystem\n(S'true'\ntR.",
]


@pytest.fixture(name="loop")
def _loop() -> Any:
    with asyncio.Runner() as loop:
        yield loop


async def plant(data: bytes, codec: Codec, kind: Any) -> Any:
    """Read bytes that somebody else put into the store."""
    async with open_cache("memory:", codec=codec) as cache:
        await cache._access.store.write("", {"k": Entry(data)})
        where: Cache[Any] = cache.of(kind) if kind else cache
        read = await where.get("k")
        assert await where.get_many(["k"]) == (read if not read else success({"k": read.value}))
        if not read:  # and the next one who computes puts it right
            right = kind([]) if kind else 7
            assert await where.get_or_set("k", lambda: right) == success(right)
            assert await where.get("k") == success(right)
        return read


@pytest.mark.parametrize(
    "codec",
    [JsonCodec(), MsgpackCodec(), SignedPickleCodec(SECRET)],
    ids=["json", "msgpack", "pickle"],
)
@pytest.mark.parametrize("kind", [None, Tree], ids=["untyped", "typed"])
@pytest.mark.parametrize("data", HOSTILE, ids=lambda data: repr(data[:40]))
def test_hostile_bytes_are_an_answer(data: bytes, kind: Any, codec: Codec) -> None:
    answer = asyncio.run(plant(data, codec, kind))
    error = assert_failure(answer, code="CODEC_ERROR")
    assert error.context["key"] == "k"


@settings(max_examples=300)
@given(data=st.binary() | st.text('{}[]"$:,0123tupleset!').map(str.encode))
def test_no_bytes_at_all_raise(data: bytes) -> None:
    for codec, written in ((JsonCodec(), data), (MsgpackCodec(), b"\x03" + data)):
        answer = asyncio.run(plant(written, codec, Tree))
        if not answer:
            assert_failure(answer, code="CODEC_ERROR")


def test_a_class_that_the_type_does_not_lead_to_is_not_made() -> None:
    codec = JsonCodec()
    data = codec.encode(Stranger(1), Stranger)
    assert codec.decode(data, Stranger) == Stranger(1)
    for kind in (None, Tree, Leaf):
        with pytest.raises(ValueError, match="does not lead to"):
            codec.decode(data, kind)


def test_a_class_that_has_changed_is_not_made() -> None:
    codec = JsonCodec()
    data = codec.encode(Leaf(1), Leaf).replace(b'"at":null', b'"was":null')
    with pytest.raises(ValueError, match="other fields"):
        codec.decode(data, Leaf)


ACTED: list[str] = []


def act(what: str) -> None:
    ACTED.append(what)


class Acts:
    def __reduce__(self) -> tuple[Callable[[str], None], tuple[str]]:
        return act, ("acted",)


OURS = SignedPickleCodec(SECRET)
SIGNED = OURS.encode(Acts(), Leaf, "ns\nk")


def test_the_pickle_of_these_tests_acts_when_it_is_read() -> None:
    ACTED.clear()
    pickle.loads(SIGNED[33:])
    OURS.decode(SIGNED, Leaf, "ns\nk")
    assert ACTED == ["acted", "acted"]


@pytest.mark.parametrize(
    ("data", "codec", "kind", "place"),
    [
        (SIGNED, SignedPickleCodec(b"x" * 32), Leaf, "ns\nk"),
        (SIGNED, OURS, Tree, "ns\nk"),
        (SIGNED, OURS, None, "ns\nk"),
        (SIGNED, OURS, Leaf, "ns\nother"),
        (SIGNED, OURS, Leaf, "other\nk"),
        (SIGNED[:-1], OURS, Leaf, "ns\nk"),
        (SIGNED + b".", OURS, Leaf, "ns\nk"),
        (SIGNED[:1] + bytes([SIGNED[1] ^ 1]) + SIGNED[2:], OURS, Leaf, "ns\nk"),
        (SIGNED[33:], OURS, Leaf, "ns\nk"),
        (b"\x01" + SIGNED[1:], OURS, Leaf, "ns\nk"),
    ],
    ids=[
        "secret", "type", "no type", "key", "namespace", "cut", "longer", "tampered", "unsigned",
        "version",
    ],
)  # fmt: skip
def test_a_pickle_without_the_right_signature_is_not_read(
    data: bytes, codec: Codec, kind: Any, place: str
) -> None:
    ACTED.clear()
    with pytest.raises(ValueError, match="signature is not right"):
        codec.decode(data, kind, place)
    assert ACTED == []


def test_a_signed_entry_moved_to_another_key_is_not_read(loop: asyncio.Runner) -> None:
    async def move() -> None:
        async with open_cache("memory:", codec=OURS, namespace="n") as cache:
            await cache.set("guest", {"admin": True})
            held = (await cache._access.store.read("n", ["guest"])).unwrap()["guest"]
            await cache._access.store.write("n", {"me": Entry(held)})
            assert_failure(await cache.get("me"), code="CODEC_ERROR")
            assert_failure(await cache.increment("n"), code="CACHE_UNSUPPORTED")

    loop.run(move())


def test_what_cannot_be_pickled_is_a_type_error() -> None:
    for value in (threading.Lock(), lambda: 1):
        with pytest.raises(TypeError):
            OURS.encode(value)


def test_a_short_secret_is_refused_and_a_secret_is_not_shown() -> None:
    with pytest.raises(ValueError, match="at least 32 bytes"):
        SignedPickleCodec(b"short")
    assert SECRET.decode() not in repr(vars(type(OURS))) + repr(OURS._secret)


class Raw:
    """Bytes as they are: also those that begin as a kept Failure does."""

    def encode(self, value: Any, kind: Any, place: str, /) -> bytes:
        return bytes(value)

    def decode(self, data: bytes, kind: Any, place: str, /) -> Any:
        return data


@given(value=st.binary() | st.sampled_from([b"!", b"!!", b"!{}", b"!!{}"]))
def test_any_bytes_of_a_codec_come_back(value: bytes) -> None:
    async def ask() -> None:
        async with open_cache("memory:", codec=Raw()) as cache:
            assert await cache.set("k", value) == success(None)
            assert await cache.get("k") == success(value)

    asyncio.run(ask())


def test_json_is_what_it_says() -> None:
    value = {"a": (1, Decimal("1.10")), "id": UUID(int=1)}
    assert json.loads(JsonCodec().encode(value)) == {
        "a": {"$": ["tuple", [1, {"$": ["decimal", "1.10"]}]]},
        "id": {"$": ["uuid", "00000000-0000-0000-0000-000000000001"]},
    }
