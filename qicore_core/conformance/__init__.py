"""The kit by which an author proves an implementation: laws that Hypothesis runs against it.

It needs `pip install 'qicore-core[testing]'`. Here is the machinery and what the core itself
promises; each domain has the contract of its drivers. This room must never learn of a domain.
"""

from __future__ import annotations

import pytest

# Before the modules with asserts are imported: a law that fails then shows both sides.
pytest.register_assert_rewrite(f"{__name__}.result_laws", f"{__name__}.plugin")

from .contract import Contract, law  # noqa: E402  # after the line above
from .plugin import PluginContract  # noqa: E402
from .result_laws import ResultLaws  # noqa: E402

__all__ = ["Contract", "PluginContract", "ResultLaws", "law"]
