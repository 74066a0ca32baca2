"""Where things stand in a TOML or JSON text: the parsers of the stdlib do not say.

One scanner reads both: JSON differs by the colon after a key, and by having one value for the
whole. It checks nothing, stops on every text, and takes time in proportion to it; the tempting way,
growing a prefix until the parser accepts it, is quadratic.
"""

from __future__ import annotations

from .trouble import MAX_DEPTH

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from re import Match
    from typing import Final

    from .key import Path

__all__ = ["column_of", "deep_line", "fault", "places"]

# Texts that never end are pieces, too. Possessive throughout: each is read once, never tried again.
_PIECES: Final = (
    r'(?s)"""(?:[^"\\]++|\\.|"(?!""))*+(?:"{3,5})?'
    r"|'''.*?(?:'{3,5}|\Z)"
    r'|"(?:[^"\\\n]++|\\.)*+"?'
    r"|'[^'\n]*+'?"
    r"|#[^\n]*+|\n|[\[\]{}=:,.]"
    r"|[^\s#\"'\[\]{}=:,.]++"
)
_MAX_DIGITS: Final = 4300  # of a number that Python reads, unless it is told otherwise


def places(text: str, format: str, name: str, /) -> dict[Path, str]:
    """Give the line, as "app.toml:3", of every section, key and list item of a text."""
    if format not in ("toml", "json"):
        return {}
    return {path: f"{name}:{line}" for path, line in _Scan(text, format).lines.items()}


def fault(text: str, format: str, /) -> tuple[int, str] | None:
    """Give the first thing that a parser refuses without saying where: its offset, what it is."""
    return _Scan(text, format).fault


def deep_line(text: str, /) -> int | None:
    """Give the line at which a text is nested too deep, before a parser tries.

    A key of very many parts counts: tomllib takes time by its square, 30 s for 80 kB.
    """
    if sum(map(text.count, "[{.")) <= MAX_DEPTH:
        return None
    depth = dots = 0
    for found in _pieces(text):
        piece = found[0]
        if piece == ".":
            dots += 1
        elif piece in "[]{}=:,\n":
            dots = 0
            depth += (piece in "[{") - (piece in "]}")
        if depth + dots > MAX_DEPTH:
            return column_of(text, found.start())[0]
    return None


def column_of(text: str, offset: int, /) -> tuple[int, int]:
    """Give the line and the column of an offset, both counted from 1."""
    return text.count("\n", 0, offset) + 1, offset - text.rfind("\n", 0, offset)


def _pieces(text: str) -> Iterator[Match[str]]:
    from re import finditer  # late: the parsers have loaded it, and not every program reads a file

    return finditer(_PIECES, text)


class _Scan:
    """One pass over the pieces of a text; after the last, the piece is empty."""

    __slots__ = ("counted", "fault", "format", "lines", "offset", "piece", "pieces", "text")

    def __init__(self, text: str, format: str) -> None:
        self.text = text
        self.format = format
        self.pieces = _pieces(text)
        self.lines: dict[Path, int] = {}
        self.fault: tuple[int, str] | None = None
        self.counted = (0, 1)  # an offset and its line
        self.step()
        if format == "json":
            self.value(())
        else:
            self.toml()

    def step(self) -> None:
        """Go to the next piece that is no comment."""
        self.piece = "#"
        while self.piece.startswith("#"):
            found = next(self.pieces, None)
            self.piece, self.offset = ("", -1) if found is None else (found[0], found.start())

    def toml(self) -> None:
        table: Path = ()
        last: dict[Path, int] = {}  # of arrays of tables: the number of the last table
        while self.piece:
            if self.piece == "[":
                table = self.header(last)
            elif self.piece == "\n":
                self.step()
            else:
                self.pair(table)

    def header(self, last: dict[Path, int]) -> Path:
        offset = self.offset
        self.step()
        is_array = self.piece == "["
        table: Path = ()
        for part in self.key("]"):
            table = (*table, last[table], part) if table in last else (*table, part)
        if is_array:
            self.step()
            last[table] = last.get(table, -1) + 1
            table = (*table, last[table])
        self.note(table, offset)
        return table

    def pair(self, table: Path) -> None:
        offset = self.offset
        path = (*table, *self.key("=:"))
        if path in self.lines:
            self.stop(offset, f"the key {path[-1]!r} stands here again")
        self.note(path, offset)
        self.value(path)

    def key(self, ends: str) -> list[str]:
        parts: list[str] = []
        while self.piece and self.piece not in ends:
            if self.piece not in ".[\n":
                parts.append(self.name())
            self.step()
        self.step()
        return parts

    def name(self) -> str:
        if self.piece[0] not in "\"'":
            return self.piece
        if self.piece[0] == "'" or "\\" not in self.piece:
            return self.piece[1:-1]
        if self.format == "json":
            from json import loads  # late: only for a key with an escape in it

            return str(loads(self.piece))
        from tomllib import loads as loads_toml  # late, as above

        return str(loads_toml(f"key = {self.piece}")["key"])

    def value(self, path: Path) -> None:
        while self.piece == "\n":
            self.step()
        if self.piece in ("[", "{"):
            self.inside(path, "]" if self.piece == "[" else "}")
            return
        if self.piece in ("NaN", "Infinity", "-Infinity"):
            self.stop(self.offset, f"{self.piece} is no value of JSON")
        elif len(self.piece) > _MAX_DIGITS and self.piece.lstrip("+-")[0].isdigit():
            self.stop(self.offset, "this number has too many digits")
        self.step()
        while self.piece not in ("", "\n", ",", "]", "}"):
            self.step()

    def inside(self, path: Path, end: str) -> None:
        number = 0
        self.step()
        while self.piece not in ("", end):
            if self.piece in ",\n":
                number += self.piece == ","
                self.step()
            elif end == "}":
                self.pair(path)
            else:
                self.note((*path, number), self.offset)
                self.value((*path, number))
        self.step()

    def stop(self, offset: int, reason: str) -> None:
        """Remember a fault, and read no further: nobody has read what follows."""
        self.fault = offset, reason
        self.pieces = iter(())

    def note(self, path: Path, offset: int) -> None:
        """Remember where a path and, unless they stood before, the sections around it stand."""
        before, line = self.counted
        line += self.text.count("\n", before, offset)
        self.counted = offset, line
        for end in range(1, len(path) + 1):
            self.lines.setdefault(path[:end], line)
