"""qicore-redis: Redis and Valkey behind a QiCore cache. Users open it by `open_cache("redis://")`."""

from __future__ import annotations

from .settings import RedisSettings
from .store import RedisStore

__version__ = "0.1.0"
__all__ = ["RedisSettings", "RedisStore", "__version__"]
