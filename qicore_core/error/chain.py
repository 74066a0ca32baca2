"""What an error came from: the way back, and how much of it is kept."""

from __future__ import annotations

from .foreign import ForeignError, name_of, text_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import Final

    from .qi_error import QiError

__all__ = ["MAX_DEPTH", "MAX_LEVELS", "cut", "links", "shallow"]

MAX_DEPTH: Final = 10
MAX_LEVELS: Final = 32  # of causes and of aggregates' errors, one inside the other


def links(exception: BaseException, /) -> Iterator[BaseException]:
    """Walk from an exception to what it began with, each once: a circle ends where it closes."""
    from .qi_error import QiError  # late: it stands on this file

    seen: set[int] = set()
    link: BaseException | None = exception
    while link is not None and id(link) not in seen:
        seen.add(id(link))
        yield link
        link = link.cause if isinstance(link, QiError) else link.__cause__


def cut(cause: BaseException, /) -> BaseException:
    """Keep a chain ten deep: the nearest nine causes and what it all began with.

    A vendor's exception stays as it is, with what the vendor chained to it, and counts as one. Only
    where more QiErrors lie behind it and the chain is too long, a ForeignError takes its place.
    """
    from .qi_error import QiError, again  # late, as above

    chain = list(links(cause))
    ours = [at for at, link in enumerate(chain) if isinstance(link, QiError)]
    whole = chain[: ours[-1] + 2] if ours else chain[:1]
    if len(whole) <= MAX_DEPTH:
        return shallow((cause,))[0] if isinstance(cause, QiError) else cause
    kept = whole[-1]
    for link in reversed(whole[: MAX_DEPTH - 1]):
        if isinstance(link, QiError):
            kept = again(link, cause=kept)
        else:
            stand_in = ForeignError(name_of(link), text_of(link))
            stand_in.__cause__ = kept
            kept = stand_in
    return kept


def shallow(errors: tuple[QiError, ...], /) -> tuple[QiError, ...]:
    """Give errors that may lie inside another: one with too many levels in it goes without them."""
    from .qi_error import again  # late, as above

    if not _is_deep(errors):
        return errors
    return tuple([again(e, cause=None, errors=()) if _is_deep((e,)) else e for e in errors])


def _is_deep(errors: Iterable[QiError]) -> bool:
    from .qi_error import QiError  # late, as above

    level = errors
    for _ in range(MAX_LEVELS):
        inside = [one for error in level for one in (*error.errors, error.cause)]
        level = {id(one): one for one in inside if isinstance(one, QiError)}.values()
    return bool(level)
