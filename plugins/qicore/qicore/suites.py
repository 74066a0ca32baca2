"""Which laws there are to run: those of the core, and those of each driver's domain on the driver.

A domain's `conformance` has the Contract of its drivers, which is run on a driver at its own URL. A
distribution that needs more than a URL ships a `conformance` with a Contract of its own, as its
tests have it (`class TestDuck(CacheContract): ...`); that is run in place of the domain's.
"""

from __future__ import annotations

import asyncio
from importlib import import_module
from typing import NamedTuple

from qicore_core import Failure, Kind, QiError, failure, plugins, success
from qicore_core.codes import PLUGIN_BLOCKED

from . import terminal
from .laws import Outcome, hold
from .usage import misused, nearest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from typing import Any, Final

    from qicore_core import Result
    from qicore_core.conformance import Contract

__all__ = ["Suite", "addresses", "of_plugin", "print_laws", "print_suites", "run"]

# Where a driver keeps more to its contract than at its name alone; {folder} is gone afterwards.
_URLS: Final = {
    "cache/sqlite": "sqlite:///{folder}/cache.db",
    "sql/sqlite": "sqlite:///{folder}/laws.db",
}


class Suite(NamedTuple):
    """A contract and what it is run on.

    Attributes:
        name: "Result", "cache/memory".
        contract: its laws; None where they cannot be run.
        outcome: what that is then: "not run" or "broken".
        why: the reason.
    """

    name: str
    contract: type[Contract[Any]] | None
    outcome: str = ""
    why: str = ""


def addresses(given: list[str], usage: str, /) -> Result[dict[str, str]]:
    """Read `--url KIND/NAME=URL` of drivers that are installed.

    Errors:
        COMMAND_MISUSED: it is written in another way, or there is no such driver.
    """
    pairs = [one.partition("=") for one in given]
    installed = [listed.label for listed in plugins.index() if listed.kind]
    for label, equals, _ in pairs:
        if not equals or "/" not in label:
            return failure(misused("--url needs KIND/NAME=URL", usage))
        if label not in installed:
            near = nearest(label, installed)
            hint = f"did you mean {near}?" if near else "see `qicore plugins list`"
            return failure(misused(f"--url names {label}, which is not installed", hint))
    return success({label: url for label, _, url in pairs})


def of_plugin(listed: plugins.Listed, urls: Mapping[str, str], folder: str, /) -> Iterator[Suite]:
    """Give the contracts to run on what a line of the manifest promises, if it opens something."""
    loaded = plugins.load(listed.kind, listed.name)
    if isinstance(loaded, Failure):
        yield Suite(listed.label, None, _outcome_of(loaded.error), str(loaded.error))
    elif isinstance(loaded.value.kind, Kind):
        try:
            contracts = list(_contracts(listed, loaded.value.kind, urls, folder))
        except Exception as broken:  # noqa: BLE001  # foreign code: it must not hide other suites
            said = f"its contract cannot be imported: {type(broken).__name__}: {broken}"
            yield Suite(listed.label, None, "broken", said)
            return
        if not contracts:
            why = f"the domain of {listed.kind} has no contract"
            yield Suite(listed.label, None, "not run", why)
        for contract in contracts:
            if listed.label in urls and not hasattr(contract, "url"):
                why = "its contract asks a server of the kit's own: leave --url out"
                yield Suite(listed.label, None, "broken", why)
            else:
                yield _opened(listed, contract, listed.label in urls)


def run(suites: Iterable[Suite], /) -> list[Outcome]:
    """Run every law of each, saying on stderr which are being run."""
    outcomes: list[Outcome] = []
    for suite in suites:
        if suite.contract is None:
            outcomes.append(Outcome(suite.name, "", suite.outcome, suite.why))
        else:
            count = len(suite.contract.laws())
            terminal.print_progress(f"running the {count} laws of {suite.name} ...")
            outcomes += hold(suite.name, suite.contract)
    return outcomes


