"""Downloads: whole or not at all, and resumed where they broke off."""

# ruff: noqa: ASYNC240, S101  # a law asserts, and may look at a small file

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Mapping
from pathlib import Path

from qicore_core import Policy
from qicore_core.conformance import law
from qicore_core.testing import assert_failure, assert_success

from .pair import QUICK, HttpLaws, Pair
from .server import Seen, reply

__all__ = ["DownloadLaws"]


class DownloadLaws(HttpLaws, abstract=True):
    """The laws of downloads."""

    @law()
    async def a_download_that_broke_off_is_resumed(self, pair: Pair) -> None:
        """By the next attempt from where it was, if it is still the same file; else anew."""
        data = bytes(range(256)) * 8192
        for version in ('etag: "1"', "last-modified: Thu, 01 Jan 2015 00:00:00 GMT", 'etag: W/"1"'):
            serves = _Serves(data, version)
            pair.server.on("/file", serves.answer)
            with tempfile.TemporaryDirectory() as folder:
                path, told = Path(folder, "got.bin"), _Told()
                size = await pair.client.download("/file", path, progress=told)
                assert assert_success(size) == len(data)
                assert path.read_bytes() == data
                assert [one.name for one in Path(folder).iterdir()] == ["got.bin"]
                assert told.last == (len(data), len(data))
            is_strong = "W/" not in version
            first, second = serves.ranges[0], serves.ranges[1]
            assert first == ""
            assert second.startswith("bytes=" if is_strong else ""), version
            assert (second == "") is not is_strong

    @law()
    async def a_download_goes_on_in_a_later_call(self, pair: Pair) -> None:
        """What is there stays when a call fails; a file that changed since begins anew."""
        data = bytes(range(256)) * 8192
        once = Policy(timeout=10.0)
        for is_changed in (False, True):
            serves = _Serves(data, 'etag: "1"')
            pair.server.on("/file", serves.answer)
            with tempfile.TemporaryDirectory() as folder:
                path = Path(folder, "got.bin")
                path.write_bytes(b"old")
                failed = await pair.client.download("/file", path, policy=once)
                assert_failure(failed, code="NETWORK_ERROR")
                assert path.read_bytes() == b"old"
                if is_changed:
                    serves.data, serves.version = data[::-1], 'etag: "2"'
                assert_success(await pair.client.download("/file", path, policy=once))
                assert path.read_bytes() == (data[::-1] if is_changed else data)
            assert serves.ranges[1].startswith("bytes=")

    @law()
    async def a_download_that_cannot_be_is_refused(self, pair: Pair) -> None:
        """A status, a folder that is none, and a server that answers with another part."""
        pair.server.on("/gone", reply(404))
        pair.server.on("/part", reply(206, b"x", "content-range: bytes 5-5/9"))
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "got.bin")
            download = pair.client.download
            assert_failure(await download("/gone", path), category="NOT_FOUND")
            assert_failure(await download("/part", path), code="PARSE_ERROR")
            assert_failure(await download("/x", Path(folder, "no", "x")), "HTTP_FILE_FAILED")
            assert not path.exists()
            pair.server.on("/all", reply(200, b"all", 'etag: "9"'))
            for said in (reply(416), reply(206, b"x", "content-range: bytes 0-0/9")):
                _leave(path, pair.server.url + "/all", b"left")
                answers = iter([said, reply(200, b"all")])
                pair.server.on("/all", lambda _, answers=answers: next(answers))
                assert assert_success(await download("/all", path, policy=QUICK)) == 3
                assert path.read_bytes() == b"all"


class _Told:
    last: tuple[int, int | None] = (0, None)

    def __call__(self, have: int, total: int | None) -> None:
        assert have >= self.last[0]
        self.last = (have, total)


class _Serves:
    """Serves a file, cutting the first answer short."""

    def __init__(self, data: bytes, version: str) -> None:
        self.data = data
        self.version = version
        self.ranges: list[str] = []

    @property
    def answer(self):  # type: ignore[no-untyped-def]  # a function, as the server wants one
        async def speak(seen: Seen, writer: asyncio.StreamWriter) -> None:
            said = dict(seen.fields)
            self.ranges.append(said.get("range", ""))
            is_cut = len(self.ranges) == 1
            writer.write(self._reply(said, is_cut))
            await writer.drain()
            writer.close()

        return speak

    def _reply(self, said: Mapping[str, str], is_cut: bool) -> bytes:
        fields = (self.version, "date: Fri, 01 Jan 2016 00:00:00 GMT", "connection: close")
        _, _, version = self.version.partition(": ")
        if "range" in said and said["if-range"] == version:
            start = int(said["range"][6:-1])
            total = len(self.data)
            where = f"content-range: bytes {start}-{total - 1}/{total}"
            return reply(206, self.data[start:], where, *fields)
        body = self.data[: len(self.data) // 2] if is_cut else self.data
        return reply(200, body, *fields, length=len(self.data))


def _leave(path: Path, url: str, data: bytes) -> None:
    """Leave what an earlier download would have left."""
    from hashlib import sha256
    from json import dumps

    path.with_name(f".{path.name}.part").write_bytes(data)
    note = {"url": sha256(url.encode()).hexdigest(), "version": '"9"'}
    path.with_name(f".{path.name}.part.json").write_text(dumps(note))
