"""The nouns that plugins and core share."""

from __future__ import annotations

from typing import Any

import pytest

from qicore_core import events, kinds
from qicore_core.error import QiError
from qicore_core.kinds import (
    FORMAT,
    SCHEMA,
    SINK,
    Extension,
    Health,
    Kind,
    Parts,
    PluginInfo,
    Registry,
)
from qicore_core.plugins import PluginPolicy
from qicore_core.resilience.clock import SYSTEM_CLOCK, system_random

CACHE: Kind[Any, Any] = Kind("cache", print)  # type: ignore[arg-type]  # never opened


def test_a_kind_is_generic_and_says_its_name() -> None:
    assert repr(CACHE) == "Kind('cache')"
    assert repr(Extension("format")) == "Extension('format')"
    assert [one.name for one in (FORMAT, SCHEMA, SINK)] == ["format", "schema", "sink"]
    assert Kind[int, str].__origin__ is Kind


def test_parts_have_defaults_that_work() -> None:
    parts = Parts()
    assert (parts.clock, parts.random, parts.emit) == (SYSTEM_CLOCK, system_random, events.emit)
    assert (parts.logger, parts.plugins) == (None, None)
    policy = PluginPolicy()
    assert Parts(plugins=policy).plugins is policy


def test_parts_are_replaced_one_by_one() -> None:
    first = Parts(logger="a", random=lambda: 0.5)
    second = first.replace(logger="b")
    assert (first.logger, second.logger) == ("a", "b")
    assert all(
        getattr(first, name) is getattr(second, name)
        for name in Parts.__slots__
        if name != "logger"
    )
    with pytest.raises(TypeError, match="no_part"):
        first.replace(no_part=1)


def test_a_registry_finds_what_was_added() -> None:
    registry = Registry()
    registry.add(CACHE, "redis", print)  # type: ignore[arg-type]  # never called
    registry.add(FORMAT, "yaml", dict)
    assert registry.find("cache", "redis") == (CACHE, print)
    assert registry.find("format", "yaml") == (FORMAT, dict)
    assert registry.find("cache", "yaml") is None
    assert registry.names() == ["cache/redis", "format/yaml"]


def test_a_registry_refuses_what_cannot_work() -> None:
    registry = Registry()
    registry.add(FORMAT, "yaml", dict)
    with pytest.raises(ValueError, match="format/yaml is registered twice"):
        registry.add(FORMAT, "yaml", dict)
    with pytest.raises(ValueError, match="cache/x needs a function, got int"):
        registry.add(CACHE, "x", 5)  # type: ignore[call-overload]
    names: list[Any] = ["", None, ["x"]]
    for name in names:
        with pytest.raises(ValueError, match="format needs a name such as 'redis', got "):
            registry.add(FORMAT, name, dict)
    with pytest.raises(ValueError, match="needs a Kind such as CACHE, got str"):
        registry.add("cache", "x", print)  # type: ignore[call-overload]


def test_a_plugin_says_nothing_of_itself_at_first() -> None:
    info = PluginInfo()
    assert (info.api, info.summary, info.docs, info.settings) == ("", "", "", {})


def test_health_shows_strangers_a_code_and_no_message() -> None:
    error = QiError.network("DOWN", "redis at 10.0.0.7 does not answer")
    well, ill = Health("cache", None, 0.00123456789), Health("sql.main", error, 2.0)
    assert (well.is_well, ill.is_well) == (True, False)
    assert well.to_dict() == {"name": "cache", "status": "pass", "duration": 0.001235}
    assert ill.to_dict() == {"name": "sql.main", "status": "fail", "code": "DOWN", "duration": 2.0}
    assert (repr(well), repr(ill)) == ("Health('cache', well)", "Health('sql.main', DOWN)")


def test_the_names_are_sorted() -> None:
    assert kinds.__all__ == sorted(kinds.__all__)
