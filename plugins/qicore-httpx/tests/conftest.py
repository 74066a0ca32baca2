"""The real peer: an HTTP server on 127.0.0.1, in a thread of its own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from qicore_core import blocking
from qicore_http.conformance import Server


@pytest.fixture
def server() -> Iterator[Server]:
    with blocking() as call:
        server = Server()
        call(server.__aenter__())
        yield server
        call(server.__aexit__(None, None, None))
