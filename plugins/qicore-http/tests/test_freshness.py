"""The rules of RFC 9111, one by one: what is kept, how long it is fresh, what a 304 changes."""

from __future__ import annotations

import asyncio
from email.utils import formatdate
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qicore_core import Result, Success, success
from qicore_core.testing import assert_failure, assert_success
from qicore_http import FakeHttp, Headers, HttpRequest, HttpResponse, ResponseCache
from qicore_http.freshness import (
    age_of,
    directives,
    is_storable,
    life_of,
    merged,
    seconds_of,
    stored,
    usable,
)
from qicore_http.stored import Stored, key_of, pack, unpack

NOW: Final = 1_700_000_000.0
URL: Final = "http://x/"


class Shelf:
    """A dict with a get and a set."""

    def __init__(self) -> None:
        self.held: dict[str, Any] = {}

    async def get(self, key: str, /) -> Result[Any]:
        return success(self.held.get(key))

    async def set(self, key: str, value: Any, /, *, ttl: float | None = None) -> Result[Any]:
        self.held[key] = value
        return success()


def date(seconds: float) -> str:
    return formatdate(NOW + seconds, usegmt=True)


def entry(*fields: tuple[str, str], status: int = 200, age: float = 0.0) -> Stored:
    headers = Headers([("date", date(-age)), *fields])
    return Stored(status, headers, b"", (), NOW - age, NOW - age)


def rules(heuristic: float = 0.0) -> ResponseCache:
    return ResponseCache(store=Shelf(), heuristic=heuristic, now=lambda: NOW)


CC: Final = "cache-control"
LIVES: Final[list[tuple[list[tuple[str, str]], float]]] = [
    ([(CC, "max-age=60")], 60),
    ([(CC, "MAX-AGE=60")], 60),
    ([(CC, 'max-age="60"')], 60),
    ([(CC, "max-age=60, max-age=600")], 60),
    ([(CC, "max-age=600"), (CC, "max-age=60")], 600),
    ([(CC, "max-age=-1")], 0),
    ([(CC, "max-age=1.5")], 0),
    ([(CC, "max-age")], 0),
    ([(CC, "max-age=²")], 0),
    ([(CC, "max-age=" + "9" * 99)], 2**31),
    ([(CC, "s-maxage=60")], 0),
    ([(CC, "x-max-age=60")], 0),
    ([(CC, 'a="b, max-age=60"')], 0),
    ([(CC, "=, ;;, max-age=60")], 60),
    ([(CC, "max-age=60"), ("expires", date(600))], 60),
    ([("expires", date(60))], 60),
    ([("expires", date(-60))], 0),
    ([("expires", "0")], 0),
    ([("expires", date(60)), ("expires", date(600))], 0),
    ([("last-modified", date(-1000))], 0),
    ([], 0),
]


@pytest.mark.parametrize(("fields", "life"), LIVES)
def test_an_answer_lives_as_long_as_it_says(fields: list[tuple[str, str]], life: float) -> None:
    assert life_of(entry(*fields), rules()) == life


def test_a_guess_is_made_where_it_is_asked_for() -> None:
    changed = ("last-modified", date(-1000))
    assert life_of(entry(changed), rules(0.1)) == 100.0
    assert life_of(entry(changed, status=500), rules(0.1)) == 0.0
    assert life_of(entry(changed, (CC, "max-age=5")), rules(0.1)) == 5.0
    assert life_of(entry(("last-modified", date(1000))), rules(0.1)) == 0.0


def test_an_age_counts_what_others_kept_it_and_how_long_it_travelled() -> None:
    assert age_of(entry(age=10.0), NOW) == 10.0
    assert age_of(entry(("age", "100")), NOW) == 100.0
    for said in ("0, 0", "soon", "-1", "1.5", "1;a=b", "²", ""):
        assert age_of(entry(("age", said)), NOW) == 2.0**31
    slow = Stored(200, Headers({"age": "5"}), b"", (), NOW - 9.0, NOW - 3.0)
    assert age_of(slow, NOW) == 5.0 + 6.0 + 3.0
    early = Stored(200, Headers({"date": date(-50)}), b"", (), NOW, NOW)
    assert age_of(early, NOW) == 50.0


@pytest.mark.parametrize(
    ("said", "asked", "age", "is_usable"),
    [
        ("max-age=60", "", 59, True),
        ("max-age=60", "", 60, False),
        ("max-age=60, no-cache", "", 0, False),
        ("max-age=60, must-revalidate", "", 0, True),
        ("max-age=60", "no-cache", 0, False),
        ("max-age=60", "max-age=30", 31, False),
        ("max-age=60", "max-age=30", 29, True),
        ("max-age=60", "min-fresh=30", 31, False),
        ("max-age=60", "max-stale", 999, True),
        ("max-age=60", "max-stale=30", 89, True),
        ("max-age=60", "max-stale=30", 91, False),
        ("max-age=60, must-revalidate", "max-stale", 61, False),
    ],
)
def test_a_kept_answer_is_used_as_both_sides_say(
    said: str, asked: str, age: float, is_usable: bool
) -> None:
    request = Headers({CC: asked} if asked else {})
    assert usable(entry((CC, said), age=age), request, rules()) is is_usable


