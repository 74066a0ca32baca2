"""The distribution keeps the manners of a plugin, its drivers the contracts of their domains."""

from __future__ import annotations

from pathlib import Path

import pytest

from qicore_cache.conformance import CacheContract
from qicore_core import Parts
from qicore_core.conformance import PluginContract
from qicore_core.testing import FakeClock
from qicore_sql.conformance import SqlContract


class TestPlugin(PluginContract):
    distribution = "qicore-sqlite"


class TestOneReader(SqlContract):
    """The reference: durable, and with as few threads as there can be."""

    @pytest.fixture(scope="class", autouse=True)
    @staticmethod
    def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
        folder = tmp_path_factory.mktemp("sqlite")
        TestOneReader.url = f"sqlite:///{folder / 'one.db'}?readers=1"
        return folder


class TestCache(CacheContract):
    @pytest.fixture(scope="class", autouse=True)
    @classmethod
    def place(cls, tmp_path_factory: pytest.TempPathFactory) -> None:
        cls.url = f"sqlite:///{tmp_path_factory.mktemp('cache') / 'cache.db'}"


class TestCacheInMemory(CacheContract):
    """Each opening is a cache of its own, as with `memory:`; and here time is a test's."""

    max_examples = 5
    url = "sqlite://"

    def parts(self) -> Parts:
        self.clock = FakeClock()
        return Parts(clock=self.clock)

    async def wait(self, seconds: float) -> None:
        self.clock.advance(seconds)
