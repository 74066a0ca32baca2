"""qicore-sqlite: SQLite behind qicore-sql, on the standard library alone."""

from __future__ import annotations

from .settings import SqliteSettings

__version__ = "0.1.0"
__all__ = ["SqliteSettings", "__version__"]
