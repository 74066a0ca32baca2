"""What a document says, without its markup: a title, and passages below their headings."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import PurePath
from textwrap import wrap

from .sources import Document

__all__ = ["Page", "Passage", "extract"]

LONGEST_LINE = 2000  # a longer one is taken as it is: patterns take too long on a hostile one


@dataclass(frozen=True, slots=True)
class Passage:
    heading: str
    text: str


@dataclass(frozen=True, slots=True)
class Page:
    title: str
    passages: list[Passage]


def extract(document: Document, passage_characters: int) -> Page:
    """Read a document as passages of at most so many characters, each below its heading."""
    if document.kind == "html":
        reader = _Html()
        reader.feed(_tidy(document.text))
        reader.close()
        title = "".join(reader.title)
        sections = [("".join(heading), "".join(text)) for heading, text in reader.sections]
    elif document.kind == "markdown":
        title, sections = "", list(_markdown_sections(document.text))
    else:
        title, sections = "", list(_underlined_sections(document.text))
    passages = [
        Passage(_one_line(heading), piece)
        for heading, text in sections
        for piece in _pieces(text, passage_characters)
    ]
    headings = [_one_line(heading) for heading, _ in sections if heading.strip()]
    stem = PurePath(document.name.rstrip("/")).name
    title = _one_line(title) or (headings[0] if headings else "") or stem
    return Page(title, passages)


def _markdown_sections(text: str) -> Iterator[tuple[str, str]]:
    """Cut Markdown at its headings; what stands in a fence is text, whatever it begins with."""
    text = re.sub(r"\A---\n.*?\n---\n|<!--.*?(-->|\Z)", "", text, flags=re.DOTALL)
    heading, lines, fence = "", [""], ""
    for line in text.splitlines():
        marker = re.match(r" {0,3}(`{3,}|~{3,})", line)
        if len(line) > LONGEST_LINE:
            lines.append(line)
        elif marker and (not fence or line.strip().startswith(fence)):
            fence = "" if fence else marker[1]
        elif fence:
            lines.append(line)
        elif found := re.match(r" {0,3}#{1,6}\s+(.*?)\s*#*$", line):
            yield heading, "\n".join(lines)
            heading, lines = _plain(found[1]), []
        elif re.fullmatch(r" {0,3}(=+|-{3,})\s*", line) and lines and lines[-1].strip():
            yield heading, "\n".join(lines[:-1])
            heading, lines = lines[-1], []
        else:
            lines.append(_plain(line))
    yield heading, "\n".join(lines)


def _plain(line: str) -> str:
    """Take the marks of Markdown, and HTML in it, out of a line."""
    line = re.sub(r"!\[([^\]]*)\](\([^)]*\)|\[[^\]]*\])?", r"\1", line)
    line = re.sub(r"\[([^\]]+)\](\([^)]*\)|\[[^\]]*\])", r"\1", line)
    line = re.sub(r"^\s*(\[[^\]]+\]:\s.*|[|:\s-]{3,})$", "", line)
    line = re.sub(r"</?[a-zA-Z][^<>]*>", "", line)
    line = re.sub(r"^\s*(>|[-*+]\s|\|)\s*", "", line)
    line = line.replace(" | ", "  ").removesuffix("|").rstrip()
    return re.sub(r"(\*\*|__|(?<!\w)[*_](?=\w)|(?<=\w)[*_](?!\w)|`)", "", line)


def _underlined_sections(text: str) -> Iterator[tuple[str, str]]:
    """Cut plain text and reStructuredText at lines that are underlined."""
    heading, lines = "", [""]
    for line in text.splitlines():
        mark = line.strip()
        is_rule = len(mark) >= 3 and mark == mark[:1] * len(mark) and not mark[0].isalnum()
        if len(line) > LONGEST_LINE:
            lines.append(line)
        elif is_rule and lines and 0 < len(lines[-1].strip()) <= len(mark) + 2:
            yield heading, "\n".join(lines[:-1])
            heading, lines = lines[-1], []
        elif not is_rule and not mark.startswith(".. "):
            lines.append(re.sub(r":\w+:`([^`<]+)[^`]*`|``|`(.+?) <[^>]*>`_+", r"\1\2", line))
    yield heading, "\n".join(lines)


class _Html(HTMLParser):
    """Reads sections out of HTML; what a browser does not show is not read."""

    HIDDEN = frozenset(("script", "style", "template", "noscript", "svg", "iframe", "nav"))
    INLINE = frozenset(("a", "abbr", "b", "code", "em", "i", "kbd", "small", "span", "strong"))

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.title: list[str] = []
        self.sections: list[tuple[list[str], list[str]]] = [([], [])]  # heading, text
        self._hidden: list[str] = []
        self._inside = ""

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
    text = re.sub(r"<!--.*?(-->|\Z)", "", text, flags=re.DOTALL)
    return re.sub(r"<(?![^<>]*>)", "&lt;", text).replace("<![", "<! [")


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


def _one_line(text: str) -> str:
    return " ".join(text.split())[:200]
