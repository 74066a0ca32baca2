"""What happened to a call, told to those who listen: free until someone does.

Policies and clients emit; logging, metrics and traces listen. A place that emits asks
`is_listening()` first, so that without listeners a call pays for one truth test and no event is
made.
"""

from __future__ import annotations

from _thread import allocate_lock  # threading's Lock, without its import

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from .error import QiError

__all__ = ["CallEvent", "emit", "is_listening", "listen", "reset"]


class CallEvent:
    """One call, or one attempt of it, as a listener sees it.

    Attributes:
        source: who called: "cache", "http", a plugin's name.
        operation: what was called: "get", "query".
        phase: "call" for the whole, "attempt" for one try, or what else happened: "retry",
            "breaker", "drop".
        duration: seconds it took; 0.0 for what takes no time.
        error: what it failed with, or None.
        fields: more facts, such as `attempt=2`, `state="open"`.
    """

    __slots__ = ("duration", "error", "fields", "operation", "phase", "source")

    def __init__(
        self,
        source: str,
        operation: str,
        phase: str = "call",
        duration: float = 0.0,
        error: QiError | None = None,
        fields: Mapping[str, object] | None = None,
    ) -> None:
        self.source = source
        self.operation = operation
        self.phase = phase
        self.duration = duration
        self.error = error
        self.fields: Mapping[str, object] = fields or {}

    def __repr__(self) -> str:
        outcome = self.error.code if self.error else "ok"
        took = f"{self.duration * 1000:.1f} ms"
        return f"CallEvent({self.source}.{self.operation} {self.phase}: {outcome}, {took})"


_listeners: tuple[list[Callable[[CallEvent], object]], ...] = ()
_changing = allocate_lock()  # telling needs none: the tuple is replaced, never changed


def listen(listener: Callable[[CallEvent], object], /) -> Callable[[], None]:
    """Have every event told to a function; give a function that ends it.

    A listener is called where the event happens, in that thread or task, so it is quick and does
    not block; what it raises is dropped.

    >>> seen = []
    >>> stop = listen(seen.append)
    >>> emit(CallEvent("cache", "get"))
    >>> stop(); seen
    [CallEvent(cache.get call: ok, 0.0 ms)]
    """
    global _listeners  # one of the four that the house allows
    entry = [listener]  # an object of its own: who listens twice stops one by one
    with _changing:
        _listeners = (*_listeners, entry)

    def stop() -> None:
        global _listeners
        with _changing:
            _listeners = tuple([known for known in _listeners if known is not entry])

    return stop


def is_listening() -> bool:
    """Tell whether anyone listens."""
    return bool(_listeners)


def emit(event: CallEvent, /) -> None:
    """Tell an event to all who listen."""
    for (listener,) in _listeners:
        try:
            listener(event)
        except Exception:  # noqa: BLE001, S112  # foreign code must not fail the call it watches
            continue


def reset() -> None:
    """Forget all listeners, as tests do."""
    global _listeners
    _listeners = ()