def test_pragma_counts_where_nothing_newer_is_said() -> None:
    held = entry((CC, "max-age=60"))
    assert not usable(held, Headers({"pragma": "no-cache"}), rules())
    assert usable(held, Headers({"pragma": "no-cache", CC: "max-age=9"}), rules())


@pytest.mark.parametrize(
    ("status", "said", "request_fields", "is_kept"),
    [
        (200, {CC: "max-age=1"}, {}, True),
        (200, {"etag": '"1"'}, {}, True),
        (404, {"etag": '"1"'}, {}, True),
        (302, {"etag": '"1"'}, {}, False),
        (302, {CC: "max-age=1"}, {}, True),
        (206, {CC: "max-age=1"}, {}, False),
        (304, {CC: "max-age=1"}, {}, False),
        (200, {CC: "no-store"}, {}, False),
        (200, {CC: "max-age=1, No-Store"}, {}, False),
        (200, {CC: "private, max-age=1"}, {}, True),
        (200, {CC: "max-age=1", "vary": "accept, *"}, {}, False),
        (200, {CC: "max-age=1"}, {"authorization": "x"}, False),
        (200, {CC: "max-age=1"}, {"x-auth-token": "x"}, False),
        (200, {CC: "max-age=1, public"}, {"authorization": "x"}, True),
        (200, {CC: "public", "vary": "Authorization"}, {"authorization": "Bearer"}, False),
        (200, {CC: "max-age=1"}, {CC: "no-store"}, False),
        (299, {CC: "max-age=1"}, {}, True),
        (299, {CC: "max-age=1, must-understand"}, {}, False),
    ],
)
def test_what_may_be_kept_is(
    status: int, said: dict[str, str], request_fields: dict[str, str], is_kept: bool
) -> None:
    request = HttpRequest("GET", URL, Headers(request_fields))
    response = HttpResponse(status, Headers(said), b"", URL)
    assert is_storable(request, response) is is_kept
    for method in ("POST", "HEAD", "PUT"):
        assert not is_storable(HttpRequest(method, URL, Headers(request_fields)), response)


def test_fields_of_the_connection_are_not_kept() -> None:
    fields = {"connection": "close, X-Hop", "x-hop": "1", "keep-alive": "1", "x-a": "1"}
    response = HttpResponse(200, Headers(fields), b"", URL)
    assert dict(stored(HttpRequest("GET", URL), response, NOW, NOW).headers) == {"x-a": "1"}


def test_a_304_renews_the_head_and_leaves_the_body() -> None:
    old = entry(("x-a", "old"), ("x-b", "kept"), ("content-length", "5"), ("age", "7"))
    news = Headers(
        {"x-a": "new", "content-length": "0", "content-encoding": "gzip", "content-type": "a/b"}
    )
    new = merged(old, HttpResponse(304, news, b"", URL), NOW, NOW + 1.0)
    assert (new.headers["x-a"], new.headers["x-b"], new.headers["content-length"]) == (
        "new", "kept", "5",
    )  # fmt: skip
    assert "content-encoding" not in new.headers
    assert new.headers["content-type"] == "a/b"
    assert "age" not in new.headers
    assert (new.came, new.status) == (NOW + 1.0, 200)


@given(
    bodies=st.lists(st.binary(max_size=50), max_size=4),
    value=st.text(st.characters(codec="utf-8"), max_size=9),
)
def test_what_is_written_is_read_back(bodies: list[bytes], value: str) -> None:
    held = [
        Stored(200, Headers([("a", value), ("a", "2")]), body, (("b", "c"),), 1.5, 2.5)
        for body in bodies
    ]
    read = unpack(pack(held))
    assert [
        (one.status, one.headers.pairs(), one.body, one.varying, one.asked) for one in read
    ] == [(one.status, one.headers.pairs(), one.body, one.varying, one.asked) for one in held]


@pytest.mark.parametrize(
    "data",
    [None, "text", b"", b"\n", b"[2,[]]\n", b"[1,[[200]]]\n", b"{}\n",
     b'[1,[[200,[],[],0,0,5]]]\nx', pack([entry()]) + b"more", b"[" * 100_000],
)  # fmt: skip
def test_what_cannot_be_read_is_no_entry(data: object) -> None:
    assert unpack(data) == []


@given(st.text(max_size=200))
def test_cache_control_of_any_kind_can_be_read(text: str) -> None:
    assert all(name == name.lower() for name in directives(Headers({CC: text})))
    assert seconds_of(text) >= 0.0


