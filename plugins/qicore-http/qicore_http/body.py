"""What a request carries: bytes, or pieces that are read while they are sent.

JSON, forms and text are bytes, and small files in a multipart are read as pieces all the same: what
is sent must never have to fit into memory. A body of bytes or of files can be sent again; one that
is an iterator cannot, so nothing that has it is ever retried.
"""

from __future__ import annotations

import asyncio
import json as json_module
import mimetypes
import os
import re
from collections.abc import AsyncIterable, AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeAlias, final

from qicore_core import Failure, QiError, Result, failure, success
from qicore_core.error.qi_error import again

from .errors import FILE_FAILED, INVALID_REQUEST
from .url import encoded, text_of

if TYPE_CHECKING:
    from .options import RequestOptions

__all__ = ["Body", "Content", "BodyPart", "body_of"]

Content: TypeAlias = bytes | str | Path | AsyncIterable[bytes]
"""What a body or a part of one may be: a Path is the file's bytes."""

_KINDS: Final = ("json", "form", "multipart", "content")
_PIECE: Final = 256 * 1024
_OF_JSON: Final = (
    "make it of dicts, lists, text, finite numbers, booleans and None: "
    "dataclasses.asdict(value) does so of a dataclass"
)
_TYPE: Final = re.compile(r"[\x20-\x7e]+")


@final
class Body:
    """A body that is read in pieces, while it is sent.

    Args:
        start: begins to read it.
        length: how many bytes it has, or None; one that has more or fewer is not sent to its end.
        is_replayable: whether it can be read again from its beginning.

    Attributes:
        length: how many bytes it has; None where nobody knows, and it is sent in chunks.
        is_replayable: whether it can be sent twice.
        failed: what reading it raised: no fault of the connection.
    """

    __slots__ = ("_start", "failed", "is_replayable", "length")

    def __init__(
        self,
        start: Callable[[], AsyncIterator[bytes]],
        length: int | None = None,
        *,
        is_replayable: bool = False,
    ) -> None:
        self._start = start
        self.length = length
        self.is_replayable = is_replayable
        self.failed: Exception | None = None

    async def __aiter__(self) -> AsyncIterator[bytes]:
        self.failed = None
        pieces = self._start()
        size, last = 0, b""
        try:
            async for piece in pieces:
                if not isinstance(piece, bytes | bytearray | memoryview):
                    raise TypeError(f"a body is made of bytes, got {type(piece).__name__}")
                data = bytes(piece)
                size += len(data)
                if self.length is not None and size > self.length:
                    raise _not_as_said("longer")
                if size == self.length:
                    last = last or data  # kept, as the server has a whole request with it
                elif data:  # an empty chunk would be the last one
                    yield data
            if self.length is not None and size < self.length:
                raise _not_as_said("shorter")
            if last:
                yield last
        except Exception as error:
            self.failed = error
            raise
        finally:
            aclose = getattr(pieces, "aclose", None)
            if aclose is not None:  # an iterator need not have one
                await aclose()


@final
@dataclass(frozen=True, slots=True)
class BodyPart:
    """One part of a multipart body that is more than a plain field.

    Attributes:
        content: its bytes.
        filename: what the receiver calls it; a Path brings its own.
        content_type: what it is; by default what the name's ending says.

    >>> BodyPart(b"a,b", filename="data.csv").content_type is None
    True
    """

    content: Content
    filename: str | None = None
    content_type: str | None = None


def body_of(options: RequestOptions, /) -> Result[tuple[bytes | Body, str]]:
    """Give the one body that a caller says, and its content type.

    Errors:
        INVALID_REQUEST: there are two, or it is no JSON, no text, nothing that can be sent.
        HTTP_FILE_FAILED: a file cannot be read.
    """
    given = [name for name in _KINDS if options.get(name) is not None]
    if not given:
        return success((b"", ""))
    if len(given) > 1:
        return failure(_invalid(f"a request has one body, and got {' and '.join(given)}"))
    json, form, parts = options.get("json"), options.get("form"), options.get("multipart")
    try:
        if json is not None:
            text = json_module.dumps(json, separators=(",", ":"), allow_nan=False)
            return success((text.encode(), "application/json"))
        if form is not None:
            return success((encoded(form).encode(), "application/x-www-form-urlencoded"))
        if parts is not None:
            return _multipart(parts)
        content: Any = options.get("content")
        kind = "text/plain; charset=utf-8" if isinstance(content, str) else ""
        return _content(content).map(lambda held: (held, kind))
    except UnicodeError:
        return failure(_invalid("the body has text that is no Unicode"))
    except (TypeError, ValueError, RecursionError) as error:
        wrong = _invalid(f"the body of {given[0]}= cannot be written: {error}")
        return failure(wrong if json is None else again(wrong, hint=_OF_JSON))


