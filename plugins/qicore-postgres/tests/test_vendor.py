"""The private names of asyncpg that we stand on are there; where one is not, this says which."""

from __future__ import annotations

from inspect import signature

import asyncpg


def test_a_call_gives_rows_and_count_within_a_bound() -> None:
    """`connections.answer`: fetch has no count and no bound, execute no rows."""
    known = list(signature(asyncpg.Connection._execute).parameters)
    assert known[:5] == ["self", "query", "args", "limit", "timeout"]
    assert "return_status" in known


def test_a_connection_of_a_pool_has_one_inside() -> None:
    """`connections.living`: once it broke the pool takes that away, and says so by raising."""
    assert "_con" in asyncpg.pool.PoolConnectionProxy.__slots__
