"""Our markers are pluggy's, and every hook is as the plan says."""

from __future__ import annotations

import inspect

import pytest

from qicore_core import hookspecs
from qicore_core.hookspecs import HOOKS, hookimpl, hookspec

pluggy = pytest.importorskip("pluggy", reason="extra `plugins`")


def test_the_markers_set_what_pluggys_set() -> None:
    def ours() -> None: ...
    def theirs() -> None: ...

    hookspec(hookimpl(ours))
    pluggy.HookspecMarker("qicore")(pluggy.HookimplMarker("qicore")(theirs))
    assert vars(ours) == vars(theirs)


def test_pluggy_finds_every_specification_and_nothing_else() -> None:
    made = pluggy.PluginManager("qicore")
    made.add_hookspecs(hookspecs)
    assert sorted(vars(made.hook)) == sorted(HOOKS)


@pytest.mark.parametrize("name", HOOKS)
def test_a_hook_takes_one_argument_and_says_what_it_is_for(name: str) -> None:
    hook = getattr(hookspecs, name)
    assert name in hookspecs.__all__
    assert len(inspect.signature(hook).parameters) == 1
    assert hook.__doc__
    assert hook(None) is None
