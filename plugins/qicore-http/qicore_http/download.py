"""A download to a file: resumed where it broke off, and there as a whole or not at all.

Bytes go to ".<name>.part" beside the file, with what tells the server which version they are of in
".<name>.part.json". Both stay when a download fails, for the next attempt or the next call, and are
gone when the file is there. Source: RFC 9110, sections 13.1.5 (If-Range) and 14.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
from collections.abc import Callable
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Final, TypeAlias, final

from qicore_core import Failure, QiError, Result, failure, success

from .errors import FILE_FAILED, HTTP_ERROR, PARSE_ERROR
from .exchange import begin
from .message import Headers, HttpRequest, plain_fields, shown
from .settings import HttpSettings
from .transport import HttpReply, HttpTransport
from .verdict import date_of, whole_number

__all__ = ["Download", "Progress"]

Progress: TypeAlias = Callable[[int, int | None], object]
"""Is told how many bytes are there, and how many there will be, or None."""

_RANGE: Final = re.compile(r"bytes ([0-9]{1,18})-([0-9]{1,18})/([0-9]{1,18}|\*)")
_FOUND: Final = frozenset(range(200, 300))
_BUFFER: Final = 1024 * 1024
_STRONG_AFTER: Final = 60.0  # seconds without a change make a date as good as a tag


@final
class Download:
    """One file on its way.

    Args:
        path: where it goes.
        progress: is told of each piece that was written.
    """

    __slots__ = ("_note", "_part", "_path", "_progress")

    def __init__(self, path: str | os.PathLike[str], progress: Progress | None) -> None:
        self._path = Path(path)
        self._part = self._path.with_name(f".{self._path.name}.part")
        self._note = self._path.with_name(f".{self._path.name}.part.json")
        self._progress = progress

    async def attempt(
        self,
        transport: HttpTransport,
        settings: HttpSettings,
        request: HttpRequest,
        accept: frozenset[int] | None,
        /,
    ) -> Result[int]:
        """Get what is missing; give the size of the whole.

        Errors:
            HTTP_FILE_FAILED: a file cannot be written; and what `begin` and the stream fail with.
        """
        if "\0" in str(self._path):
            return failure(_unwritable(self._path, OSError("no file has NUL in its name")))
        try:
            have, version = await asyncio.to_thread(self._resumable, request.url)
            if have:
                wanted = {"range": f"bytes={have}-", "if-range": version}
                headers = request.headers.with_fields(wanted)
                got = await self._get(transport, settings, replace(request, headers=headers), have)
                if got is not None:
                    return got
            accepted = _FOUND if accept is None else accept
            got = await self._get(transport, settings, request, 0, accepted)
        except OSError as error:
            return failure(_unwritable(self._path, error))
        return failure(_unasked(request.url)) if got is None else got

    async def _get(
        self,
        transport: HttpTransport,
        settings: HttpSettings,
        request: HttpRequest,
        have: int,
        accept: frozenset[int] = _FOUND,
    ) -> Result[int] | None:
        """Get the file from a byte on; None is that the server gives no such part of it."""
        begun = await begin(transport, settings, request, accept)
        if isinstance(begun, Failure):
            error: QiError = begun.error
            is_no_part = error.code == HTTP_ERROR and error.context.get("status") == 416
            return None if have and is_no_part else begun
        reply = begun.value
        try:
            total = whole_number(reply.headers.get("content-length"))
            if reply.status == 206:
                part = _RANGE.fullmatch(reply.headers.get("content-range", ""))
                if part is None or not have or int(part[1]) != have:
                    return None
                total = whole_number(part[3])
            else:
                have = 0
            if not have:
                await asyncio.to_thread(self._begin, request.url, reply.headers)
            if reply.headers.get("content-encoding"):
                total = None  # what is stated is not what is written
            return await self._write(reply, have, total)
        finally:
            await reply.aclose()

    async def _write(self, reply: HttpReply, have: int, total: int | None) -> Result[int]:
        file = await asyncio.to_thread(self._part.open, "ab")
        buffer = bytearray()
        try:
            async for piece in reply:
                if isinstance(piece, Failure):
                    return piece
                buffer += piece.value
                if len(buffer) >= _BUFFER:
                    # No longer ours, as a cancelled thread goes on: nothing is written twice.
                    full, buffer = buffer, bytearray()
                    await asyncio.to_thread(file.write, full)
                    have += len(full)
                    self._tell(have, total)
        finally:
            left = len(buffer)
            with file:  # also what came before a failure or a cancellation is kept
                file.write(buffer)
        have += left
        self._tell(have, total)
        if total is not None and have != total:
            return failure(
                QiError.bad_data(
                    PARSE_ERROR,
                    f"the download ended at {have} bytes and has {total}",
                    source="http",
                )
            )
        await asyncio.to_thread(self._finish)
        return success(have)

    def _tell(self, have: int, total: int | None) -> None:
        if self._progress is not None:
            self._progress(have, total)

    def _resumable(self, url: str) -> tuple[int, str]:
        """Say how many bytes are there, and of which version; 0 where they are of no use."""
        try:
            if self._part.is_symlink():
                return 0, ""
            note = json.loads(self._note.read_text("utf-8"))
            if note["url"] != _digest(url):
                return 0, ""
            version = note["version"]
            can_ask = plain_fields({"if-range": version})
            return (self._part.stat().st_size, version) if can_ask else (0, "")
        except (FileNotFoundError, ValueError, KeyError, TypeError):
            return 0, ""

    def _begin(self, url: str, headers: Headers) -> None:
        """Note which version begins; without a note nothing is resumed.

        Both files are made anew: a link that a neighbour laid in a shared folder leads nowhere.
        """
        self._note.unlink(missing_ok=True)
        self._part.unlink(missing_ok=True)
        self._part.open("xb").close()
        version = _version_of(headers)
        if version is not None:
            note = {"url": _digest(url), "version": version}
            with self._note.open("x", encoding="utf-8") as file:
                json.dump(note, file)

    def _finish(self) -> None:
        with self._part.open("rb+") as file:
            os.fsync(file.fileno())
        self._part.replace(self._path)
        self._note.unlink(missing_ok=True)


def _version_of(headers: Headers) -> str | None:
    """Give what names a version for sure: a strong tag, or a date long before the answer's."""
    if headers.get("content-encoding") or headers.get("accept-ranges", "").lower() == "none":
        return None
    tag = headers.get("etag", "")
    if tag.startswith('"'):
        return tag
    changed, made = date_of(headers.get("last-modified")), date_of(headers.get("date"))
    if changed is None or made is None or made - changed < _STRONG_AFTER:
        return None
    return headers["last-modified"]


def _digest(url: str) -> str:
    return sha256(url.encode()).hexdigest()  # its query may be a secret


def _unasked(url: str) -> QiError:
    return QiError.bad_data(
        PARSE_ERROR, f"{shown(url)} answers with a part that nobody asked for", source="http"
    )


def _unwritable(path: Path, error: OSError) -> QiError:
    return QiError.unavailable(
        FILE_FAILED,
        f"the download to {str(path)!r} cannot be written: {error.strerror or error}",
        cause=error,
        source="http",
        retryable=False,
    )
