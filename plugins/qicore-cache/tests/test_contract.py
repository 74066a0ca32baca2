"""`memory:` keeps the contract: with objects, and with bytes through a codec."""

from __future__ import annotations

from typing import Any

from qicore_cache import Cache, JsonCodec, open_cache
from qicore_cache.conformance import CacheContract
from qicore_core import Opening, Parts
from qicore_core.conformance import PluginContract
from qicore_core.testing import FakeClock


class _OnAFakeClock(CacheContract, abstract=True):
    url = "memory:"

    def parts(self) -> Parts:
        self.clock = FakeClock()
        return Parts(clock=self.clock)

    async def wait(self, seconds: float) -> None:
        self.clock.advance(seconds)


class TestMemory(_OnAFakeClock):
    pass


class TestMemoryOfBytes(_OnAFakeClock):
    def open_in(self, namespace: str) -> Opening[Cache[Any]]:
        return open_cache(self.url, namespace=namespace, parts=self.parts(), codec=JsonCodec())


class TestMemoryInRealTime(CacheContract):
    url = "memory:"


class TestPlugin(PluginContract):
    distribution = "qicore-cache"
