"""What stands around the transport: guard, token, doubles, recordings, and what refuses them."""

from __future__ import annotations

import asyncio
import json
import socket
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from qicore_core import Policy, Result, Secret, success
from qicore_core.testing import assert_failure, assert_success
from qicore_http import (
    AddressGuard,
    Bearer,
    FakeHttp,
    Headers,
    HttpRequest,
    RecordedHttp,
    ResponseCache,
    open_http,
)
from qicore_http.body import BodyPart
from qicore_http.conformance import Server, reply
from qicore_http.conformance.keeping import Shelf
from qicore_http.errors import reason_of


@pytest.mark.parametrize("route", ["/users", "GET", "GET users", "get /users", "GET /a?b=1", ""])
def test_a_route_that_is_none_is_refused_when_it_is_made(route: str) -> None:
    with pytest.raises(ValueError, match="is no method and path"):
        FakeHttp({route: {}})


def test_a_route_without_a_method_is_told_how_it_is_written() -> None:
    with pytest.raises(ValueError, match="'GET /users'"):
        FakeHttp({"/users": {}})


def test_an_unknown_route_lists_those_there_are_and_is_not_tried_again() -> None:
    fake = FakeHttp({"GET /b": {}, "GET /a": {}})
    error = assert_failure(asyncio.run(fake.client("http://x").get("/c")), "NETWORK_ERROR")
    assert "it has GET /a, GET /b" in error.message
    assert not error.retryable
    assert len(fake.requests) == 1


@pytest.mark.parametrize("option", ["params", "form", "multipart"])
def test_a_field_that_has_no_text_is_refused(option: str) -> None:
    fake = FakeHttp({"POST /": {}})
    for value in (object(), {"a": 1}, len, [object()]):
        options: dict[str, Any] = {option: {"a": value}}
        answered = asyncio.run(fake.client("http://x").post("/", **options))
        error = assert_failure(answered, code="INVALID_REQUEST")
        assert "'a'" in error.message
        assert "0x" not in error.message
    assert fake.requests == []


def test_a_network_that_is_none_is_refused() -> None:
    for allow in ("10.0.0.0/8", ["10.0.0.1/8"], ["nonsense"]):
        with pytest.raises(ValueError, match=r"allow|does not|host bits"):
            AddressGuard(allow=allow)


@pytest.mark.parametrize(
    ("address", "is_blocked"),
    [("93.184.215.14", False), ("2606:2800:21f:cb07::1", False), ("64:ff9b::5db8:d70e", False),
     ("::ffff:93.184.215.14", False), ("10.1.2.3", False), ("::ffff:10.1.2.3", False),
     ("10.2.0.1", True), ("2606:2800::1%eth0", True), ("", True), ("0", True)],
)  # fmt: skip
def test_a_guard_allows_what_is_public_and_what_it_was_told(address: str, is_blocked: bool) -> None:
    assert AddressGuard(allow=["10.1.0.0/16"]).blocks(address) is is_blocked


def test_an_address_is_judged_without_a_thread() -> None:
    class Counted(ThreadPoolExecutor):
        asked = 0

        def submit(self, *args: Any, **options: Any) -> Any:
            self.asked += 1
            return super().submit(*args, **options)

    async def main() -> None:
        threads, guard = Counted(), AddressGuard()
        asyncio.get_running_loop().set_default_executor(threads)
        for address in ("8.8.8.8", "2606:4700::1111"):
            assert assert_success(await guard.addresses(address, 80)) == [address]
        for address in ("10.1.2.3", "::ffff:127.0.0.1", "64:ff9b::7f00:1"):
            assert_failure(await guard.addresses(address, 80), code="ADDRESS_BLOCKED")
        assert threads.asked == 0
        assert_failure(await guard.addresses("127.1", 80), code="ADDRESS_BLOCKED")
        assert threads.asked == 1

    asyncio.run(main())


