"""`qicore plugins check`: the contracts that a distribution with plugins has to keep."""

from __future__ import annotations

from tempfile import TemporaryDirectory

from qicore_core import Failure, QiError, failure, plugins, success
from qicore_core.codes import PLUGIN_NOT_FOUND
from qicore_core.plugins.index import normal

from .. import terminal
from ..laws import kit
from ..suites import Suite, addresses, of_plugin, print_laws, run
from ..usage import misused, read

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from qicore_core import Result

__all__ = ["check"]


def check(given: list[str], usage: str, /) -> Result[int]:
    """Run PluginContract on the distribution of a plugin, and on each driver its domain's.

    Returns:
        1 where a law is broken.

    Errors:
        PLUGIN_NOT_FOUND: nothing of that name is installed.
        COMMAND_MISUSED: several kinds or distributions have the name.
        KIT_MISSING: what runs laws is not installed.
    """
    arguments = read(given, usage, flags=("--json",), options=("--url",), least=1, most=1)
    if not arguments:
        return arguments
    name = _distribution(arguments.value.words[0])
    if isinstance(name, Failure):
        return name
    urls = addresses(arguments.value.options.get("--url", []), usage)
    if not urls:
        return urls
    there = kit()
    if isinstance(there, Failure):
        return there
    with TemporaryDirectory(prefix="qicore-") as folder:
        outcomes = run(_suites(name.value, urls.value, folder))
    if "--json" in arguments.value.flags:
        terminal.print_json([one._asdict() for one in outcomes])
    else:
        print_laws(outcomes)
        _say_who_excuses(name.value, {one.suite for one in outcomes if one.outcome == "broken"})
    return success(1 if any(one.outcome == "broken" for one in outcomes) else 0)


def _suites(owner: str, urls: Mapping[str, str], folder: str) -> Iterator[Suite]:
    from qicore_core.conformance import PluginContract  # late: it needs the kit

    class Checked(PluginContract):
        distribution = owner

    yield Suite(owner, Checked)
    for listed in plugins.index():
        if listed.kind and listed.distribution == owner:
            yield from of_plugin(listed, urls, folder)


def _say_who_excuses(owner: str, broken: set[str]) -> None:
    """Say where a driver's excuses are read, where it breaks a law of its domain."""
    found = [one for one in plugins.index() if one.distribution == owner and one.label in broken]
    for package in sorted({one.module.partition(".")[0] for one in found}):
        terminal.say(
            f"\nlaws are excused by `unsupported` in {package}/conformance.py, which ships; "
            "what tests alone excuse is broken here"
        )


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
