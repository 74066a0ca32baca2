"""qicore-sql: one database client for whatever keeps the data; drivers by plugin."""

from __future__ import annotations

from .client import Database
from .cursor import ListCursor
from .door import SQL, open_database
from .driver import (
    Answer,
    Progress,
    SqlBackup,
    SqlCursor,
    SqlDriver,
    SqlSession,
    SqlTransaction,
    Step,
)
from .migrations import Migration
from .queries import Queries
from .rows import Row
from .statement import Dialect, Statement
from .transaction import Transaction

__version__ = "0.1.0"
__all__ = [
    "Answer",
    "Database",
    "Dialect",
    "ListCursor",
    "Migration",
    "Progress",
    "Queries",
    "Row",
    "SQL",
    "SqlBackup",
    "SqlCursor",
    "SqlDriver",
    "SqlSession",
    "SqlTransaction",
    "Statement",
    "Step",
    "Transaction",
    "__version__",
    "open_database",
]
