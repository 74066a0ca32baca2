"""What stands beside the contract: settings, the double, sections, and pure rules."""

from __future__ import annotations

import asyncio
import gc
import ssl
from typing import Any

import pytest

from qicore_core import Parts, Policy, QiError, Secret
from qicore_core.plugins import index
from qicore_core.testing import assert_failure, assert_success
from qicore_http import HTTP, FakeHttp, HttpRequest, open_http
from qicore_http.request import Composer
from qicore_http.settings import HttpSettings
from qicore_http.verdict import retry_after

WRONG: dict[str, dict[str, Any]] = {
    "HTTP_SETTINGS_INVALID": {
        "max_redirects": -1, "max_response_bytes": 0, "idle_timeout": 0.0, "policy": 3,
        "headers": {"a b": "x"}, "verify": False, "nonsense": 1, "accept_status": 200,
        "client": 5, "max_connections": 0, "proxy": "http://p/path", "http2": 1, "cache": "memory:",
    },
    "HTTP_UNSUPPORTED": {
        "http2": True, "cert": "a.pem", "limits": 5, "proxies": {}, "timeout": 5.0,
        "retry": 3, "retries": 3, "breaker": None,
    },
}  # fmt: skip


async def _refused(code: str, name: str, value: Any) -> QiError:
    options: dict[str, Any] = {"client": "stdlib", name: value}
    return assert_failure(await open_http(**options), code=code)


@pytest.mark.parametrize(
    ("code", "name", "value"),
    [(code, name, value) for code, all_ in WRONG.items() for name, value in all_.items()],
)
def test_a_setting_that_is_wrong_is_named(code: str, name: str, value: Any) -> None:
    assert name in asyncio.run(_refused(code, name, value)).message


@pytest.mark.parametrize(
    ("name", "value", "next_step"),
    [("verify", False, 'verify="authority.pem"'), ("cache", "redis://:pw@x", "cache=cache")],
)
def test_a_setting_that_is_taken_for_another_says_what_it_takes(
    name: str, value: Any, next_step: str
) -> None:
    error = asyncio.run(_refused("HTTP_SETTINGS_INVALID", name, value))
    assert next_step in str(error.hint)
    assert "pw" not in error.message


def test_a_body_that_is_no_json_says_what_makes_one_of_a_dataclass() -> None:
    fake = FakeHttp({"POST /": {}})
    answered = asyncio.run(fake.client("http://x").post("/", json={"policy": Policy()}))
    error = assert_failure(answered, code="INVALID_REQUEST")
    assert "Policy" in error.message
    assert "dataclasses.asdict" in str(error.hint)


def test_a_file_without_certificates_is_refused(tmp_path: Any) -> None:
    options: dict[str, Any] = {"verify": str(tmp_path / "none.pem")}
    assert_failure(asyncio.run(_open(**options)), code="HTTP_SETTINGS_INVALID")
    opened = assert_success(asyncio.run(_open(verify=ssl.create_default_context())))
    asyncio.run(opened.close())


def test_one_of_several_transports_is_named_by_client() -> None:
    async def unnamed() -> Any:
        return await open_http("http://127.0.0.1:1")

    names = sorted(one.name for one in index() if one.kind == "http" and not one.is_builtin)
    if len(names) < 2:
        pytest.skip("one transport is installed besides stdlib, or none")
    error = assert_failure(asyncio.run(unnamed()), code="PLUGIN_UNDECIDED")
    assert error.hint == f'name one: client="{names[0]}"'


@pytest.mark.parametrize("name", ["timeout", "retry", "retries", "breaker"])
def test_what_a_policy_says_leads_to_the_policy(name: str) -> None:
    error = asyncio.run(_refused("HTTP_UNSUPPORTED", name, 3))
    assert str(error.hint).startswith("policy=Policy(")


@pytest.mark.parametrize("wrong", ["socks5://u:hidden@x:1", "http://u:hidden@/", "hidden@x:1/a"])
def test_a_proxy_that_is_none_is_refused_and_not_shown(wrong: str) -> None:
    for said in (wrong, Secret(wrong)):
        refused = asyncio.run(_open(proxy=said))
        error = assert_failure(refused, code="HTTP_SETTINGS_INVALID")
        assert "proxy is written as http://host:port, with user:password@ before" in error.message
        assert "hidden" not in f"{error!r} {error.to_dict()} {error.to_string()}"


def test_a_guard_and_a_proxy_exclude_each_other_at_the_door() -> None:
    refused = asyncio.run(_open(proxy="http://u:hidden@x:1", guard=True))
    error = assert_failure(refused, code="HTTP_UNSUPPORTED", category="UNSUPPORTED")
    assert error.hint == "leave proxy= or guard= out"


def test_all_that_is_wrong_is_named_at_once_and_the_nearest_name() -> None:
    refused = asyncio.run(_open(max_redirects="many", idle_timeout=True))
    error = assert_failure(refused, code="HTTP_SETTINGS_INVALID")
    assert len(error.errors) == 2
    refused = asyncio.run(_open(max_conections=5, verfiy="x"))
    error = assert_failure(refused, code="HTTP_SETTINGS_INVALID")
    assert "did you mean max_connections?" in error.message
    assert "did you mean verify?" in error.message


def test_text_as_variables_have_it_becomes_its_type() -> None:
    read = HttpSettings.read({"idle_timeout": "2.5", "max_redirects": "3", "guard": "yes"})
    settings = assert_success(read)
    assert (settings.idle_timeout, settings.max_redirects, settings.guard) == (2.5, 3, True)


def test_a_base_url_that_cannot_be_called_is_refused_at_the_door() -> None:
    assert_failure(asyncio.run(_open("nonsense")), code="INVALID_URL")


