"""What only some stores can do: count in place, and tell and move when an entry ends."""

from __future__ import annotations

from operator import index
from typing import TYPE_CHECKING

from qicore_core import Policy, QiError, Result, failure

from .errors import not_a_number, unsupported
from .settings import COUNTS, ttl_error
from .store import CountingStore, ExpiringStore, Missing

if TYPE_CHECKING:
    from .access import Access

__all__ = ["expire", "increment", "ttl_of"]


async def increment(
    access: Access,
    key: str,
    by: int,
    ttl: float | None,
    timeout: float | None,
    policy: Policy | None,
    /,
) -> Result[int]:
    """Add to the number under a key."""
    by = index(by)  # one that is no int is a bug
    named, seconds, store = access.named(key), access.seconds(ttl), access.store
    if isinstance(named, QiError):
        return failure(named)
    if isinstance(seconds, QiError):
        return failure(seconds)
    if by not in COUNTS:
        return failure(not_a_number(named))
    if access.space is not None:
        return access.space.increment(named, by, seconds)
    if not isinstance(store, CountingStore) or not access.packing.can_count():
        return failure(unsupported("increment"))
    args = (timeout, policy, store.increment, access.ns, named, by, seconds)
    return await access.change("increment", [named], *args, repeatable=False)


async def expire(
    access: Access,
    key: str,
    ttl: float | None,
    timeout: float | None,
    policy: Policy | None,
    /,
) -> Result[int]:
    """Set the seconds that a key has left."""
    named, store = access.named(key), access.store
    if isinstance(named, QiError):
        return failure(named)
    if error := ttl_error(ttl):
        return failure(error)
    if not isinstance(store, ExpiringStore):
        return failure(unsupported("expire"))
    args = (timeout, policy, store.expire, access.ns, named, ttl)
    return await access.change("expire", [named], *args)


async def ttl_of(
    access: Access, key: str, timeout: float | None, policy: Policy | None, /
) -> Result[float | Missing | None]:
    """Give the seconds that a key has left."""
    named, store = access.named(key), access.store
    if isinstance(named, QiError):
        return failure(named)
    if not isinstance(store, ExpiringStore):
        return failure(unsupported("ttl_of"))
    return await access.call("ttl_of", timeout, policy, store.ttl_of, access.ns, named)
