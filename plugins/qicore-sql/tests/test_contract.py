"""SQLite keeps the contract: in a file and in memory."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import pytest

from qicore_sql.conformance import SqlContract


class TestFile(SqlContract):
    settings: ClassVar[Mapping[str, Any]] = {"durability": "normal"}


class TestMemory(SqlContract):
    url = "sqlite://"


@pytest.fixture(scope="module", autouse=True)
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("contract")
    TestFile.url = f"sqlite:///{place / 'contract.db'}"
    return place
