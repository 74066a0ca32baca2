"""What can be set, and what a wrong URL or setting is answered with."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from qicore_core.testing import assert_failure
from qicore_postgres import PostgresSettings
from qicore_sql import open_database


@pytest.mark.parametrize(
    ("url", "dsn"),
    [
        ("postgresql://u:p%40w@h:5/db", "postgresql://u:p%40w@h:5/db"),
        ("postgres://h", "postgresql://h"),
        ("cockroachdb://h/db?sslmode=verify-full", "postgresql://h/db?sslmode=verify-full"),
        ("postgresql://postgres:@/db?host=/run", "postgresql://postgres:@/db?host=%2Frun"),
        ("postgresql://a:1,b:2/db?max_connections=4", "postgresql://a:1,b:2/db"),
    ],
)
def test_what_is_not_ours_in_a_url_is_the_vendors(url: str, dsn: str) -> None:
    assert PostgresSettings.read(url, {}).unwrap().dsn.reveal() == dsn


def test_settings_win_over_the_url_and_show_no_password() -> None:
    url = "postgresql://u:planted@h/db?statement_cache=5&isolation=read%20committed"
    read = PostgresSettings.read(url, {"statement_cache": 0}).unwrap()
    assert (read.statement_cache, read.isolation) == (0, "read committed")
    assert "planted" not in repr(read)


@pytest.mark.parametrize(
    ("url", "settings"),
    [
        ("postgresql://h:x/db", {}),
        ("postgresql://h:0/db", {}),
        ("postgresql://[h/db", {}),
        ("postgresql://h/d\0b", {}),
        ("postgresql://h/db?max_connection=4", {}),
        ("postgresql://h/db?dsn=x", {}),
        ("postgresql://h/db", {"dsn": "x"}),
        ("postgresql://h/db", {"max_connections": 0}),
        ("postgresql://h/db", {"min_connections": 11}),
        ("postgresql://h/db", {"statement_cache": -1}),
        ("postgresql://h/db", {"pool_timeout": 0.0}),
        ("postgresql://h/db", {"connect_timeout": float("nan")}),
        ("postgresql://h/db", {"isolation": "chaos"}),
        ("postgresql://h/db", {"client_object": object()}),
    ],
)
def test_what_is_wrong_is_said(url: str, settings: dict[str, Any]) -> None:
    async def opened() -> Any:
        return await open_database(url, **settings)

    assert_failure(asyncio.run(opened()), code="DB_SETTINGS_INVALID")
