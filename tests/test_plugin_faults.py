"""Whatever is wrong with a plugin: a Failure names whose it is, and everything else works.

Each case installs real distributions into a folder of their own and asks a child process.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from conftest import Site

ASK = """
import asyncio, json, sys
from qicore_core.kinds import Parts
from qicore_probe import PROBE, open_probe

async def main():
    answers = {}
    for name in sys.argv[1:]:
        opened = await open_probe(f"{name}:")
        if opened:
            answers[name] = {"code": "works", "as": opened.value.name}
            await opened.value.close()
        else:
            answers[name] = opened.error.to_dict()
    print(json.dumps(answers))

asyncio.run(main())
"""
REGISTERS = """
from qicore_core.hookspecs import hookimpl
from qicore_core.opening import Opening
from qicore_core.result import failure, success
from qicore_probe import PROBE, Probe, opens

@hookimpl
def qicore_register_adapters(registry):
    registry.add(PROBE, "bad", open_bad)

"""
FAULTS = {
    "missing SDK at import": (
        "import acme_sdk",
        "PLUGIN_LOAD_FAILED",
        "it needs the module 'acme_sdk', which is not installed",
    ),
    "missing SDK when it opens": (
        REGISTERS + "def open_bad(url, settings, parts):\n    import acme_sdk",
        "PLUGIN_LOAD_FAILED",
        "it needs the module 'acme_sdk', which is not installed",
    ),
    "SyntaxError": ("def (:", "PLUGIN_LOAD_FAILED", "importing it raised SyntaxError"),
    "SystemExit at import": (
        "raise SystemExit(3)",
        "PLUGIN_LOAD_FAILED",
        "importing it raised SystemExit",
    ),
    "exception at import": ("1 / 0", "PLUGIN_LOAD_FAILED", "importing it raised ZeroDivisionError"),
    "hook that raises": (
        REGISTERS.replace("registry.add", "1 / 0 #"),
        "PLUGIN_RAISED",
        "qicore_register_adapters raised ZeroDivisionError",
    ),
    "hook that exits": (
        REGISTERS.replace("registry.add", "raise SystemExit #"),
        "PLUGIN_RAISED",
        "qicore_register_adapters raised SystemExit",
    ),
    "name registered twice": (
        REGISTERS.replace("open_bad", "print") + "    registry.add(PROBE, 'bad', print)",
        "PLUGIN_RAISED",
        "qicore_register_adapters raised ValueError",
    ),
    "raising factory": (
        REGISTERS + "def open_bad(url, settings, parts):\n    raise KeyError('no')",
        "PLUGIN_RAISED",
        "opening it raised KeyError",
    ),
    "factory of another shape": (
        REGISTERS + "def open_bad():\n    pass",
        "PLUGIN_RAISED",
        "opening it raised TypeError",
    ),
    "factory that returns the wrong type": (
        REGISTERS + "def open_bad(url, settings, parts):\n    return Probe()",
        "PLUGIN_INVALID",
        "its factory returned Probe, not an Opening",
    ),
    "opening that raises": (
        REGISTERS + "def open_bad(url, settings, parts):\n"
        "    async def start(): raise SystemExit(4)\n"
        "    return Opening(start)",
        "PLUGIN_RAISED",
        "opening it raised SystemExit",
    ),
    "opening that gives no Result": (
        REGISTERS + "def open_bad(url, settings, parts):\n"
        "    async def start(): return Probe()\n"
        "    return Opening(start)",
        "PLUGIN_INVALID",
        "its Opening gave no Result of something with close()",
    ),
    "opening that gives what cannot be closed": (
        REGISTERS + "def open_bad(url, settings, parts):\n"
        "    async def start(): return success('a probe')\n"
        "    return Opening(start)",
        "PLUGIN_INVALID",
        "its Opening gave no Result of something with close()",
    ),
    "name not registered": (
        REGISTERS.replace('"bad"', '"bat"').replace("open_bad", "print"),
        "PLUGIN_INVALID",
        "its entry point promises probe/bad, it registers probe/bat",
    ),
    "nothing registered": ("pass", "PLUGIN_INVALID", "it registers nothing"),
    "hook without its mark": (
        REGISTERS.replace("@hookimpl", "").replace("open_bad", "print"),
        "PLUGIN_INVALID",
        "it registers nothing",
    ),
    "a Kind of its own": (
        REGISTERS.replace("open_bad", "print").replace(
            "@hookimpl",
            "from qicore_core.kinds import Kind\nPROBE = Kind('probe', print)\n@hookimpl",
        ),
        "PLUGIN_INVALID",
        "it registered probe/bad under another probe than the domain's",
    ),
    "too new, as it says itself": (
        REGISTERS.replace("open_bad", "opens('bad')")
        + "@hookimpl\ndef qicore_plugin_info(info): info.api = '>=7'",
        "PLUGIN_INCOMPATIBLE",
        "it is made for qicore-core >=7",
    ),
    "too old, as it says itself": (
        REGISTERS.replace("open_bad", "opens('bad')")
        + "@hookimpl\ndef qicore_plugin_info(info): info.api = '<0.1'",
        "PLUGIN_INCOMPATIBLE",
        "it is made for qicore-core <0.1",
    ),
    "a range that is no text": (
        REGISTERS.replace("open_bad", "opens('bad')")
        + "@hookimpl\ndef qicore_plugin_info(info): info.api = ('>=0.1', '<9')",
        "PLUGIN_INCOMPATIBLE",
        "it is made for qicore-core ('>=0.1', '<9')",
    ),
}


def _ask(site: Site, **environ: str) -> dict[str, Any]:
    answers: dict[str, Any] = site.run(ASK, "bad", "good", "still", **environ)
    return answers


def _check(answers: dict[str, Any], code: str, said: str, owner: str = "acme-bad 1.0") -> None:
    assert answers["good"] == {"code": "works", "as": "good"}
    assert answers["still"] == {"code": "works", "as": "still"}
    error = answers["bad"]
    assert error["code"] == code
    assert owner in error["message"]
    assert said in error["message"]
    assert error["category"] == "CONFIGURATION"
    assert error["source"] == "plugins"
    assert error["hint"]


@pytest.fixture
def others(site: Site) -> Site:
    """Give a folder where a domain and a good driver are installed."""
    site.install_domain()
    site.install_driver("good")
    return site


@pytest.mark.parametrize(("code", "expected", "said"), FAULTS.values(), ids=FAULTS)
def test_a_broken_plugin_is_a_failure_that_names_it(
    others: Site, code: str, expected: str, said: str
) -> None:
    others.install_driver("bad", code)
    answers = _ask(others)
    _check(answers, expected, said)
    facts = {key: answers["bad"]["context"][key] for key in ("plugin", "distribution", "version")}
    assert facts == {"plugin": "probe/bad", "distribution": "acme-bad", "version": "1.0"}


@pytest.mark.parametrize(
    ("code", "place"),
    [
        ("a = 1\ndef (:", "acme_bad/plugin.py:2"),
        ("\nraise SystemExit(3)", "acme_bad/plugin.py:2"),
        ("import acme_bad.inner", "acme_bad/inner.py:2"),
        ("import json\njson.loads('{')", "acme_bad/plugin.py:2"),
        (REGISTERS + "def open_bad(url, settings, parts): 1 / 0", "acme_bad/plugin.py:11"),
    ],
    ids=["SyntaxError", "SystemExit", "a module of its own", "another's module", "factory"],
)
def test_the_line_of_a_plugin_that_raised_is_named(others: Site, code: str, place: str) -> None:
    others.install_driver("bad", code)
    (others.folder / "acme_bad/inner.py").write_text("\nint('password=hunter2')\n", "utf-8")
    answers = _ask(others)
    _check(answers, answers["bad"]["code"], f" at {others.folder}/{place}")
    assert "hunter2" not in answers["bad"]["message"]


@pytest.mark.parametrize(
    ("requires", "said"),
    [
        (["qicore-core<0.1"], "made for qicore-core <0.1,"),
        (["redis>=5", "qicore_core[plugins] (>=9,<10) ; python_version > '3'"], ">=9,<10,"),
    ],
    ids=["too old", "too new"],
)
def test_a_plugin_for_another_core_is_not_even_imported(
    others: Site, requires: list[str], said: str
) -> None:
    others.install_driver("bad", "raise SystemExit('imported')", requires=requires)
    _check(_ask(others), "PLUGIN_INCOMPATIBLE", said)


def test_two_distributions_with_one_name_are_an_error_that_a_preference_settles(
    others: Site,
) -> None:
    others.install_driver("bad")
    others.install_driver("bad", distribution="zeta-bad", version="2.0")
    answers = _ask(others)
    _check(answers, "PLUGIN_CONFLICT", "zeta-bad 2.0")
    assert answers["bad"]["hint"].endswith("QICORE_PLUGINS_PREFER=probe/bad=acme-bad")
    for preferred in ("acme-bad", "Zeta_Bad"):
        settled = _ask(others, QICORE_PLUGINS_PREFER=f"probe/bad={preferred}")
        assert settled["bad"] == {"code": "works", "as": "bad"}
    refused = _ask(others, QICORE_PLUGINS_DISABLED="zeta-bad")
    assert refused["bad"] == {"code": "works", "as": "bad"}


@pytest.mark.parametrize(
    ("environ", "said"),
    [
        ({"QICORE_PLUGINS_DISABLED": "Acme.Bad,other"}, "denied"),
        ({"QICORE_PLUGINS": "acme-good,qicore_probe"}, "not allowed"),
    ],
    ids=["denied", "not allowed"],
)
def test_a_plugin_that_is_refused_is_not_imported(
    others: Site, environ: dict[str, str], said: str
) -> None:
    others.install_driver("bad", "raise SystemExit('imported')")
    answers = _ask(others, **environ)
    _check(answers, "PLUGIN_BLOCKED", said)
    assert next(iter(environ)) in answers["bad"]["hint"]


def test_all_can_be_denied(others: Site) -> None:
    answers = others.run(ASK, "good", "still", QICORE_PLUGINS_DISABLED="*")
    assert {answer["code"] for answer in answers.values()} == {"PLUGIN_BLOCKED"}


def test_an_empty_allowance_allows_none(others: Site) -> None:
    answers = others.run(ASK, "good", "still", QICORE_PLUGINS="")
    assert {answer["code"] for answer in answers.values()} == {"PLUGIN_BLOCKED"}


def test_a_name_that_nobody_brings_names_the_nearest(others: Site) -> None:
    answer = others.run(ASK, "godo")["godo"]
    assert answer["code"] == "PLUGIN_NOT_FOUND"
    assert answer["hint"] == "did you mean 'good'?"
    assert others.run(ASK, "STILL")["STILL"]["hint"] == "did you mean 'still'?"


@pytest.mark.parametrize(
    "code",
    [
        "raise KeyboardInterrupt",
        REGISTERS.replace("registry.add", "raise KeyboardInterrupt #"),
        REGISTERS + "def open_bad(url, settings, parts): raise KeyboardInterrupt",
    ],
    ids=["import", "hook", "factory"],
)
def test_ctrl_c_is_no_fault_of_the_plugin_and_passes(others: Site, code: str) -> None:
    others.install_driver("bad", code)
    done = others.start(ASK, "bad")
    assert done.returncode != 0
    assert done.stderr.rstrip().endswith("KeyboardInterrupt")
