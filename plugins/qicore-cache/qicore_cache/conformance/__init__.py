"""What every cache keeps, whatever keeps it: the contract that a driver's author runs.

```python
class TestDuck(CacheContract):
    url = "duckdb:"
```

It goes through the real door and the driver's entry point; `qicore-cache[testing]` brings the kit.
"""

from __future__ import annotations

import pytest

pytest.register_assert_rewrite(f"{__name__}.contract")  # before it is imported

from .contract import CacheContract, Point  # noqa: E402  # see above

__all__ = ["CacheContract", "Point"]
