"""One error type for all that can go wrong, and the categories that say what to do about it."""

from __future__ import annotations

from .category import ErrorCategory
from .factory import twin
from .foreign import ForeignError, release
from .qi_error import QiError

__all__ = ["ErrorCategory", "ForeignError", "QiError", "release", "twin"]
