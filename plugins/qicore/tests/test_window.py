"""The window: every public name of the core and the domains, looked up when it is used."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

import qicore
import qicore_core
from qicore_core.testing import assert_failure


def test_every_name_of_the_core_is_here_and_is_the_same() -> None:
    core = [name for name in qicore_core.__all__ if name != "__version__"]
    assert set(core) <= set(qicore.__all__)
    differing = [name for name in core if getattr(qicore, name) is not getattr(qicore_core, name)]
    assert differing == []
    assert set(qicore.__all__) <= set(dir(qicore))


def test_the_names_are_sorted_and_stand_once() -> None:
    assert qicore.__all__ == sorted(set(qicore.__all__))


def test_every_name_of_a_domain_is_here_and_is_the_same() -> None:
    for module, listed in qicore._HOMES.items():
        domain = import_module(module)
        names = set(domain.__all__) - {"__version__"}
        assert set(listed) == names
        assert [one for one in names if getattr(qicore, one) is not getattr(domain, one)] == []
        assert names <= set(qicore.__all__)


def test_every_name_of_an_extra_is_here_and_is_the_same() -> None:
    for module, listed in qicore._EXTRAS.items():
        brought = import_module(module)
        assert set(listed) == set(brought.__all__) - {"__version__"}
        assert [one for one in listed if getattr(qicore, one) is not getattr(brought, one)] == []
        assert set(listed).isdisjoint(qicore.__all__)  # or `from qicore import *` would need it


@pytest.mark.parametrize(("name", "extra"), [("serve", "uvicorn"), ("install", "fastapi")])
def test_a_name_of_an_extra_that_is_not_installed_says_what_brings_it(
    name: str, extra: str
) -> None:
    program = (
        f"import sys; sys.modules['qicore_{extra}'] = None\n"
        "from qicore import *\n"
        f"from qicore import {name}"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    last = done.stderr.splitlines()[-1]
    assert last == (
        f"ModuleNotFoundError: qicore.{name} is of qicore-{extra}: pip install 'qicore[{extra}]'"
    )


def test_an_extra_that_is_broken_is_not_dressed_as_missing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delitem(qicore.__dict__, "serve", raising=False)
    monkeypatch.delitem(sys.modules, "qicore_uvicorn", raising=False)
    monkeypatch.setitem(sys.modules, "qicore_uvicorn.door", None)
    with pytest.raises(ModuleNotFoundError, match=r"qicore_uvicorn\.door"):
        _ = qicore.serve


def test_a_name_that_is_none_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = qicore.nothing  # type: ignore[attr-defined]


def test_the_import_loads_what_the_core_loads_and_no_more() -> None:
    assert _modules_after("import qicore") - _modules_after("import qicore_core") == {"qicore"}


def _modules_after(statement: str) -> set[str]:
    program = f"import sys; {statement}; print(*sys.modules)"
    return set(subprocess.check_output([sys.executable, "-c", program], text=True).split())


@pytest.mark.parametrize("url", [5, Path("app.db"), "", qicore_core.Secret("u:pw@host")], ids=repr)
@pytest.mark.parametrize("door", ["open_cache", "open_database", "open_llm"])
def test_what_is_no_url_is_an_answer_at_every_door(door: str, url: Any) -> None:
    async def opened() -> Any:
        return await getattr(qicore, door)(url)

    error = assert_failure(asyncio.run(opened()), code="PLUGIN_NOT_FOUND")
    assert f"URL {str(url)!r} has no scheme, which names the driver" in error.message
    assert error.hint is not None
    assert error.hint.startswith("write it as ")
