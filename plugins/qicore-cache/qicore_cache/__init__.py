"""qicore-cache: one cache for whatever keeps it, and `memory:`."""

from __future__ import annotations

from .cached import cached
from .client import Cache
from .codec import Codec, JsonCodec, MsgpackCodec, SignedPickleCodec
from .door import CACHE, open_cache
from .freshness import Freshness
from .settings import CacheSettings
from .stats import CacheStats
from .store import (
    MISSING,
    CacheStore,
    CountingStore,
    DefaultTtlStore,
    Entry,
    ExpiringStore,
    LockingStore,
    Missing,
    ObjectStore,
    Space,
    TrackingStore,
)
from .tiered import tiered

__version__ = "0.1.0"
__all__ = [
    "CACHE",
    "MISSING",
    "Cache",
    "CacheSettings",
    "CacheStats",
    "CacheStore",
    "Codec",
    "CountingStore",
    "DefaultTtlStore",
    "Entry",
    "ExpiringStore",
    "Freshness",
    "JsonCodec",
    "LockingStore",
    "Missing",
    "MsgpackCodec",
    "ObjectStore",
    "SignedPickleCodec",
    "Space",
    "TrackingStore",
    "__version__",
    "cached",
    "open_cache",
    "tiered",
]