def test_a_guard_tries_the_next_address_where_one_is_not_reached() -> None:
    async def resolve(host: str, port: int) -> list[str]:
        return ["127.0.0.2", "127.0.0.1"]

    async def main() -> None:
        async with Server() as server:
            guard = AddressGuard(allow=["127.0.0.0/8"], resolve=resolve)
            url = f"http://two.example:{server.port}/x"
            async with open_http(client="stdlib", guard=guard, policy=Policy()) as client:
                assert_success(await client.post(url, json=1))
            assert server.count("/x") == 1

    asyncio.run(main())


def test_a_guard_that_is_none_is_a_bug() -> None:
    options: dict[str, Any] = {"guard": "yes"}
    with pytest.raises(TypeError, match="guard"):
        asyncio.run(FakeHttp({"GET /": {}}).client("http://x").get("/", **options))


@pytest.mark.parametrize(
    ("name", "value"),
    [("store", None), ("store", "memory:"), ("heuristic", 1.5), ("heuristic", float("nan")),
     ("stale_if_error", -1.0), ("keep", float("inf")), ("max_variants", 0)],
)  # fmt: skip
def test_a_rule_of_a_response_cache_that_is_none_is_named(name: str, value: Any) -> None:
    said: dict[str, Any] = {"store": Shelf(), name: value}
    with pytest.raises(ValueError, match=f"^{name} is "):
        ResponseCache(**said)


def test_a_token_that_waits_for_itself_is_refused() -> None:
    fake = FakeHttp({"GET /token": {}, "GET /": {}})
    clients: list[Any] = []

    async def fetch() -> Result[Secret[str]]:
        answered: Result[Any] = await clients[0].get("/token")
        return answered.map(lambda _: Secret("t"))

    async def main() -> None:
        clients.append(fake.client("http://x", bearer=Bearer(fetch)))
        async with asyncio.timeout(5.0):
            error = assert_failure(await clients[0].get("/"), code="HTTP_TOKEN_FAILED")
        assert "another client" in str(getattr(error.root, "hint", ""))

    asyncio.run(main())


def test_a_token_that_cannot_be_sent_is_not_shown() -> None:
    async def fetch() -> Result[Secret[str]]:
        return success(Secret("hunter2\n"))

    client = FakeHttp({"GET /": {}}).client("http://x", bearer=Bearer(fetch))
    error = assert_failure(asyncio.run(client.get("/")), code="HTTP_TOKEN_FAILED")
    assert "hunter2" not in error.to_string() + repr(error) + str(error.to_dict())


def test_what_hooks_make_must_be_sendable() -> None:
    request = HttpRequest("GET", "http://x/", Headers({"a": "1"}))
    assert dict(request.with_headers({"A": "2"}).headers) == {"a": "2"}
    with pytest.raises(ValueError, match="host"):
        request.with_headers({"host": "evil"})
    wrong: Any = lambda _: None  # noqa: E731  # as short as the mistake
    with pytest.raises(TypeError, match="on_request"):
        asyncio.run(FakeHttp({"GET /": {}}).client("http://x", on_request=wrong).get("/"))


def test_a_part_that_would_end_its_line_is_refused() -> None:
    client = FakeHttp({"POST /": {}}).client("http://x")
    part = BodyPart(b"", filename="a", content_type="a/b\r\nx: y")
    answered = asyncio.run(client.post("/", multipart={"a": part}))
    assert_failure(answered, code="INVALID_REQUEST")


def test_what_was_recorded_answers_without_the_network(tmp_path: Path) -> None:
    path = tmp_path / "users.json"

    async def main() -> None:
        async with Server() as server:
            server.on("/a", reply(200, b"\xff\0", "set-cookie: secret-1", "x-auth-token: secret-2"))
            server.on("/gone", reply(404, "weg: ü".encode()))
            url = server.url
            numbers = iter([reply(200, b"1"), reply(200, b"2")])
            server.on("/next", lambda _: next(numbers))
            async with open_http(url, client="stdlib", record=path) as client:
                headers = {"authorization": "secret-3"}
                await client.get("/a", params={"token": "secret-4", "q": 1}, headers=headers)
                await client.get("/gone")
                await client.post("/next", json={"n": 1})
                await client.post("/next", json={"n": 1})
        text = path.read_text("utf-8")
        assert "secret" not in text
        assert len(json.loads(text)["exchanges"]) == 4
        again = RecordedHttp(path).client(url)
        got = assert_success(await again.get("/a", params={"token": "other", "q": 1}))
        assert got.body == b"\xff\0"
        error = assert_failure(await again.get("/gone"), category="NOT_FOUND")
        assert error.context["excerpt"] == "weg: ü"
        bodies = [assert_success(await again.post("/next", json={"n": 1})).text for _ in range(3)]
        assert bodies == ["1", "2", "2"]
        missing = assert_failure(await again.post("/next", json={"n": 2}), "NETWORK_ERROR")
        assert "GET" in missing.message
        assert not missing.retryable

    asyncio.run(main())


