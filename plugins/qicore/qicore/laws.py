"""Laws run outside of pytest: which of a contract hold, and why the others do not."""

from __future__ import annotations

from importlib import import_module
from traceback import walk_tb
from typing import NamedTuple

from qicore_core import QiError, failure, success

from .codes import KIT_MISSING

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from qicore_core import Result
    from qicore_core.conformance import Contract

__all__ = ["Outcome", "hold", "kit"]


class Outcome(NamedTuple):
    """What came of one law.

    Attributes:
        suite: what it was run on: "Result", "cache/memory".
        law: its name; empty where there was nothing to run.
        outcome: "kept", "broken", "not run", or "excused": it is broken as its author says.
        why: where it was not kept.
    """

    suite: str
    law: str
    outcome: str
    why: str


def kit() -> Result[None]:
    """Say whether what runs laws is installed, and have it leave nothing behind in this folder.

    Errors:
        KIT_MISSING: it is not.
    """
    try:
        import_module("pytest")
        import hypothesis
        from hypothesis.configuration import set_hypothesis_home_dir
    except ModuleNotFoundError as exception:
        return failure(
            QiError.configuration(
                KIT_MISSING,
                f"laws are run by hypothesis and pytest; {exception.name} is not installed",
                hint="pip install 'qicore[testing]'",
                cause=exception,
                source="qicore",
            )
        )
    from tempfile import gettempdir

    set_hypothesis_home_dir(f"{gettempdir()}/qicore-hypothesis")
    hypothesis.settings.register_profile("qicore", database=None)
    hypothesis.settings.load_profile("qicore")
    return success()


def hold(suite: str, contract: type[Contract[Any]], /) -> Iterator[Outcome]:
    """Run every law of a contract, and say what came of each."""
    import pytest

    for law in contract.laws():
        excuse = contract.unsupported.get(law)
        kept, why = ("broken", "it holds: take it out of `unsupported`") if excuse else ("kept", "")
        try:
            getattr(contract(), f"test_{law}")()
            yield Outcome(suite, law, kept, why)
        except pytest.skip.Exception as skipped:
            yield Outcome(suite, law, "not run", str(skipped))
        except (Exception, pytest.fail.Exception) as broken:  # noqa: BLE001  # foreign code
            if excuse:
                yield Outcome(suite, law, "excused", excuse)
            elif isinstance(broken, ModuleNotFoundError) and _is_of_a_kit(broken):
                why = (
                    f"it needs {broken.name}, which is not installed: pip install 'qicore[testing]'"
                )
                yield Outcome(suite, law, "not run", why)
            else:
                said = [f"{type(broken).__name__}: {broken}", *getattr(broken, "__notes__", [])]
                yield Outcome(suite, law, "broken", "\n".join(said))


def _is_of_a_kit(missing: ModuleNotFoundError) -> bool:
    """Tell whether a law itself imports what is missing, and not the driver that it asks."""
    frames = list(walk_tb(missing.__traceback__))
    return "conformance" in str(frames[-1][0].f_globals.get("__name__")).split(".")
