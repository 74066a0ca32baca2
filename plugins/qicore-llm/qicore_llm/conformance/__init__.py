"""What every client of a language model keeps, whatever provider answers.

```python
class TestDuck(LLMContract):
    url = "duck:small"
```

It goes through the real door and the provider's entry point; `qicore-llm[testing]` brings the kit.
"""

from __future__ import annotations

import pytest

pytest.register_assert_rewrite(f"{__name__}.contract")  # before it is imported

from .contract import LLMContract  # noqa: E402  # see above

__all__ = ["LLMContract"]
