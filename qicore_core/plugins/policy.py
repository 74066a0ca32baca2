"""Which plugins may be imported at all, decided before any is: a value, handed in.

Names are distributions, as those are what one installs and trusts. Installing code and `.pth` files
remain outside this control.
"""

from __future__ import annotations

from os import environ

from .. import codes
from ..error import QiError
from ..result import failure, success
from .index import Listed, normal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Final

    from ..result import Result

__all__ = ["PluginPolicy"]

_VARIABLES: Final = {
    "allow": "QICORE_PLUGINS",
    "deny": "QICORE_PLUGINS_DISABLED",
    "prefer": "QICORE_PLUGINS_PREFER",
}


class PluginPolicy:
    """Allow, deny and prefer distributions.

    Args:
        allow: the only ones that may be imported; None is all, an empty one none.
        deny: those that may not, whatever `allow` says; "*" is all.
        prefer: for "kind/name" that two distributions bring, which one it is.

    >>> policy = PluginPolicy(deny=["Evil_Cache"], prefer={"cache/redis": "qicore-redis"})
    >>> policy.refusal("evil-cache"), policy.refusal("qicore-redis")
    ('denied', None)
    """

    __slots__ = ("allow", "deny", "prefer")

    def __init__(
        self,
        *,
        allow: Iterable[str] | None = None,
        deny: Iterable[str] = (),
        prefer: Mapping[str, str] | None = None,
    ) -> None:
        self.allow = None if allow is None else frozenset(map(normal, allow))
        self.deny = frozenset(map(normal, deny))
        self.prefer = {label: normal(name) for label, name in (prefer or {}).items()}

    @classmethod
    def from_environment(cls) -> PluginPolicy:
        """Read QICORE_PLUGINS (allow), QICORE_PLUGINS_DISABLED (deny) and QICORE_PLUGINS_PREFER.

        The first two are names with commas between, the third is `kind/name=distribution` with
        commas between. Where QICORE_PLUGINS is set and empty, nothing is allowed.
        """
        return cls.from_settings({}).unwrap()

    @classmethod
    def from_settings(cls, settings: Mapping[str, object], /) -> Result[PluginPolicy]:
        """Read `allow`, `deny` and `prefer` of a section, as Runtime does of `[qicore.plugins]`.

        Each is as the class takes it, or text as its environment variable has it; where that
        variable is set, it replaces the setting.

        Errors:
            PLUGIN_POLICY_INVALID: a setting of another name, or of another shape: to pass over it
                would allow what was to be denied.
        """
        said = dict(settings)
        for name, variable in _VARIABLES.items():
            if variable in environ:
                said[name] = environ[variable]
        for name, value in said.items():
            if not _fits(name, value):
                return failure(_refused(name))
        return success(
            cls(
                allow=_names(said["allow"]) if "allow" in said else None,
                deny=_names(said.get("deny", ())),
                prefer=_pairs(said.get("prefer", {})),
            )
        )

    def refusal(self, distribution: str, /) -> str | None:
        """Say why one may not be imported, "denied" or "not allowed"; None where it may."""
        name = normal(distribution)
        if "*" in self.deny or name in self.deny:
            return "denied"
        if self.allow is not None and name not in self.allow:
            return "not allowed"
        return None

    def settle(self, candidates: list[Listed], /) -> list[Listed]:
        """Give of several candidates for one name the preferred one, or all where none is."""
        wanted = self.prefer.get(candidates[0].label) if candidates else None
        return [one for one in candidates if one.distribution == wanted] or candidates

    def __repr__(self) -> str:
        allow = None if self.allow is None else sorted(self.allow)
        return f"PluginPolicy(allow={allow}, deny={sorted(self.deny)}, prefer={self.prefer})"


def _fits(name: str, value: object) -> bool:
    if name == "prefer" and isinstance(value, dict):
        return all(isinstance(one, str) for one in value.values())
    if name in ("allow", "deny") and isinstance(value, list | tuple):
        return all(isinstance(one, str) for one in value)
    return name in _VARIABLES and isinstance(value, str)


def _refused(name: str) -> QiError:
    if name in _VARIABLES:
        shape = "a table of kind/name to a distribution" if name == "prefer" else "a list of names"
        message, hint = f"the plugin policy's {name!r} is of the wrong shape", f"give {shape}"
    else:
        message = f"the plugin policy has no setting {name!r}"
        hint = f"there are: {', '.join(_VARIABLES)}"
    return QiError.configuration(
        codes.PLUGIN_POLICY_INVALID, message, hint=hint, source="plugins", setting=name
    )


def _names(said: object) -> list[str]:
    names = said.split(",") if isinstance(said, str) else said
    return [name.strip() for name in names if name.strip()]  # type: ignore[attr-defined]  # checked


def _pairs(said: object) -> dict[str, str]:
    if isinstance(said, dict):
        return said
    pairs = [pair.partition("=") for pair in _names(said)]
    return {label.strip(): name for label, _, name in pairs}
