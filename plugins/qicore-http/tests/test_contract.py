"""`stdlib` keeps the contract, and the distribution that of plugins."""

from __future__ import annotations

from qicore_core.conformance import PluginContract
from qicore_http.conformance import HttpContract


class TestStdlib(HttpContract):
    client = "stdlib"
    cancelled = 5_000


class TestPlugin(PluginContract):
    distribution = "qicore-http"
