"""The kit by which an author proves an implementation: laws that Hypothesis runs against it.

It needs `pip install 'qicore-core[testing]'`. Here is the machinery and what the core itself
promises; each domain has the contract of its drivers. This room must never learn of a domain.
"""

from __future__ import annotations

try:
    import pytest

    from .contract import Contract, law
except ModuleNotFoundError as missing:
    said = f"the kit needs {missing.name}: pip install 'qicore-core[testing]'"
    raise ModuleNotFoundError(said, name=missing.name) from None

# Before the modules with asserts are imported: a law that fails then shows both sides.
pytest.register_assert_rewrite(f"{__name__}.result_laws", f"{__name__}.plugin")

from .plugin import PluginContract  # noqa: E402  # after the line above
from .result_laws import ResultLaws  # noqa: E402

__all__ = ["Contract", "PluginContract", "ResultLaws", "law"]
