"""`qicore verify`: the promises, kept or not on this machine."""

from __future__ import annotations

from qicore_core import Failure, plugins, success

from .. import terminal
from ..laws import Outcome, kit
from ..suites import Suite, addresses, of_plugin, print_suites, run
from ..usage import read

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from qicore_core import Result

    from ..budgets import Measured

__all__ = ["verify"]


def verify(given: list[str], usage: str, /) -> Result[int]:
    """Run the laws of the core and of every driver, then the budgets; print what came out.

    A driver is asked at its own URL, or at `--url KIND/NAME=URL`; one whose peer is not there is
    named and not passed.

    Returns:
        1 where a law is broken or a budget missed; with `--strict` also where something could not
        be run.

    Errors:
        KIT_MISSING: what runs laws is not installed.
        COMMAND_MISUSED: `--url` names what is not installed.
    """
    arguments = read(given, usage, flags=("--strict", "--json"), options=("--url",))
    if not arguments:
        return arguments
    urls = addresses(arguments.value.options.get("--url", []), usage)
    if not urls:
        return urls
    there = kit()
    if isinstance(there, Failure):
        return there
    outcomes = _laws(urls.value)
    figures, loop = _budgets()
    said = [one.outcome for one in outcomes] + [one.outcome for one in figures]
    count = {name: said.count(name) for name in ("kept", "broken", "missed", "not run", "excused")}
    if "--json" in arguments.value.flags:
        laws = [one._asdict() for one in outcomes]
        budgets = [one.to_dict() for one in figures]
        terminal.print_json({"laws": laws, "budgets": budgets, "loop_ns": loop, "count": count})
    else:
        print_suites(outcomes)
        terminal.say()
        rows = [(one.name, one.figure, one.budget, one.outcome) for one in figures]
        terminal.print_table(("measured", "figure", "budget", "outcome"), rows)
        terminal.say(f"a turn of a plain loop takes {loop:.1f} ns here")
        terminal.say("\n" + ", ".join(f"{number} {name}" for name, number in count.items()))
    unsure = count["not run"] if "--strict" in arguments.value.flags else 0
    return success(1 if count["broken"] + count["missed"] + unsure else 0)


def _laws(urls: Mapping[str, str]) -> list[Outcome]:
    from tempfile import TemporaryDirectory

    def suites() -> Iterator[Suite]:
        yield from _of_the_core()
        for listed in plugins.index():
            if listed.kind:
                yield from of_plugin(listed, urls, folder)

    with TemporaryDirectory(prefix="qicore-") as folder:
        return run(suites())


def _of_the_core() -> Iterator[Suite]:
    from qicore_core.conformance import ResultLaws  # late: these need the kit

    from ..config_laws import ConfigLaws

    class OfResult(ResultLaws):
        pass

    class OfConfig(ConfigLaws):
        pass

    yield Suite("Result", OfResult)
    yield Suite("ConfigData", OfConfig)


def _budgets() -> tuple[list[Measured], float]:
    from .. import budgets

    figures = []
    for one in budgets.measure():
        terminal.print_progress(f"measured {one.name}: {one.figure or one.outcome}")
        figures.append(one)
    return figures, budgets.calibrate()
