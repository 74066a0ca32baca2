"""The distribution keeps the manners of a plugin, and its driver the contract of its domain."""

from __future__ import annotations

import pytest

from qicore_core.conformance import PluginContract
from qicore_sql.conformance import SqlContract


class TestPlugin(PluginContract):
    distribution = "qicore-postgres"


class TestPostgres(SqlContract):
    @pytest.fixture(scope="class", autouse=True)
    @classmethod
    def place(cls, url: str) -> None:
        cls.url = url
