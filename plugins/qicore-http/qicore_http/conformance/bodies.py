"""Bodies that are read while they are sent: whole, counted, and never twice where once is all."""

# ruff: noqa: ASYNC240, S101  # a law asserts, and may look at a small file

from __future__ import annotations

import asyncio
import email
import email.policy
import socket
import ssl
import tempfile
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from qicore_core import Policy
from qicore_core.conformance import law
from qicore_core.testing import assert_failure, assert_success

from ..body import Body, BodyPart
from ..message import HttpRequest
from .faults import nobody
from .pair import HttpLaws, Pair
from .secrecy import context_of
from .server import reply

__all__ = ["BodyLaws"]


async def _pieces(*pieces: bytes) -> AsyncIterator[bytes]:
    for piece in pieces:
        yield piece


async def _breaks(error: Exception) -> AsyncIterator[bytes]:
    yield b"begun"
    raise error


class BodyLaws(HttpLaws, abstract=True):
    """The laws of bodies that are no bytes."""

    @law(pieces=st.lists(st.binary(max_size=70_000), max_size=4))
    async def a_body_in_pieces_arrives_whole(self, pair: Pair, pieces: list[bytes]) -> None:
        """An iterator goes in chunks, a file with its length; empty pieces end nothing."""
        assert_success(await pair.client.post("/x", content=_pieces(*pieces)))
        seen = pair.server.seen[-1]
        assert seen.body == b"".join(pieces)
        assert (seen.all("transfer-encoding"), seen.all("content-length")) == (["chunked"], [])
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "a.bin")
            path.write_bytes(b"".join(pieces))
            assert_success(await pair.client.put("/x", content=path))
        seen = pair.server.seen[-1]
        assert (seen.body, seen.all("transfer-encoding")) == (b"".join(pieces), [])
        assert seen.all("content-length") == [str(len(seen.body))]

    @law(name=st.text(st.characters(codec="utf-8", exclude_categories=["C"]), min_size=1))
    async def a_multipart_has_all_its_parts(self, pair: Pair, name: str) -> None:
        """Fields, bytes, files and streams arrive under their names, whatever is in these."""
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "notes.txt")
            path.write_bytes(b"on disk")
            parts = {
                "field": "ü", "number": [1, 2], "file": path,
                "named": BodyPart(b"\0\1", filename=f'{name}"\r\nx: y', content_type="a/b"),
                "stream": BodyPart(_pieces(b"in ", b"pieces"), filename="s"),
            }  # fmt: skip
            assert_success(await pair.client.post("/x", multipart=parts))
        seen = pair.server.seen[-1]
        kinds = seen.all("content-type")
        assert len(kinds) == 1
        head = f"content-type: {kinds[0]}\r\n\r\n".encode()
        read: Any = email.message_from_bytes(head + seen.body, policy=email.policy.HTTP)
        got = [
            (
                part.get_param("name", header="content-disposition"),
                part.get_content_type(),
                part.get_payload(decode=True),
            )
            for part in read.iter_parts()
        ]
        assert got == [
            ("field", "text/plain", "ü".encode()), ("number", "text/plain", b"1"),
            ("number", "text/plain", b"2"), ("file", "text/plain", b"on disk"),
            ("named", "a/b", b"\0\1"), ("stream", "text/plain", b"in pieces"),
        ]  # fmt: skip
        named = next(part for part in read.iter_parts() if part.get_content_type() == "a/b")
        assert named["x"] is None
        assert "%0D%0Ax: y" in named.get_filename()
        assert_success(await pair.client.post("/x", multipart={"a": "b", "c": BodyPart(b"d")}))
        assert pair.server.seen[-1].all("content-length") == [str(len(pair.server.seen[-1].body))]

    @law()
    async def a_body_that_is_read_once_is_never_sent_again(self, pair: Pair) -> None:
        """Not after a status, an outage or a redirect; a file is, from its beginning."""
        server, client = pair.server, pair.client
        server.on("/busy", reply(503))
        server.on("/away", reply(307, b"", "location: /there"))
        keyed = {"idempotency-key": "1"}
        assert_failure(await client.put("/busy", content=_pieces(b"x"), headers=keyed))
        assert server.count("/busy") == 1
        error = assert_failure(await client.put(nobody(), content=_pieces(b"x")), "NETWORK_ERROR")
        assert "attempts" not in error.context or error.context["attempts"] == 1
        assert_failure(await client.put("/away", content=_pieces(b"x")), code="INVALID_REQUEST")
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "a.bin")
            path.write_bytes(b"whole")
            assert_failure(await client.put("/busy", content=path))
            assert_success(await client.put("/away", content=path))
            assert [one.body for one in server.seen[-5:]] == [b"whole"] * 5
            missing = await client.put("/x", content=path.with_name("none"))
            assert_failure(missing, code="HTTP_FILE_FAILED")

    @law(said=st.integers(1, 9), pieces=st.lists(st.binary(max_size=4), max_size=3))
    async def a_body_has_the_length_that_it_was_said_to_have(
        self, pair: Pair, said: int, pieces: list[bytes]
    ) -> None:
        """One that is longer or shorter is INVALID_REQUEST, and no request that is whole."""
        before, size = len(pair.server.seen), len(b"".join(pieces))
        swap = _swapped(Body(lambda: _pieces(*pieces), said))
        client = await pair.another(on_request=swap)
        answered = await client.post("/x")
        if said == size:
            assert_success(answered)
        else:
            assert_failure(answered, "INVALID_REQUEST", category="VALIDATION")
        assert_success(await pair.client.get("/y"))
        assert_success(await pair.client.get("/y"))  # whatever was sent has arrived by now
        arrived = [seen.body for seen in pair.server.seen[before:] if seen.method == "POST"]
        assert arrived == ([b"".join(pieces)] if said == size else [])

    @law()
    async def a_body_that_nobody_reads_comes_to_an_end(self, pair: Pair) -> None:
        """A server that reads nothing is a TIMEOUT_ERROR after idle_timeout, however it is sent."""
        client = await pair.another(idle_timeout=0.3, policy=Policy(timeout=10.0))
        large = bytes(32 * 1024 * 1024)  # more than the system takes by itself
        with socket.socket() as deaf:
            deaf.bind(("127.0.0.1", 0))
            deaf.listen()
            url = f"http://127.0.0.1:{deaf.getsockname()[1]}/x"
            async with asyncio.timeout(self.patience):
                for content in (large, _pieces(large)):
                    answered = await client.post(url, content=content)
                    assert_failure(answered, "TIMEOUT_ERROR", sent=True)

    @law()
    async def a_server_that_refuses_a_body_is_heard(self, pair: Pair) -> None:
        """Its 413 is the answer, though it reads no more; that connection serves no other request.

        An interim answer refuses nothing. Source: RFC 9110, section 15.5.14.
        """
        import trustme  # late: it comes with the extra `testing`

        authority, trust = trustme.CA(), ssl.create_default_context()
        authority.configure_trust(trust)
        large = bytes(32 * 1024 * 1024)  # more than the system takes by itself
        for own in (None, context_of(authority.issue_cert("127.0.0.1"))):
            server: _Early = await pair.keep(_Early(own, len(large)))
            client = await pair.another(
                server.url, verify=trust, idle_timeout=0.5, policy=Policy(timeout=10.0)
            )
            for content in (large, _pieces(large)):
                refused = await client.post("/refused", content=content)
                assert_failure(refused, "HTTP_ERROR", category="VALIDATION", status=413)
                before = server.connections
                assert_success(await client.get("/x"))
                assert server.connections == before + 1
            for content in (large, _pieces(*[large[: 1024 * 1024]] * 32)):
                assert_success(await client.post("/taken", content=content))

    @law()
    async def what_a_body_raises_is_the_callers(self, pair: Pair) -> None:
        """An exception of an iterator passes, of whatever type; the client goes on working."""
        for error in (ValueError("a bug"), OSError("no fault of the network"), TimeoutError("x")):
            assert await _raised(pair, _breaks(error)) is error
        wrong: Any = _pieces("text")  # type: ignore[arg-type]  # what the law is about
        assert isinstance(await _raised(pair, wrong), TypeError)
        assert_success(await pair.client.get("/y"))
        assert [one.target for one in pair.server.seen] == ["/y"]


