"""`qicore plugins list` and `qicore plugins doctor`."""

from __future__ import annotations

from qicore_core import Failure, QiError, plugins, success
from qicore_core.codes import PLUGIN_BLOCKED, PLUGIN_NOT_FOUND
from qicore_core.plugins import PluginPolicy

from .. import terminal
from ..usage import nearest, read

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from qicore_core import Result

__all__ = ["doctor", "list_"]


def list_(given: list[str], usage: str, /) -> Result[int]:
    """List what is installed and whether it may be imported; imports none."""
    arguments = read(given, usage, flags=("--json",))
    if not arguments:
        return arguments
    policy = PluginPolicy.from_environment()
    rows = [
        {
            "kind": listed.kind or "hooks",
            "name": listed.name,
            "distribution": listed.distribution,
            "version": listed.version,
            "state": _state(listed, policy),
        }
        for listed in plugins.index()
    ]
    if "--json" in arguments.value.flags:
        terminal.print_json(rows)
    elif rows:
        terminal.print_table(list(rows[0]), [list(row.values()) for row in rows])
    else:
        terminal.say("no plugin is installed")
    return success(0)


def doctor(given: list[str], usage: str, /) -> Result[int]:
    """Import every plugin that may be; say what is wrong and what mends it.

    Returns:
        0 where nothing is wrong, else 1.
    """
    arguments = read(given, usage, flags=("--json",))
    if not arguments:
        return arguments
    policy = PluginPolicy.from_environment()
    errors = [*_faults(policy), *_unknown_names(policy)]
    if "--json" in arguments.value.flags:
        terminal.print_json([error.to_dict() for error in errors])
        return success(1 if errors else 0)
    for error in errors:
        terminal.say(str(error))
        terminal.say(f"    mend it: {error.hint}")
    looked = f"looked at {len(plugins.index())} plugins"
    terminal.say(f"{looked}: {f'{len(errors)} wrong' if errors else 'nothing is wrong'}")
    return success(1 if errors else 0)


def _state(listed: plugins.Listed, policy: PluginPolicy) -> str:
    refusal = policy.refusal(listed.distribution)
    if refusal is not None:
        return refusal
    if listed.kind and not plugins.find(listed.kind, listed.name, policy):
        return "conflict"
    wanted = plugins.misfit(listed)
    return f"needs qicore-core {wanted}" if wanted else "ready"


def _faults(policy: PluginPolicy) -> Iterator[QiError]:
    """Load all there is; what the policy refuses is not wrong."""
    for kind, name in sorted({(one.kind, one.name) for one in plugins.index() if one.kind}):
        loaded = plugins.load(kind, name, policy)
        if isinstance(loaded, Failure) and loaded.error.code != PLUGIN_BLOCKED:
            yield loaded.error
    yield from plugins.hook_modules(policy)[1]
    made = plugins.manager(PluginPolicy(allow=()))
    if isinstance(made, Failure):
        yield made.error


def _unknown_names(policy: PluginPolicy) -> Iterator[QiError]:
    """Find names in the policy that are no distribution's: a typo there decides nothing."""
    installed = {listed.distribution for listed in plugins.index()}
    for variable, names in (
        ("QICORE_PLUGINS", policy.allow or ()),
        ("QICORE_PLUGINS_DISABLED", policy.deny - {"*"}),
        ("QICORE_PLUGINS_PREFER", policy.prefer.values()),
    ):
        for name in sorted(set(names) - installed):
            near = nearest(name, installed)
            known = (
                f"did you mean {near}?" if near else f"installed: {', '.join(sorted(installed))}"
            )
            yield QiError.configuration(
                PLUGIN_NOT_FOUND,
                f"{variable} names {name}, which has no plugin here",
                hint=f"correct {variable}; {known}",
                source="plugins",
            )
