"""What every cache keeps, whatever keeps it: the contract that a driver's author runs.

```python
class TestDuck(CacheContract):
    url = "duckdb:"
```

It goes through the real door and the driver's entry point; `qicore-cache[testing]` brings the kit.
"""

from __future__ import annotations

import pytest

for _room in ("computations", "entries", "ground", "sharing", "tags"):
    pytest.register_assert_rewrite(f"{__name__}.{_room}")  # before it is imported

from .contract import CacheContract  # noqa: E402  # see above
from .ground import Point  # noqa: E402

__all__ = ["CacheContract", "Point"]
