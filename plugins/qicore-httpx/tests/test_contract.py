"""`httpx` keeps the contract of HTTP clients, and the distribution that of plugins."""

from __future__ import annotations

from qicore_core.conformance import PluginContract
from qicore_http.conformance import HttpContract


class TestHttpx(HttpContract):
    client = "httpx"
    cancelled = 5_000


class TestPlugin(PluginContract):
    distribution = "qicore-httpx"
