"""How the words after a verb are read: flags, options with a value, and the rest."""

from __future__ import annotations

from qicore_core import QiError, failure, success

from .codes import COMMAND_MISUSED

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from qicore_core import Result

__all__ = ["Arguments", "misused", "nearest", "read"]


class Arguments:
    """What was said after a verb.

    Attributes:
        words: what is neither flag nor option, in order.
        flags: those that were given.
        options: for each option that was given its values, in order.
    """

    __slots__ = ("flags", "options", "words")

    def __init__(self) -> None:
        self.words: list[str] = []
        self.flags: set[str] = set()
        self.options: dict[str, list[str]] = {}

    def option(self, name: str, /) -> str | None:
        """Give an option's value, the last one if it was given twice; None if it was not."""
        values = self.options.get(name)
        return values[-1] if values else None


def read(
    given: Iterable[str],
    usage: str,
    /,
    *,
    flags: Iterable[str] = (),
    options: Iterable[str] = (),
    least: int = 0,
    most: int | None = 0,
) -> Result[Arguments]:
    """Read the words after a verb; `--name value` and `--name=value` are the same.

    Args:
        given: the words.
        usage: one line, the hint of what goes wrong.
        flags: names that stand alone, "--json".
        options: names that take a value, "--env".
        least: how many other words there must be, and `most`: None is any number.

    Errors:
        COMMAND_MISUSED: a name that is none, a value that is missing, too few or too many words.
    """
    found = Arguments()
    waiting = iter(given)
    for word in waiting:
        name, equals, value = word.partition("=")
        if word == "--":
            found.words += waiting
        elif not word.startswith("-") or word == "-":
            found.words.append(word)
        elif word in flags:
            found.flags.add(word)
        elif name in options:
            after = value if equals else next(waiting, None)
            if after is None:
                return failure(misused(f"{name} needs a value", usage))
            found.options.setdefault(name, []).append(after)
        else:
            return failure(misused(f"there is no option {name}", usage))
    if len(found.words) < least:
        return failure(misused("something is missing", usage))
    if most is not None and len(found.words) > most:
        return failure(misused(f"{found.words[most]!r} is too much", usage))
    return success(found)


def misused(message: str, hint: str, /) -> QiError:
    """Make the error of a command line that cannot be read; its exit status is 64."""
    return QiError.unsupported(COMMAND_MISUSED, message, hint=hint, source="qicore")


def nearest(word: str, known: Iterable[str], /) -> str | None:
    """Give the known word nearest to one, if any is near."""
    from difflib import get_close_matches  # late: only a typo needs it

    near = get_close_matches(word, list(known), 1)
    return near[0] if near else None
