"""The hooks that a plugin may implement, and the two markers, without depending on pluggy.

pluggy finds a specification by the attribute `qicore_spec` and an implementation by `qicore_impl`,
each a dict of options; the markers here set the same dicts, so that a plugin marked with ours or
with `pluggy.HookimplMarker("qicore")` is the same to both. All hooks are synchronous and take one
argument, which may grow; none does I/O, none chooses a driver: names do (see `plugins`).

Source: pluggy's documentation of `parse_hookimpl_opts`; tests compare with pluggy's own markers.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Final, TypeVar

    from .events import CallEvent
    from .kinds import PluginInfo, Registry

    F = TypeVar("F", bound=Callable[..., object])

__all__ = [
    "HOOKS",
    "hookimpl",
    "hookspec",
    "qicore_health",
    "qicore_observe",
    "qicore_plugin_info",
    "qicore_register_adapters",
    "qicore_register_commands",
]


def hookspec(fn: F, /) -> F:
    """Mark a function as the specification of a hook."""
    fn.__dict__["qicore_spec"] = {
        "firstresult": False,
        "historic": False,
        "warn_on_impl": None,
        "warn_on_impl_args": None,
    }
    return fn


def hookimpl(fn: F, /) -> F:
    """Mark a function of a plugin module as the implementation of the hook of the same name.

    >>> @hookimpl
    ... def qicore_register_adapters(registry): ...
    """
    fn.__dict__["qicore_impl"] = {
        "wrapper": False,
        "hookwrapper": False,
        "optionalhook": False,
        "tryfirst": False,
        "trylast": False,
        "specname": None,
    }
    return fn


@hookspec
def qicore_plugin_info(info: PluginInfo) -> None:
    """Say what the plugin is, by setting what `PluginInfo` has: `info.summary`, `info.api`, ..."""


@hookspec
def qicore_register_adapters(registry: Registry) -> None:
    """Register what the plugin brings, by `registry.add(CACHE, "redis", open_store)`."""


@hookspec
def qicore_observe(listen: Callable[[Callable[[CallEvent], object]], Callable[[], None]]) -> None:
    """Listen to CallEvents: call `listen(listener)`."""


@hookspec
def qicore_register_commands(commands: dict[str, Callable[[list[str]], int]]) -> None:
    """Add verbs to the `qicore` command: a name, a function from arguments to exit code."""


@hookspec
def qicore_health(checks: dict[str, Callable[[], object]]) -> None:
    """Add health checks: a name, and an async function without arguments that gives a Result."""


HOOKS: Final = (
    "qicore_plugin_info",
    "qicore_register_adapters",
    "qicore_observe",
    "qicore_register_commands",
    "qicore_health",
)
