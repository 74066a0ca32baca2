"""From a name to a factory: each way in which a plugin can be broken is a Failure.

`load` imports one module and calls its two marked functions, without pluggy. What a plugin raises,
SystemExit included, what it forgets to register and what it returns wrongly are values here; the
other plugins keep working. Cancellation and Ctrl-C pass.
"""

from __future__ import annotations

import sys

from ..kinds import PluginInfo, Registry
from ..result import Failure, failure, success
from . import faults
from .index import Listed, index, metadata_of
from .policy import PluginPolicy
from .version import fits, range_in

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import ModuleType
    from typing import Any

    from ..error import QiError
    from ..kinds import Extension, Kind
    from ..result import Result

__all__ = ["Loaded", "call_hook", "choose", "find", "hook_modules", "load", "misfit"]


class Loaded:
    """A plugin that was imported and registered what its entry point promised.

    Attributes:
        listed: its line of the manifest.
        module: the plugin module.
        kind: the Kind or Extension it registered under; None for a plugin of hooks alone.
        factory: what it registered; None for a plugin of hooks alone.
        info: what it says of itself.
    """

    __slots__ = ("factory", "info", "kind", "listed", "module")

    def __init__(
        self,
        listed: Listed,
        module: ModuleType,
        kind: Kind[Any, Any] | Extension[Any] | None,
        factory: Any,
        info: PluginInfo,
    ) -> None:
        self.listed = listed
        self.module = module
        self.kind = kind
        self.factory = factory
        self.info = info

    def __repr__(self) -> str:
        return f"Loaded({self.listed.label}, {self.listed.owner})"


def find(kind: str, name: str, /, policy: PluginPolicy | None = None) -> Result[Listed]:
    """Find the one plugin that may be imported for a name; imports nothing.

    Errors:
        PLUGIN_NOT_FOUND: none is installed; the hint says what to install, or the nearest name.
        PLUGIN_BLOCKED: those that are installed may not be imported.
        PLUGIN_CONFLICT: two distributions bring the name and none is preferred.
    """
    policy = policy or PluginPolicy.from_environment()
    found = [one for one in index() if one.kind == kind and one.name == name]
    if not found:
        return failure(faults.not_found(kind, name))
    allowed = [one for one in found if policy.refusal(one.distribution) is None]
    if not allowed:
        return failure(faults.blocked(found[0], policy))
    settled = policy.settle(allowed)
    return success(settled[0]) if len(settled) == 1 else failure(faults.conflict(settled))


def misfit(listed: Listed, /) -> str:
    """Give the range of the core that a plugin requires if this core is not in it; imports none."""
    from .. import __version__

    wanted = range_in(metadata_of(listed, "Requires-Dist"), "qicore-core") if listed.path else ""
    return wanted if wanted and not fits(__version__, wanted) else ""


def load(kind: str, name: str, /, policy: PluginPolicy | None = None) -> Result[Loaded]:
    """Import the plugin of a name and have it register.

    Errors:
        PLUGIN_NOT_FOUND, PLUGIN_BLOCKED, PLUGIN_CONFLICT: as `find`.
        PLUGIN_INCOMPATIBLE: it is made for another version of the core.
        PLUGIN_LOAD_FAILED: importing it failed; a missing SDK is named.
        PLUGIN_RAISED: a hook of it raised.
        PLUGIN_INVALID: it did not register what its entry point promises.
    """
    listed = find(kind, name, policy)
    return _load(listed.value) if listed else listed


def choose(kind: str, /, policy: PluginPolicy | None = None) -> Result[str]:
    """Give the only name of a kind that is installed; a built-in counts if nothing else is.

    Errors:
        PLUGIN_NOT_FOUND: there is none.
        PLUGIN_BLOCKED: those that are installed may not be imported.
        PLUGIN_UNDECIDED: there are several; the error names them.
    """
    policy = policy or PluginPolicy.from_environment()
    installed = [one for one in index() if one.kind == kind]
    found = [one for one in installed if policy.refusal(one.distribution) is None]
    drivers = [one for one in found if not one.is_builtin]
    names = sorted({one.name for one in drivers or found})
    if len(names) == 1:
        return success(names[0])
    if names:
        return failure(faults.undecided(kind, names))
    if installed:
        return failure(faults.blocked(installed[0], policy))
    return failure(faults.not_found(kind, ""))


def hook_modules(policy: PluginPolicy | None = None, /) -> tuple[list[Loaded], list[QiError]]:
    """Import every plugin of hooks alone (group `qicore`), and say which could not be.

    Those that the policy refuses are left out in silence, as that was asked for.
    """
    policy = policy or PluginPolicy.from_environment()
    loaded: list[Loaded] = []
    errors: list[QiError] = []
    for listed in index():
        if listed.kind == "" and policy.refusal(listed.distribution) is None:
            result = _load(listed)
            if isinstance(result, Failure):
                errors.append(result.error)
            elif all(result.value.module is not one.module for one in loaded):
                loaded.append(result.value)
    return loaded, errors


def call_hook(loaded: Loaded, name: str, argument: object, /) -> Result[None]:
    """Call a hook of a plugin if it implements it.

    Errors:
        PLUGIN_RAISED: it raised.
    """
    try:
        fn: Any = getattr(loaded.module, name, None)
        if getattr(fn, "qicore_impl", None) is not None:
            fn(argument)
    except (Exception, SystemExit) as exception:  # noqa: BLE001  # foreign code
        return failure(faults.failed(loaded.listed, name, exception))
    return success()


def _load(listed: Listed) -> Result[Loaded]:
    from .. import __version__

    wanted = misfit(listed)
    if wanted:
        return failure(faults.incompatible(listed, wanted, __version__))
    module = _import(listed)
    if isinstance(module, Failure):
        return module
    registry, info = Registry(), PluginInfo()
    loaded = Loaded(listed, module.value, None, None, info)
    for hook, argument in (("qicore_plugin_info", info), ("qicore_register_adapters", registry)):
        called = call_hook(loaded, hook, argument)
        if isinstance(called, Failure):
            return called
    if not isinstance(info.api, str):
        why = f"the range in info.api must be text, got {type(info.api).__name__}"
        return failure(faults.invalid(listed, why))
    if info.api and not fits(__version__, info.api):
        return failure(faults.incompatible(listed, info.api, __version__))
    if listed.kind:
        found = registry.find(listed.kind, listed.name)
        if found is None:
            brought = ", ".join(registry.names()) or "nothing"
            why = f"its entry point promises {listed.label}, it registers {brought}"
            return failure(faults.invalid(listed, why))
        loaded.kind, loaded.factory = found
    return success(loaded)


def _import(listed: Listed) -> Result[ModuleType]:
    if not all(part.isidentifier() for part in listed.module.split(".")):
        why = f"its entry point must be the name of a module, got {listed.module!r}"
        return failure(faults.invalid(listed, why))
    try:
        __import__(listed.module)
        return success(sys.modules[listed.module])
    except (Exception, SystemExit) as exception:  # noqa: BLE001  # foreign code
        return failure(faults.failed(listed, "importing it", exception))
