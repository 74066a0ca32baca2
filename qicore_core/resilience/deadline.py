"""When a piece of work must be done: one moment that everything inside a block can see.

A deadline is ambient: a context variable carries it across `await` and into child tasks, so that
whatever is called within, however deep, waits no longer than what remains. It stops nothing by
itself; those who wait look at it.
"""

from __future__ import annotations

from contextvars import ContextVar

from .clock import SYSTEM_CLOCK
from .value import require

TYPE_CHECKING = False
if TYPE_CHECKING:
    from contextvars import Token
    from typing import Final, final

    from .clock import Clock
else:
    from ..lean import final

__all__ = ["Deadline", "current"]


class _Block:
    """Something that holds for the inside of a `with`; leaving it brings back what held before."""

    __slots__ = ("_token",)

    _token: Token[Deadline | None] | None

    def __exit__(self, *_: object) -> None:
        token, self._token = self._token, None
        assert token is not None  # noqa: S101  # __enter__ set it
        try:
            current.reset(token)
        except ValueError:
            pass  # a generator may be closed from another context, where nothing was set


@final
class Deadline(_Block):
    """A moment by which work must be done. Made by `Deadline.after(seconds)` and entered by `with`.

    Inside another one the earlier of the two holds, and `as` gives that one.

    >>> with Deadline.after(2.0):
    ...     with Deadline.after(60.0) as deadline:
    ...         deadline.remaining() <= 2.0
    True
    """

    __slots__ = ("_at", "_clock")

    def __init__(self, at: float, clock: Clock = SYSTEM_CLOCK, /) -> None:
        self._at = at
        self._clock = clock
        self._token = None

    @staticmethod
    def after(seconds: float, /, *, clock: Clock = SYSTEM_CLOCK) -> Deadline:
        """Make the deadline that many seconds from now; zero or less has passed already."""
        require(seconds == seconds, "a deadline needs a number of seconds", seconds)  # no nan
        return Deadline(clock.monotonic() + seconds, clock)

    @staticmethod
    def current() -> Deadline | None:
        """Give the deadline that holds here, or None."""
        return current.get()

    @staticmethod
    def within(timeout: float | None = None, /) -> float | None:
        """Give how long a wait may take: `timeout` or what remains here, the smaller.

        None is for ever. Drivers hand it to their client's own timeout.

        >>> with Deadline.after(1.0):
        ...     Deadline.within(0.5)
        0.5
        """
        deadline = current.get()
        if deadline is None:
            return timeout
        remaining = deadline.remaining()
        return remaining if timeout is None or remaining < timeout else timeout

    @staticmethod
    def lifted() -> _Lifted:
        """Make a block without a deadline, for work that must outlive the caller it began with.

        >>> with Deadline.after(1.0), Deadline.lifted():
        ...     Deadline.current() is None
        True
        """
        return _Lifted()

    def remaining(self) -> float:
        """Give the seconds left; 0.0 once it has passed."""
        return max(0.0, self._at - self._clock.monotonic())

    @property
    def expired(self) -> bool:
        """Whether it has passed."""
        return self._clock.monotonic() >= self._at

    def __enter__(self) -> Deadline:
        if self._token is not None:
            raise RuntimeError("a Deadline is entered once at a time: make one for each block")
        outer = current.get()
        holds = self if outer is None or self.remaining() < outer.remaining() else outer
        self._token = current.set(holds)
        return holds

    def __repr__(self) -> str:
        return f"<Deadline in {self.remaining():.3f} s>"


class _Lifted(_Block):
    """The block that `Deadline.lifted` makes."""

    __slots__ = ()

    def __enter__(self) -> None:
        self._token = current.set(None)


current: Final[ContextVar[Deadline | None]] = ContextVar("qicore_deadline", default=None)
"""The deadline that holds here. The room reads it; others ask `Deadline.current()`."""
