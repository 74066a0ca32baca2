"""qicore-redis: Redis and Valkey behind a QiCore cache, and locks, rates and outcomes beside it.

A cache is opened by `open_cache("redis://localhost/0")` of qicore-cache; `open_redis` opens what
else there is.
"""

from __future__ import annotations

from .door import Redis, open_redis
from .limit import Limit
from .lock import Lock
from .once import Turn
from .settings import RedisSettings
from .store import RedisStore

__version__ = "0.1.0"
__all__ = [
    "Limit",
    "Lock",
    "Redis",
    "RedisSettings",
    "RedisStore",
    "Turn",
    "__version__",
    "open_redis",
]
