"""What a document says, without its markup: a title, and passages below their headings."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import PurePath
from textwrap import wrap

from .sources import Document

__all__ = ["Page", "Passage", "extract"]

LONGEST_LINE = 2000  # patterns look no further: they take too long on a hostile line
COMMENT = re.compile(r"<!--.*?(-->|\Z)", re.DOTALL)
FRONT_MATTER = re.compile(r"\A---\n.*?\n---\n", re.DOTALL)
FENCE = re.compile(r"\s*(`{3,}|~{3,})")
HEADING = re.compile(r" {0,3}#{1,6}\s+(.*)")
UNDERLINE = re.compile(r"\s*([=\-~^\"'*+#.:_])\1{2,}\s*")
MARKS = [  # of Markdown and reStructuredText, and what is left of them
    (re.compile(pattern, re.MULTILINE), left)
    for pattern, left in (
        (r"^\s*(\[[^\]\n]+\]:\s.*|\.\. .*|[|: -]{3,})$", ""),
        (r"!\[([^\]]*)\](\([^)]*\)|\[[^\]]*\])?", r"\1"),
        (r"\[([^\]]+)\](\([^)]*\)|\[[^\]]*\])", r"\1"),
        (r":\w+:`([^`<]+)[^`]*`|`([^`<]+) <[^>`]*>`_+", r"\1\2"),
        (r"</?[a-zA-Z][^<>]*>|\*\*|`", ""),
        (r"^ *(>|[-*+] )+ *", ""),
        (r"^[| ]+|[| ]+$", ""),
        (r" *\|[ |]*", " "),
        (r"(?<!\w)[*_]+(?=\w)|(?<=\w)[*_]+(?!\w)", ""),
    )
]


@dataclass(frozen=True, slots=True)
class Passage:
    heading: str
    text: str


@dataclass(frozen=True, slots=True)
class Page:
    title: str
    passages: list[Passage]


def extract(document: Document, limit: int) -> Page:
    """Read a document as passages of at most so many characters, each below its heading."""
    title = ""
    plain: Callable[[str], str] = _plain
    if document.kind == "html":
        reader = _Html()
        reader.feed(_tidy(document.text))
        reader.close()
        title, plain = "".join(reader.title), str.strip
        sections = [("".join(heading), "".join(text)) for heading, text in reader.sections]
    else:
        sections = list(_sections(document.text, is_markdown=document.kind == "markdown"))
    headed = [(_one_line(plain(heading[:LONGEST_LINE])), text) for heading, text in sections]
    cut = [(heading, plain(piece)) for heading, text in headed for piece in _pieces(text, limit)]
    names = [_one_line(title), *[heading for heading, _ in headed]]
    stem = PurePath(document.name.rstrip("/")).name
    return Page(next(filter(None, names), stem), [Passage(*one) for one in cut if one[1]])


def _sections(text: str, *, is_markdown: bool) -> Iterator[tuple[str, str]]:
    """Cut a text at its headings; what stands in a fence is code, whatever it begins with."""
    heading, lines, fence = "", [""], ""
    for line in COMMENT.sub("", FRONT_MATTER.sub("", text)).splitlines():
        start = line[:LONGEST_LINE]
        marker = FENCE.match(start) if is_markdown else None
        if marker and (not fence or marker[1].startswith(fence)):
            fence = "" if fence else marker[1]
        elif fence:
            lines.append(line)
        elif is_markdown and (found := HEADING.match(start)):
            yield heading, "\n".join(lines)
            heading, lines = found[1].rstrip("# "), [""]
        elif not UNDERLINE.fullmatch(start):
            lines.append(line)
        elif 0 < len(lines[-1].strip()) <= len(start.strip()) + 2:
            yield heading, "\n".join(lines[:-1])
            heading, lines = lines[-1], [""]
    yield heading, "\n".join(lines)


def _pieces(text: str, limit: int) -> Iterator[str]:
    """Cut a text between paragraphs, and a paragraph that is too long between words."""
    piece = ""
    for paragraph in re.split(r"\n\s*\n", text):
        paragraph = re.sub(r"[ \t\r\f\v]+", " ", paragraph).strip()
        for part in [paragraph] if len(paragraph) <= limit else wrap(paragraph, limit):
            if piece and len(piece) + len(part) + 2 > limit:
                yield piece
                piece = ""
            piece = f"{piece}\n\n{part}".strip()
    if piece:
        yield piece


def _plain(text: str) -> str:
    for pattern, left in MARKS:
        text = pattern.sub(left, text)
    return text.strip()


def _one_line(text: str) -> str:
    return " ".join(text.split())[:200]


class _Html(HTMLParser):
    """Reads sections out of HTML; what a browser does not show is not read."""

    HIDDEN = frozenset(("script", "style", "template", "noscript", "svg", "iframe", "nav"))
    INLINE = frozenset(("a", "abbr", "b", "code", "em", "i", "kbd", "small", "span", "strong"))

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.title: list[str] = []
        self.sections: list[tuple[list[str], list[str]]] = [([], [])]  # heading, text
        self._hidden: list[str] = []
        self._inside = ""  # of which heading, or the title

    def handle_starttag(self, tag: str, attrs: object) -> None:
        if tag in self.HIDDEN:
            self._hidden.append(tag)
        elif tag == "title" or re.fullmatch("h[1-6]", tag):
            self._inside = tag
            if tag != "title" and not self._hidden:
                self.sections.append(([], []))
        else:
            self._break(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag in self._hidden:
            while self._hidden.pop() != tag:
                continue
        elif tag == self._inside:
            self._inside = ""
        else:
            self._break(tag)

    def handle_data(self, data: str) -> None:
        heading, text = self.sections[-1]
        if not self._hidden:
            place = self.title if self._inside == "title" else heading if self._inside else text
            place.append(data)

    def _break(self, tag: str) -> None:
        if not self._hidden and not self._inside and tag not in self.INLINE:
            self.sections[-1][1].append("\n\n" if tag in ("p", "ul", "pre") else "\n")


def _tidy(text: str) -> str:
    """Take out of HTML what the standard parser raises on, or reads in quadratic time."""
    return re.sub(r"<(?![^<>]*>)", "&lt;", COMMENT.sub("", text)).replace("<![", "<! [")
