"""`echo:` keeps the contract, and the distribution that of plugins."""

from __future__ import annotations

from qicore_core.conformance import PluginContract
from qicore_llm.conformance import LLMContract


class TestEcho(LLMContract):
    url = "echo:"


class TestPlugin(PluginContract):
    distribution = "qicore-llm"
