"""The distribution keeps the manners of a plugin, and its driver the contract of its domain."""

from __future__ import annotations

from pathlib import Path

import pytest

from qicore_core.conformance import PluginContract
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
