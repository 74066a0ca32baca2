"""`qicore plugins check`: the contract of all plugins, run on one distribution."""

from __future__ import annotations

from qicore_core import Failure, QiError, failure, plugins, success
from qicore_core.codes import PLUGIN_NOT_FOUND
from qicore_core.plugins.index import normal

from .. import terminal
from ..laws import hold, kit
from ..usage import misused, read

TYPE_CHECKING = False
if TYPE_CHECKING:
    from qicore_core import Result

__all__ = ["check"]


def check(given: list[str], usage: str, /) -> Result[int]:
    """Run PluginContract on the distribution of a plugin; a law that it breaks is 1.

    Errors:
        PLUGIN_NOT_FOUND: nothing of that name is installed.
        COMMAND_MISUSED: several kinds or distributions have the name.
        KIT_MISSING: what runs laws is not installed.
    """
    arguments = read(given, usage, least=1, most=1)
    if not arguments:
        return arguments
    name = _distribution(arguments.value.words[0])
    if isinstance(name, Failure):
        return name
    there = kit()
    if isinstance(there, Failure):
        return there
    from qicore_core.conformance.plugin import PluginContract  # late: it needs the kit

    owner = name.value

    class Checked(PluginContract):
        distribution = owner

    outcomes = list(hold(Checked))
    terminal.say(f"{owner}:")
    rows = [(law.replace("_", " "), outcome) for law, outcome, _ in outcomes]
    terminal.print_table(("law", "outcome"), rows)
    broken = [
        f"{law.replace('_', ' ')}:\n{why}" for law, outcome, why in outcomes if outcome == "broken"
    ]
    for said in broken:
        terminal.say("\n" + said.replace("\n", "\n    "))
    return success(1 if broken else 0)


def _distribution(word: str) -> Result[str]:
    found = [one for one in plugins.index() if word in (one.label, one.name)]
    found = found or [one for one in plugins.index() if one.distribution == normal(word)]
    owners = sorted({one.distribution for one in found})
    if len(owners) == 1:
        return success(owners[0])
    if owners:
        labels = ", ".join(sorted({f"{one.label} of {one.distribution}" for one in found}))
        message = f"{word!r} is several: {labels}"
        return failure(misused(message, f"qicore plugins check {owners[0]}"))
    kind, _, name = word.rpartition("/")
    known = plugins.find(kind, name)
    if isinstance(known, Failure) and kind:
        return known
    return failure(
        QiError.configuration(
            PLUGIN_NOT_FOUND,
            f"no plugin and no distribution with plugins is called {word!r}",
            hint="see `qicore plugins list`",
            source="plugins",
        )
    )