def test_a_recording_keeps_redirects_and_no_secret_of_theirs(tmp_path: Path) -> None:
    path = tmp_path / "moved.json"

    async def main() -> None:
        async with Server() as server:
            url = server.url
            place = f"http://user:secret-1@127.0.0.1:{server.port}/there?token=secret-2&q=1"
            server.on("/moved", reply(302, b"moved", f"location: {place}"))
            server.on("/odd", reply(302, b"read", "location: http://[bad?token=secret-3"))
            server.on("/there", reply(200, b"here"))
            async with open_http(url, client="stdlib", record=path) as client:
                assert assert_success(await client.get("/moved")).text == "here"
            kept = path.read_text("utf-8")
            assert [one["status"] for one in json.loads(kept)["exchanges"]] == [302, 200]
            odd = path.with_name("odd.json")
            async with open_http(url, client="stdlib", record=odd, max_redirects=0) as client:
                first = await client.get("/odd", accept_status={302})
                assert assert_success(first).text == "read"
            assert "secret" not in kept + odd.read_text("utf-8")
        again = RecordedHttp(path).client(url)
        assert assert_success(await again.get("/moved")).text == "here"

    asyncio.run(main())


def test_a_file_with_nul_in_its_name_is_an_answer() -> None:
    client = FakeHttp({"GET /": {}, "POST /": {}}).client("http://x")
    for call in (client.download("/", "a\0b"), client.post("/", content=Path("a\0b"))):
        error = assert_failure(asyncio.run(call), code="HTTP_FILE_FAILED")
        assert error.message.endswith("no file has NUL in its name")


def test_a_recording_that_cannot_be_read_says_how_it_is_made(tmp_path: Path) -> None:
    (tmp_path / "bad.json").write_text("{}")
    for name in ("none.json", "bad.json"):
        client = RecordedHttp(tmp_path / name).client("http://x")
        error = assert_failure(asyncio.run(client.get("/")), code="HTTP_FILE_FAILED")
        assert error.hint is not None
        assert "record=" in error.hint


def test_a_reason_is_found_below_what_wraps_it() -> None:
    inner = ConnectionRefusedError(111, "secret text")
    group = ExceptionGroup("all failed", [ValueError("x"), inner])
    outer = RuntimeError("wrapped")
    outer.__cause__ = group
    assert reason_of(outer) == "the connection was refused"
    later = socket.gaierror(socket.EAI_AGAIN, "secret")
    assert reason_of(later) == "no name server answers"
    assert reason_of(socket.gaierror(socket.EAI_NONAME, "x")) == "there is no such host"
    assert reason_of(ValueError("secret")) == "the connection failed"
    circle = ValueError("a")
    circle.__context__ = ValueError("b")
    circle.__context__.__context__ = circle
    assert reason_of(circle, "nothing known") == "nothing known"


@pytest.mark.parametrize("status", [100, 103])
def test_interim_answers_that_do_not_end_are_no_answer(status: int) -> None:
    async def main() -> None:
        async with Server() as server, open_http(server.url, client="stdlib") as client:
            interim = b"HTTP/1.1 %d OK\r\n\r\n" % status
            server.on("/some", interim * 50 + reply(200))
            server.on("/many", interim * 200 + reply(200))
            assert_success(await client.get("/some"))
            failed = await client.get("/many", policy=Policy())
            assert_failure(failed, "NETWORK_ERROR", sent=True)

    asyncio.run(main())
