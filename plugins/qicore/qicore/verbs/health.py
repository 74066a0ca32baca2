"""`qicore health`: open what a configuration names and ask every component how it is."""

from __future__ import annotations

import asyncio

from qicore_core import Failure, Runtime, success

from .. import terminal
from ..sources import OPTIONS, read_configuration
from ..usage import read

TYPE_CHECKING = False
if TYPE_CHECKING:
    from qicore_core import ConfigData, Health, Result

__all__ = ["health"]


def health(given: list[str], usage: str, /) -> Result[int]:
    """Print how each component of a Runtime is; one that is not well is 1.

    Errors:
        what reading the configuration or opening a component fails with.
    """
    arguments = read(given, usage, flags=("--json",), options=OPTIONS, least=1, most=None)
    if not arguments:
        return arguments
    data = read_configuration(arguments.value.words, arguments.value)
    if isinstance(data, Failure):
        return data
    asked = asyncio.run(_ask(data.value))
    if isinstance(asked, Failure):
        return asked
    found = asked.value
    if "--json" in arguments.value.flags:
        terminal.print_json([one.to_dict() for one in found])
    elif found:
        terminal.print_table(("component", "state", "ms", "why"), map(_row, found))
    else:
        terminal.say("nothing that is configured has a health check")
    return success(0 if all(one.is_well for one in found) else 1)


async def _ask(data: ConfigData) -> Result[list[Health]]:
    opened = await Runtime.open(data, handle_sigterm=False)
    if isinstance(opened, Failure):
        return opened
    found = await opened.value.health()
    closed = await opened.value.close()
    return closed if isinstance(closed, Failure) else success(found)


def _row(one: Health) -> tuple[str, str, str, str]:
    why = "" if one.error is None else str(one.error)
    return one.name, "well" if one.is_well else "ill", f"{one.duration * 1000:.1f}", why