def _content(content: object) -> Result[bytes | Body]:
    if isinstance(content, str):
        return success(content.encode())
    if isinstance(content, bytes):
        return success(content)
    if isinstance(content, Path):
        return _file(content)
    if isinstance(content, AsyncIterable):
        return success(Body(lambda: aiter(content)))
    wanted = "bytes, text, a pathlib.Path or an async iterable of bytes"
    return failure(_invalid(f"content is {wanted}, got {type(content).__name__}"))


def _file(path: Path) -> Result[bytes | Body]:
    if "\0" in str(path):
        return failure(_unreadable(path, OSError("no file has NUL in its name")))
    try:
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
    except OSError as error:
        return failure(_unreadable(path, error))

    async def read() -> AsyncIterator[bytes]:
        left = size
        try:
            with await asyncio.to_thread(path.open, "rb") as file:
                while left:
                    piece = await asyncio.to_thread(file.read, min(left, _PIECE))
                    if not piece:
                        raise OSError(f"the file lost {left} bytes while it was read")
                    left -= len(piece)
                    yield piece
        except OSError as error:
            raise _unreadable(path, error) from error

    return success(Body(read, size, is_replayable=True))


def _multipart(parts: Mapping[str, object]) -> Result[tuple[bytes | Body, str]]:
    """Write the parts one after the other. Source: RFC 7578."""
    boundary = os.urandom(16).hex()
    pieces: list[bytes | Body] = []
    for name, said in parts.items():
        several = isinstance(said, list | tuple)
        for one in said if several else (said,):  # type: ignore[attr-defined]  # iterable then
            if isinstance(one, Path):
                one = BodyPart(one)
            part = one if isinstance(one, BodyPart) else None
            held = _content(text_of(one, name) if part is None else part.content)
            if isinstance(held, Failure):
                return failure(held.error.with_context(part=name))
            head = _head(name, part)
            pieces += [f"--{boundary}\r\n{head}\r\n\r\n".encode(), held.value, b"\r\n"]
    pieces.append(f"--{boundary}--\r\n".encode())
    kind = f"multipart/form-data; boundary={boundary}"
    if all(isinstance(piece, bytes) for piece in pieces):
        return success((b"".join(piece for piece in pieces if isinstance(piece, bytes)), kind))

    async def read() -> AsyncIterator[bytes]:
        for piece in pieces:
            if isinstance(piece, bytes):
                yield piece
            else:
                async for bit in piece:
                    yield bit

    sizes = [len(piece) if isinstance(piece, bytes) else piece.length for piece in pieces]
    known = [size for size in sizes if size is not None]
    is_replayable = all(isinstance(piece, bytes) or piece.is_replayable for piece in pieces)
    length = sum(known) if len(known) == len(sizes) else None
    return success((Body(read, length, is_replayable=is_replayable), kind))


def _head(name: str, part: BodyPart | None) -> str:
    line = f'content-disposition: form-data; name="{_quoted(name)}"'
    if part is None:
        return line
    filename = part.filename
    if filename is None and isinstance(part.content, Path):
        filename = part.content.name
    if filename is not None:
        line += f'; filename="{_quoted(filename)}"'
    kind = part.content_type or (filename and mimetypes.guess_type(filename)[0])
    if kind is not None and not _TYPE.fullmatch(kind):
        raise ValueError(f"the content_type of {name[:40]!r} is none")
    return f"{line}\r\ncontent-type: {kind}" if kind else line


def _quoted(text: str) -> str:
    """Write a name so that it cannot end its line. Source: WHATWG HTML, multipart/form-data."""
    return text.replace("\r", "%0D").replace("\n", "%0A").replace('"', "%22")


def _unreadable(path: Path, error: OSError) -> QiError:
    return QiError.unavailable(
        FILE_FAILED,
        f"the file {str(path)!r} cannot be read: {error.strerror or error}",
        cause=error,
        source="http",
        retryable=False,
        sent=False,
    )


def _not_as_said(how: str) -> QiError:
    return _invalid(f"the body is {how} than the length that it was said to have")


def _invalid(message: str) -> QiError:
    return QiError.validation(INVALID_REQUEST, message, source="http")
