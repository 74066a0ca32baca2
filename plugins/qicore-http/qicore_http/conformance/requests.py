"""What is sent: exactly what was said, or nothing."""

# ruff: noqa: S101  # a law asserts

from __future__ import annotations

import json
from typing import Any, Final
from urllib.parse import parse_qsl

from hypothesis import strategies as st

from qicore_core import Secret, log_context
from qicore_core.conformance import law
from qicore_core.testing import assert_failure, assert_success

from .pair import SECRET, HttpLaws, Pair

__all__ = ["RequestLaws"]

METHODS: Final = ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "PROPFIND")
_TEXT: Final = st.text(st.characters(codec="utf-8"), max_size=8)
_FIELD: Final = st.text(st.characters(codec="utf-8", exclude_categories=("C", "Z")), max_size=12)
_JSON: Final = st.recursive(
    st.booleans() | st.integers(-(2**53), 2**53) | _TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_TEXT, inner, max_size=3),
    max_leaves=5,
)
NO_URLS: Final = (
    "ftp://127.0.0.1/", "http:///x", "http://", "https://:443/", "http://127.0.0.1:99999/",
    "http://127.0.0.1:0/", "http://127.0.0.1:x/", "http://[::1/", "http://[nonsense]/",
    "http://[fe80::1%25eth0]/", "http://a b/", "http://a\\@127.0.0.1/", "http://a..b/",
    "http://-a/", "http://127.0.0.1/\r\nx: y", "http://127.0.0.1/\x00", "http://\t127.0.0.1/",
    "http://" + "a" * 64 + ".example/", "http://a%2fb/", "http://user:pa/ss@127.0.0.1/",
    "//127.0.0.1/x", "javascript:alert(1)", "http://127.0.0.1/\ud800", "http://xn--\ud800/",
    "http://127.0.0.1/" + "a" * 70_000,
)  # fmt: skip
# What is asked below the base "<server>/v1", and what must arrive.
TARGETS: Final = {
    "users": "/v1/users", "/users": "/v1/users", "users/": "/v1/users/", "": "/v1",
    "?a=1": "/v1?a=1", "a b": "/v1/a%20b", "a%20b": "/v1/a%20b", "50%": "/v1/50%25",
    "ü": "/v1/%C3%BC", "./a/../b": "/v1/b", "../../x": "/x", "a/.": "/v1/a/", "x#part": "/v1/x",
    "q?a=b c&d=ü#e": "/v1/q?a=b%20c&d=%C3%BC", "a//b": "/v1/a//b", " x ": "/v1/x",
}  # fmt: skip


