"""Which plugins may be imported at all, decided before any is: a value, handed in.

Names are distributions, as those are what one installs and trusts. Installing code and `.pth` files
remain outside this control.
"""

from __future__ import annotations

from os import environ

from .. import codes
from ..error import QiError
from ..result import failure, success
from .index import normal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any, Final

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
    def from_settings(cls, settings: object, /) -> Result[PluginPolicy]:
        """Read `allow`, `deny` and `prefer` of a section, as Runtime does of `[qicore.plugins]`.

        Each is as the class takes it, or text as its environment variable has it; where that
        variable is set, it replaces the setting.

        Errors:
            PLUGIN_POLICY_INVALID: no section, a setting of another name, or of another shape: to
                pass over it would allow what was to be denied.
        """
        if not isinstance(settings, dict):
            return failure(_refused("qicore.plugins is no section"))
        said = dict(settings)
        read: dict[str, Any] = {}
        said.update({name: environ[one] for name, one in _VARIABLES.items() if one in environ})
        for name, value in said.items():
            reads = _pairs if name == "prefer" else _names
            read[name] = reads(value) if name in _VARIABLES else None
            if read[name] is None:
                why = f"{name!r} is none of its settings, or of the wrong shape"
                return failure(_refused(why))
        return success(cls(**read))

    def refusal(self, distribution: str, /) -> str | None:
        """Say why one may not be imported, "denied" or "not allowed"; None where it may."""
        name = normal(distribution)
        if "*" in self.deny or name in self.deny:
            return "denied"
        if self.allow is not None and name not in self.allow:
            return "not allowed"
        return None

    def __repr__(self) -> str:
        allow = None if self.allow is None else sorted(self.allow)
        return f"PluginPolicy(allow={allow}, deny={sorted(self.deny)}, prefer={self.prefer})"


def _refused(why: str) -> QiError:
    return QiError.configuration(
        codes.PLUGIN_POLICY_INVALID,
        f"the plugin policy cannot be read: {why}",
        hint='write allow = ["a"], deny = ["b"] or prefer = { "kind/name" = "distribution" }',
        source="plugins",
    )


def _names(said: object) -> list[str] | None:
    """Read a list of names, or text with commas between; None where it is neither."""
    names = said.split(",") if isinstance(said, str) else said
    if not isinstance(names, list | tuple) or not all(isinstance(one, str) for one in names):
        return None
    return [name.strip() for name in names if name.strip()]


def _pairs(said: object) -> dict[str, str] | None:
    """Read which distribution a label prefers, by a table or as text has it; None as above."""
    if isinstance(said, str):
        pairs = [pair.partition("=") for pair in said.split(",") if pair.strip()]
        return {label.strip(): name for label, _, name in pairs}
    if isinstance(said, dict) and all(isinstance(one, str) for one in said.values()):
        return said
    return None
