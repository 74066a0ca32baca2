"""What every database keeps, whatever its driver: the contract that a driver's author runs.

```python
class TestDuck(SqlContract):
    url = "duckdb:///:memory:"
```

It goes through the real door and the driver's entry point; `qicore-sql[testing]` brings the kit.
"""

from __future__ import annotations

import pytest

_ROOMS = ("answers", "changes", "limits", "tables", "transactions")
pytest.register_assert_rewrite(*[f"{__name__}.{room}" for room in _ROOMS])  # before the imports

from .answers import AnswerLaws  # noqa: E402  # see above
from .changes import ChangeLaws  # noqa: E402
from .limits import LimitLaws  # noqa: E402
from .transactions import TransactionLaws  # noqa: E402

__all__ = ["SqlContract"]


class SqlContract(AnswerLaws, TransactionLaws, LimitLaws, ChangeLaws, abstract=True):
    """The laws of a database, for the driver that opens `url`.

    The database may be kept from one law to the next: each has tables of its own. But for one:
    `qicore_migrations` is dropped, so it must be a database for tests.

    Attributes:
        url: what is opened.
        settings: the driver's settings.
    """
