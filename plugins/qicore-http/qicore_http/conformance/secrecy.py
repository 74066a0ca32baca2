"""What must not be seen: secrets in what is shown, and traffic by whoever is no friend."""

# ruff: noqa: S101  # a law asserts

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
from collections.abc import Generator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Final

from qicore_core import CallEvent, Failure, Policy, QiError, Secret, unwrap
from qicore_core.conformance import law
from qicore_core.testing import FaultProxy, assert_failure, assert_success, recorded

from .pair import QUICK, SECRET, HttpLaws, Pair
from .server import Seen, Server, Speaks, reply

__all__ = ["SecrecyLaws", "all_of", "context_of", "overheard"]

_CHUNKED: Final = b"transfer-encoding: chunked\r\n\r\n"


class SecrecyLaws(HttpLaws, abstract=True):
    """The laws of secrets and of TLS."""

    @law()
    async def nothing_secret_is_shown(self, pair: Pair) -> None:
        """No error, repr, log or event holds userinfo, a query, a header or a token's value.

        The loggers of the library below count: all are listened to at DEBUG.
        """
        with overheard() as shown:
            await _whisper(pair, shown)
        assert pair.server.seen
        assert any(SECRET in repr(seen) for seen in pair.server.seen), "the server heard it"
        assert [text for text in shown if SECRET in text] == []

    @law()
    async def a_certificate_that_is_no_good_is_refused(self, pair: Pair) -> None:
        """Untrusted, expired, for another host, no TLS at all: SSL_ERROR, and nothing is sent."""
        import trustme  # late: it comes with the extra `testing`

        ours, theirs = trustme.CA(), trustme.CA()
        trust = ssl.create_default_context()
        ours.configure_trust(trust)
        past = datetime.now(UTC) - timedelta(days=2)
        bad = (
            theirs.issue_cert("127.0.0.1"),
            ours.issue_cert("127.0.0.1", not_after=past),
            ours.issue_cert("other.example"),
        )
        client = await pair.another(verify=trust)
        for certificate in bad:
            server: Server = await pair.keep(Server(context_of(certificate)))
            failed = await client.post(f"{server.url}/x?token={SECRET}", json=1)
            error = assert_failure(failed, "SSL_ERROR", category="NETWORK", sent=False)
            assert not error.retryable
            assert server.seen == []
        assert_failure(await client.get(pair.server.url.replace("http:", "https:")), "SSL_ERROR")
        assert pair.server.seen == []
        good: Server = await pair.keep(Server(context_of(ours.issue_cert("127.0.0.1"))))
        assert_success(await client.get(good.url + "/x"))
        assert_failure(await pair.client.get(good.url), code="SSL_ERROR")
        good.on("/down", reply(302, b"", f"location: {pair.server.url}/plain"))
        told = {"authorization": SECRET, "cookie": SECRET, "x-plain": "1"}
        assert_success(await client.get(good.url + "/down", headers=told))
        assert SECRET not in repr(pair.server.seen[-1])
        assert pair.server.seen[-1].all("x-plain") == ["1"]

    @law()
    async def a_body_that_tls_does_not_end_is_no_success(self, pair: Pair) -> None:
        """Where no length says where it ends, TLS does: whoever cuts a connection can not.

        Source: RFC 9112, section 9.8.
        """
        import trustme  # late: it comes with the extra `testing`

        authority, trust = trustme.CA(), ssl.create_default_context()
        authority.configure_trust(trust)
        own = context_of(authority.issue_cert("127.0.0.1"))
        server: Server = await pair.keep(Server(own))
        client = await pair.another(server.url, verify=trust, policy=Policy(timeout=10.0))
        for body in (b"", b"all"):
            server.on("/cut", _ends(b"HTTP/1.1 200 OK\r\n\r\n" + body, by_tls=False))
            failed = await client.get("/cut")
            assert_failure(failed, "NETWORK_ERROR", category="NETWORK", sent=True)
            *whole, last = [piece async for piece in client.stream("GET", "/cut")]
            assert b"".join(map(unwrap, whole)) == body
            assert isinstance(last, Failure)
            assert_failure(last, "NETWORK_ERROR", category="NETWORK", sent=True)
            server.on("/ended", _ends(b"HTTP/1.1 200 OK\r\n\r\n" + body, by_tls=True))
            assert assert_success(await client.get("/ended")).body == body
        head = b"HTTP/1.1 200 OK\r\nconnection: close\r\n"
        for said in (b"content-length: 3\r\n\r\nall", _CHUNKED + b"3\r\nall\r\n0\r\n\r\n"):
            server.on("/framed", _ends(head + said, by_tls=False))
            assert assert_success(await client.get("/framed")).body == b"all"
        for method, status in (("HEAD", 200), ("GET", 204), ("GET", 304)):
            server.on("/none", b"HTTP/1.1 %d OK\r\n\r\n" % status)
            assert assert_success(await client.request(method, "/none")).body == b""


