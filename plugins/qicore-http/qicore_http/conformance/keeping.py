"""The response cache, end to end: what is fresh is not asked for, what is stale is asked about."""

# ruff: noqa: S101  # a law asserts

from __future__ import annotations

from typing import Any

from qicore_core import Policy, QiError, Result, failure, success
from qicore_core.conformance import law
from qicore_core.testing import assert_failure, assert_success, recorded

from ..stored import ResponseCache
from .pair import QUICK, HttpLaws, Pair
from .server import Seen, reply

__all__ = ["KeepingLaws"]


class Shelf:
    """The smallest thing that answers can be kept in.

    Attributes:
        held: what is kept.
        is_down: whether it fails.
    """

    def __init__(self) -> None:
        self.held: dict[str, Any] = {}
        self.is_down = False

    async def get(self, key: str, /) -> Result[Any]:
        """Give what is there."""
        down = failure(QiError.unavailable("SHELF_DOWN", "it is down"))
        return down if self.is_down else success(self.held.get(key))

    async def set(self, key: str, value: Any, /, *, ttl: float | None = None) -> Result[Any]:
        """Keep it."""
        assert len(key) <= 80
        assert ttl is not None
        assert ttl > 0.0
        if not self.is_down:
            self.held[key] = value
        return success()


class KeepingLaws(HttpLaws, abstract=True):
    """The laws of a client with a response cache."""

    @law()
    async def a_fresh_answer_is_not_asked_for_again(self, pair: Pair) -> None:
        """It says so, has its age, and is the same for another client of the same cache."""
        shelf, clock = Shelf(), _Clock()
        cache = ResponseCache(store=shelf, now=clock)
        client = await pair.another(cache=cache)
        pair.server.on("/x", reply(200, b"\xff\x00one", "cache-control: max-age=60", "x-a: 1"))
        first = assert_success(await client.get("/x?q=1"))
        clock.at += 30.0
        again = assert_success(await client.get("/x?q=1"))
        assert (first.from_cache, again.from_cache) == (False, True)
        assert (again.status, again.body, again.url) == (first.status, first.body, first.url)
        assert (again.headers["x-a"], again.headers["age"]) == ("1", "30")
        other = await pair.another(cache=cache)
        with recorded() as events:
            assert assert_success(await other.get("/x?q=1")).from_cache
        assert [event.phase for event in events] == ["cache"]
        assert pair.server.count("/x") == 1
        assert not assert_success(await other.get("/x?q=2")).from_cache
        clock.at += 60.0
        assert not assert_success(await client.get("/x?q=1")).from_cache
        shelf.is_down = True
        assert not assert_success(await client.get("/x?q=1")).from_cache
        assert pair.server.count("/x") == 4

    @law()
    async def a_stale_answer_is_validated(self, pair: Pair) -> None:
        """By its tag and date; a 304 renews it, another answer replaces it."""
        clock = _Clock()
        client = await pair.another(cache=ResponseCache(store=Shelf(), now=clock))
        tag = ['"1"']

        def answer(seen: Seen) -> bytes:
            life = ("cache-control: max-age=10", f"etag: {tag[0]}", f"x-tag: {tag[0]}")
            if seen.all("if-none-match") == [tag[0]]:
                return reply(304, b"", *life, length=0)
            return reply(200, f"body {tag[0]}".encode(), *life)

        pair.server.on("/x", answer)
        for wanted, from_cache, is_asked in (
            ('body "1"', False, True), ('body "1"', True, False), ('body "1"', True, True),
            ('body "1"', True, False), ('body "2"', False, True), ('body "2"', True, False),
        ):  # fmt: skip
            before = pair.server.count("/x")
            got = assert_success(await client.get("/x"))
            assert (got.status, got.text, got.from_cache) == (200, wanted, from_cache)
            assert pair.server.count("/x") - before == is_asked
            clock.at += 6.0
            if got.text == 'body "1"' and clock.at >= 1_000_024.0:
                tag[0] = '"2"'

    @law()
    async def a_stale_answer_stands_in_where_that_is_allowed(self, pair: Pair) -> None:
        """For errors of the server, as long as it says; a 404 and must-revalidate are no such."""
        clock = _Clock()
        client = await pair.another(cache=ResponseCache(store=Shelf(), now=clock), policy=QUICK)
        kept = "cache-control: max-age=1, stale-if-error=60"
        pair.server.on("/x", reply(200, b"kept", kept))
        pair.server.on("/strict", reply(200, b"kept", f"{kept}, must-revalidate"))
        for path in ("/x", "/strict"):
            assert_success(await client.get(path))
        clock.at += 30.0
        for path in ("/x", "/strict"):
            pair.server.on(path, reply(503))
        stands_in = assert_success(await client.get("/x"))
        assert (stands_in.text, stands_in.from_cache) == ("kept", True)
        assert_failure(await client.get("/strict"), code="HTTP_ERROR", status=503)
        pair.server.on("/x", reply(404))
        assert_failure(await client.get("/x"), code="HTTP_ERROR", status=404)
        pair.server.on("/x", reply(503))
        clock.at += 60.0
        assert_failure(await client.get("/x"), code="HTTP_ERROR", status=503)

    @law()
    async def what_must_not_be_kept_is_not(self, pair: Pair) -> None:
        """No-store, credentials unless public, other methods, parts, and what Vary parts."""
        shelf = Shelf()
        client = await pair.another(cache=shelf, policy=Policy(timeout=10.0))
        fresh = "cache-control: max-age=60"
        for name, fields, headers in (
            ("store", ("cache-control: max-age=60, no-store",), {}),
            ("star", (fresh, "vary: *"), {}),
            ("secret", (fresh,), {"authorization": "Bearer x"}),
            ("cookie", (fresh,), {"cookie": "a=b"}),
            ("key", (fresh,), {"x-api-key": "k"}),
            ("asked", (fresh,), {"cache-control": "no-store"}),
            ("bare", (), {}),
        ):
            pair.server.on(f"/{name}", reply(200, b"x", *fields))
            for _ in range(2):
                got = assert_success(await client.get(f"/{name}", headers=headers))
                assert not got.from_cache, name
        assert shelf.held == {}
        pair.server.on("/public", reply(200, b"x", "cache-control: max-age=60, public"))
        pair.server.on(
            "/vary", lambda seen: reply(200, seen.all("x-a")[0].encode(), fresh, "vary: X-A")
        )
        for said, is_kept in (("1", False), ("2", False), ("1", True), ("2", True)):
            got = assert_success(await client.get("/vary", headers={"x-a": said}))
            assert (got.text, got.from_cache) == (said, is_kept)
        for is_kept in (False, True):
            got = assert_success(await client.get("/public", headers={"authorization": "x"}))
            assert got.from_cache is is_kept
        assert assert_success(await client.get("/public")).from_cache
        assert not assert_success(
            await client.get(
                "/public", guard=None, policy=QUICK, headers={"cache-control": "no-cache"}
            )
        ).from_cache

    @law()
    async def what_a_request_may_have_changed_is_forgotten(self, pair: Pair) -> None:
        """A PUT, POST and DELETE forget their URL and what they point to; a refused one nothing."""
        client = await pair.another(cache=Shelf())
        for path in ("/x", "/y"):
            pair.server.on(path, reply(200, b"x", "cache-control: max-age=60", "location: /y"))
        for method, status, is_kept in (("PUT", 200, False), ("DELETE", 204, False),
                                        ("POST", 400, True), ("HEAD", 200, True)):  # fmt: skip
            for path in ("/x", "/y"):
                assert_success(await client.get(path))
            fields = ("cache-control: max-age=60", "location: /y")
            pair.server.on("/x", reply(status, b"", *fields, length=0))
            await client.request(method, "/x")
            pair.server.on("/x", reply(200, b"x", "cache-control: max-age=60"))
            for path in ("/x", "/y"):
                assert assert_success(await client.get(path)).from_cache is is_kept, (method, path)


class _Clock:
    def __init__(self) -> None:
        self.at = 1_000_000.0

    def __call__(self) -> float:
        return self.at
