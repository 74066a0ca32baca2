"""A cache in this process before one outside of it: `tiered(near, far)`."""

from __future__ import annotations

from typing import Any, TypeVar

from qicore_core import Failure, Opening, Result, success

from .client import Cache
from .near import Near
from .settings import ttl_error
from .store import TrackingStore

V = TypeVar("V")

__all__ = ["tiered"]


def tiered(
    near: Cache[Any] | Opening[Cache[Any]],
    far: Cache[V] | Opening[Cache[V]],
    /,
    *,
    near_ttl: float = 10.0,
) -> Opening[Cache[V]]:
    """Open a cache of two: reads ask the near one first, writes and removals go to both.

    What this process writes it reads. What others write it reads at once where the far store tells
    of changes (`TrackingStore`), and after `near_ttl` at the latest; until then a tag that others
    removed, or an entry that ended, may still be read. While the far one is down, what is near is
    still read, and what `get_or_set` computes is kept near alone.

    Args:
        near: a cache in this process, "memory:", opened or about to be. Its namespace should be its
            own: whatever is in there is taken for what is far.
        far: the cache outside, opened or about to be; its settings hold. Closing closes both. One
            that keeps objects in this process too, as in a test, is asked alone.
        near_ttl: seconds for which something is kept near at most.

    Example:
        ```python
        async with tiered(open_cache("memory:"), open_cache("redis://localhost/0")) as cache: ...
        ```

    Errors:
        what opening either fails with.
    """
    if wrong := ttl_error(near_ttl):
        raise ValueError(f"near_ttl is wrong: {wrong.message}")

    async def start() -> Result[Cache[V]]:
        front = await near if isinstance(near, Opening) else success(near)
        if isinstance(front, Failure):
            return front
        if front.value._access.space is None or front.value._access.near is not None:
            await front.value.close()
            raise ValueError("near is a cache in this process, without a codec: memory:")
        try:
            back = await far if isinstance(far, Opening) else success(far)
        except BaseException:
            await front.value.close()
            raise
        if isinstance(back, Failure):
            await front.value.close()
            return back
        return success(await _joined(front.value, back.value, near_ttl))

    return Opening(start)


async def _joined(front: Cache[Any], back: Cache[V], near_ttl: float) -> Cache[V]:
    space, access = front._access.space, back._access
    assert space is not None  # noqa: S101  # it was looked at
    near = Near(space, near_ttl, front.close)
    if isinstance(access.store, TrackingStore):
        track = access.store.track
        answers = [
            await access.call("track", None, None, track, access.ns, near.drop),
            await access.call(
                "track", None, None, track, access.tags.ns, lambda _: near.drop(None)
            ),
        ]
        for answer in answers:
            if isinstance(answer, Failure):  # then the ttl alone bounds what is old
                access.computations.tell("not tracked", answer.error, "track")
    return Cache._on(access.behind(near))
