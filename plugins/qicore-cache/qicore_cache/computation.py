"""How `get_or_set` comes to a value: from the store, from whoever computes it already, or anew.

Callers of one key share one look at the store and one computation. What a look finds is given if it
is fresh; if it is not, and the caller said so, it is given all the same while one task renews it. A
computation that fails is answered by what is stale where the caller allows it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from inspect import isawaitable
from typing import TYPE_CHECKING, Any, final

from qicore_core import (
    Deadline,
    ErrorCategory,
    Failure,
    Policy,
    QiError,
    Result,
    Success,
    failure,
    success,
)
from qicore_core.events import CallEvent

from .errors import CODEC_ERROR, codec_error
from .flight import Flights
from .freshness import Freshness
from .isolate import copied
from .kept import Kept, twin
from .lease import leased
from .refresh import Refreshes
from .settings import MAX_TTL
from .store import MISSING

if TYPE_CHECKING:
    from .access import Access

__all__ = ["Computations", "Wanted"]


@final
@dataclass(slots=True)
class Wanted:
    """What a caller of `get_or_set` asked for.

    Attributes:
        stale: what was found and may be given if computing fails.
        renews: when what is to be renewed is no more fresh; None where nothing is.
    """

    key: str
    factory: Callable[[], Any]
    ttl: float | None = None
    failure_ttl: float | None = None
    freshness: Freshness | None = None
    tags: Sequence[str] = ()
    timeout: float | None = None
    policy: Policy | None = None
    stale: Kept | None = None
    renews: float | None = None


@final
class Computations:
    """The looks, computations and renewals of one opened cache."""

    __slots__ = ("_emit", "_flights", "_looks", "_refreshes")

    def __init__(self, emit: Callable[[CallEvent], object]) -> None:
        self._emit = emit
        self._flights = Flights()
        self._looks = Flights()
        self._refreshes = Refreshes()

    async def give(self, access: Access, want: Wanted, /) -> Result[Any]:
        """Give what is under a key, or compute and keep it, in the time that there is."""
        if want.timeout is None and Deadline.current() is None:
            return await self._shared(access, want)
        run, timeout = access.deadline.run, want.timeout
        given = await run(self._shared, access, want, operation="get_or_set", timeout=timeout)
        return self._rescued(want, given)

    def tell(self, what: str, error: QiError, operation: str = "get_or_set") -> None:
        """Tell those who listen that something went another way than usual."""
        self._emit(CallEvent("cache", operation, "fallback", 0.0, error, {"what": what}))

    async def close(self) -> None:
        """End what renews values in the background."""
        await self._refreshes.close()

    async def _shared(self, access: Access, want: Wanted) -> Result[Any]:
        """Look at the store, one caller at a time for each key."""
        if access.space is not None:
            return await self._looked(access, want)
        # Who takes no stale value shares no look with those who do.
        shared = want.key if want.freshness is None else f"\n{want.key}"
        return await self._looks.run(
            shared, lambda: self._looked(access, want), _sharing(access, want.key)
        )

    async def _looked(self, access: Access, want: Wanted) -> Result[Any]:
        looked = await access.look([want.key], None, want.policy)
        down, held = None, MISSING
        if isinstance(looked, Success):
            held = looked.value.get(want.key, MISSING)
        elif not _is_unreadable(looked.error):
            down = looked.error
        given = self._given(access, want, held)
        if given is not None:
            access.stats.hits += 1
            return given
        if down is None:
            access.stats.misses += 1
        return self._rescued(want, await self._fly(access, want, down))

    def _rescued(self, want: Wanted, outcome: Result[Any]) -> Result[Any]:
        """Give what is stale in place of trouble, where that is allowed."""
        if isinstance(outcome, Failure) and want.stale and _is_trouble(outcome.error):
            self.tell("given stale", outcome.error)
            return want.stale.result()
        return outcome

    def _given(self, access: Access, want: Wanted, held: Any) -> Result[Any] | None:
        """Give what was found if it may be; have it renewed if it should be."""
        if held.__class__ is not Kept:
            return None if held is MISSING else success(held)
        if held.fresh_until is None:
            return held.result()
        left, freshness = held.fresh_until - access.now(), want.freshness
        if freshness is None:
            return held.result() if left > 0.0 else None
        if left <= -freshness.stale_while:
            want.stale = held if left > -freshness.stale_if_error else None
            return None
        if left <= 0.0 or freshness.is_early(left, held.cost, access.random()):
            renewal = replace(want, renews=held.fresh_until)
            self._refreshes.start(want.key, lambda: self._renew(access, renewal))
        return held.result()

    async def _fly(self, access: Access, want: Wanted, down: QiError | None) -> Result[Any]:
        """Compute, or wait for whoever does."""

        async def fly() -> Result[Any]:
            if access.space is not None and want.renews is None:
                found = await self._found(access, want)  # someone may have kept it meanwhile
                if found is not None:
                    return found
            if down is not None:
                outcome = await self._outcome(access, want)
                self.tell("computed while the store is down", down)
                if access.near is not None and isinstance(outcome, Success):
                    access.near.put(want.key, outcome.value, None)
                return outcome
            if access.locks is None:
                return await self._computed(access, want)
            return await leased(
                access,
                access.locks,
                want,
                lambda: self._found(access, want),
                lambda: self._computed(access, want),
            )

        return await self._flights.run(want.key, fly, _sharing(access, want.key))

    async def _found(self, access: Access, want: Wanted) -> Result[Any] | None:
        """Give what someone else has kept in the meantime."""
        looked = await access.look([want.key], None, want.policy)
        held: Any = looked.value.get(want.key, MISSING) if isinstance(looked, Success) else MISSING
        if held.__class__ is not Kept:
            return None if held is MISSING else success(held)
        is_new = want.renews is None or held.fresh_until != want.renews
        return held.result() if is_new and held.is_fresh(access.now()) else None

    async def _computed(self, access: Access, want: Wanted) -> Result[Any]:
        """Compute and keep. The tags' words are asked for first, so that a removal counts."""
        words: tuple[tuple[str, str], ...] = ()
        if want.tags:
            minted = await access.tags.mint(want.tags, None, want.policy)
            if isinstance(minted, Failure):
                outcome = await self._outcome(access, want)
                self.tell("computed and not kept", minted.error)
                return outcome
            words = minted.value
        started = access.clock.monotonic()
        outcome = await self._outcome(access, want)
        cost = access.clock.monotonic() - started
        held: Any = outcome
        if isinstance(outcome, Failure):
            if want.failure_ttl is None or (want.stale and _is_trouble(outcome.error)):
                return outcome
            if outcome.error.retryable and Deadline.current() is not None:
                return outcome  # with more time it might have been a value
            held, seconds = Kept(twin(outcome), words), access.seconds(want.failure_ttl)
        else:
            held, seconds, until = outcome.value, access.seconds(want.ttl), None
            if want.freshness and isinstance(seconds, float | int):
                until = access.now() + seconds
                seconds = min(seconds + want.freshness.extra, MAX_TTL)
            if words or until is not None:
                held = Kept(held, words, until, cost)
        if isinstance(seconds, QiError):
            return failure(seconds)
        kept = await access.write({want.key: (held, seconds)}, None, want.policy)
        if isinstance(kept, Failure):
            if kept.error.code == CODEC_ERROR:
                return kept
            self.tell("computed and not kept", kept.error)
        return outcome

    async def _renew(self, access: Access, want: Wanted) -> None:
        """Compute what is stale, or soon will be; forget it where there is no more such value."""

        async def fly() -> Result[Any]:
            return await self._fly(access, want, None)

        outcome = await access.deadline.run(fly, operation="renew", timeout=want.timeout)
        if isinstance(outcome, Failure):
            self.tell("not renewed", outcome.error)
            if want.failure_ttl is None and not _is_trouble(outcome.error):
                await access.remove([want.key], want.timeout, want.policy)

    async def _outcome(self, access: Access, want: Wanted) -> Result[Any]:
        access.stats.computed += 1
        made = want.factory()
        if isawaitable(made):
            made = await made
        return made if isinstance(made, Success | Failure) else success(made)


def _is_unreadable(error: QiError) -> bool:
    """Tell whether what is kept is none of ours, or damaged: then it is made anew."""
    return error.code == CODEC_ERROR or error.category is ErrorCategory.CONFLICT


def _is_trouble(error: QiError) -> bool:
    """Tell trouble, which passes or is ours, from an answer such as: there is no such value."""
    return error.retryable or error.category.http_status >= 500


def _sharing(access: Access, key: str) -> Callable[[Result[Any]], Result[Any]]:
    """Make what gives each caller a copy of its own, of an error too."""

    def share(outcome: Result[Any]) -> Result[Any]:
        if isinstance(outcome, Failure):
            return twin(outcome)
        if not access.settings.copy:
            return outcome
        try:
            return success(copied(outcome.value))
        except Exception as exception:  # noqa: BLE001  # foreign code: the value's own
            return failure(codec_error(key, exception, "shared"))

    return share
