"""Laws run outside of pytest: which of a contract hold, and why the others do not."""

from __future__ import annotations

from importlib import import_module

from qicore_core import QiError, failure, success

from .codes import KIT_MISSING

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from qicore_core import Result
    from qicore_core.conformance import Contract

__all__ = ["hold", "kit"]


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


def hold(contract: type[Contract[Any]], /) -> Iterator[tuple[str, str, str]]:
    """Run every law of a contract: give its name, "kept", "broken" or "not run", and why."""
    import pytest

    for law in contract.laws():
        try:
            getattr(contract(), f"test_{law}")()
        except pytest.skip.Exception as skipped:
            yield law, "not run", str(skipped)
        except Exception as broken:  # noqa: BLE001  # foreign code: it must not hide other laws
            said = [f"{type(broken).__name__}: {broken}", *getattr(broken, "__notes__", [])]
            yield law, "broken", "\n".join(said)
        else:
            yield law, "kept", ""
