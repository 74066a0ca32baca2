"""What one caller's kept answers must never become: those of another."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from qicore_core import Result, Secret, success
from qicore_core.testing import assert_success
from qicore_http import AddressGuard, FakeHttp, Headers, HttpRequest
from qicore_http.stored import Stored, key_of, pack


class Shelf:
    """A dict with a get and a set."""

    def __init__(self) -> None:
        self.held: dict[str, Any] = {}

    async def get(self, key: str, /) -> Result[Any]:
        return success(self.held.get(key))

    async def set(self, key: str, value: Any, /, *, ttl: float | None = None) -> Result[Any]:
        self.held[key] = value
        return success()


def _who(request: HttpRequest) -> tuple[int, bytes, dict[str, str]]:
    return 200, request.headers.get("x-tenant", "nobody").encode(), {"cache-control": "max-age=60"}


def test_an_answer_to_a_header_that_is_secret_is_not_given_to_another() -> None:
    async def ask() -> list[tuple[str, bool]]:
        client = FakeHttp({"GET /me": _who}).client("http://x", cache=Shelf())
        got = []
        for tenant in ("a", "b", "a"):
            answered = await client.get("/me", headers={"x-tenant": Secret(tenant)})
            got.append((assert_success(answered).text, answered.unwrap().from_cache))
        return got

    assert asyncio.run(ask()) == [("a", False), ("b", False), ("a", True)]


def test_clients_of_one_cache_with_headers_of_their_own_are_told_apart() -> None:
    async def ask() -> list[str]:
        shelf, fake = Shelf(), FakeHttp({"GET /me": _who})
        clients = [
            fake.client("http://x", cache=shelf, headers={"x-tenant": tenant}) for tenant in "ab"
        ]
        return [assert_success(await client.get("/me")).text for client in clients]

    assert asyncio.run(ask()) == ["a", "b"]


@pytest.mark.parametrize(
    ("fields", "is_kept"),
    [
        ({"cache-control": "max-age=60"}, False),
        ({"cache-control": "max-age=60, public", "vary": "x-tenant"}, False),
        ({"cache-control": "max-age=60, public"}, True),
    ],
)
def test_an_answer_to_what_a_hook_changed_is_kept_only_where_it_is_for_all(
    fields: dict[str, str], is_kept: bool
) -> None:
    names = iter("ab")

    def sign(request: HttpRequest) -> HttpRequest:
        return request.with_headers({"x-tenant": next(names)})

    async def ask() -> list[str]:
        fake = FakeHttp({"GET /me": lambda request: (*_who(request)[:2], fields)})
        client = fake.client("http://x", cache=Shelf(), on_request=sign)
        return [assert_success(await client.get("/me")).text for _ in "ab"]

    assert asyncio.run(ask()) == (["a", "a"] if is_kept else ["a", "b"])


def test_the_address_of_a_virtual_machines_host_is_closed() -> None:
    assert AddressGuard().blocks("168.63.129.16")
    assert not AddressGuard().blocks("168.63.129.17")


def test_a_store_that_others_write_to_cannot_break_a_call() -> None:
    key = key_of("http", "http://x/me")
    evil = '"a"\r\nx-evil: 1'
    line = '[1,[[200,[["cache-control","max-age=60"]],[],0,%s,0]]]\n'

    async def ask(held: bytes) -> bool:
        shelf, fake = Shelf(), FakeHttp({"GET /me": _who})
        shelf.held[key] = held
        answered = await fake.client("http://x", cache=shelf).get("/me")
        (asked,) = fake.requests
        fields = asked.headers.keys()
        assert fields.isdisjoint(("if-none-match", "if-modified-since"))
        return assert_success(answered).from_cache

    for field in ("etag", "last-modified"):
        entry = Stored(200, Headers({field: evil}), b"", (), 0.0, 0.0)
        assert not asyncio.run(ask(pack([entry])))
    for came in ("1e999", "NaN", "-1e999"):
        assert not asyncio.run(ask((line % came).encode()))
    assert not asyncio.run(ask(line.replace("200", "1e999").encode() % b"0"))
