"""`qicore explain`: what a code means and what follows from it."""

from __future__ import annotations

from qicore_core import QiError, failure, success

from .. import terminal
from ..codes import CODE_UNKNOWN
from ..meanings import meanings
from ..usage import nearest, read

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Final

    from qicore_core import ErrorCategory, Result

    from ..meanings import Meaning

__all__ = ["RETRIES", "explain"]

RETRIES: Final = {
    "never": "no",
    "backoff": "yes, after a pause that grows",
    "retry_after": "yes, after the time that the other side asks for",
    "at_once": "yes, at once, with jitter",
}


def explain(given: list[str], usage: str, /) -> Result[int]:
    """Print what a code means; without one, every code in a line.

    Errors:
        CODE_UNKNOWN: nothing that is installed gives it; the hint is the nearest.
    """
    arguments = read(given, usage, most=1)
    if not arguments:
        return arguments
    known = meanings()
    if not arguments.value.words:
        rows = [(one.code, " or ".join(one.categories), one.what) for one in known.values()]
        terminal.print_table(("code", "category", "what happened"), rows)
        return success(0)
    asked = arguments.value.words[0]
    code = asked.upper().replace("-", "_")
    if code in known:
        _print(known[code])
        return success(0)
    near = nearest(code, known)
    return failure(
        QiError.not_found(
            CODE_UNKNOWN,
            f"nothing that is installed here gives the code {asked!r}",
            hint=f"did you mean {near}?" if near else "`qicore explain` lists all codes",
            source="qicore",
        )
    )


def _print(meaning: Meaning) -> None:
    rows = [("what", meaning.what), ("to do", meaning.todo)]
    rows += [
        ("category", " or ".join(meaning.categories)),
        ("retry", _each(meaning, lambda category: RETRIES[category.retry])),
        ("HTTP", _each(meaning, lambda category: str(category.http_status))),
        ("exit", _each(meaning, lambda category: str(category.exit_code))),
        ("from", meaning.package),
    ]
    terminal.say(meaning.code)
    for name, said in rows:
        terminal.say(f"  {name:8}  {said or 'not written'}")


def _each(meaning: Meaning, fact: Callable[[ErrorCategory], str]) -> str:
    return " or ".join(dict.fromkeys(map(fact, meaning.categories)))
