"""Which addresses are reached: only those that were looked at, on every hop."""

# ruff: noqa: S101  # a law asserts

from __future__ import annotations

import ssl
from collections.abc import Iterable, Mapping
from typing import Final

from qicore_core import Policy
from qicore_core.conformance import law
from qicore_core.testing import assert_failure, assert_success

from ..guard import AddressGuard
from .pair import HttpLaws, Pair
from .server import Server, reply

__all__ = ["GuardLaws"]

HOME: Final = "127.0.0.1"
BLOCKED: Final = (
    "127.0.0.1", "127.9.9.9", "0.0.0.0", "10.1.2.3", "172.16.0.1", "172.31.255.255",  # noqa: S104
    "192.168.1.1", "169.254.169.254", "100.64.0.1", "192.0.0.8", "198.18.0.1", "192.0.2.1",
    "224.0.0.1", "240.0.0.1", "255.255.255.255", "::", "::1", "fe80::1", "fc00::1", "fec0::1",
    "ff02::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::127.0.0.1", "64:ff9b::7f00:1",
    "64:ff9b:1::1", "2002:7f00:1::1", "2001::1", "2001:db8::1", "100::1", "nonsense", "fe80::1%lo",
)  # fmt: skip
LITERALS: Final = (
    "127.0.0.1", "127.1", "2130706433", "0x7f000001", "017700000001", "[::1]", "[::]",
    "[::ffff:127.0.0.1]", "localhost",
)  # fmt: skip


class Names:
    """A name server for the laws.

    Attributes:
        asked: which hosts, in order.
    """

    def __init__(self, answers: Mapping[str, list[str]]) -> None:
        self._answers = dict(answers)
        self.asked: list[str] = []

    async def __call__(self, host: str, port: int) -> Iterable[str]:
        """Give what a host has; the last of several lists stays."""
        self.asked.append(host)
        return self._answers.get(host, [host])

    def becomes(self, host: str, *addresses: str) -> None:
        """Give a host other addresses from now on."""
        self._answers[host] = list(addresses)


class GuardLaws(HttpLaws, abstract=True):
    """The laws of guarded requests."""

    @law()
    async def a_guarded_request_goes_to_the_address_that_was_checked(self, pair: Pair) -> None:
        """The name is asked for once, and Host stays; no connection of others is used."""
        names = Names({"pinned.example": [HOME], "localhost": [HOME]})
        guard = AddressGuard(allow=["127.0.0.0/8"], resolve=names)
        client, port = await pair.another(guard=guard), pair.server.port
        pair.server.on("/a", reply(302, b"", f"location: http://pinned.example:{port}/b"))
        for path in ("/x", "/a"):
            url = f"http://pinned.example:{port}{path}"
            assert_success(await client.post(url, json=1))
            assert pair.server.seen[-1].all("host") == [f"pinned.example:{port}"]
        assert names.asked == ["pinned.example"] * 3
        assert_success(await client.get("/literal"))
        plain = await pair.another()
        assert_success(await plain.get(f"http://localhost:{port}/x"))
        before = pair.server.connections
        assert_success(await plain.get(f"http://localhost:{port}/x", guard=guard))
        assert pair.server.connections == before + 1

    @law()
    async def a_guarded_name_is_the_one_in_tls(self, pair: Pair) -> None:
        """The certificate is asked for and checked by name, for each name of one address."""
        import trustme  # late: it comes with the extra `testing`

        authority = trustme.CA()
        trust = ssl.create_default_context()
        authority.configure_trust(trust)
        asked: list[str] = []
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        authority.issue_cert("one.example").configure_cert(context)
        context.sni_callback = lambda _, name, __: asked.append(name or "")
        server: Server = await pair.keep(Server(context))
        names = Names({"one.example": [HOME], "two.example": [HOME]})
        guard = AddressGuard(allow=[HOME], resolve=names)
        client = await pair.another(guard=guard, verify=trust, policy=Policy(timeout=10.0))
        assert_success(await client.get(f"https://one.example:{server.port}/x"))
        assert asked == ["one.example"]
        failed = await client.get(f"https://two.example:{server.port}/x")
        assert_failure(failed, code="SSL_ERROR")
        assert asked[-1] == "two.example"
        assert len(server.seen) == 1

    @law()
    async def a_guard_blocks_what_is_not_public(self, pair: Pair) -> None:
        """However it is written, resolved or redirected to, it is ADDRESS_BLOCKED, unconnected."""
        port = pair.server.port
        client = await pair.another(guard=True)
        for host in LITERALS:
            answered = await client.get(f"http://{host}:{port}/x")
            assert_failure(answered, "ADDRESS_BLOCKED", category="PERMISSION")
            answered = await pair.client.get(f"http://{host}:{port}/x", guard=True)
            assert_failure(answered, "ADDRESS_BLOCKED")
        names = Names({})
        client = await pair.another(guard=AddressGuard(resolve=names))
        for address in BLOCKED:
            for addresses in ([address], ["93.184.215.14", address]):
                names.becomes("bad.example", *addresses)
                answered = await client.get("http://bad.example/x")
                error = assert_failure(answered, "ADDRESS_BLOCKED")
                assert "bad.example" in error.message, address
        assert (pair.server.connections, pair.server.seen) == (0, [])

    @law()
    async def a_guard_looks_at_every_hop(self, pair: Pair) -> None:
        """A redirect to a blocked address, and a name that changes its mind, are caught."""
        names = Names({"good.example": [HOME]})
        client = await pair.another(guard=AddressGuard(allow=[HOME], resolve=names))
        url = f"http://good.example:{pair.server.port}"
        for place in ("http://127.0.0.2/", "http://[::1]/", "http://169.254.169.254/latest"):
            pair.server.on("/away", reply(302, b"", f"location: {place}"))
            assert_failure(await client.get(url + "/away"), code="ADDRESS_BLOCKED")
        assert_success(await client.get(url + "/x"))
        names.becomes("good.example", "10.0.0.1")
        assert_failure(await client.get(url + "/x"), code="ADDRESS_BLOCKED")
        names.becomes("good.example")
        assert_failure(await client.get(url + "/x"), code="NETWORK_ERROR", sent=False)
