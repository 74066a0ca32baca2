"""qicore-cache: one cache for whatever keeps it, and `memory:`."""

from __future__ import annotations

from .cached import cached
from .client import Cache
from .codec import Codec, JsonCodec, SignedPickleCodec
from .door import CACHE, open_cache
from .road import CacheStats
from .store import (
    MISSING,
    CacheStore,
    CountingStore,
    Entry,
    ExpiringStore,
    Missing,
    ObjectStore,
    Space,
)

__version__ = "0.1.0"
__all__ = [
    "CACHE",
    "MISSING",
    "Cache",
    "CacheStats",
    "CacheStore",
    "Codec",
    "CountingStore",
    "Entry",
    "ExpiringStore",
    "JsonCodec",
    "Missing",
    "ObjectStore",
    "SignedPickleCodec",
    "Space",
    "__version__",
    "cached",
    "open_cache",
]