class RequestLaws(HttpLaws, abstract=True):
    """The laws of what is sent."""

    @law()
    async def every_method_arrives(self, pair: Pair) -> None:
        """The server is asked by the method that was said."""
        for method in METHODS:
            assert_success(await pair.client.request(method.lower(), "/x"))
        assert [seen.method for seen in pair.server.seen] == list(METHODS)
        for method in ("", "GET /", "G\r\nET", "CONNECT"):
            assert_failure(await pair.client.request(method, "/x"), code="INVALID_REQUEST")
        assert len(pair.server.seen) == len(METHODS)

    @law(data=_JSON, form=st.dictionaries(_TEXT, _TEXT, max_size=3), content=st.binary(max_size=99))
    async def a_body_arrives_as_it_was_said(
        self, pair: Pair, data: Any, form: dict[str, str], content: bytes
    ) -> None:
        """JSON, a form and bytes arrive as themselves, with their type and their length."""
        post, seen = pair.client.post, pair.server.seen
        assert_success(await post("/x", json=data))
        assert json.loads(seen[-1].body) == data
        assert seen[-1].all("content-type") == ["application/json"]
        assert_success(await post("/x", form=form))
        assert dict(parse_qsl(seen[-1].body.decode(), keep_blank_values=True)) == form
        assert seen[-1].all("content-type") == ["application/x-www-form-urlencoded"]
        assert_success(await post("/x", content=content))
        assert seen[-1].body == content
        assert_success(await post("/x", content="ü", headers={"Content-Type": "text/x"}))
        assert (seen[-1].body, seen[-1].all("content-type")) == ("ü".encode(), ["text/x"])
        assert_success(await post("/x"))
        assert seen[-1].all("content-length") == ["0"]

    @law()
    async def a_body_that_is_none_is_refused(self, pair: Pair) -> None:
        """Two bodies, and what is no JSON or no Unicode, are INVALID_REQUEST; nothing is sent."""
        bodies: tuple[dict[str, Any], ...] = (
            {"json": 1, "content": b"x"},
            {"json": {1, 2}},
            {"json": float("nan")},
            {"content": "\ud800"},
            {"form": {"a": "\ud800"}},
            {"content": 5},
            {"content": [b"a", b"b"]},
        )
        for body in bodies:
            assert_failure(await pair.client.post("/x", **body), code="INVALID_REQUEST")
        for name in ("files", "multipart"):
            later: dict[str, Any] = {name: {}}
            assert_failure(await pair.client.post("/x", **later), code="HTTP_UNSUPPORTED")
        assert pair.server.seen == []

    @law(value=_FIELD, params=st.dictionaries(_TEXT, _TEXT, max_size=3))
    async def headers_and_params_arrive(
        self, pair: Pair, value: str, params: dict[str, str]
    ) -> None:
        """Headers and params arrive once and as said; those of a call win over the client's."""
        client = await pair.another(headers={"X-Own": "1", "X-Mine": "client"})
        answered = await client.get(
            "/x", headers={"x-mine": value, "X-Key": Secret("k")}, params=params
        )
        assert_success(answered)
        seen = pair.server.seen[-1]
        assert (seen.all("x-own"), seen.all("x-mine"), seen.all("x-key")) == (["1"], [value], ["k"])
        assert dict(parse_qsl(seen.target.partition("?")[2], keep_blank_values=True)) == params
        assert seen.all("host") == [f"127.0.0.1:{pair.server.port}"]
        assert seen.all("accept-encoding") == ["identity"]
        more = {"n": None, "b": True, "l": [1, 2], "s": Secret("k")}
        await client.get("/x?a=1", params=more)
        assert pair.server.seen[-1].target == "/x?a=1&b=true&l=1&l=2&s=k"

    @law()
    async def a_header_never_becomes_two(self, pair: Pair) -> None:
        """What would end a line, or is the transport's to write, is refused and nothing is sent."""
        bad = {"a b": "x", "": "x", "x\r\ny": "1", "ü": "x", "Host": "evil"}
        bad |= {"transfer-encoding": "chunked", "Content-Length": "5"}
        for name, value in [
            *bad.items(),
            *(("x-a", f"1{end}x-b: {SECRET}") for end in ("\r\n", "\n", "\r", "\0", "\x7f")),
        ]:
            refused = await pair.client.get("/x", headers={name: value})
            error = assert_failure(refused, code="INVALID_REQUEST")
            assert SECRET not in repr(error)
        with log_context(correlation_id=f"1\r\nx-b: {SECRET}"):
            error = assert_failure(await pair.client.get("/x"), code="INVALID_REQUEST")
        assert SECRET not in repr(error)
        assert pair.server.seen == []

    @law()
    async def a_url_that_cannot_be_called_is_refused(self, pair: Pair) -> None:
        """No host, no port, no name, a control character: INVALID_URL, and nothing is sent."""
        for url in NO_URLS:
            error = assert_failure(await pair.client.get(url), code="INVALID_URL")
            assert error.hint, url[:99]
            assert "pa/ss" not in error.message, url[:99]
            assert len(error.message) < 500
        assert (pair.server.seen, pair.server.connections) == ([], 0)

    @law()
    async def a_url_is_written_in_one_way(self, pair: Pair) -> None:
        """Below the base's path, dots resolved, and what must be is percent-encoded once."""
        client = await pair.another(pair.server.url + "/v1")
        for asked, wanted in TARGETS.items():
            assert_success(await client.get(asked))
            assert pair.server.seen[-1].target == wanted, asked

    @law()
    async def userinfo_becomes_a_header(self, pair: Pair) -> None:
        """A user and password of the URL go as Basic authorization, never in the target."""
        base = pair.server.url.replace("://", "://ad%40a:p%3Aw@")
        assert_success(await (await pair.another(base)).get("/x"))
        seen = pair.server.seen[-1]
        assert (seen.target, seen.all("authorization")) == ("/x", ["Basic YWRAYTpwOnc="])

    @law()
    async def the_correlation_id_goes_along(self, pair: Pair) -> None:
        """The id that logs have is sent as x-request-id; without one there is none."""
        with log_context(correlation_id="r-1"):
            assert_success(await pair.client.get("/x"))
        assert_success(await pair.client.get("/x"))
        assert [seen.all("x-request-id") for seen in pair.server.seen] == [["r-1"], []]
