"""One computation for any number of callers: the first computes, the others wait for it.

Callers may be tasks of one loop or of several, in several threads. Whoever computes and is
cancelled hands over: one of those who wait computes in its place. So it is where the computation
fails with what another attempt might mend, and one who waits has more time than there was for it.
Whoever would wait for a computation that waits for itself gets a Failure instead: its own key, or
two keys crosswise.
"""

from __future__ import annotations

from asyncio import AbstractEventLoop, get_running_loop, wrap_future
from collections.abc import Awaitable, Callable
from concurrent.futures import Future
from contextvars import ContextVar
from copy import copy
from threading import Lock
from typing import Any, Final, final

from qicore_core import Deadline, Failure, QiError, Result, failure

from .errors import REENTRANT

__all__ = ["Flights", "detached"]


@final
class _Flight:
    """A computation under way.

    Attributes:
        landed: what came of it: a Result, the bug that it raised, or None where it was given up.
        had: the seconds that there were for it; None is without end.
        loop: where it runs; one that is closed will never land it.
        followers: how many wait for it.
        waits_for: the flights whose landing it waits for.
    """

    __slots__ = ("followers", "had", "landed", "loop", "waits_for")

    def __init__(self) -> None:
        self.landed: Future[Result[Any] | Exception | None] = Future()
        self.landed.set_running_or_notify_cancel()  # no follower's cancellation ends it
        self.loop: AbstractEventLoop = get_running_loop()
        self.had = Deadline.within()
        self.followers = 0
        self.waits_for: set[_Flight] = set()


_computing: Final[ContextVar[tuple[_Flight, ...]]] = ContextVar(
    "qicore_cache_computing", default=()
)


@final
class Flights:
    """The computations under way, by key."""

    __slots__ = ("_lock", "_open")

    def __init__(self) -> None:
        self._lock = Lock()
        self._open: dict[str, _Flight] = {}

    async def run(
        self,
        key: str,
        compute: Callable[[], Awaitable[Result[Any]]],
        share: Callable[[Result[Any]], Result[Any]],
        /,
    ) -> Result[Any]:
        """Compute, or wait for whoever does.

        What the computation raises is raised in every caller, each time as another exception.

        Args:
            key: what is computed.
            compute: computes it.
            share: makes of the outcome what another caller may have; called before the one who
                computed has it, and once for each other one.

        Errors:
            CACHE_REENTRANT: this very computation would wait for itself.
        """
        mine, may_compute_anew = _computing.get(), True
        while True:
            flight, is_mine = self._board(key, mine)
            if flight is None:
                return failure(_reentrant(key))
            if is_mine:
                return await self._lead(key, flight, compute, share)
            try:
                landed = await wrap_future(flight.landed)
            finally:
                for one in mine:
                    one.waits_for.discard(flight)
            if isinstance(landed, Exception):
                raise _own(landed)
            if landed is None:
                continue
            if may_compute_anew and _was_hurried(landed, flight.had):
                may_compute_anew = False  # once: callers with more and more time each would add up
                continue
            return share(landed)

    def _board(self, key: str, mine: tuple[_Flight, ...]) -> tuple[_Flight | None, bool]:
        """Give the flight to wait for, or a new one and True; None where waiting would not end."""
        with self._lock:
            flight = self._open.get(key)
            if flight is not None and not flight.loop.is_closed():
                if _leads_to(flight, mine):
                    return None, False
                flight.followers += 1
                for one in mine:
                    one.waits_for.add(flight)
                return flight, False
            own = self._open[key] = _Flight()
        if flight is not None:
            _settle(flight, None)  # it will never land: whoever waits for it looks again
        return own, True

    async def _lead(
        self,
        key: str,
        flight: _Flight,
        compute: Callable[[], Awaitable[Result[Any]]],
        share: Callable[[Result[Any]], Result[Any]],
    ) -> Result[Any]:
        landed: Result[Any] | Exception | None = None  # cancelled: hand over
        token = _computing.set((*_computing.get(), flight))
        try:
            landed = outcome = await compute()
        except Exception as bug:
            landed = _own(bug)
            raise
        finally:
            try:
                _computing.reset(token)
            except ValueError:  # ended in another context, after its loop: that one is gone
                pass
            with self._lock:
                if self._open.get(key) is flight:
                    del self._open[key]
            if flight.followers and landed is not None and not isinstance(landed, Exception):
                landed = share(landed)
            _settle(flight, landed)
        return outcome


def detached() -> None:
    """Let this task's computations be nobody's: what started it does not wait for it."""
    _computing.set(())


def _settle(flight: _Flight, landed: Result[Any] | Exception | None) -> None:
    if not flight.landed.done():
        flight.landed.set_result(landed)


def _own(bug: Exception) -> Exception:
    """Give a bug to raise where it was raised before: one for all would gather the frames of all.

    One that cannot be made again of its arguments is shared as it is.
    """
    try:
        own = copy(bug)
    except Exception:  # noqa: BLE001  # foreign code: the exception's own
        return bug
    if type(own) is not type(bug):
        return bug
    own.__cause__, own.__context__ = bug.__cause__, bug.__context__
    own.__suppress_context__ = bug.__suppress_context__
    return own.with_traceback(bug.__traceback__)


def _was_hurried(landed: Result[Any], had: float | None) -> bool:
    """Tell whether this caller, who has more time, may come to something else."""
    if had is None or not isinstance(landed, Failure) or not landed.error.retryable:
        return False
    left = Deadline.within()
    return left is None or left > had


def _leads_to(flight: _Flight, mine: tuple[_Flight, ...]) -> bool:
    """Tell whether a flight waits for one of mine, however far off."""
    todo, seen = [flight], set[_Flight]()
    while todo:
        one = todo.pop()
        if one in mine:
            return True
        if one not in seen:
            seen.add(one)
            todo += tuple(one.waits_for)
    return False


def _reentrant(key: str) -> QiError:
    return QiError.conflict(
        REENTRANT,
        f"the value of {key!r} is being computed by the one who asks for it",
        hint="let the factory compute the value without asking the cache for the same key",
        source="cache",
    )