async def _open(*args: Any, **options: Any) -> Any:
    return await open_http(*args, client="stdlib", **options)


def test_a_section_of_a_configuration_opens_a_client() -> None:
    async def main() -> None:
        section = {"client": "stdlib", "accept_status": [200], "max_redirects": 1}
        async with HTTP.open_client("http://127.0.0.1:1", section, Parts()) as client:
            assert_failure(await client.get("/x", policy=Policy()), code="NETWORK_ERROR")

    asyncio.run(main())


@pytest.mark.parametrize(
    ("name", "value"),
    [("accept_status", [[1]]), ("accept_status", "200"), ("accept_status", 200),
     ("headers", "x"), ("headers", ["a"]), ("headers", {"a": 1}), ("client", 5), ("policy", {})],
)  # fmt: skip
def test_a_section_that_is_wrong_is_refused(name: str, value: Any) -> None:
    async def main() -> QiError:
        section = {"client": "stdlib", name: value}
        opened = await HTTP.open_client("http://127.0.0.1:1", section, Parts())
        return assert_failure(opened, code="HTTP_SETTINGS_INVALID")

    assert name in asyncio.run(main()).message


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("headers", [("a", "b")]),
        ("params", "a=1"),
        ("form", [("a", 1)]),
        ("accept_status", 200),
        ("timeout", "5"),
        ("policy", 3),
    ],
)
def test_an_option_of_another_type_is_a_bug_and_sends_nothing(option: str, value: Any) -> None:
    fake = FakeHttp({"POST /": {}})
    options: dict[str, Any] = {option: value}
    with pytest.raises(TypeError, match=option):
        asyncio.run(fake.client("http://x").request("POST", "/", **options))
    assert fake.requests == []


@pytest.mark.parametrize("timeout", [0, 0.0, -1.0])
def test_a_timeout_that_has_passed_sends_nothing(timeout: float) -> None:
    fake = FakeHttp({"GET /": {}})
    answered = asyncio.run(fake.client("http://x").get("/", timeout=timeout))
    assert_failure(answered, code="DEADLINE_EXCEEDED")
    assert fake.requests == []


def test_what_a_client_remembers_of_urls_is_bounded() -> None:
    composer = Composer(HttpSettings(base_url="http://x"))
    for number in range(1000):
        assert_success(composer.compose("GET", f"/{number}", {}))
    assert sum(isinstance(one, HttpRequest) for one in gc.get_objects()) < 500


@pytest.mark.parametrize(("method", "url"), [("GET", None), ("GET", b"/"), (None, "/")])
def test_a_method_or_url_that_is_no_text_is_a_bug(method: Any, url: Any) -> None:
    fake = FakeHttp({"GET /": {}})
    with pytest.raises(TypeError, match="are text"):
        asyncio.run(fake.client("http://x").request(method, url))


def test_what_was_said_of_one_request_is_not_of_the_next() -> None:
    fake = FakeHttp({"GET /": {}, "POST /": {}})
    client = fake.client("http://u:p@x", headers={"x-own": "1"})

    async def main() -> None:
        for _ in range(2):  # the second time what is the same is known
            assert_success(await client.get("/"))
            assert_success(await client.get("/", headers={"x-a": "1"}, params={"q": 1}))
            assert_success(await client.post("/", json=1, headers={"x-own": "2"}))
            assert_success(await client.get("http://x/?q=2"))

    asyncio.run(main())
    plain = {"accept-encoding": "identity", "authorization": "Basic dTpw", "x-own": "1"}
    asked = [(one.method, one.url, dict(one.headers), one.body) for one in fake.requests[:8]]
    assert asked[:4] == asked[4:]
    assert asked[0] == ("GET", "http://x/", plain, b"")
    assert asked[1] == ("GET", "http://x/?q=1", plain | {"x-a": "1"}, b"")
    typed = plain | {"x-own": "2", "content-type": "application/json"}
    assert asked[2] == ("POST", "http://x/", typed, b"1")
    assert asked[3][1] == "http://x/?q=2"
    assert "authorization" not in asked[3][2]


def test_an_option_that_is_none_is_a_bug() -> None:
    option: dict[str, Any] = {"header": {}}
    with pytest.raises(TypeError, match="header"):
        asyncio.run(FakeHttp({}).client("http://x").get("/", **option))


def test_the_double_answers_by_its_routes() -> None:
    def greet(request: HttpRequest) -> Any:
        return 201, request.body, {"x-a": "1"}

    broken = QiError.network("NETWORK_ERROR", "down")
    fake = FakeHttp({"POST /a": greet, "GET /b": broken, "GET /c": [1]})

    async def main() -> None:
        client = fake.client("http://x", policy=Policy(), headers={"authorization": Secret("k")})
        made = assert_success(await client.post("/a", content="hi"))
        assert (made.status, made.body, made.headers["x-a"]) == (201, b"hi", "1")
        assert_failure(await client.get("/b"), code="NETWORK_ERROR")
        assert assert_success(await client.get_json("/c", list[int])) == [1]
        error = assert_failure(await client.get("/d"), code="NETWORK_ERROR")
        assert "GET /d" in error.message

    asyncio.run(main())
    assert fake.requests[0].headers["authorization"] == "k"
    with pytest.raises(QiError, match="max_redirects"):
        fake.client(max_redirects=-1)


@pytest.mark.parametrize(
    ("said", "wanted"),
    [("120", 120.0), (" 5 ", 5.0), ("²", None), ("", None), ("9" * 400, None), ("-1", None),
     ("Thu, 01 Jan 1970 00:00:00 -0000", 0.0), ("Thu, 99 Jan 1970 00:00:00 GMT", None)],
)  # fmt: skip
def test_retry_after_is_seconds_or_a_date(said: str, wanted: float | None) -> None:
    assert retry_after(said) == wanted
