"""One computation across processes, where the store has locks.

Whoever has the lock computes. The others look again and again, at growing and random intervals,
until the value is there or the lock is free; when they have waited for as long as a lock is held at
most, they compute as well. A lock spares work and guards nothing, so one that cannot be asked, or
ends too soon, costs a second computation and never the answer.
"""

from __future__ import annotations

from asyncio import CancelledError
from collections.abc import Awaitable, Callable
from secrets import token_hex
from typing import TYPE_CHECKING, Any, Final

from qicore_core import Deadline, Failure, Result

from .store import LockingStore

if TYPE_CHECKING:
    from .access import Access
    from .computation import Wanted

__all__ = ["leased"]

_FIRST_PAUSE: Final = 0.01  # seconds
_LAST_PAUSE: Final = 0.1
_UNLOCKING: Final = 1.0  # seconds: then the lock's own ttl ends it


async def leased(
    access: Access,
    store: LockingStore,
    want: Wanted,
    look: Callable[[], Awaitable[Result[Any] | None]],
    compute: Callable[[], Awaitable[Result[Any]]],
    /,
) -> Result[Any]:
    """Compute with the lock of the key, or give what its holder has computed.

    Args:
        access: the way to the store.
        store: the same store, that has locks.
        want: what is asked for.
        look: gives what someone has kept in the meantime, or None.
        compute: computes and keeps.
    """
    key, token, ttl = want.key, token_hex(8), access.settings.lock_ttl or 1.0
    give_up = access.clock.monotonic() + ttl
    pause, is_ours = _FIRST_PAUSE, True
    try:
        while True:
            is_ours = True  # as far as anybody knows, should the answer never arrive
            got = await access.call(
                "lock", None, want.policy, store.lock, access.ns, key, token, ttl, repeatable=False
            )
            if isinstance(got, Failure):
                return await compute()
            is_ours = bool(got.value)
            if is_ours:
                found = await look()  # its last holder may have kept it after our look
                return found if found is not None else await compute()
            left = give_up - access.clock.monotonic()
            if left <= 0.0:
                return await compute()
            await access.clock.sleep(min(pause * (0.5 + access.random()), left))
            pause = min(2.0 * pause, _LAST_PAUSE)
            if (found := await look()) is not None:
                return found
    finally:
        if is_ours:
            try:
                await _unlock(access, store, key, token)
            except CancelledError:  # before or after it was done: once more, as the others wait
                await _unlock(access, store, key, token)
                raise


async def _unlock(access: Access, store: LockingStore, key: str, token: str) -> None:
    """Give the lock back, also for one who is cancelled or out of time: the others wait for it."""
    try:
        with Deadline.lifted():
            async with access.clock.timeout(_UNLOCKING):
                await access.call("unlock", None, None, store.unlock, access.ns, key, token)
    except TimeoutError:
        pass
