"""Redirects: followed as the method asks, to an end, and without credentials for strangers."""

# ruff: noqa: S101  # a law asserts

from __future__ import annotations

from typing import Final

from qicore_core import Secret
from qicore_core.conformance import law
from qicore_core.testing import assert_failure, assert_success

from .pair import SECRET, HttpLaws, Pair
from .server import Server, reply

__all__ = ["RedirectLaws"]

# Source: RFC 9110, sections 15.4.2 to 15.4.9.
METHODS: Final = (
    (301, "POST", "GET"), (302, "POST", "GET"), (303, "POST", "GET"), (307, "POST", "POST"),
    (308, "POST", "POST"), (301, "GET", "GET"), (302, "PUT", "PUT"), (303, "PUT", "GET"),
    (303, "HEAD", "HEAD"), (307, "DELETE", "DELETE"),
)  # fmt: skip


class RedirectLaws(HttpLaws, abstract=True):
    """The laws of redirects."""

    @law()
    async def redirects_are_followed_as_the_method_asks(self, pair: Pair) -> None:
        """A method and its body are kept or become a GET, as the status says."""
        seen = pair.server.seen
        for status, method, wanted in METHODS:
            pair.server.on("/a", reply(status, b"", "location: b?x=1#part"))
            body = b"body" if method in ("POST", "PUT") else None
            got = assert_success(await pair.client.request(method, "/a", content=body))
            assert got.url == pair.server.url + "/b?x=1"
            assert seen[-1].method == wanted, (status, method)
            is_kept = body is not None and wanted == method
            assert seen[-1].body == (b"body" if is_kept else b"")
            assert bool(seen[-1].all("content-type")) is False
            await pair.client.request(method, "/a", json=1)
            assert bool(seen[-1].all("content-type")) is (wanted == method)

    @law()
    async def redirects_come_to_an_end(self, pair: Pair) -> None:
        """A loop is TOO_MANY_REDIRECTS after max_redirects; 0 gives the redirect itself."""
        pair.server.on("/a", reply(302, b"", "location: /a?again"))
        client = await pair.another(max_redirects=3)
        assert_failure(await client.get("/a"), code="TOO_MANY_REDIRECTS")
        assert pair.server.count("/a") == 4
        client = await pair.another(max_redirects=0)
        assert assert_success(await client.get("/a")).status == 302
        pair.server.on("/a", reply(302, b"nowhere"))
        assert assert_success(await pair.client.get("/a")).body == b"nowhere"

    @law()
    async def credentials_stay_at_their_origin(self, pair: Pair) -> None:
        """On the way to another origin, secrets and the client's own headers are left out."""
        other: Server = await pair.keep(Server())
        own = {"X-Tenant": SECRET, "Authorization": f"Bearer {SECRET}"}
        client = await pair.another(pair.server.url.replace("//", f"//u:{SECRET}@"), headers=own)
        said: dict[str, str | Secret[str]] = {"x-word": Secret(SECRET), "x-plain": "1"}
        said |= {"x-api-key": SECRET, "cookie": SECRET}
        pair.server.on("/near", reply(302, b"", "location: /far"))
        pair.server.on("/far", reply(302, b"", f"location: {other.url}/there"))
        other.on("/there", reply(302, b"", f"location: {pair.server.url}/back"))
        assert_success(await client.get("/near", headers=said))
        near, far, back = pair.server.seen
        for seen in (near, far):
            names = ("x-tenant", "authorization", "x-api-key", "cookie", "x-word", "x-plain")
            assert [len(seen.all(name)) for name in names] == [1] * 6
        for seen in (*other.seen, back):
            assert SECRET not in repr(seen)
            assert seen.all("x-plain") == ["1"]
        assert_success(await client.get(other.url + "/direct"))
        assert SECRET not in repr(other.seen[-1])

    @law()
    async def a_redirect_that_cannot_be_called_is_refused(self, pair: Pair) -> None:
        """A location of another scheme, without a host or with a bad port is INVALID_URL."""
        for location in ("ftp://127.0.0.1/", "http://", "http://a b/", "http://[x/", "file:///a"):
            pair.server.on("/a", reply(302, b"", f"location: {location}"))
            assert_failure(await pair.client.get("/a"), code="INVALID_URL")
