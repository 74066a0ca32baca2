"""What a configuration says about components: which there are, and which plugins are allowed."""

from __future__ import annotations

from .. import codes
from ..error import QiError
from ..kinds import FORMAT, SCHEMA, SINK
from ..plugins import PluginPolicy, index
from ..result import failure, success

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..result import Result

__all__ = ["driver", "label", "policy", "sections"]


def sections(values: Mapping[str, object], /) -> Result[list[tuple[str, str, dict[str, object]]]]:
    """List (kind, label, settings) of every section that is named as a kind that is installed.

    Errors:
        RUNTIME_SECTION_INVALID: it is no section.
    """
    kinds = {one.kind for one in index()} - {"", FORMAT.name, SCHEMA.name, SINK.name}
    found: list[tuple[str, str, dict[str, object]]] = []
    for kind, section in values.items():
        if kind not in kinds:
            continue
        if not isinstance(section, dict):
            return failure(
                QiError.configuration(
                    codes.RUNTIME_SECTION_INVALID,
                    f"{kind} must be a section with a url, got {type(section).__name__}",
                    hint=f'write [{kind}] and under it url = "..."',
                    source="runtime",
                )
            )
        if section and all(isinstance(settings, dict) for settings in section.values()):
            found += [(kind, label(kind, name), dict(one)) for name, one in section.items()]
        else:
            found.append((kind, kind, dict(section)))
    return success(found)


def policy(values: Mapping[str, object], /) -> Result[PluginPolicy]:
    """Read the section `[qicore.plugins]`.

    Errors:
        PLUGIN_POLICY_INVALID: as `PluginPolicy.from_settings`.
    """
    ours = values.get("qicore", {})
    return PluginPolicy.from_settings(ours.get("plugins", {}) if isinstance(ours, dict) else ours)


def driver(kind: str, url: str | None, /) -> str:
    """Name a driver whose plugin knows the kind: the URL's, else a built-in, else any."""
    installed = [one for one in index() if one.kind == kind]
    scheme = (url or "").partition(":")[0]
    return max(installed, key=lambda one: (one.name == scheme, one.is_builtin)).name


def label(kind: str, name: str, /) -> str:
    """Say which section a component is: "cache", "sql.main"."""
    return f"{kind}.{name}" if name else kind
