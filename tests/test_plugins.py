"""What is installed, what may be imported, what fits: every door of the room."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qicore_core import hookspecs, plugins
from qicore_core.kinds import Parts
from qicore_core.plugins import PluginPolicy
from qicore_core.plugins.index import _text_of, metadata_of, named, normal
from qicore_core.plugins.version import fits, range_in
from qicore_core.result import success

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import Site

OBSERVER = """
from qicore_core.hookspecs import hookimpl
seen = []

@hookimpl
def qicore_observe(listen):
    listen(seen.append)

@hookimpl
def qicore_health(checks):
    checks["observer"] = print
"""


# The index: entry points are the manifest


def _labels() -> dict[str, str]:
    found = [one for one in plugins.index() if not one.distribution.startswith("qicore-")]
    return {f"{one.label}={one.module}": one.owner for one in found}


def test_the_index_lists_our_groups_and_no_others(site: Site) -> None:
    site.install(
        "Acme_Many.Things",
        "2.1rc1",
        points={
            "qicore.cache": {"x1": "acme.cache", "x2": "acme.cache2 [fast]"},
            "qicore": {"x3": "acme.hooks"},
            "console_scripts": {"x4": "acme:main"},
            "qicores": {"x5": "acme"},
        },
    )
    assert _labels() == {
        "x3=acme.hooks": "acme-many-things 2.1rc1",
        "cache/x1=acme.cache": "acme-many-things 2.1rc1",
        "cache/x2=acme.cache2": "acme-many-things 2.1rc1",
    }
    first = next(one for one in plugins.index() if one.name == "x1")
    assert repr(first) == "Listed(cache/x1 = acme.cache, acme-many-things 2.1rc1)"
    assert metadata_of(first, "name") == ["Acme_Many.Things"]


def test_the_index_reads_what_people_write(site: Site) -> None:
    info = site.install("acme-odd", points={"qicore.cache": {}})
    text = "\n# a comment\n; another\n  [qicore.cache]  \n x1=acme \nnonsense\n\n[other]\nx2 = a\n"
    (info / "entry_points.txt").write_text(text, "utf-8")
    assert _labels() == {"cache/x1=acme": "acme-odd 1.0"}


def test_what_cannot_be_read_is_passed_over(site: Site) -> None:
    info = site.install("acme-odd", points={"qicore.cache": {"x1": "acme"}})
    (info / "METADATA").unlink()
    (site.folder / "no_points-1.0.dist-info").mkdir()
    (site.folder / "~cme_left-1.0.dist-info").mkdir()
    left = site.folder / "~cme_left-1.0.dist-info" / "entry_points.txt"
    left.write_text("[qicore.cache]\nx2 = acme\n")
    assert _labels() == {"cache/x1=acme": "acme-odd 1.0"}
    assert metadata_of(plugins.index()[0], "Requires-Dist") == [] or plugins.index()
    odd = next(one for one in plugins.index() if one.name == "x1")
    assert metadata_of(odd, "Requires-Dist") == []


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no pipes in the file system")
@pytest.mark.parametrize("file", ["entry_points.txt", "METADATA"])
@pytest.mark.parametrize("what", ["pipe", "device", "folder", "nobody reads"])
def test_a_file_that_is_none_is_passed_over_at_once(site: Site, file: str, what: str) -> None:
    info = site.install("acme-odd", points={"qicore.cache": {"x1": "acme"}})
    odd = info / file
    odd.unlink()
    if what == "pipe":
        os.mkfifo(odd)
    elif what == "folder":
        odd.mkdir()
    else:
        odd.symlink_to("/dev/zero" if what == "device" else odd)
    program = (
        "import json, sys; from qicore_core import plugins; found = plugins.index(); "
        "print(json.dumps([[one.label, plugins.misfit(one)] for one in found if one.name == 'x1']))"
    )
    assert site.run(program) == ([["cache/x1", ""]] if file == "METADATA" else [])
    alone = (  # so that importlib is asked too
        "import sys, sysconfig, qicore_core.plugins; stdlib = sysconfig.get_path('stdlib'); "
        "sys.path[:] = [sys.argv[1], stdlib, f'{stdlib}/lib-dynload']; "
    )
    assert site.run(alone + program, str(site.folder)) == (
        [["cache/x1", ""]] if file == "METADATA" else []
    )


def test_no_more_of_a_file_is_read_than_there_may_be(site: Site) -> None:
    info = site.install("acme-odd", points={"qicore.cache": {"x1": "acme"}})
    with (info / "entry_points.txt").open("a") as file:
        file.write("#\n" * 1_000_000 + "x2 = acme\n")
    assert _labels() == {"cache/x1=acme": "acme-odd 1.0"}


def test_a_name_is_found_without_looking_through_all(site: Site) -> None:
    names = [f"n{number}" for number in range(20_000)]
    site.install("acme-many", points={"qicore.cache": dict.fromkeys(["n", *names], "acme")})
    site.install("acme-two", points={"qicore.cache": {"n1": "acme"}, "qicore.cachen": {"n1": "a"}})
    found = [one.distribution for one in named("cache", "n1")]
    assert (found, named("cache", "n1x"), len(named("cache", "n"))) == (
        ["acme-many", "acme-two"],
        (),
        1,
    )
    assert all(len(named("cache", name)) == 1 for name in names if name != "n1")


def test_of_two_copies_the_first_on_the_path_counts(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.install("acme-twice", "1.0", points={"qicore.cache": {"x1": "old"}})
    newer = type(site)(tmp_path / "newer")
    newer.install("acme-twice", "2.0", points={"qicore.cache": {"x1": "new"}})
    monkeypatch.syspath_prepend(newer.folder)
    assert _labels() == {"cache/x1=new": "acme-twice 2.0"}


def test_the_index_is_made_once_until_it_is_forgotten(site: Site) -> None:
    before = plugins.index()
    info = site.install("acme-late", points={"qicore.cache": {"x1": "acme"}})
    plugins.reset()
    after = plugins.index()
    assert after is plugins.index()
    assert len(after) == len(before) + 1
    (info / "entry_points.txt").unlink()
    assert plugins.index() is after


def test_importlib_is_asked_where_the_pass_finds_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive = tmp_path / "frozen.zip"
    with zipfile.ZipFile(archive, "w") as made:
        made.writestr("acme_zip-1.5.dist-info/METADATA", "Name: acme_zip\nVersion: 1.5\n\n")
        made.writestr("acme_zip-1.5.dist-info/entry_points.txt", "[qicore.cache]\nx1 = acme_zipped")
        made.writestr("other-1.0.dist-info/METADATA", "Name: other\nVersion: 1.0\n\n")
        made.writestr("acme_zipped.py", "")
        made.writestr("bad-1.0.dist-info/entry_points.txt", b"[qicore.cache]\nx2 = \xff")
    (tmp_path / "a file").write_text("")
    monkeypatch.setattr(
        sys, "path", [str(archive), str(tmp_path / "none"), str(tmp_path / "a file")]
    )
    plugins.reset()
    assert [repr(one) for one in plugins.index()] == [
        "Listed(cache/x1 = acme_zipped, acme-zip 1.5)"
    ]
    invalid = plugins.load("cache", "x1")  # imported, without a range to judge by
    plugins.reset()
    assert invalid.unwrap_error().code == "PLUGIN_INVALID"


def test_listing_imports_no_plugin_and_no_importlib_metadata(site: Site) -> None:
    site.install_domain()
    site.install_driver("good", "raise SystemExit('imported')")
    program = (
        "import sys, json; from qicore_core.plugins import index; "
        "names = [one.label for one in index() if one.kind == 'probe']; "
        "print(json.dumps([names, sorted(sys.modules)]))"
    )
    names, modules = site.run(program)
    assert names == ["probe/good", "probe/still"]
    assert {"acme_good", "qicore_probe", "qicore_probe_plugin", "pluggy"}.isdisjoint(modules)
    assert {"importlib.metadata", "asyncio", "logging", "typing"}.isdisjoint(modules)


@pytest.mark.parametrize(
    ("name", "expected"), [("A.b", "a-b"), ("a__b.-c", "a-b-c"), (" QiCore_Redis ", "qicore-redis")]
)
def test_names_are_normalised(name: str, expected: str) -> None:
    assert normal(name) == expected


# Versions


@pytest.mark.parametrize(
    ("version", "wanted", "expected"),
    [
        ("0.1.0", "", True),
        ("0.1.0", ">=0.1,<0.2", True),
        ("0.2.0", ">=0.1,<0.2", False),
        ("0.2.0rc1", ">=0.2", True),
        ("0.10.0", ">0.9", True),
        ("1.0", "==1.0.0", True),
        ("1.0.1", "!=1.0.1", False),
        ("1.0.1", "!=1.0.*", False),
        ("1.1", "!=1.0.*", True),
        ("1.4", "==1.*", True),
        ("2.0", "== 1.*", False),
        ("0.1.9", "~=0.1.3", True),
        ("0.1.2", "~=0.1.3", False),
        ("0.2.0", "~=0.1.3", False),
        ("v1.2", "<=1.2", True),
        ("1.2", "1.2", False),
        ("1.2", ">=abc", False),
        ("1.2", "===1.2", False),
        ("unknown", ">=0.1", False),
    ],
)
def test_a_version_lies_in_a_range(version: str, wanted: str, expected: bool) -> None:
    assert fits(version, wanted) is expected


@given(
    st.lists(st.integers(0, 40), min_size=1, max_size=4),
    st.lists(st.integers(0, 40), min_size=1, max_size=4),
)
def test_versions_are_ordered_as_packaging_orders_them(left: list[int], right: list[int]) -> None:
    packaging = pytest.importorskip("packaging.specifiers", reason="packaging comes with pytest")
    mine, theirs = (".".join(map(str, numbers)) for numbers in (left, right))
    for sign in (">=", "<=", "==", "!=", ">", "<"):
        assert fits(mine, sign + theirs) is packaging.SpecifierSet(sign + theirs).contains(mine)


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ([], ""),
        (["qicore-core"], ""),
        (["qicore-core>=0.1"], ">=0.1"),
        (["qicore-corerest>=9", "Qicore.Core [a,b] (>=0.1)"], ">=0.1"),
        (["qicore-core>=9 ; extra == 'x'", "qicore-core<1"], "<1"),
        (["qicore-core @ file:///wheels/qicore_core.whl"], ""),
    ],
)
def test_the_range_is_read_from_the_requirements(lines: list[str], expected: str) -> None:
    assert range_in(lines, "qicore-core") == expected


# Policy: a value


def test_a_policy_judges_by_the_name_of_the_distribution() -> None:
    policy = PluginPolicy(allow=["Good_One", "both"], deny=["both"])
    refusals = [policy.refusal(name) for name in ("good.one", "both", "other")]
    assert refusals == [None, "denied", "not allowed"]
    assert PluginPolicy(deny=["*"]).refusal("any") == "denied"
    assert PluginPolicy().refusal("any") is None
    assert repr(policy) == "PluginPolicy(allow=['both', 'good-one'], deny=['both'], prefer={})"


def test_the_environment_replaces_what_the_settings_say(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = {"allow": ["a", "b"], "deny": "c, ,d", "prefer": {"cache/x": "A_b"}}
    read = PluginPolicy.from_settings(settings).unwrap()
    assert (read.allow, read.deny) == ({"a", "b"}, {"c", "d"})
    assert read.prefer == {"cache/x": "a-b"}
    monkeypatch.setenv("QICORE_PLUGINS", "e")
    monkeypatch.setenv("QICORE_PLUGINS_PREFER", "cache/x = q, odd")
    read = PluginPolicy.from_settings(settings).unwrap()
    assert (read.allow, read.deny) == ({"e"}, {"c", "d"})
    assert read.prefer == {"cache/x": "q", "odd": ""}
    assert PluginPolicy.from_environment().deny == frozenset()


@pytest.mark.parametrize(
    "settings",
    [
        {"denied": ["a"]},
        {"deny": 5},
        {"allow": [1]},
        {"allow": None},
        {"prefer": ["a"]},
        {"prefer": {"a": 1}},
    ],
    ids=str,
)
def test_a_policy_that_cannot_be_read_is_refused(settings: dict[str, object]) -> None:
    error = PluginPolicy.from_settings(settings).unwrap_error()
    assert error.code == "PLUGIN_POLICY_INVALID"
    assert repr(next(iter(settings))) in error.message
    assert error.hint


# Finding, choosing and loading


def test_what_is_not_installed_says_what_to_install(site: Site) -> None:
    site.install_domain()
    typo = plugins.find("probe", "stil").unwrap_error()
    assert (typo.code, typo.hint) == ("PLUGIN_NOT_FOUND", "did you mean 'still'?")
    assert typo.message == "there is no probe plugin 'stil'; installed: still"
    other = plugins.find("probe", "zzz").unwrap_error()
    assert "qicore.probe" in str(other.hint)
    nothing = plugins.find("nothing", "x").unwrap_error()
    assert nothing.message == "there is no nothing plugin 'x'; installed: none"
    assert plugins.choose("nothing").unwrap_error().message == "no nothing plugin is installed"


def test_what_this_project_brings_has_its_pip_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    plugins.reset()
    named = plugins.find("cache", "memory").unwrap_error()
    unnamed = plugins.choose("cache").unwrap_error()
    near = plugins.find("cache", "memroy").unwrap_error()
    joined = plugins.find("cache", "rediss+cluster").unwrap_error()
    plugins.reset()
    assert (named.hint, unnamed.hint) == ("pip install qicore-cache", "pip install qicore-cache")
    assert near.hint == "did you mean 'memory'?"
    assert joined.hint == "pip install qicore-redis"


def test_the_only_driver_is_chosen_and_a_builtin_only_where_there_is_no_other(site: Site) -> None:
    site.install_domain()
    assert plugins.choose("probe") == success("still")
    site.install_driver("good")
    assert plugins.choose("probe") == success("good")
    site.install_driver("fine")
    undecided = plugins.choose("probe").unwrap_error()
    assert undecided.code == "PLUGIN_UNDECIDED"
    assert undecided.context["names"] == ["fine", "good"]
    assert plugins.choose("probe", PluginPolicy(deny=["acme-fine"])) == success("good")
    blocked = plugins.choose("probe", PluginPolicy(deny=["*"])).unwrap_error()
    assert blocked.code == "PLUGIN_BLOCKED"


def test_what_needs_a_url_is_not_chosen_without_one(site: Site) -> None:
    site.install_domain()
    needs = (
        "from qicore_core.hookspecs import hookimpl\n"
        "from qicore_probe import PROBE, opens\n"
        "@hookimpl\n"
        "def qicore_register_adapters(registry):\n"
        "    registry.add(PROBE, 'filed', opens('filed'))\n"
        "@hookimpl\n"
        "def qicore_plugin_info(info):\n"
        "    info.needs_url = True\n"
    )
    site.install_driver("filed", needs)
    assert plugins.choose("probe") == success("still")
    alone = PluginPolicy(allow=["acme-filed"])
    assert plugins.choose("probe", alone) == success("filed")  # there is nothing else
    site.install_driver("good")
    assert plugins.choose("probe") == success("good")


def test_a_loaded_plugin_says_what_it_is(site: Site) -> None:
    site.install_domain()
    about = (
        "from qicore_core.hookspecs import hookimpl\n"
        "from qicore_probe import PROBE, opens\n"
        "@hookimpl\n"
        "def qicore_plugin_info(info):\n"
        "    info.summary, info.api = 'goes well', '>=0.1'\n"
        "@hookimpl\n"
        "def qicore_register_adapters(registry):\n"
        "    registry.add(PROBE, 'good', opens('good'))\n"
    )
    site.install_driver("good", about)
    loaded = plugins.load("probe", "good").unwrap()
    assert (loaded.info.summary, loaded.listed.label) == ("goes well", "probe/good")
    assert loaded.kind is sys.modules["qicore_probe"].PROBE
    assert repr(loaded) == "Loaded(probe/good, acme-good 1.0)"
    assert not loaded.listed.is_builtin
    assert plugins.find("probe", "still").unwrap().is_builtin


def test_a_range_that_is_no_text_holds_no_version(site: Site) -> None:
    site.install_domain()
    about = "from qicore_core.hookspecs import hookimpl\n@hookimpl\n"
    site.install_driver("bad", f"{about}def qicore_plugin_info(info): info.api = ('>=0.1', '<9')")
    error = plugins.load("probe", "bad").unwrap_error()
    assert error.code == "PLUGIN_INCOMPATIBLE"
    assert "it is made for qicore-core ('>=0.1', '<9'), and this is" in error.message


@pytest.mark.parametrize("module", ["acme:main", "", "acme-bad", "a..b"])
def test_an_entry_point_that_names_no_module_is_invalid(site: Site, module: str) -> None:
    site.install("acme-bad", points={"qicore.probe": {"bad": module}})
    error = plugins.load("probe", "bad").unwrap_error()
    assert error.code == "PLUGIN_INVALID"
    assert repr(module) in error.message


def test_a_module_that_fails_to_be_asked_is_a_failure(site: Site) -> None:
    site.install_domain()
    site.install_driver("bad", "def __getattr__(name): raise RuntimeError(name)")
    assert plugins.load("probe", "bad").unwrap_error().code == "PLUGIN_RAISED"


@pytest.mark.parametrize(
    ("requires", "code"),
    [
        (["qicore-core>=9"], "raise SystemExit('imported')"),
        (
            [],
            (
                "from qicore_core.hookspecs import hookimpl\n"
                "@hookimpl\n"
                "def qicore_plugin_info(info): info.api = '>=9'\n"
            ),
        ),
    ],
    ids=["Requires-Dist", "PluginInfo.api"],
)
def test_a_plugin_for_another_core_is_incompatible(
    site: Site, requires: list[str], code: str
) -> None:
    site.install_driver("bad", code, requires=requires)
    error = plugins.load("probe", "bad").unwrap_error()
    assert error.code == "PLUGIN_INCOMPATIBLE"
    assert error.hint == "pip install --upgrade qicore-core acme-bad"


def test_a_conflict_is_settled_by_preference_and_never_by_luck(site: Site) -> None:
    site.install_driver("x", distribution="zeta-x")
    site.install_driver("x", distribution="acme-x")
    conflict = plugins.find("probe", "x").unwrap_error()
    assert conflict.code == "PLUGIN_CONFLICT"
    assert conflict.context["distributions"] == ["acme-x 1.0", "zeta-x 1.0"]
    for name in ("acme-x", "zeta-x"):
        preferred = plugins.find("probe", "x", PluginPolicy(prefer={"probe/x": name})).unwrap()
        assert preferred.distribution == name
    unknown = PluginPolicy(prefer={"probe/x": "another"})
    assert plugins.find("probe", "x", unknown).unwrap_error().code == "PLUGIN_CONFLICT"


# Opening a port: the parts of the fault matrix that need no child


def _open(site: Site, factory: str, **parts: Any) -> Any:
    import asyncio

    site.install_domain()
    code = (
        "from qicore_core.hookspecs import hookimpl\n"
        "from qicore_core.opening import Opening\n"
        "from qicore_core.result import failure, success\n"
        "from qicore_core.error import QiError\n"
        "from qicore_probe import PROBE, Probe, opens\n"
        "@hookimpl\n"
        f"def qicore_register_adapters(registry): registry.add(PROBE, 'it', {factory})\n"
        "async def no(): return failure(QiError.network('NO_ANSWER', 'no answer'))\n"
        "async def odd(): return 5\n"
    )
    site.install_driver("it", code)
    import qicore_probe  # type: ignore[import-not-found]  # installed a line above

    async def opened() -> Any:
        return await plugins.open_port(qicore_probe.PROBE, "it", "it:", {"a": 1}, Parts(**parts))

    return asyncio.run(opened())


def test_a_port_is_opened_with_its_settings(site: Site) -> None:
    assert _open(site, "opens('it')").unwrap().settings == {"a": 1}


def test_a_failure_of_the_driver_is_given_as_it_is(site: Site) -> None:
    assert _open(site, "lambda *_: Opening(no)").unwrap_error().code == "NO_ANSWER"


@pytest.mark.parametrize(
    ("factory", "code"),
    [
        ("lambda *_: 5", "PLUGIN_INVALID"),
        ("lambda *_: Opening(odd)", "PLUGIN_INVALID"),
        ("lambda *_: 1 / 0", "PLUGIN_RAISED"),
        ("lambda *_: __import__('acme_sdk')", "PLUGIN_LOAD_FAILED"),
    ],
    ids=["no Opening", "no Result", "raises", "no SDK"],
)
def test_a_factory_that_breaks_its_word_is_a_failure(site: Site, factory: str, code: str) -> None:
    error = _open(site, factory).unwrap_error()
    assert error.code == code
    assert error.context["distribution"] == "acme-it"
    assert error.cause is None or error.cause.__traceback__ is None


def test_the_line_that_cannot_be_read_is_named(site: Site) -> None:
    site.install_domain()
    site.install_driver("it", "a = 1\ndef (:")
    said = plugins.load("probe", "it").unwrap_error().message
    assert said.endswith(f"importing it raised SyntaxError at {site.folder}/acme_it/plugin.py:2")


def test_a_driver_of_another_kind_is_invalid(site: Site) -> None:
    import asyncio

    from qicore_core.kinds import Kind

    site.install_domain()
    stranger: Kind[Any, Any] = Kind("probe", print)  # type: ignore[arg-type]  # never opened

    async def opened() -> Any:
        return await plugins.open_port(stranger, "still", "still:", {}, Parts())

    assert asyncio.run(opened()).unwrap_error().code == "PLUGIN_INVALID"


def test_the_parts_carry_the_policy_to_every_door(site: Site) -> None:
    refused = _open(site, "opens('it')", plugins=PluginPolicy(deny=["acme-it"]))
    assert refused.unwrap_error().code == "PLUGIN_BLOCKED"


@pytest.mark.parametrize(
    ("kind", "hint"),
    [
        (
            "sql",
            "write it as sqlite:///app.db; installed: cockroachdb, postgres, postgresql, sqlite",
        ),
        ("probe", "write it as name:; installed: still"),
        ("other", "write it as name:; installed: none"),
    ],
)
def test_a_url_without_a_scheme_says_how_it_is_written(site: Site, kind: str, hint: str) -> None:
    import asyncio

    from qicore_core.kinds import Kind

    site.install_domain()
    own: Kind[Any, Any] = Kind(kind, print)  # type: ignore[arg-type]  # never opened

    async def opened() -> Any:
        return await plugins.open_port(own, "app.db", "app.db", {}, Parts())

    error = asyncio.run(opened()).unwrap_error()
    assert error.code == "PLUGIN_NOT_FOUND"
    assert error.message == f"the {kind} URL 'app.db' has no scheme, which names the driver"
    assert error.hint == hint


def test_a_setting_that_there_is_not_names_the_nearest_or_all() -> None:
    known = ["namespace", "max_bytes"]
    near = plugins.no_setting("cache", "Namespce", known, "CACHE_SETTINGS_INVALID")
    assert (near.code, near.source) == ("CACHE_SETTINGS_INVALID", "cache")
    assert near.message == "there is no cache setting 'Namespce'"
    assert near.hint == "did you mean namespace?"
    assert near.context["setting"] == "Namespce"
    far = plugins.no_setting("cache", "colour", known, "CACHE_SETTINGS_INVALID")
    assert far.hint == "there are namespace, max_bytes"
    none = plugins.no_setting("llm", "colour", (), "LLM_SETTINGS_INVALID")
    assert none.hint == "there are none"


# Plugins of hooks, and pluggy


def _install_hooks(site: Site, name: str, code: str, *points: str) -> None:
    module = f"acme_{name}"
    lines = dict.fromkeys(points or (name,), module)
    site.install(f"acme-{name}", points={"qicore": lines}, files={f"{module}.py": code})


def test_plugins_of_hooks_are_loaded_once_and_the_broken_are_named(site: Site) -> None:
    _install_hooks(site, "observer", OBSERVER, "observer", "observer_again")
    _install_hooks(site, "broken", "1 / 0")
    _install_hooks(site, "denied", "raise SystemExit")
    loaded, errors = plugins.hook_modules(PluginPolicy(deny=["acme-denied"]))
    assert [one.module.__name__ for one in loaded] == ["acme_observer"]
    assert loaded[0].listed.label == "observer"
    assert [error.context["distribution"] for error in errors] == ["acme-broken"]
    given: list[object] = []
    assert plugins.call_hook(loaded[0], "qicore_observe", given.append) == success()
    assert given == [loaded[0].module.seen.append]
    assert plugins.call_hook(loaded[0], "qicore_register_commands", {}) == success()
    raised = plugins.call_hook(loaded[0], "qicore_health", None).unwrap_error()
    assert raised.code == "PLUGIN_RAISED"


def test_the_manager_is_pluggys_and_calls_our_hooks(site: Site) -> None:
    pluggy = pytest.importorskip("pluggy", reason="extra `plugins`")
    _install_hooks(site, "observer", OBSERVER, "observer", "observer_again")
    _install_hooks(
        site,
        "theirs",
        "from pluggy import HookimplMarker\n"
        "@HookimplMarker('qicore')\n"
        "def qicore_health(checks): checks['theirs'] = print\n",
    )
    _install_hooks(
        site, "misfit", OBSERVER.replace("qicore_health(checks)", "qicore_health(chekcs)")
    )
    made = plugins.manager(PluginPolicy()).unwrap()
    assert isinstance(made, pluggy.PluginManager)
    assert {name for name, _ in made.list_name_plugin()} == {"acme_observer", "acme_theirs"}
    checks: dict[str, object] = {}
    made.hook.qicore_health(checks=checks)
    assert set(checks) == {"observer", "theirs"}
    for name in hookspecs.HOOKS:
        assert getattr(made.hook, name).spec.function is getattr(hookspecs, name)


def test_without_pluggy_the_manager_is_a_failure_with_the_pip_line() -> None:
    program = (
        "import sys; sys.modules['pluggy'] = None\n"
        "from qicore_core.plugins import manager\n"
        "error = manager().unwrap_error()\n"
        "print(error.code, error.hint)"
    )
    said = subprocess.check_output([sys.executable, "-c", program], text=True)
    assert said.strip() == "PLUGGY_MISSING pip install 'qicore-core[plugins]'"


def test_the_manager_says_that_pluggy_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pluggy", None)
    assert plugins.manager().unwrap_error().code == "PLUGGY_MISSING"


def test_a_file_is_read_up_to_a_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "METADATA").write_text("Name: endless")
    monkeypatch.setattr(sys.modules["qicore_core.plugins.index"], "_MAX_BYTES", 4)
    assert _text_of(str(tmp_path / "METADATA")) == "Name"
    assert _text_of("/dev/zero") == ""