class _Early:
    """A server that answers by the head alone: it refuses a body, or takes it with an interim."""

    def __init__(self, context: ssl.SSLContext | None, size: int) -> None:
        self.connections = 0
        self._context = context
        self._size = size
        self._is_over = asyncio.Event()

    @property
    def url(self) -> str:
        port = self._server.sockets[0].getsockname()[1]
        return f"{'https' if self._context else 'http'}://127.0.0.1:{port}"

    async def __aenter__(self) -> _Early:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0, ssl=self._context)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._is_over.set()
        self._server.close()
        await self._server.wait_closed()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        head = await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n")
        if b"/refused" in head:
            writer.write(reply(413, b"too large"))
        else:
            if b"/taken" in head:
                is_chunked = b"chunked" in head.lower()
                await (_ended(reader) if is_chunked else reader.readexactly(self._size))
            writer.write(reply(200, b"", "connection: close"))
        await self._is_over.wait()
        writer.transport.abort()


async def _ended(reader: asyncio.StreamReader) -> None:
    """Read chunks to their end."""
    while size := int(await reader.readuntil(b"\r\n"), 16):
        await reader.readexactly(size + 2)


def _swapped(body: Body) -> Callable[[HttpRequest], HttpRequest]:
    return lambda request: replace(request, body=body)


async def _raised(pair: Pair, content: AsyncIterator[bytes]) -> Exception | None:
    try:
        await pair.client.post("/x", content=content)
    except Exception as error:  # noqa: BLE001  # which one is the law's question
        return error
    return None
