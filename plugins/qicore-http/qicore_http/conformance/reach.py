"""How servers are reached: by a proxy, by few connections, with a certificate of one's own."""

# ruff: noqa: S101  # a law asserts

from __future__ import annotations

import asyncio
import os
import ssl
from base64 import b64encode
from collections.abc import Generator
from contextlib import contextmanager
from typing import Final
from urllib.parse import quote

from qicore_core import Policy
from qicore_core.conformance import law
from qicore_core.testing import assert_failure, assert_success

from ..guard import AddressGuard
from .faults import nobody
from .pair import SECRET, HttpLaws, Pair
from .proxies import ProxyServer
from .secrecy import all_of, context_of, overheard
from .server import Seen, Server, reply

__all__ = ["ReachLaws"]

USER: Final = f"ad:a:{SECRET} @/ü"
HOST: Final = "inside.example"
_ONCE: Final = Policy(timeout=10.0)


class ReachLaws(HttpLaws, abstract=True):
    """The laws of the settings that transports share: proxy, max_connections, verify."""

    @law()
    async def a_proxy_carries_every_request(self, pair: Pair) -> None:
        """Plain ones whole, secured ones in a tunnel; only the proxy asks for names, and who."""
        import trustme  # late: it comes with the extra `testing`

        authority, trust = trustme.CA(), ssl.create_default_context()
        authority.configure_trust(trust)
        secured: Server = await pair.keep(Server(context_of(authority.issue_cert(HOST))))
        proxy: ProxyServer = await pair.keep(ProxyServer(USER, {HOST: "127.0.0.1"}))
        name, _, password = USER.rpartition(":")
        by = proxy.url.replace("//", f"//{quote(name, '')}:{quote(password, '')}@")
        client = await pair.another(proxy=by, verify=trust, policy=_ONCE)
        for scheme, server in (("http", pair.server), ("https", secured)):
            place = f"{HOST}:{server.port}"
            for number in range(2):
                url = f"{scheme}://{place}/x?q={number}"
                assert_success(await client.post(url, json={"a": number}))
                asked = ("CONNECT", place) if server is secured else ("POST", url)
                assert proxy.seen[-1] == asked
                seen = server.seen[-1]
                assert (seen.method, seen.target) == ("POST", f"/x?q={number}")
                assert (seen.all("host"), seen.body) == ([place], b'{"a":%d}' % number)
                assert seen.all("proxy-authorization") == []
        other: Server = await pair.keep(Server(context_of(authority.issue_cert("other.example"))))
        failed = await client.get(f"https://{HOST}:{other.port}/x")
        assert_failure(failed, "SSL_ERROR", sent=False)
        assert other.seen == []
        before = len(proxy.seen)
        with _environment(dict.fromkeys(("http_proxy", "HTTP_PROXY", "ALL_PROXY"), proxy.url)):
            assert_success(await (await pair.another()).get("/x"))
        assert len(proxy.seen) == before, "no proxy but the one that was given"

    @law()
    async def a_proxy_that_fails_is_told(self, pair: Pair) -> None:
        """One that refuses, asks who it is, or is down: a Failure, and no secret in any."""
        proxy: ProxyServer = await pair.keep(ProxyServer(f"ada:{SECRET}"))
        good = proxy.url.replace("//", f"//ada:{SECRET}@")
        urls = (pair.server.url + "/x", pair.server.url.replace("http:", "https:") + "/x")
        with overheard() as shown:
            for by in (proxy.url, proxy.url.replace("//", f"//{SECRET}:wrong@"), good):
                client = await pair.another(proxy=by, policy=_ONCE)
                proxy.refuses = 502
                wanted = (502, "NETWORK") if by is good else (407, "AUTHENTICATION")
                for url in urls:
                    failed = await client.post(url, json=1)
                    error = assert_failure(failed, "HTTP_ERROR", category=wanted[1])
                    assert error.context["status"] == wanted[0]
                    shown.extend([*all_of(error), repr(client)])
            down = nobody().replace("//", f"//ada:{SECRET}@")
            client = await pair.another(proxy=down, policy=_ONCE)
            for url in urls:
                failed = await client.post(url, json=1)
                error = assert_failure(failed, "NETWORK_ERROR", category="NETWORK", sent=False)
                assert "by way of the proxy: the connection was refused" in error.message
                shown.extend(all_of(error))
            pair.server.on("/x", reply(302, b"", f"location: {urls[0]}"))
            proxy.refuses = None
            looped = assert_failure(await (await pair.another(proxy=good)).get(urls[0]))
            shown.extend(all_of(looped))
        hidden = (SECRET, b64encode(f"ada:{SECRET}".encode()).decode())
        assert [text for text in shown if any(one in text for one in hidden)] == []
        assert [seen.method for seen in pair.server.seen if seen.method == "POST"] == []

    @law()
    async def a_proxy_and_a_guard_exclude_each_other(self, pair: Pair) -> None:
        """A proxy resolves names itself, so a request that is guarded is not given to it."""
        proxy: ProxyServer = await pair.keep(ProxyServer())
        client = await pair.another(proxy=proxy.url)
        for url in (pair.server.url, pair.server.url.replace("http:", "https:")):
            failed = await client.get(url, guard=AddressGuard(allow=["127.0.0.1"]))
            assert_failure(failed, code="HTTP_UNSUPPORTED")
        assert proxy.seen == []

    @law()
    async def no_more_connections_are_opened_than_are_allowed(self, pair: Pair) -> None:
        """What is beyond waits for its turn, and not for longer than it may."""
        client = await pair.another(max_connections=2, policy=_ONCE)
        most = 0

        async def slow(_: Seen, writer: asyncio.StreamWriter) -> None:
            nonlocal most
            most = max(most, pair.server.open)
            await asyncio.sleep(0.02)
            writer.write(reply(200, b"", "connection: close"))
            await writer.drain()
            writer.close()

        async def half(_: Seen, writer: asyncio.StreamWriter) -> None:
            writer.write(reply(200, b"half", length=8))
            await writer.drain()

        pair.server.on("/x", slow)
        for answered in await asyncio.gather(*[client.get("/x") for _ in range(8)]):
            assert_success(answered)
        assert most == 2
        pair.server.on("/half", half)
        patient = await pair.another(max_connections=1, policy=_ONCE, idle_timeout=0.5)
        async with asyncio.timeout(self.patience), patient.stream("GET", "/half") as stream:
            pieces = aiter(stream)
            assert_success(await anext(pieces))
            failed = await patient.post("/x", json=1)
            assert_failure(failed, "TIMEOUT_ERROR", category="TIMEOUT", sent=False)
        assert_success(await patient.get("/x"))

    @law()
    async def a_certificate_of_the_clients_is_shown(self, pair: Pair) -> None:
        """A server that asks for one gets that of `verify`, and refuses who has none."""
        import trustme  # late: it comes with the extra `testing`

        authority = trustme.CA()
        own = context_of(authority.issue_cert("127.0.0.1"))
        own.verify_mode = ssl.CERT_REQUIRED
        authority.configure_trust(own)
        server: Server = await pair.keep(Server(own))
        known, unknown = ssl.create_default_context(), ssl.create_default_context()
        for context in (known, unknown):
            authority.configure_trust(context)
        authority.issue_cert("ada@example.com").configure_cert(known)
        client = await pair.another(server.url, verify=known)
        assert_success(await client.get("/x"))
        assert_failure(await (await pair.another(server.url, verify=unknown)).post("/x", json=1))
        assert len(server.seen) == 1


@contextmanager
def _environment(said: dict[str, str]) -> Generator[None]:
    before = dict(os.environ)
    os.environ.update(said)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)
