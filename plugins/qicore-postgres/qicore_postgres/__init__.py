"""qicore-postgres: PostgreSQL, and what speaks its protocol, behind qicore-sql."""

from __future__ import annotations

from .settings import PostgresSettings

__version__ = "0.1.0"
__all__ = ["PostgresSettings", "__version__"]
