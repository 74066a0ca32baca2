"""What the command prints: tables and failures, marked up on a terminal and plain elsewhere."""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import Final, TextIO

    from qicore_core import QiError

__all__ = ["print_failure", "print_json", "print_table", "say"]

_BOLD: Final = "1"
_RED: Final = "31"
_GREEN: Final = "32"
_GOOD: Final = frozenset(("ready", "works", "well", "kept"))
_BAD: Final = frozenset(("broken", "missed", "ill"))


def say(text: str = "", /) -> None:
    """Print a line."""
    sys.stdout.write(f"{text}\n")


def print_json(value: object, /) -> None:
    """Print plain data as JSON."""
    import json

    say(json.dumps(value, indent=2, ensure_ascii=False))


def print_table(headings: Sequence[str], rows: Iterable[Sequence[str]], /) -> None:
    """Print rows under their headings in columns that are aligned."""
    lines = [list(headings), *map(list, rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for number, line in enumerate(lines):
        cells = [cell.ljust(width) for cell, width in zip(line, widths, strict=True)]
        painted = [
            _paint(padded, _style(number, cell), sys.stdout)
            for padded, cell in zip(cells, line, strict=True)
        ]
        say("  ".join(painted).rstrip())


def print_failure(error: QiError, /) -> int:
    """Print an error's code, message and hint to stderr; give its category's exit status."""
    lines = [f"{_paint('error:', _RED, sys.stderr)} {error}"]
    lines += [f"  {held}" for held in error.errors]
    if error.hint:
        lines.append(f"{_paint('hint:', _BOLD, sys.stderr)} {error.to_dict()['hint']}")
    sys.stderr.write("\n".join(lines) + "\n")
    return error.category.exit_code


def _style(number: int, cell: str) -> str:
    if number == 0:
        return _BOLD
    return _GREEN if cell in _GOOD else _RED if cell in _BAD else ""


def _paint(text: str, style: str, stream: TextIO) -> str:
    from os import environ

    plain = not style or not stream.isatty() or environ.get("TERM") == "dumb"
    return text if plain or "NO_COLOR" in environ else f"\x1b[{style}m{text}\x1b[0m"
