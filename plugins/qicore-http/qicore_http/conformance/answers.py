"""What comes back: read whole, within bounds, and told apart."""

# ruff: noqa: S101  # a law asserts

from __future__ import annotations

import asyncio
import gzip
import itertools
import ssl
import tracemalloc
import zlib
from dataclasses import dataclass
from typing import Any, Final

from hypothesis import strategies as st

from qicore_core import Policy
from qicore_core.conformance import law
from qicore_core.testing import assert_failure, assert_success

from .pair import HttpLaws, Pair
from .secrecy import context_of
from .server import Seen, Server, reply

__all__ = ["AnswerLaws"]

CATEGORIES: Final = {
    400: "VALIDATION", 401: "AUTHENTICATION", 403: "PERMISSION", 404: "NOT_FOUND",
    407: "AUTHENTICATION", 408: "TIMEOUT", 409: "CONFLICT", 410: "NOT_FOUND", 422: "VALIDATION",
    425: "UNAVAILABLE", 429: "RATE_LIMITED", 500: "UNAVAILABLE", 501: "UNSUPPORTED", 502: "NETWORK",
    503: "UNAVAILABLE", 504: "TIMEOUT", 599: "UNAVAILABLE",
}  # fmt: skip
# Each stands in the head of an answer with the body "ok". Source: RFC 9112, sections 5 and 6.3.
HEADS: Final = (
    "content-length: -2", "content-length: 0x2", "content-length: 2\r\ncontent-length: 3",
    "content-length: 2, 3", "content-length: two", "transfer-encoding: gzip, chunked",
    "content-length: 2\r\nno colon", "content-length: 2\r\na b: c", "content-length: 2\r\nx: \0",
)  # fmt: skip
_MIB: Final = 1024 * 1024


@dataclass(frozen=True)
class User:
    """What the laws of typed answers read."""

    name: str
    age: int = 0


