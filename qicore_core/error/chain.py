"""What an error came from: the way back, and how much of it is kept."""

from __future__ import annotations

from .foreign import ForeignError, name_of, text_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Final

__all__ = ["MAX_DEPTH", "cut", "links"]

MAX_DEPTH: Final = 10


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
        return cause
    kept = whole[-1]
    for link in reversed(whole[: MAX_DEPTH - 1]):
        if isinstance(link, QiError):
            kept = again(link, cause=kept)
        else:
            stand_in = ForeignError(name_of(link), text_of(link))
            stand_in.__cause__ = kept
            kept = stand_in
    return kept
