"""Where each key of a TOML or JSON text stands, read only when someone asks.

The parsers of the stdlib do not say. Both walkers read a text that its parser has accepted, so
they check nothing. One pass, linear in the text: the tempting way, growing a prefix until tomllib
accepts it, is quadratic.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Final

    from .key import Path

__all__ = ["json_offsets", "line_and_column", "lines", "repeated_json_key", "toml_offsets"]

# Possessive throughout: each text is read once, never tried again.
_TOML: Final = (
    r'(?s)"""(?:[^"\\]++|\\.|"(?!""))*+"""(?:"{0,2})'
    r"|'''.*?'''(?:'{0,2})"
    r'|"(?:[^"\\]++|\\.)*+"'
    r"|'[^']*+'"
    r"|#[^\n]*+|\n|[\[\]{}=,.]"
    r"|[^\s#\"'\[\]{}=,.]++"
)
_JSON: Final = r'(?s)"(?:[^"\\]++|\\.)*+"|[\[\]{}:,]|[^\s"\[\]{}:,]++'


def toml_offsets(text: str, /) -> dict[Path, int]:
    """Give the offset of every key, table and list item of a TOML text, in order."""
    return _Toml(_TOML, text).read()


def json_offsets(text: str, /) -> dict[Path, int]:
    """Give the offset of every key and list item of a JSON text, in order."""
    return _Json(_JSON, text).read()


def repeated_json_key(text: str, /) -> tuple[str, int]:
    """Give the first key that an object of a JSON text says twice, and where; there must be one."""
    walker = _Json(_JSON, text)
    walker.read()
    return walker.repeated[0]


def lines(text: str, offsets: Mapping[Path, int], /) -> dict[Path, int]:
    """Turn ascending offsets into line numbers, counted from 1."""
    out: dict[Path, int] = {}
    line, before = 1, 0
    for path, offset in offsets.items():
        line += text.count("\n", before, offset)
        before = offset
        out[path] = line
    return out


def line_and_column(text: str, offset: int, /) -> tuple[int, int]:
    """Give the line and the column of an offset, both counted from 1."""
    return text.count("\n", 0, offset) + 1, offset - text.rfind("\n", 0, offset)


class _Walker:
    """The pieces of a text, one at a time, and what was found so far; the last piece is empty."""

    __slots__ = ("found", "offset", "piece", "pieces")

    def __init__(self, pattern: str, text: str) -> None:
        from re import finditer  # late: only where something is already wrong

        self.pieces = finditer(pattern, text)
        self.found: dict[Path, int] = {}
        self.step()

    def step(self) -> str:
        """Go to the next piece and give the one that was left."""
        left = getattr(self, "piece", "")
        found = next(self.pieces, None)
        self.piece, self.offset = ("", -1) if found is None else (found[0], found.start())
        return left

    def note(self, path: Path, offset: int) -> None:
        """Remember where a path and, unless they stood before, the sections around it stand."""
        todo: list[Path] = []
        while path and path not in self.found:
            todo.append(path)
            path = path[:-1]
        self.found.update(dict.fromkeys(reversed(todo), offset))


class _Json(_Walker):
    __slots__ = ("repeated",)

    def read(self) -> dict[Path, int]:
        self.repeated: list[tuple[str, int]] = []
        self.value(())
        return self.found

    def value(self, path: Path) -> None:
        opening = self.step()
        if opening == "{":
            while self.piece != "}":
                offset, key = self.offset, _json_text(self.step())
                if (*path, key) in self.found:
                    self.repeated.append((key, offset))
                self.note((*path, key), offset)
                self.step()  # the colon
                self.value((*path, key))
                self.skip_comma()
            self.step()
        elif opening == "[":
            number = 0
            while self.piece != "]":
                self.note((*path, number), self.offset)
                self.value((*path, number))
                self.skip_comma()
                number += 1
            self.step()

    def skip_comma(self) -> None:
        if self.piece == ",":
            self.step()


class _Toml(_Walker):
    __slots__ = ()

    def step(self) -> str:
        left = super().step()
        while self.piece.startswith("#"):
            super().step()
        return left

    def read(self) -> dict[Path, int]:
        table: Path = ()
        counts: dict[Path, int] = {}  # of arrays of tables: how many tables were opened so far
        while self.piece:
            offset = self.offset
            if self.piece == "[":
                table = self.header(counts)
                self.note(table, offset)
            elif self.piece == "\n":
                self.step()
            else:
                self.pair(table)
        return self.found

    def header(self, counts: dict[Path, int]) -> Path:
        self.step()
        is_array = self.piece == "["
        if is_array:
            self.step()
        table: Path = ()
        for part in self.key("]"):
            if table in counts:
                table = (*table, counts[table] - 1)
            table = (*table, part)
        if is_array:
            self.step()
            counts[table] = counts.get(table, 0) + 1
            table = (*table, counts[table] - 1)
        return table

    def key(self, end: str) -> list[str]:
        parts: list[str] = []
        while self.piece != end:
            piece = self.step()
            if piece != ".":
                parts.append(_toml_text(piece))
        self.step()
        return parts

    def pair(self, table: Path) -> None:
        offset = self.offset
        path = (*table, *self.key("="))
        self.note(path, offset)
        self.value(path)

    def value(self, path: Path) -> None:
        if self.piece == "[":
            self.items(path)
        elif self.piece == "{":
            self.inline_table(path)
        else:
            while self.piece not in ("", "\n", ",", "]", "}"):
                self.step()

    def inline_table(self, path: Path) -> None:
        self.step()
        while self.piece != "}":
            if self.piece in ",\n":
                self.step()
            else:
                self.pair(path)
        self.step()

    def items(self, path: Path) -> None:
        number = 0
        self.step()
        while self.piece != "]":
            if self.piece == "\n":
                self.step()
            elif self.piece == ",":
                self.step()
                number += 1
            else:
                self.note((*path, number), self.offset)
                self.value((*path, number))
        self.step()


def _json_text(piece: str) -> str:
    if "\\" not in piece:
        return piece[1:-1]
    from json import loads  # late: only for a key with an escape in it

    return str(loads(piece))


def _toml_text(piece: str) -> str:
    if piece[0] == "'" or (piece[0] == '"' and "\\" not in piece):
        return piece[1:-1]
    if piece[0] != '"':
        return piece
    from tomllib import loads  # late: only for a key with an escape in it

    return str(loads(f"key = {piece}")["key"])