class AnswerLaws(HttpLaws, abstract=True):
    """The laws of what comes back."""

    @law(body=st.binary(max_size=200_000), is_chunked=st.booleans())
    async def an_answer_comes_back_whole(self, pair: Pair, body: bytes, is_chunked: bool) -> None:
        """Status, every header, every byte and the URL, however the body is framed."""
        fields = ("set-cookie: a=1", "X-Name: ü", "Set-Cookie: b=2")
        said = _chunked(body, *fields) if is_chunked else reply(201, body, *fields)
        pair.server.on("/x", said)
        got = assert_success(await pair.client.get("/x?q=1"))
        assert (got.status, got.body) == (201, body)
        assert got.headers.all("SET-COOKIE") == ["a=1", "b=2"]
        assert got.headers["x-name"] == "ü"
        assert got.url == pair.server.url + "/x?q=1"
        assert got.elapsed > 0.0

    @law()
    async def text_is_read_in_its_charset(self, pair: Pair) -> None:
        """A charset that is stated is used; one that is none is UTF-8; nothing raises."""
        for charset, body in (
            ("latin-1", b"\xfc"), ("'UTF-8'", "ü".encode()), ("none-such", "ü".encode()),
            ("hex", "ü".encode()), ("utf-16", "ü".encode("utf-16")),
            ("punycode", "ü".encode()), ("raw_unicode_escape", "ü".encode()),
        ):  # fmt: skip
            pair.server.on("/x", reply(200, body, f"content-type: text/plain; charset={charset}"))
            assert assert_success(await pair.client.get("/x")).text == "ü", charset
        pair.server.on("/x", reply(200, b"a-b", "content-type: text/plain; charset=punycode"))
        assert assert_success(await pair.client.get("/x")).text == "a-b"

    @law()
    async def an_answer_without_a_body_ends_at_its_head(self, pair: Pair) -> None:
        """HEAD, 204 and 304 have no body, whatever length they state; the next one is in step."""
        client = await pair.another(max_response_bytes=100)
        pair.server.on("/y", reply())
        for method, status, length in (("HEAD", 200, 999), ("GET", 204, 0), ("GET", 304, 999)):
            pair.server.on("/x", reply(status, b"", "content-encoding: gzip", length=length))
            got = assert_success(await client.request(method, "/x"))
            assert (got.status, got.body) == (status, b"")
            assert_success(await client.get("/y", accept_status=frozenset([200])))

    @law()
    async def interim_answers_are_passed_over(self, pair: Pair) -> None:
        """A 100 and a 103 before the answer are no answer."""
        interim = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n"
        pair.server.on("/x", interim + reply(200, b"whole"))
        got = assert_success(await pair.client.get("/x"))
        assert (got.status, got.body, "link" in got.headers) == (200, b"whole", False)

    @law()
    async def an_answer_that_cannot_be_read_is_refused(self, pair: Pair) -> None:
        """A head with two readings, or with none, is a NETWORK_ERROR, whatever bytes follow it."""
        client = await pair.another(policy=Policy(timeout=10.0))
        for head in (
            *(f"200 OK\r\n{fields}\r\nconnection: close" for fields in HEADS),
            *(f"{status} OK\r\ncontent-length: 2" for status in ("101", "99", "1000", "x")),
        ):
            pair.server.on("/x", f"HTTP/1.1 {head}\r\n\r\nok".encode())
            assert_failure(await client.get("/x"), "NETWORK_ERROR", category="NETWORK")
        pair.server.on("/x", reply(200, b"", "x-long: " + "x" * _MIB))
        assert_failure(await client.get("/x"), "NETWORK_ERROR", category="NETWORK")
        pair.server.on("/x", reply(200, b"", "x-folded: a\r\n b"))
        assert assert_success(await client.get("/x")).headers["x-folded"] == "a b"

    @law()
    async def what_nobody_asked_for_is_no_answer_to_the_next(self, pair: Pair) -> None:
        """Bytes after an answer, with it or while its connection waits, end the connection."""
        import trustme  # late: it comes with the extra `testing`

        authority = trustme.CA()
        trust, own = ssl.create_default_context(), context_of(authority.issue_cert("127.0.0.1"))
        authority.configure_trust(trust)
        client = await pair.another(verify=trust, policy=Policy(timeout=20.0))
        for server in (pair.server, await pair.keep(Server(own))):
            for size, more in itertools.product((2, 20_000, 70_000), (b"?", reply(200, b"stray"))):
                for rest in (more, more + bytes(300_000)):
                    server.on("/x", reply(200, bytes(size)) + rest)
                    first = await client.get(server.url + "/x")
                    if first:  # it may as well be refused as a whole
                        assert first.value.body == bytes(size)
                    else:
                        assert_failure(first, code="NETWORK_ERROR")
                    got = assert_success(await client.get(server.url + "/y"))
                    assert b"/y" in got.body, (server.url, size, len(rest))
            later = _Later()
            server.on("/later", later.speak)
            assert_success(await client.get(server.url + "/later"))
            await later.stray()
            got = assert_success(await client.get(server.url + "/y"))
            assert b"/y" in got.body, server.url

    @law()
    async def a_status_means_its_category(self, pair: Pair) -> None:
        """400 and above is HTTP_ERROR of the category it means, with status and excerpt."""
        for status, category in CATEGORIES.items():
            pair.server.on("/x", reply(status, b"why it failed"))
            failed = await pair.client.post("/x?q=secret", json=1)
            error = assert_failure(failed, "HTTP_ERROR", category=category, status=status)
            assert error.context["excerpt"] == "why it failed"
            assert "why" not in error.message + str(error.public_message)

    @law()
    async def accept_status_decides(self, pair: Pair) -> None:
        """With it, these statuses are successes and no other is; a call's wins."""
        client = await pair.another(accept_status=frozenset([404]))
        pair.server.on("/gone", reply(404, b"no"))
        assert assert_success(await client.get("/gone")).status == 404
        assert_failure(await client.get("/x"), code="HTTP_ERROR", status=200)
        assert_success(await client.get("/x", accept_status=frozenset([200])))
        assert_failure(await client.get("/gone", accept_status=None), code="HTTP_ERROR")

    @law()
    async def json_is_read_as_a_type_or_refused(self, pair: Pair) -> None:
        """Dataclasses and lists of them are read; what does not fit is PARSE_ERROR."""
        server, client = pair.server, pair.client
        server.on("/one", reply(200, b'{"name": "Ada", "age": 36, "new": 1}'))
        server.on("/all", reply(200, b'[{"name": "Ada"}]'))
        server.on("/bad", reply(200, b'{"age": "old"}'))
        server.on("/number", reply(200, b"5"))
        server.on("/true", reply(200, b"true"))
        server.on("/several", reply(200, b'[{"name": "Ada"}, {"age": 1}]'))
        server.on("/text", reply(200, b'{"cut'))
        server.on("/nan", reply(200, b"[NaN, -Infinity]"))
        server.on("/deep", reply(200, b"[" * 100_000))
        assert assert_success(await client.get_json("/one", User)) == User("Ada", 36)
        assert assert_success(await client.get_json("/all", list[User])) == [User("Ada")]
        assert assert_success(await client.get_json("/number", int)) == 5
        assert assert_success(await client.get_json("/number", float)) == 5.0
        wrong: tuple[tuple[str, Any], ...] = (
            ("/bad", User), ("/all", User), ("/one", list[User]), ("/true", int), ("/number", str),
            ("/nan", list), ("/deep", list),
        )  # fmt: skip
        for path, into in wrong:
            assert_failure(await client.get_json(path, into), code="PARSE_ERROR")
        bad = assert_failure(await client.get_json("/bad", User))
        assert [str(one.context.get("key")) for one in bad.errors] == ["name", "age"]
        assert "name is missing" in bad.message
        several = assert_failure(await client.get_json("/several", list[User]))
        assert "[1].name is missing" in several.message
        error = assert_failure(await client.get_json("/text", dict), code="PARSE_ERROR", line=1)
        assert (error.context["column"], error.context["excerpt"]) == (2, '{"cut')

    @law()
    async def a_larger_answer_than_allowed_is_refused(self, pair: Pair) -> None:
        """A body above max_response_bytes is RESPONSE_TOO_LARGE, stated or not; at it, fine."""
        client = await pair.another(max_response_bytes=1000)
        for size, is_fine in ((1000, True), (1001, False), (_MIB, False)):
            for said in (reply(200, b"x" * size), _chunked(b"x" * size)):
                pair.server.on("/x", said)
                got = await client.get("/x")
                if is_fine:
                    assert len(assert_success(got).body) == size
                else:
                    assert_failure(got, code="RESPONSE_TOO_LARGE")
        assert_success(await client.get("/small"))

    @law()
    async def a_compressed_answer_is_read_within_bounds(self, pair: Pair) -> None:
        """Gzip and deflate are undone; a bomb costs a piece of memory; the rest is a Failure."""
        server, client = pair.server, await pair.another(max_response_bytes=2 * _MIB)
        text = b"some text " * 40_000
        raw = zlib.compressobj(wbits=-15)
        for coding, body in (
            ("gzip", gzip.compress(text)), ("deflate", zlib.compress(text)),
            ("deflate", raw.compress(text) + raw.flush()), ("identity", text),
            ("x-gzip", gzip.compress(text[:7]) + gzip.compress(text[7:])),
        ):  # fmt: skip
            server.on("/x", reply(200, body, f"content-encoding: {coding}"))
            assert assert_success(await client.get("/x")).body == text, coding
        for coding, body, code in (
            ("gzip", gzip.compress(text)[:-9], "PARSE_ERROR"), ("gzip", b"plain", "PARSE_ERROR"),
            ("br", text, "HTTP_UNSUPPORTED"), ("gzip, gzip", text, "HTTP_UNSUPPORTED"),
        ):  # fmt: skip
            server.on("/x", reply(200, body, f"content-encoding: {coding}"))
            assert_failure(await client.get("/x"), code=code)
        loose = await pair.another(max_response_bytes=64 * _MIB)
        server.on("/swells", reply(200, gzip.compress(bytes(8 * _MIB)), "content-encoding: gzip"))
        swollen = assert_failure(await loose.get("/swells"), code="RESPONSE_TOO_LARGE")
        assert "times as large" in swollen.message
        assert_failure(await loose.stream("GET", "/swells").collect(), code="RESPONSE_TOO_LARGE")
        loose = await pair.another(max_response_bytes=64 * _MIB, max_decompression_ratio=2000)
        assert len(assert_success(await loose.get("/swells")).body) == 8 * _MIB
        bomb = gzip.compress(bytes(64 * _MIB))
        server.on("/bomb", reply(200, bomb, "content-encoding: gzip"))
        tracemalloc.start()
        try:
            assert_failure(await client.get("/bomb"), code="RESPONSE_TOO_LARGE")
            assert tracemalloc.get_traced_memory()[1] < 8 * _MIB
        finally:
            tracemalloc.stop()


def _chunked(body: bytes, *fields: str) -> bytes:
    head = "\r\n".join(["HTTP/1.1 201 OK", "transfer-encoding: chunked", *fields, "", ""])
    sizes = range(0, len(body), 50_000)
    pieces = [body[at : at + 50_000] for at in sizes]
    chunks = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces)
    return head.encode() + chunks + b"0\r\n\r\n"


class _Later:
    """An answer, and one that nobody asked for once the first was read."""

    def __init__(self) -> None:
        self._writer: asyncio.StreamWriter

    async def speak(self, _: Seen, writer: asyncio.StreamWriter) -> None:
        self._writer = writer
        writer.write(reply(200, b"first"))
        await writer.drain()

    async def stray(self) -> None:
        if self._writer.is_closing():
            return
        self._writer.write(reply(200, b"stray"))
        await self._writer.drain()
        for _ in range(3):  # turns of the loop in which the client can see it
            await asyncio.sleep(0)
