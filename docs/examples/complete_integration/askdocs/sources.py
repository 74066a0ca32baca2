"""Where documents come from: folders, files, URLs, and the packages installed here.

What cannot be read is an answer like any other: a Failure that names it. Nothing else is lost.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from email import message_from_string
from importlib.metadata import Distribution, distributions
from pathlib import Path

import qicore as qi
from qicore_core.secret import redact_text
from qicore_http import HttpClient

from .settings import Settings

__all__ = ["Document", "Place", "find", "is_folder", "read"]

KINDS = {
    ".md": "markdown", ".markdown": "markdown", ".html": "html", ".htm": "html",
    ".txt": "text", ".rst": "text",
}  # fmt: skip
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

    `name` is what may be shown, `text` what is already at hand, `error` why there is nothing.
    """

    name: str
    origin: str
    where: str = ""
    text: str | None = None
    error: qi.QiError | None = None


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


def _places(source: str) -> Iterator[Place]:
    if _is_url(source):
        name = redact_text(source)
        yield Place(name, name, where=source)
    elif source == "installed:":
        for one in sorted(distributions(), key=lambda one: one.name.lower()):
            yield from _documentation(one)
    elif os.path.isdir(source):
        yield from _walk(source)
    else:
        yield Place(source, source, where=source)


def _walk(folder: str) -> Iterator[Place]:
    refused: list[OSError] = []
    for base, folders, files in os.walk(folder, onerror=refused.append):
        folders[:] = sorted(one for one in folders if one[0] != "." and one not in PASSED_BY)
        for file in sorted(files):
            if Path(file).suffix.lower() in KINDS:
                path = os.path.join(base, file)
                yield Place(path, folder, where=path)
    for exception in refused:
        yield Place(str(exception.filename), folder, error=ERRORS.translate(exception))


def _documentation(one: Distribution) -> Iterator[Place]:
    """Give the long description of a distribution, and its Markdown."""
    metadata = message_from_string(one.read_text("METADATA") or "")
    payload = metadata.get_payload()
    description = payload if isinstance(payload, str) else ""
    kind = ".rst" if "rst" in metadata.get("Description-Content-Type", "rst") else ".md"
    name = f"{one.name} {one.version}"
    if description.strip():
        yield Place(f"{name}: README{kind}", "installed:", text=description)
    for file in one.files or ():
        if file.suffix.lower() == ".md":
            yield Place(f"{name}: {file}", "installed:", where=str(file.locate()))


async def read(place: Place, http: HttpClient, settings: Settings) -> qi.Result[Document]:
    """Read one document.

    Errors:
        SOURCE_NOT_FOUND, SOURCE_UNREADABLE, SOURCE_BINARY, SOURCE_TOO_LARGE, and those of HTTP.
    """
    if place.error is not None:
        return qi.failure(place.error)
    if place.text is not None:
        return qi.success(Document(place.name, place.origin, _kind(place.name), place.text))
    if _is_url(place.where):
        return await _fetch(place, http, settings)
    text = await qi.in_thread(_read_file, place.where, settings.max_bytes)
    return text.map(lambda text: Document(place.name, place.origin, _kind(place.where), text))


async def _fetch(place: Place, http: HttpClient, settings: Settings) -> qi.Result[Document]:
    answered = await http.get(place.where, policy=settings.fetch.policy)
    if not answered:
        return answered
    response = answered.value
    kind = response.headers.get("content-type", "text/html").partition(";")[0].strip().lower()
    is_text = kind.startswith("text/") or kind in ("application/xhtml+xml", "")
    if not is_text or b"\0" in response.body:
        return qi.failure(_binary(f"it is {kind}"))
    if len(response.body) > settings.max_bytes:
        return qi.failure(_too_large(settings.max_bytes))
    told = "html" if "html" in kind else "markdown" if "markdown" in kind else _kind(place.where)
    return qi.success(Document(place.name, place.origin, told, response.text))


def _read_file(path: str, max_bytes: int) -> qi.Result[str]:
    def look() -> qi.Result[str]:
        status = os.stat(path)
        if not stat.S_ISREG(status.st_mode):  # a pipe would keep us waiting for ever
            return qi.failure(qi.QiError.unsupported("SOURCE_UNREADABLE", "it is no regular file"))
        if status.st_size > max_bytes:
            return qi.failure(_too_large(max_bytes))
        text = Path(path).read_bytes().decode("utf-8-sig")
        return qi.success(text) if "\0" not in text else qi.failure(_binary("it has zero bytes"))

    return ERRORS.call(look).flatten()


def _binary(why: str) -> qi.QiError:
    return qi.QiError.bad_data("SOURCE_BINARY", f"{why}, no text", source="askdocs")


def _too_large(limit: int) -> qi.QiError:
    return qi.QiError.bad_data(
        "SOURCE_TOO_LARGE",
        f"it has more than {limit:,} bytes",
        hint="raise max_bytes in askdocs.toml",
        source="askdocs",
    )


def is_folder(source: str) -> bool:
    """Tell whether a source, if it can be read, gives all its documents: none else are left."""
    return source == "installed:" or os.path.isdir(source)


def _is_url(source: str) -> bool:
    return source.startswith(("http://", "https://"))


def _kind(name: str) -> str:
    return KINDS.get(Path(name.partition("?")[0]).suffix.lower(), "text")
