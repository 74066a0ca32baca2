"""The door: `open_cache(url)` finds the driver of the URL's scheme and puts the client on it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any, Final

from qicore_core import Failure, Kind, Opening, Parts, Policy, Result, success
from qicore_core.config.settings import read_settings
from qicore_core.plugins import choose, open_port

from .client import Cache
from .codec import Codec
from .errors import SETTINGS_INVALID
from .settings import CacheSettings
from .store import CacheStore

__all__ = ["CACHE", "open_cache"]


def open_cache(
    url: str | None = None,
    /,
    *,
    namespace: str = "",
    default_ttl: float | None = None,
    ttl_jitter: float = 0.0,
    copy: bool = True,
    codec: Codec | None = None,
    policy: Policy | None = None,
    lock_ttl: float | None = 30.0,
    parts: Parts | None = None,
    **settings: object,
) -> Opening[Cache[Any]]:
    """Open a cache by its URL, for `async with` or `await`.

    Args:
        url: which store, by scheme: "memory:", "redis://localhost/0". None is the only driver
            installed that needs none: `memory:` where no other does.
        namespace: keeps its keys apart from others' in the same store.
        default_ttl: seconds that an entry is kept where `set` names none; None is the store's own,
            and without end where it has none.
        ttl_jitter: shortens each ttl by up to this share, so that entries do not end all at once.
        copy: in memory, copy what can change on the way in and out; False shares the objects.
        codec: how values become bytes; None is JSON, and in memory no codec at all.
        policy: how calls to the store are made; None is the plain call.
        lock_ttl: seconds for which one process computes a value while others wait for it, where the
            store has locks; None asks for none.
        parts: the clock, random and logger that the cache and its driver use.
        settings: the driver's own, as its README lists them.

    Errors:
        CACHE_SETTINGS_INVALID: settings are wrong; the message names each.
        PLUGIN_NOT_FOUND, PLUGIN_UNDECIDED, ...: there is no such driver, or there are several and
        no URL.
        what the driver fails with.
    """
    own = {
        "namespace": namespace,
        "default_ttl": default_ttl,
        "ttl_jitter": ttl_jitter,
        "copy": copy,
        "codec": codec,
        "policy": policy,
        "lock_ttl": lock_ttl,
    }
    return _opening(url, {**settings, **own}, parts or Parts())


def _opening(
    url: str | None, settings: Mapping[str, object], parts: Parts, /
) -> Opening[Cache[Any]]:
    """Take our settings out of all that are said; the rest is the driver's."""

    async def start() -> Result[Cache[Any]]:
        known = {field.name for field in fields(CacheSettings)}
        ours = {name: value for name, value in settings.items() if name in known}
        rest = {name: value for name, value in settings.items() if name not in known}
        own = read_settings(CacheSettings, ours, "cache", kind="cache", code=SETTINGS_INVALID)
        if isinstance(own, Failure):
            return own
        named = choose(CACHE.name, parts.plugins) if url is None else success(str(url))
        if isinstance(named, Failure):
            return named
        scheme = named.value.partition(":")[0]
        where = f"{scheme}:" if url is None else named.value
        store = await open_port(CACHE, scheme, where, rest, parts)
        return store.map(lambda opened: Cache(opened, own.value, parts))

    return Opening(start)


CACHE: Final[Kind[CacheStore, Cache[Any]]] = Kind("cache", _opening)
"""The kind that cache drivers register under: `registry.add(CACHE, "redis", open_store)`."""
