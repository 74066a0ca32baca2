"""What a download must bear: a caller who leaves, and neighbours in its folder."""

from __future__ import annotations

import asyncio
import threading
from hashlib import sha256
from json import dumps
from pathlib import Path
from typing import Any

import pytest

from qicore_core.testing import assert_success
from qicore_http import open_http
from qicore_http.conformance import Seen, Server, reply

DATA = b"".join(number.to_bytes(4, "big") for number in range(750_000))


def _serves(seen: Seen) -> bytes:
    said = dict(seen.fields)
    if "range" not in said:
        return reply(200, DATA, 'etag: "1"')
    start = int(said["range"][6:-1])
    where = f"content-range: bytes {start}-{len(DATA) - 1}/{len(DATA)}"
    return reply(206, DATA[start:], where, 'etag: "1"')


def test_a_download_that_is_cancelled_while_it_writes_goes_on_with_the_right_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, real = tmp_path / "got.bin", Path.open
    writes, may_write, has_written = threading.Event(), threading.Event(), threading.Event()

    class Slow:  # a disk that is slow once
        def __init__(self, file: Any) -> None:
            self.file = file

        def write(self, data: bytes) -> int:
            if threading.current_thread() is threading.main_thread():
                return int(self.file.write(data))
            writes.set()
            may_write.wait()
            size = int(self.file.write(data))
            has_written.set()
            return size

        def __enter__(self) -> None:
            may_write.set()
            has_written.wait()

        def __exit__(self, *_: object) -> None:
            self.file.close()

    def slowly(self: Path, mode: str = "r", **options: Any) -> Any:
        file = real(self, mode, **options)
        return Slow(file) if mode == "ab" and not may_write.is_set() else file

    async def download() -> int:
        monkeypatch.setattr(Path, "open", slowly)
        async with Server() as server, open_http(server.url, client="stdlib") as client:
            server.on("/file", _serves)
            task = asyncio.create_task(client.download("/file", path))
            await asyncio.to_thread(writes.wait)
            task.cancel()
            await asyncio.wait([task])
            assert task.cancelled()
            return assert_success(await client.download("/file", path))

    assert asyncio.run(download()) == len(DATA)
    assert path.read_bytes() == DATA


@pytest.mark.parametrize("version", ['"1"\r\nx-evil: 1', "\ud800", 5])
def test_a_note_of_a_download_that_cannot_be_sent_is_none(tmp_path: Path, version: object) -> None:
    path = tmp_path / "got.bin"

    async def download() -> None:
        async with Server() as server, open_http(server.url, client="stdlib") as client:
            server.on("/file", _serves)
            url = sha256(f"{server.url}/file".encode()).hexdigest()
            note = dumps({"url": url, "version": version})
            path.with_name(".got.bin.part").write_bytes(b"left")
            path.with_name(".got.bin.part.json").write_text(note)
            assert_success(await client.download("/file", path))

    asyncio.run(download())
    assert path.read_bytes() == DATA


@pytest.mark.parametrize("is_noted", [False, True])
def test_a_link_in_the_way_of_a_download_is_not_followed(tmp_path: Path, is_noted: bool) -> None:
    path, victim = tmp_path / "got.bin", tmp_path / "victim"
    victim.write_bytes(DATA[:8])

    async def download() -> None:
        async with Server() as server, open_http(server.url, client="stdlib") as client:
            server.on("/file", _serves)
            part = path.with_name(".got.bin.part")
            part.symlink_to(victim)
            if is_noted:
                url = sha256(f"{server.url}/file".encode()).hexdigest()
                note = dumps({"url": url, "version": '"1"'})
                path.with_name(".got.bin.part.json").write_text(note)
            assert_success(await client.download("/file", path))

    asyncio.run(download())
    assert victim.read_bytes() == DATA[:8]
    assert path.read_bytes() == DATA
    assert not path.is_symlink()
