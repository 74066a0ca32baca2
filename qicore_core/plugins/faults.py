"""What can be wrong with a plugin, said so that the reader knows whose it is and what to do."""

from __future__ import annotations

from .. import codes
from ..error import QiError
from ..secret import redact_text
from .index import Listed, index

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection
    from typing import Any, Final

    from .policy import PluginPolicy

__all__ = [
    "blocked",
    "conflict",
    "failed",
    "incompatible",
    "invalid",
    "no_scheme",
    "no_setting",
    "not_found",
    "undecided",
]

# Names that qicore-<word> brings: a Failure can then say what to install.
_OURS: Final = {
    "cache": {"memory": "cache", "redis": "redis", "rediss": "redis", "sqlite": "sqlite"},
    "http": {"aiohttp": "aiohttp", "httpx": "httpx", "stdlib": "http"},
    "llm": {"echo": "llm"},
    "sql": {"sqlite": "sqlite"},
}
_URLS: Final = {"cache": "memory:", "llm": "echo:", "sql": "sqlite:///app.db"}


def failed(listed: Listed, where: str, exception: BaseException, /) -> QiError:
    """Say that code of a plugin raised: while imported, in a hook, in its factory or opening.

    A module that is missing is named wherever that shows, as drivers import their SDK late; else
    the line of the plugin that raised.
    """
    if isinstance(exception, ModuleNotFoundError):
        why = f"it needs the module {exception.name!r}, which is not installed"
        hint = f"pip install --force-reinstall {listed.distribution}"
        return _broken(codes.PLUGIN_LOAD_FAILED, listed, why, hint, exception)
    code = codes.PLUGIN_RAISED if where != "importing it" else codes.PLUGIN_LOAD_FAILED
    why = f"{where} raised {type(exception).__name__}{_place(listed, exception)}"
    return _broken(code, listed, why, "", exception)


def invalid(listed: Listed, why: str, /) -> QiError:
    """Say that a plugin does not do what a plugin does."""
    return _broken(codes.PLUGIN_INVALID, listed, why)


def incompatible(listed: Listed, wanted: str, have: str, /) -> QiError:
    """Say that a plugin is made for another version of the core."""
    why = f"it is made for qicore-core {wanted}, and this is {have}"
    hint = f"pip install --upgrade qicore-core {listed.distribution}"
    return _broken(codes.PLUGIN_INCOMPATIBLE, listed, why, hint)


def blocked(listed: Listed, policy: PluginPolicy, /) -> QiError:
    """Say that the policy refuses a plugin, and where that is set."""
    why = policy.refusal(listed.distribution)
    is_denied = why == "denied"
    where = "QICORE_PLUGINS_DISABLED, or `deny`" if is_denied else "QICORE_PLUGINS, or `allow`"
    message = f"the plugin {listed.label} of {listed.owner} is {why} by the plugin policy"
    hint = f"change {where} of the policy that the program hands in"
    return _error(codes.PLUGIN_BLOCKED, message, hint, **_whose(listed))


def conflict(found: list[Listed], /) -> QiError:
    """Say that several distributions bring one name, and how to settle it."""
    label, owners = found[0].label, [one.owner for one in found]
    message = f"{label} is brought by several distributions: {', '.join(owners)}"
    prefer = f"QICORE_PLUGINS_PREFER={label}={found[0].distribution}"
    hint = f"uninstall all but one, or prefer one: {prefer}"
    return _error(codes.PLUGIN_CONFLICT, message, hint, distributions=owners)


def undecided(kind: str, names: list[str], /) -> QiError:
    """Say that several drivers are installed and none was named."""
    message = f"no {kind} was named and several are installed: {', '.join(names)}"
    return _error(codes.PLUGIN_UNDECIDED, message, f"name one: {names[0]}:", names=names)


def not_found(kind: str, name: str, /) -> QiError:
    """Say that nothing installed brings a name (empty: any), and what would."""
    ours, have = _OURS.get(kind, {}), _names(kind)
    message = f"there is no {kind} plugin {name!r}; installed: {', '.join(have) or 'none'}"
    # redis+cluster is brought by whom redis is; what is installed need not be installed
    brings = {**ours, **dict.fromkeys(have)}.get(name.partition("+")[0])
    if not name:
        message, brings = f"no {kind} plugin is installed", next(iter(ours.values()), None)
    hint = f"pip install qicore-{brings}"
    if brings is None:
        near = _nearest(name, [*have, *ours])
        hint = f"install a distribution that brings it (entry point group qicore.{kind})"
        hint = f"did you mean {near!r}?" if near else hint
    return _error(codes.PLUGIN_NOT_FOUND, message, hint, kind=kind, name=name, installed=have)


def no_scheme(kind: str, url: str, /) -> QiError:
    """Say that a URL does not begin with the name of a driver, and how one does."""
    have = _names(kind)
    message = f"the {kind} URL {redact_text(url)!r} has no scheme, which names the driver"
    hint = f"write it as {_URLS.get(kind, 'name:')}; installed: {', '.join(have) or 'none'}"
    return _error(codes.PLUGIN_NOT_FOUND, message, hint, kind=kind, installed=have)


def no_setting(kind: str, name: str, known: Collection[str], /, code: str) -> QiError:
    """Say, by the code of a domain, that none of its settings has a name; give the nearest.

    Args:
        kind: the domain's, which is its section's name too.
        name: what was said.
        known: the settings that there are, of the domain and of the driver.
        code: the domain's for a setting that is wrong.

    >>> error = no_setting("cache", "namespce", ["namespace", "copy"], "CACHE_SETTINGS_INVALID")
    >>> error.message, error.hint
    ("there is no cache setting 'namespce'", 'did you mean namespace?')
    """
    near = "to give it beside the URL" if name in known else _nearest(name, known)
    message = f"there is no {kind} setting {name!r}"
    hint = f"did you mean {near}?" if near else f"there are {', '.join(known) or 'none'}"
    return QiError.configuration(code, message, hint=hint, source=kind, setting=name)


def _names(kind: str) -> list[str]:
    return sorted({one.name for one in index() if one.kind == kind})


def _nearest(name: str, known: Collection[str]) -> str | None:
    from difflib import get_close_matches  # late: only a typo needs it

    return next(iter(get_close_matches(name.lower(), known, 1)), None)


def _place(listed: Listed, exception: BaseException) -> str:
    """Say which line of a plugin raised, the innermost; its caller's is not its author's."""
    if isinstance(exception, SyntaxError) and exception.filename:
        return f" at {exception.filename}:{exception.lineno}"
    from traceback import walk_tb  # late: only a plugin that is broken needs it

    package = listed.module.partition(".")[0]
    places = [
        f" at {frame.f_code.co_filename}:{line}"
        for frame, line in walk_tb(exception.__traceback__)
        if str(frame.f_globals.get("__name__")).partition(".")[0] == package
    ]
    return places[-1] if places else ""


def _broken(
    code: str, listed: Listed, why: str, hint: str = "", cause: BaseException | None = None
) -> QiError:
    message = f"the plugin {listed.label} of {listed.owner} does not work: {why}"
    hint = hint or f"upgrade or report it: pip install --upgrade {listed.distribution}"
    return _error(code, message, hint, cause, **_whose(listed))


def _whose(listed: Listed) -> dict[str, str]:
    owner, version = listed.distribution, listed.version
    return {"plugin": listed.label, "distribution": owner, "version": version}


def _error(
    code: str, message: str, hint: str, cause: BaseException | None = None, /, **context: Any
) -> QiError:
    return QiError.configuration(code, message, hint=hint, cause=cause, source="plugins", **context)
