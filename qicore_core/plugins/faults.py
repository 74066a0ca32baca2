"""What can be wrong with a plugin, said so that the reader knows whose it is and what to do."""

from __future__ import annotations

from .. import codes
from ..error import QiError
from .index import Listed, index

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

    from .policy import PluginPolicy

__all__ = ["blocked", "conflict", "failed", "incompatible", "invalid", "not_found", "undecided"]

# Names that a distribution of this project brings: a Failure can then say what to install.
_OURS: Final = {
    "cache": {"memory": "qicore-cache"},
    "http": {"httpx": "qicore-httpx", "stdlib": "qicore-http"},
    "llm": {"echo": "qicore-llm"},
    "sql": {"sqlite": "qicore-sqlite"},
}


def failed(listed: Listed, where: str, exception: BaseException, /) -> QiError:
    """Say that code of a plugin raised: while imported, in a hook, in its factory or opening.

    A module that is missing is named wherever that shows, as drivers import their SDK late.
    """
    if isinstance(exception, ModuleNotFoundError):
        why = f"it needs the module {exception.name!r}, which is not installed"
        hint = f"pip install --force-reinstall {listed.distribution}"
        return _broken(codes.PLUGIN_LOAD_FAILED, listed, why, exception, hint)
    code = codes.PLUGIN_RAISED if where != "importing it" else codes.PLUGIN_LOAD_FAILED
    return _broken(code, listed, f"{where} raised {type(exception).__name__}", exception)


def invalid(listed: Listed, why: str, /) -> QiError:
    """Say that a plugin does not do what a plugin does."""
    return _broken(codes.PLUGIN_INVALID, listed, why)


def incompatible(listed: Listed, wanted: str, have: str, /) -> QiError:
    """Say that a plugin is made for another version of the core."""
    return _broken(
        codes.PLUGIN_INCOMPATIBLE,
        listed,
        f"it is made for qicore-core {wanted}, and this is {have}",
        hint=f"pip install --upgrade qicore-core {listed.distribution}",
    )


def blocked(listed: Listed, policy: PluginPolicy, /) -> QiError:
    """Say that the policy refuses a plugin, and where that is set."""
    why = policy.refusal(listed.distribution)
    variable, key = (
        ("QICORE_PLUGINS_DISABLED", "deny") if why == "denied" else ("QICORE_PLUGINS", "allow")
    )
    return QiError.configuration(
        codes.PLUGIN_BLOCKED,
        f"the plugin {listed.label} of {listed.owner} is {why} by the plugin policy",
        hint=f"change {variable}, or `{key}` of the policy that the program hands in",
        source="plugins",
        plugin=listed.label,
        distribution=listed.distribution,
        version=listed.version,
    )


def conflict(found: list[Listed], /) -> QiError:
    """Say that several distributions bring one name, and how to settle it."""
    label, owners = found[0].label, [one.owner for one in found]
    return QiError.configuration(
        codes.PLUGIN_CONFLICT,
        f"{label} is brought by several distributions: {', '.join(owners)}",
        hint="uninstall all but one, or prefer one: "
        f"QICORE_PLUGINS_PREFER={label}={found[0].distribution}",
        source="plugins",
        distributions=owners,
    )


def undecided(kind: str, names: list[str], /) -> QiError:
    """Say that several drivers are installed and none was named."""
    return QiError.configuration(
        codes.PLUGIN_UNDECIDED,
        f"no {kind} was named and several are installed: {', '.join(names)}",
        hint=f"name one: {names[0]}:",
        source="plugins",
        names=names,
    )


def not_found(kind: str, name: str, /) -> QiError:
    """Say that nothing installed brings a name (empty: any), and what would."""
    ours = _OURS.get(kind, {})
    have = sorted({one.name for one in index() if one.kind == kind})
    hint = f"install a distribution that brings it (entry point group qicore.{kind})"
    if not name:
        message = f"no {kind} plugin is installed"
        if ours:
            hint = f"install one, such as: pip install {next(iter(ours.values()))}"
    elif name in ours:
        message, hint = f"the {kind} plugin {name!r} is not installed", f"pip install {ours[name]}"
    else:
        from difflib import get_close_matches  # late: only a typo needs it

        message = f"there is no {kind} plugin {name!r}; installed: {', '.join(have) or 'none'}"
        near = get_close_matches(name, [*have, *ours], 1)
        hint = f"did you mean {near[0]!r}?" if near else hint
    return QiError.configuration(
        codes.PLUGIN_NOT_FOUND,
        message,
        hint=hint,
        source="plugins",
        kind=kind,
        name=name,
        installed=have,
    )


def _broken(
    code: str, listed: Listed, why: str, cause: BaseException | None = None, hint: str | None = None
) -> QiError:
    return QiError.configuration(
        code,
        f"the plugin {listed.label} of {listed.owner} does not work: {why}",
        cause=cause,
        hint=hint or f"upgrade or report it: pip install --upgrade {listed.distribution}",
        source="plugins",
        plugin=listed.label,
        distribution=listed.distribution,
        version=listed.version,
    )
