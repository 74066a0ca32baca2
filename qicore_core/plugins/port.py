"""From a URL to an open port: what each domain's door stands on."""

from __future__ import annotations

from ..opening import Opening
from ..result import Failure, Success, failure
from . import faults
from .load import load

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any, TypeVar

    from ..kinds import Kind, Parts
    from ..opening import Closes
    from ..result import Result
    from .policy import PluginPolicy

    Port = TypeVar("Port", bound=Closes)

__all__ = ["open_port"]


def open_port(
    kind: Kind[Port, Any],
    name: str,
    url: str,
    settings: Mapping[str, object],
    parts: Parts,
    /,
    policy: PluginPolicy | None = None,
) -> Opening[Port]:
    """Load the driver of a name and open its port.

    Args:
        kind: the one that the driver must have registered under.
        name: the driver's, as its entry point has it.
        url: handed to its factory, as are settings and parts.
        policy: which plugins may be imported; by default `parts.plugins`, else the environment's.

    Errors:
        those of `load`, and of the driver itself.
        PLUGIN_RAISED: its factory, or opening, raised what it should have returned.
        PLUGIN_LOAD_FAILED: it imports an SDK when it opens, and that is missing.
        PLUGIN_INVALID: it returned what is no Opening of a port, or has a Kind of its own.
    """

    async def start() -> Result[Port]:
        loaded = load(kind.name, name, policy or parts.plugins)
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
