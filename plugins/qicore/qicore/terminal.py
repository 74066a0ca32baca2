"""What the command prints: tables and failures, marked up on a terminal and plain elsewhere.

What is printed may come from anywhere, a key of a file or the message of a server, so only what can
be read reaches the terminal as it is; escapes and controls are shown and not obeyed.
"""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import Final, TextIO

    from qicore_core import QiError

__all__ = ["print_failure", "print_json", "print_progress", "print_table", "readable", "say"]

_BOLD: Final = "1"
_RED: Final = "31"
_GREEN: Final = "32"
_GOOD: Final = frozenset(("ready", "works", "well", "kept"))
_BAD: Final = frozenset(("broken", "missed", "ill"))


def readable(text: str, /) -> str:
    r"""Give a text in one line that a terminal shows and does not obey.

    >>> readable("red: \x1b[31m, half: \ud800, é")
    'red: \\x1b[31m, half: \\ud800, é'
    """
    if text.isprintable():
        return text
    return "".join(
        [one if one.isprintable() else one.encode("unicode_escape").decode() for one in text]
    )


def say(text: str = "", /) -> None:
    """Print lines."""
    sys.stdout.write("".join([f"{readable(line)}\n" for line in text.split("\n")]))


def print_json(value: object, /) -> None:
    """Print plain data as JSON, in ASCII: that passes every terminal and every encoding."""
    import json

    sys.stdout.write(f"{json.dumps(value, indent=2)}\n")


def print_progress(text: str, /) -> None:
    """Say on stderr what is being done, so that stdout has the outcome alone."""
    sys.stderr.write(f"{readable(text)}\n")
    sys.stderr.flush()


def print_table(headings: Sequence[str], rows: Iterable[Sequence[str]], /) -> None:
    """Print rows under their headings in columns; one below the other where that is too wide."""
    lines = [list(map(readable, line)) for line in (headings, *rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    if sum(widths) + 2 * (len(widths) - 1) > _columns():
        _print_blocks(lines)
        return
    for line in lines:
        cells = [
            _paint(cell.ljust(width), _BOLD if line is lines[0] else _style(cell), sys.stdout)
            for cell, width in zip(line, widths, strict=True)
        ]
        sys.stdout.write("  ".join(cells).rstrip() + "\n")


def print_failure(error: QiError, /) -> int:
    """Print an error's code, message and hint to stderr; give its category's exit status."""
    lines = [f"{_paint('error:', _RED, sys.stderr)} {readable(str(error))}"]
    if len(error.errors) != 1 or error.errors[0].message not in error.message:
        lines += [f"  {readable(str(held))}" for held in error.errors]
    if error.hint:
        hint = readable(str(error.to_dict()["hint"]))
        lines.append(f"{_paint('hint:', _BOLD, sys.stderr)} {hint}")
    sys.stderr.write("\n".join(lines) + "\n")
    return error.category.exit_code


def _print_blocks(lines: list[list[str]]) -> None:
    headings, *rows = lines
    width = max(map(len, headings))
    for row in rows:
        for heading, cell in zip(headings, row, strict=True):
            painted = _paint(heading.ljust(width), _BOLD, sys.stdout)
            sys.stdout.write(f"{painted}  {_paint(cell, _style(cell), sys.stdout)}".rstrip() + "\n")
        sys.stdout.write("\n")


def _columns() -> float:
    """Give how wide the terminal is; without one nothing is too wide."""
    import os

    if not sys.stdout.isatty():
        return float("inf")
    said = os.environ.get("COLUMNS", "")
    if said.isdecimal() and int(said):
        return int(said)
    try:
        return os.get_terminal_size(sys.stdout.fileno()).columns or float("inf")
    except OSError:
        return float("inf")


def _style(cell: str) -> str:
    return _GREEN if cell in _GOOD else _RED if cell in _BAD else ""


def _paint(text: str, style: str, stream: TextIO) -> str:
    from os import environ

    plain = not style or not stream.isatty() or environ.get("TERM") == "dumb"
    return text if plain or environ.get("NO_COLOR") else f"\x1b[{style}m{text}\x1b[0m"
