"""Where documents come from: folders, files, URLs, and the packages installed here.

What cannot be read is an answer like any other: a Failure that names it. Nothing else is lost.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from email import message_from_string
from hashlib import sha256
from importlib.metadata import Distribution, distributions
from pathlib import Path

import qicore as qi
from qicore_core.secret import redact_text

from .settings import INSTALLED, Settings

__all__ = ["Document", "Place", "find", "gives_all", "read"]

KINDS = {".md": "markdown", ".markdown": "markdown", ".html": "html", ".htm": "html"}
READ = {*KINDS, ".txt", ".rst"}
PASSED_BY = frozenset({"__pycache__", "node_modules"})  # and folders that begin with a dot
ERRORS = qi.ErrorMap(
    "askdocs",
    {
        FileNotFoundError: ("SOURCE_NOT_FOUND", qi.ErrorCategory.NOT_FOUND, "it is not there"),
        PermissionError: ("SOURCE_UNREADABLE", qi.ErrorCategory.PERMISSION, "it may not be read"),
        UnicodeDecodeError: ("SOURCE_BINARY", qi.ErrorCategory.BAD_DATA, "it is no text in UTF-8"),
        OSError: ("SOURCE_UNREADABLE", qi.ErrorCategory.UNAVAILABLE, "it could not be read"),
    },
)


@dataclass(frozen=True, slots=True)
class Place:
    """Where one document is: a path or URL, and the source it was found by.

    `name` is what may be shown; `known` what is so without reading: a text, or why there is none.
    """

    name: str
    origin: str
    where: str = ""
    known: qi.Result[str] | None = None

    @property
    def was_refused(self) -> bool:
        """Whether it is a folder that could not be looked into."""
        return self.known is not None and not self.known


@dataclass(frozen=True, slots=True)
class Document:
    name: str
    origin: str
    kind: str
    text: str


def find(sources: list[str]) -> Iterator[Place]:
    """Find what there is to read; every source gives at least one place, if only to say why not."""
    seen: set[str] = set()
    for source in sources:
        for place in _places(source):
            key = os.path.realpath(place.where) if place.where else place.name
            if key not in seen:
                seen.add(key)
                yield place


def gives_all(source: str) -> bool:
    """Tell whether a source that can be read gives all of its documents: the others are gone."""
    return source == INSTALLED or os.path.isdir(source)


def _places(source: str) -> Iterator[Place]:
    if source == INSTALLED:
        for one in sorted(distributions(), key=lambda one: one.name.lower()):
            yield from _documentation(one)
    elif os.path.isdir(source):
        yield from _walk(source)
    else:
        name = _shown(source) if "://" in source else source
        yield Place(name, name, where=source)


def _shown(url: str) -> str:
    """Name a URL without its secrets, and still apart from one that differs in the query alone."""
    _, _, query = url.partition("?")
    mark = f" [{sha256(query.encode()).hexdigest()[:8]}]" if query else ""
    return redact_text(url) + mark


def _walk(folder: str) -> Iterator[Place]:
    refused: list[OSError] = []
    for base, folders, files in os.walk(folder, onerror=refused.append):
        folders[:] = sorted(one for one in folders if one[0] != "." and one not in PASSED_BY)
        for path in [Path(base, file) for file in sorted(files)]:
            if path.suffix.lower() in READ:
                yield Place(str(path), folder, where=str(path))
    for exception in refused:
        error = ERRORS.translate(exception) or qi.QiError.from_exception(exception)
        yield Place(str(exception.filename), folder, known=qi.failure(error))


def _documentation(one: Distribution) -> Iterator[Place]:
    """Give the long description of a distribution, and its Markdown."""
    metadata = message_from_string(one.read_text("METADATA") or "")
    is_rst = "rst" in metadata.get("Description-Content-Type", "rst")
    name, description = f"{one.name} {one.version}", str(metadata.get_payload())
    if description.strip():
        readme = f"{name}: README{'.rst' if is_rst else '.md'}"
        yield Place(readme, INSTALLED, known=qi.success(description))
    for file in one.files or ():
        if file.suffix.lower() == ".md":
            yield Place(f"{name}: {file}", INSTALLED, where=str(file.locate()))


async def read(place: Place, http: qi.HttpClient, settings: Settings) -> qi.Result[Document]:
    """Read one document.

    Errors:
        SOURCE_NOT_FOUND, SOURCE_UNREADABLE, SOURCE_BINARY, SOURCE_TOO_LARGE, and those of HTTP.
    """
    if "://" in place.where:
        return await _fetch(place, http, settings)
    text = place.known
    if text is None:  # not `if not text`: a Failure is falsy
        text = await qi.in_thread(_read_file, place.where, settings.max_bytes)
    kind = _kind(place.where or place.name)
    return text.map(lambda text: Document(place.name, place.origin, kind, text))


@qi.do
async def _fetch(place: Place, http: qi.HttpClient, settings: Settings) -> Document:
    response = await qi.unwrap(http.get(place.where, policy=settings.fetch.policy))
    kind = response.headers.get("content-type", "text/html").partition(";")[0].strip().lower()
    is_text = kind.startswith("text/") or kind in ("application/xhtml+xml", "")
    if not is_text or b"\0" in response.body:
        raise _binary(f"it is {kind}")
    if len(response.body) > settings.max_bytes:
        raise _too_large(settings.max_bytes)
    told = "html" if "html" in kind else "markdown" if "markdown" in kind else _kind(place.where)
    return Document(place.name, place.origin, told, response.text)


def _read_file(path: str, max_bytes: int) -> qi.Result[str]:
    @qi.do
    def look() -> str:
        status = os.stat(path)
        if not stat.S_ISREG(status.st_mode):  # a pipe would keep us waiting for ever
            raise qi.QiError.unsupported("SOURCE_UNREADABLE", "it is no regular file")
        if status.st_size > max_bytes:
            raise _too_large(max_bytes)
        text = Path(path).read_bytes().decode("utf-8-sig")
        if "\0" in text:
            raise _binary("it has zero bytes")
        return text

    return ERRORS.call(look).flatten()


def _binary(why: str) -> qi.QiError:
    return qi.QiError.bad_data("SOURCE_BINARY", f"{why}, no text", source="askdocs")


def _too_large(limit: int) -> qi.QiError:
    hint = "raise max_bytes in askdocs.toml"
    message = f"it has more than {limit:,} bytes"
    return qi.QiError.bad_data("SOURCE_TOO_LARGE", message, hint=hint, source="askdocs")


def _kind(name: str) -> str:
    return KINDS.get(Path(name.partition("?")[0]).suffix.lower(), "text")
