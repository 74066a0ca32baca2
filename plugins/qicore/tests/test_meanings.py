"""Whose codes `qicore explain` knows: those of all that stands on the core."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Qicore = Callable[..., Any]


@pytest.mark.parametrize(
    "requires",
    ["qicore-core>=0.1,<1", "QiCore_Core[testing] ; python_version > '3'", "qicore.core"],
)
def test_explain_knows_a_distribution_that_stands_on_the_core_and_has_no_plugin(
    qicore: Qicore, install: Any, requires: str
) -> None:
    text = 'WET = "DUCK_WET"\n"""INTERNAL: the duck is wet.\n\nDry it."""\n'
    install("acme-pond", {}, {"acme_pond/__init__.py": "", "acme_pond/codes.py": text}, requires)
    assert "from      acme_pond\n" in qicore("explain", "DUCK_WET").out


@pytest.mark.parametrize("requires", ["qicore-core-extras", "other>=1"])
def test_explain_leaves_other_distributions_alone(
    qicore: Qicore, install: Any, requires: str
) -> None:
    install("acme-pond", {}, {"acme_pond/codes.py": 'WET = "DUCK_WET"\n'}, requires)
    assert qicore("explain", "DUCK_WET").status == 66


def test_explain_reads_on_past_what_is_broken(qicore: Qicore, install: Any, tmp_path: Path) -> None:
    install("acme-odd", {}, {"acme_odd/__init__.py": "", "acme_odd/errors.py": "A = (\n"})
    (tmp_path / "site" / "acme_gone-1.0.dist-info").mkdir()
    assert qicore("explain", "CIRCUIT_OPEN").status == 0


@pytest.mark.parametrize(
    "code", ["DB_LOCKED", "WEB_CRASHED", "SERVER_PORT_IN_USE", "LLM_QUOTA", "CACHE_TIMEOUT"]
)
def test_explain_knows_every_member(qicore: Qicore, code: str) -> None:
    status, out, _ = qicore("explain", code)
    assert status == 0
    assert "not written" not in out


def test_a_package_of_another_name_than_its_distribution_is_found(
    qicore: Qicore, install: Any
) -> None:
    files = {
        "pond/__init__.py": "",
        "pond/errors.py": 'WET = "DUCK_WET"\n',
        "acme_pond-1.0.dist-info/RECORD": "pond/__init__.py,,\npond/errors.py,sha256=0,17\n",
    }
    install("acme-pond", {}, files)
    assert "from      pond\n" in qicore("explain", "DUCK_WET").out