@contextmanager
def overheard() -> Generator[list[str]]:
    """Collect, until the block ends, what every logger says and every event shows."""
    shown: list[str] = []
    hears, root = _Hears(shown), logging.getLogger()
    level = root.level
    root.addHandler(hears)
    root.setLevel(logging.DEBUG)
    try:
        with recorded() as events:
            yield shown
        shown.extend(_told(event) for event in events)
    finally:
        root.removeHandler(hears)
        root.setLevel(level)


class _Hears(logging.Handler):
    def __init__(self, into: list[str]) -> None:
        super().__init__()
        self._into = into

    def emit(self, record: logging.LogRecord) -> None:
        if record.name.partition(".")[0] != "asyncio":
            self._into.append(record.getMessage())


async def _whisper(pair: Pair, shown: list[str]) -> None:
    """Make calls with secrets in every place, good and bad, and keep all that they show."""
    server = pair.server
    proxy: FaultProxy = await pair.keep(FaultProxy("127.0.0.1", server.port))
    echo = reply(200, b"fine", f"set-cookie: session={SECRET}")
    server.on("/fine", echo)
    server.on("/bad", reply(401, f'{{"authorization": "Bearer {SECRET}"}}'.encode()))
    server.on("/json", reply(200, f"token={SECRET}".encode()))
    server.on("/away", reply(302, b"", f"location: ftp://u:{SECRET}@x/?token={SECRET}"))
    server.on("/loop", reply(302, b"", f"location: /loop?token={SECRET}"))
    server.on("/large", reply(200, b"x" * 2000))
    own = {"Authorization": f"Bearer {SECRET}", "X-Api-Key": Secret(SECRET)}
    base = f"http://user:{SECRET}@127.0.0.1:{proxy.port}"
    client = await pair.another(base, headers=own, max_response_bytes=1000, policy=QUICK)
    shown.append(repr(client))
    query = {"params": {"token": SECRET, "plain": SECRET}}
    for path in ("/fine", "/bad", "/json", "/away", "/loop", "/large"):
        answered = await client.get(path, headers={"cookie": f"a={SECRET}"}, **query)  # type: ignore[arg-type]  # options
        shown.append(repr(answered))
        if answered:
            shown.append(repr(answered.value.headers))
            shown.append(repr(answered.value.json()))
        else:
            shown.extend(all_of(answered.error))
    proxy.reset()
    shown.extend(all_of(assert_failure(await client.get("/fine", **query))))  # type: ignore[arg-type]  # options
    for url in (f"http://user:{SECRET}@[x/", f"{SECRET}@:/x?{SECRET}", f"http://x y/?{SECRET}"):
        shown.extend(all_of(assert_failure(await client.get(url))))
    refused = await client.get("/x", headers={"x-api-key": f"{SECRET}\n"})
    shown.extend(all_of(assert_failure(refused)))
    unopened = _unopened(base)
    shown.append(unopened)


def _ends(said: bytes, *, by_tls: bool) -> Speaks:
    async def speak(_: Seen, writer: asyncio.StreamWriter) -> None:
        writer.write(said)
        await writer.drain()
        if by_tls:
            writer.close()
        else:
            writer.get_extra_info("socket").shutdown(socket.SHUT_WR)

    return speak


def _unopened(base: str) -> str:
    from ..settings import HttpSettings

    return repr(HttpSettings(base_url=base, headers={"x-key": SECRET}, policy=Policy()))


def all_of(error: QiError) -> list[str]:
    """Give every text that an error can become."""
    return [error.message, str(error), repr(error), error.to_string(), str(error.to_dict())]


def _told(event: CallEvent) -> str:
    return f"{event!r} {event.fields!r} {event.error!r}"


def context_of(certificate: object) -> ssl.SSLContext:
    """Make what a server with a certificate of trustme speaks TLS by."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    certificate.configure_cert(context)  # type: ignore[attr-defined]  # trustme's LeafCert
    return context
