"""A cache in a SQLite file, behind qicore-cache: several processes share it, and it stays.

The SQL side never imports this room.
"""

from __future__ import annotations

__all__: list[str] = []
