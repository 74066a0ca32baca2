"""From a name to an open port: each way in which a plugin can be broken is a Failure.

`load` imports one module and calls its two marked functions, without pluggy; `open_port` opens what
they registered. What a plugin raises, SystemExit included, what it forgets to register and what it
returns wrongly are values here; the other plugins keep working. Cancellation and Ctrl-C pass.
"""

from __future__ import annotations

import sys

from ..kinds import PluginInfo, Registry
from ..opening import Opening
from ..result import Failure, Success, failure, success
from . import faults
from .index import Listed, index, metadata_of, named
from .policy import PluginPolicy
from .version import fits, range_in

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import ModuleType
    from typing import Any, TypeVar

    from ..error import QiError
    from ..kinds import Extension, Kind, Parts
    from ..opening import Closes
    from ..result import Result

    Port = TypeVar("Port", bound=Closes)

__all__ = ["Loaded", "call_hook", "choose", "find", "hook_modules", "load", "misfit", "open_port"]


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

    def __init__(self, listed: Listed, module: ModuleType, info: PluginInfo) -> None:
        self.listed = listed
        self.module = module
        self.kind: Kind[Any, Any] | Extension[Any] | None = None
        self.factory: Any = None
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
    found = named(kind, name)
    if not found:
        return failure(faults.not_found(kind, name))
    allowed = [one for one in found if policy.refusal(one.distribution) is None]
    if not allowed:
        return failure(faults.blocked(found[0], policy))
    preferred = [one for one in allowed if one.distribution == policy.prefer.get(one.label)]
    settled = preferred or allowed
    return success(settled[0]) if len(settled) == 1 else failure(faults.conflict(settled))


def misfit(listed: Listed, /) -> str:
    """Give the range of the core that a plugin requires if this core is not in it; imports none."""
    from .. import __version__

    wanted = range_in(metadata_of(listed, "Requires-Dist"), "qicore-core")
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


def open_port(
    kind: Kind[Port, Any], name: str, url: str, settings: Mapping[str, object], parts: Parts, /
) -> Opening[Port]:
    """Load the driver of a name and open its port.

    Args:
        kind: the one that the driver must have registered under.
        name: the driver's, as its entry point has it.
        url: handed to its factory, as is `settings`.
        parts: handed to it too; `parts.plugins` says which plugins may be imported.

    Errors:
        those of `load`, and of the driver itself.
        PLUGIN_NOT_FOUND: too, where the URL has no scheme; the hint says how it is written.
        PLUGIN_RAISED: its factory, or opening, raised what it should have returned.
        PLUGIN_LOAD_FAILED: it imports an SDK when it opens, and that is missing.
        PLUGIN_INVALID: it returned what is no Opening of a port, or has a Kind of its own.
    """

    async def start() -> Result[Port]:
        if ":" not in url:
            return failure(faults.no_scheme(kind.name, url))
        loaded = load(kind.name, name, parts.plugins)
        if isinstance(loaded, Failure):
            return loaded
        listed, factory = loaded.value.listed, loaded.value.factory
        if loaded.value.kind is not kind:
            why = f"it registered {listed.label} under another {kind.name} than the domain's"
            return failure(faults.invalid(listed, why))
        try:
            opening = factory(url, settings, parts)
            if not isinstance(opening, Opening):
                why = f"its factory returned {type(opening).__name__}, not an Opening"
                return failure(faults.invalid(listed, why))
            opened: Any = await opening
        except (Exception, SystemExit) as exception:  # noqa: BLE001  # foreign code
            return failure(faults.failed(listed, "opening it", exception))
        if isinstance(opened, Failure):
            return opened
        if isinstance(opened, Success) and hasattr(opened.value, "close"):
            return opened
        why = "its Opening gave no Result of something with close()"
        return failure(faults.invalid(listed, why))

    return Opening(start)


def choose(kind: str, /, policy: PluginPolicy | None = None) -> Result[str]:
    """Give the only name of a kind that is installed; a built-in counts if nothing else does.

    What says that it needs a URL does not count: so those that are no built-ins are loaded.

    Errors:
        PLUGIN_NOT_FOUND: there is none.
        PLUGIN_BLOCKED: those that are installed may not be imported.
        PLUGIN_UNDECIDED: there are several; the error names them.
    """
    policy = policy or PluginPolicy.from_environment()
    installed = [one for one in index() if one.kind == kind]
    found = [one for one in installed if policy.refusal(one.distribution) is None]
    found = [one for one in found if one.is_builtin or not _needs_url(one)] or found
    drivers = [one for one in found if not one.is_builtin] or found
    names = sorted({one.name for one in drivers})
    if len(names) == 1:
        return success(names[0])
    if names:
        return failure(faults.undecided(kind, names))
    if installed:
        return failure(faults.blocked(installed[0], policy))
    return failure(faults.not_found(kind, ""))


def _needs_url(listed: Listed) -> bool:
    loaded = _load(listed)
    return bool(loaded.value.info.needs_url) if loaded else False


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
    loaded = Loaded(listed, module.value, info)
    for hook, argument in (("qicore_plugin_info", info), ("qicore_register_adapters", registry)):
        called = call_hook(loaded, hook, argument)
        if isinstance(called, Failure):
            return called
    if info.api and not fits(__version__, str(info.api)):  # foreign code: it may be no text
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
