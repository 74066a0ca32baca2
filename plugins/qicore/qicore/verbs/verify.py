"""`qicore verify`: the promises, kept or not on this machine."""

from __future__ import annotations

from importlib import import_module

from qicore_core import Failure, Kind, failure, plugins, success

from .. import terminal
from ..laws import hold, kit
from ..usage import misused, read

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any

    from qicore_core import Result
    from qicore_core.conformance import Contract

__all__ = ["verify"]


def verify(given: list[str], usage: str, /) -> Result[int]:
    """Run the laws of the core and of every driver, then the budgets; print what came out.

    A driver is asked at its own URL, or at `--url KIND/NAME=URL`; one that does not open there is
    named and not passed.

    Returns:
        1 where a law is broken or a budget missed; with `--strict` also where something could not
        be run.

    Errors:
        KIT_MISSING: what runs laws is not installed.
    """
    arguments = read(given, usage, flags=("--strict",), options=("--url",))
    if not arguments:
        return arguments
    pairs = [one.partition("=") for one in arguments.value.options.get("--url", [])]
    if not all(equals and "/" in label for label, equals, _ in pairs):
        return failure(misused("--url needs KIND/NAME=URL", usage))
    there = kit()
    if isinstance(there, Failure):
        return there
    outcomes = _laws({label: url for label, _, url in pairs})
    terminal.say()
    outcomes += _budgets()
    count = {name: outcomes.count(name) for name in ("kept", "broken", "missed", "not run")}
    terminal.say("\n" + ", ".join(f"{number} {name}" for name, number in count.items()))
    bad = count["broken"] + count["missed"]
    unsure = count["not run"] if "--strict" in arguments.value.flags else 0
    return success(1 if bad or unsure else 0)


def _laws(urls: Mapping[str, str]) -> list[str]:
    """Print a line for each suite, and why a law was not kept; give the outcome of each law."""
    rows: list[tuple[str, str, str]] = []
    reasons: list[str] = []
    outcomes: list[str] = []
    for name, contract, missing in _suites(urls):
        found = [("", "not run", missing)] if contract is None else list(hold(contract))
        suite = [outcome for _, outcome, _ in found]
        whole = "broken" if "broken" in suite else "not run" if "not run" in suite else "kept"
        rows.append((name, f"{suite.count('kept')} of {len(found) if contract else '?'}", whole))
        for law, outcome, why in found:
            if outcome != "kept":
                reasons.append(f"{name} {law}".replace("_", " ").strip() + f":\n{why}")
        outcomes += suite
    terminal.print_table(("laws of", "kept", "outcome"), rows)
    for reason in reasons:
        terminal.say("\n" + reason.replace("\n", "\n    "))
    return outcomes


def _suites(urls: Mapping[str, str]) -> Iterator[tuple[str, type[Contract[Any]] | None, str]]:
    """Give each suite's name, its contract, and where there is none what is missing."""
    from qicore_core.conformance import ResultLaws  # late: these need the kit

    from ..config_laws import ConfigLaws

    class OfResult(ResultLaws):
        pass

    class OfConfig(ConfigLaws):
        pass

    yield "Result", OfResult, ""
    yield "ConfigData", OfConfig, ""
    for listed in plugins.index():
        if listed.kind:
            loaded = plugins.load(listed.kind, listed.name)
            if isinstance(loaded, Failure):
                yield listed.label, None, str(loaded.error)
            elif isinstance(loaded.value.kind, Kind):
                url = urls.get(listed.label, f"{listed.name}:")
                yield _of_driver(listed.label, url, loaded.value.kind)


def _of_driver(
    label: str, where: str, kind: Kind[Any, Any]
) -> tuple[str, type[Contract[Any]] | None, str]:
    import asyncio

    domains = _contract_of(kind)
    if domains is None:
        return label, None, f"the domain of {kind.name} has no contract"

    async def opens() -> Result[None]:
        from qicore_core import Parts

        opened = await kind.open_client(where, {}, Parts())
        if isinstance(opened, Failure):
            return opened
        await opened.value.close()
        return success()

    opened = asyncio.run(opens())
    if isinstance(opened, Failure):
        return label, None, f"{opened.error} (give its address by --url {label}=URL)"

    class OfDriver(domains):  # type: ignore[valid-type, misc]  # known when it runs
        url = where

    return label, OfDriver, ""


def _contract_of(kind: Kind[Any, Any]) -> Any:
    """Find what a domain's `conformance` calls its Contract: CacheContract of qicore_cache."""
    domain = kind.open_client.__module__.partition(".")[0]
    try:
        suite = import_module(f"{domain}.conformance")
    except ModuleNotFoundError:
        return None
    names = [name for name in suite.__all__ if name.endswith("Contract")]
    return getattr(suite, names[0]) if names else None


def _budgets() -> list[str]:
    from ..budgets import calibrate, measure

    found = list(measure())
    rows = [(one.name, one.figure, one.budget, one.outcome) for one in found]
    terminal.print_table(("measured", "figure", "budget", "outcome"), rows)
    terminal.say(f"a turn of a plain loop takes {calibrate():.1f} ns here")
    return [one.outcome for one in found]
