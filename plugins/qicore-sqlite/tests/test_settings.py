"""A URL and settings say where and how; what is wrong is a Failure that says what is right."""

from __future__ import annotations

from typing import Any

import pytest

from qicore_core.testing import assert_failure, assert_success
from qicore_sqlite import SqliteSettings


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("sqlite://", ":memory:"),
        ("sqlite:", ":memory:"),
        ("sqlite:///", ":memory:"),
        ("sqlite:///:memory:", ":memory:"),
        ("sqlite:///app.db", "app.db"),
        ("sqlite:////var/app.db", "/var/app.db"),
        ("sqlite:///C:/data/app.db", "C:/data/app.db"),
        ("sqlite:///a%20b%3Fc.db?readers=3", "a b?c.db"),
    ],
)
def test_a_url_names_a_file_or_none(url: str, path: str) -> None:
    assert assert_success(SqliteSettings.read(url, {})).path == path


@pytest.mark.parametrize(
    "url",
    [
        "sqlite://host/app.db",
        "sqlite:app.db",
        "sqlite:/app.db",
        "sqlite:///a%00b",
        "sqlite:///\ud800.db",
        "sqlite:///%ff.db",
    ],
)
def test_another_url_is_refused(url: str) -> None:
    error = assert_failure(SqliteSettings.read(url, {}), "DB_SETTINGS_INVALID")
    assert "sqlite:///file.db" in error.message


def test_settings_are_read_from_the_url_and_from_settings_which_win() -> None:
    query = "readers=3&durability=normal&busy_timeout=0.5&idle_timeout=1&statement_cache=0"
    read = assert_success(SqliteSettings.read(f"sqlite:///a.db?{query}", {"readers": 4}))
    assert read == SqliteSettings(
        path="a.db",
        readers=4,
        durability="normal",
        busy_timeout=0.5,
        idle_timeout=1.0,
        statement_cache=0,
    )


def test_defaults_are_safe() -> None:
    plain = SqliteSettings()
    assert (plain.readers, plain.durability, plain.busy_timeout) == (2, "full", 5.0)
    assert (plain.idle_timeout, plain.statement_cache, plain.is_in_memory) == (5.0, 256, True)


@pytest.mark.parametrize(
    "given",
    [
        {"readers": 0},
        {"readers": True},
        {"readers": "many"},
        {"readers": 10**6},
        {"readers": "9" * 5_000},
        {"durability": "off"},
        {"busy_timeout": -1},
        {"busy_timeout": "nan"},
        {"busy_timeout": None},
        {"busy_timeout": True},
        {"idle_timeout": "soon"},
        {"statement_cache": -5},
        {"synchronous": "off"},
        {"max_row": 5},
    ],
)
def test_a_setting_that_is_wrong_is_named(given: dict[str, Any]) -> None:
    [name] = given
    error = assert_failure(SqliteSettings.read("sqlite://", given), "DB_SETTINGS_INVALID")
    assert name in error.message
    assert error.source == "sql"


def test_a_name_that_is_none_has_the_nearest_of_driver_and_domain() -> None:
    for name, near in (("reader", "readers"), ("max_row", "max_rows")):
        error = assert_failure(SqliteSettings.read("sqlite://", {name: 5}), "DB_SETTINGS_INVALID")
        assert error.errors[0].hint == f"did you mean {near}?"


def test_the_path_is_said_by_the_url_alone() -> None:
    for url, given in (("sqlite://", {"path": "a.db"}), ("sqlite:///a.db?path=b.db", {})):
        error = assert_failure(SqliteSettings.read(url, given), "DB_SETTINGS_INVALID")
        assert "stands in its URL" in error.message