def test_a_client_of_its_own_asks_as_the_directives_say() -> None:
    fake = FakeHttp(
        {"GET /": (200, b"x", {CC: "max-age=60"}), "GET /gone": (404, b"", {CC: "max-age=60"})}
    )
    client = fake.client("http://x", cache=Shelf())

    async def main() -> None:
        only = {CC: "only-if-cached"}
        assert_failure(await client.get("/", headers=only), "HTTP_ERROR", status=504)
        assert fake.requests == []
        assert_success(await client.get("/"))
        assert assert_success(await client.get("/", headers=only)).from_cache
        for name in ("range", "if-none-match"):
            assert not assert_success(await client.get("/", headers={name: "x"})).from_cache
        assert not assert_success(await client.get("/", guard=_anything())).from_cache
        before = len(fake.requests)
        for _ in range(2):  # what is no success is kept all the same, and judged each time
            assert_failure(await client.get("/gone"), category="NOT_FOUND")
        assert len(fake.requests) == before + 1
        accepts = frozenset([404])
        assert assert_success(await client.get("/gone", accept_status=accepts)).from_cache

    asyncio.run(main())


def _anything() -> Any:
    from qicore_http import AddressGuard

    async def nowhere(host: str, port: int) -> list[str]:
        return ["93.184.215.14"]

    return AddressGuard(resolve=nowhere)


def test_an_answer_that_came_by_a_redirect_is_that_of_another_url() -> None:
    shelf = Shelf()
    places = iter(["/a", "/b"])
    fake = FakeHttp({
        "GET /": lambda _: (302, b"", {"location": next(places)}),
        "GET /a": (200, b"a", {CC: "max-age=60"}),
        "GET /b": (200, b"b", {CC: "max-age=60"}),
    })  # fmt: skip

    async def main() -> None:
        client = fake.client("http://x", cache=shelf)
        assert [assert_success(await client.get("/")).text for _ in "12"] == ["a", "b"]

    asyncio.run(main())
    assert shelf.held == {}


def test_a_redirect_that_was_kept_is_followed_by_who_follows() -> None:
    shelf = Shelf()
    fake = FakeHttp({
        "GET /": (301, b"", {"location": "/a", CC: "max-age=60"}),
        "GET /a": (200, b"a", {}),
    })  # fmt: skip

    async def main() -> None:
        stays = fake.client("http://x", cache=shelf, max_redirects=0)
        statuses = [assert_success(await stays.get("/")) for _ in "12"]
        assert [(one.status, one.from_cache) for one in statuses] == [(301, False), (301, True)]
        follows = fake.client("http://x", cache=shelf)
        assert assert_success(await follows.get("/")).text == "a"

    asyncio.run(main())


def test_a_304_of_another_version_is_not_believed() -> None:
    answers = iter([
        (200, b"one", {CC: "max-age=0", "etag": '"1"'}),
        (304, b"", {"etag": '"2"'}),
        (200, b"two", {CC: "max-age=60", "etag": '"2"'}),
    ])  # fmt: skip
    fake = FakeHttp({"GET /": lambda _: next(answers)})

    async def main() -> None:
        client = fake.client("http://x", cache=Shelf())
        texts = [assert_success(await client.get("/")).text for _ in range(3)]
        assert texts == ["one", "two", "two"]

    asyncio.run(main())
    asked = [request.headers.get("if-none-match") for request in fake.requests]
    assert asked == [None, '"1"', None]


def test_spaces_between_items_make_no_variant() -> None:
    fake = FakeHttp({"GET /": (200, b"x", {CC: "max-age=60", "vary": "a"})})

    async def main() -> None:
        client = fake.client("http://x", cache=Shelf())
        for said, from_cache in (("1, 2", False), (" 1 ,2", True), ("1,2", True), ("12", False)):
            got = assert_success(await client.get("/", headers={"a": said}))
            assert got.from_cache is from_cache

    asyncio.run(main())


def test_variants_are_bounded_and_keys_hide_the_url() -> None:
    shelf = Shelf()
    fake = FakeHttp({"GET /": (200, b"x", {CC: "max-age=60", "vary": "a"})})

    async def main() -> None:
        cache = ResponseCache(store=shelf, max_variants=3)
        client = fake.client("http://x", cache=cache)
        for number in range(9):
            await client.get("/?token=secret", headers={"a": str(number)})

    asyncio.run(main())
    ((key, value),) = shelf.held.items()
    assert key == key_of("http", "http://x/?token=secret")
    assert "secret" not in key
    assert b"secret" not in value
    assert len(unpack(value)) == 3


def test_a_guarded_client_has_entries_of_its_own() -> None:
    shelf = Shelf()
    fake = FakeHttp({"GET /": (200, b"inside", {CC: "max-age=60"})})

    async def main() -> None:
        open_ = fake.client("http://127.0.0.1", cache=shelf)
        assert isinstance(await open_.get("/"), Success)
        guarded = fake.client("http://127.0.0.1", cache=shelf, guard=True)
        assert_failure(await guarded.get("/"), code="ADDRESS_BLOCKED")

    asyncio.run(main())
