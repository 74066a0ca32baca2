"""`qicore health`: open what a configuration names and ask every component how it is."""

from __future__ import annotations

import asyncio

from qicore_core import Failure, Runtime, plugins, success

from .. import terminal
from ..sources import OPTIONS, read_configuration
from ..usage import nearest, read

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
    found, unchecked, passed_over = asked.value
    if "--json" in arguments.value.flags:
        others = [{"name": name, "status": "unchecked"} for name in unchecked]
        terminal.print_json([*[one.to_dict() for one in found], *others])
        return success(_status(found))
    rows = [*map(_row, found), *[(name, "opened", "", "no check") for name in unchecked]]
    if rows:
        terminal.print_table(("component", "state", "ms", "why"), rows)
    else:
        terminal.say("nothing is configured that could be opened")
    kinds = {listed.kind for listed in plugins.index()}
    for section in passed_over:
        near = nearest(section, kinds)
        meant = f"; did you mean [{near}]?" if near else ""
        terminal.say(f"[{section}] is passed over: no plugin is of this kind{meant}")
    return success(_status(found))


async def _ask(data: ConfigData) -> Result[tuple[list[Health], list[str], tuple[str, ...]]]:
    """Give how each is that has a check, the names of the others, the sections passed over."""
    opened = await Runtime.open(data, handle_sigterm=False)
    if isinstance(opened, Failure):
        return opened
    runtime = opened.value
    found, components = await runtime.health(), runtime.components
    closed = await runtime.close()
    if isinstance(closed, Failure):
        return closed
    checked = {one.name for one in found}
    unchecked = [name for name in components if name not in checked]
    return success((found, unchecked, runtime.passed_over))


def _status(found: list[Health]) -> int:
    return 0 if all(one.is_well for one in found) else 1


def _row(one: Health) -> tuple[str, str, str, str]:
    why = "" if one.error is None else str(one.error)
    return one.name, "well" if one.is_well else "ill", f"{one.duration * 1000:.1f}", why
