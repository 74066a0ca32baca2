"""Events kept, so that a test can say what happened to a call."""

from __future__ import annotations

from contextlib import contextmanager

from ..events import listen

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Generator

    from ..events import CallEvent

__all__ = ["recorded"]


@contextmanager
def recorded(source: str | None = None, /) -> Generator[list[CallEvent]]:
    """Keep every event of the block in a list, in order.

    Args:
        source: keep those of one source alone, such as "cache".

    >>> from qicore_core.events import CallEvent, emit
    >>> with recorded("cache") as events:
    ...     emit(CallEvent("cache", "get"))
    ...     emit(CallEvent("http", "get"))
    >>> [(event.source, event.operation) for event in events]
    [('cache', 'get')]
    """
    events: list[CallEvent] = []

    def keep(event: CallEvent) -> None:
        if source is None or event.source == source:
            events.append(event)

    stop = listen(keep)
    try:
        yield events
    finally:
        stop()