def print_suites(outcomes: list[Outcome], /) -> None:
    """Print a line for each suite, then why laws were not kept."""
    rows = []
    for name in dict.fromkeys(one.suite for one in outcomes):
        laws = [one for one in outcomes if one.suite == name]
        found = [one.outcome for one in laws]
        whole = next((bad for bad in ("broken", "not run") if bad in found), "kept")
        rows.append((name, f"{found.count('kept')} of {len(laws) if laws[0].law else '?'}", whole))
    terminal.print_table(("laws of", "kept", "outcome"), rows)
    _print_reasons(outcomes)


def print_laws(outcomes: list[Outcome], /) -> None:
    """Print a line for each law, then why it was not kept."""
    rows = [(one.suite, one.law.replace("_", " "), one.outcome) for one in outcomes]
    terminal.print_table(("of", "law", "outcome"), rows)
    _print_reasons(outcomes)


def _print_reasons(outcomes: list[Outcome]) -> None:
    for one in outcomes:
        if one.outcome != "kept":
            name = f"{one.suite} {one.law.replace('_', ' ')}".strip()
            why = one.why.replace("\n", "\n    ")
            terminal.say(f"\n{name}, {one.outcome}:\n    {why}")


def _contracts(
    listed: plugins.Listed, kind: Kind[Any, Any], urls: Mapping[str, str], folder: str
) -> Iterator[type[Contract[Any]]]:
    """Give the contracts that a plugin ships, else its domain's on its URL."""
    own = listed.module.partition(".")[0]
    shipped = [one for one in _contracts_in(own) if _is_runnable(one)]
    if shipped and listed.label not in urls:
        yield from shipped
        return
    url = urls.get(listed.label, _URLS.get(listed.label, f"{listed.name}:"))
    for contract in _contracts_in(kind.open_client.__module__.partition(".")[0]):
        named = any("client" in getattr(base, "__annotations__", {}) for base in contract.__mro__)
        target = {"client": listed.name} if named else {"url": url.replace("{folder}", folder)}
        if not _is_runnable(contract):
            yield type(contract.__name__, (contract,), target)


def _contracts_in(package: str) -> list[type[Contract[Any]]]:
    """Find the contracts that a package's `conformance` lists, if it has one."""
    from qicore_core.conformance import Contract

    name = f"{package}.conformance"
    try:
        module = import_module(name)
    except ModuleNotFoundError as missing:
        if missing.name == name:
            return []
        raise
    found = [getattr(module, one) for one in getattr(module, "__all__", ())]
    return [one for one in found if isinstance(one, type) and issubclass(one, Contract)]


def _is_runnable(contract: type[Contract[Any]]) -> bool:
    """Tell whether it has tests, as one that is not abstract does."""
    return any(hasattr(contract, f"test_{law}") for law in contract.laws())


def _opened(listed: plugins.Listed, contract: type[Contract[Any]], is_given: bool) -> Suite:
    """Open what the laws are run on once: where that fails, it is told once and not by each law.

    A peer that is not here is no fault of a driver, unless it needs none or was pointed to.
    """

    async def once() -> Result[None]:
        try:
            opened = await contract().opening()
        except QiError as error:
            return failure(error)
        if isinstance(opened, Failure):
            return opened
        await opened.value.close()
        return success()

    try:
        opened = asyncio.run(once())
    except Exception:  # noqa: BLE001  # foreign code: its laws will say it
        return Suite(listed.label, contract)
    if not isinstance(opened, Failure):
        return Suite(listed.label, contract)
    needs_none = is_given or listed.is_builtin or listed.label in _URLS
    outcome = "broken" if needs_none else _outcome_of(opened.error)
    hint = "" if is_given else f" (give its address by --url {listed.label}=URL)"
    return Suite(listed.label, None, outcome, f"{opened.error}{hint}")


def _outcome_of(error: QiError) -> str:
    """Tell what is not here, a vendor's module or a peer, from a plugin that does not work."""
    absent = error.code == PLUGIN_BLOCKED or isinstance(error.cause, ModuleNotFoundError)
    return "broken" if error.code.startswith("PLUGIN_") and not absent else "not run"
