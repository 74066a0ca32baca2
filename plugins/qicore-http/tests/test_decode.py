"""What is encoded is decoded, however the network cuts it."""

from __future__ import annotations

import asyncio
import gzip
import zlib
from collections.abc import AsyncIterator

import pytest

from qicore_core import QiError, Result, collect, success
from qicore_core.testing import assert_failure
from qicore_http import Headers, HttpReply
from qicore_http.decode import decoded

TEXT = bytes(range(256)) * 3
RAW = zlib.compressobj(wbits=-15)
BODIES = {
    "gzip": ("gzip", gzip.compress(TEXT)),
    "two members": ("gzip", gzip.compress(TEXT[:9]) + gzip.compress(TEXT[9:])),
    "zlib": ("deflate", zlib.compress(TEXT)),
    "raw": ("deflate", RAW.compress(TEXT) + RAW.flush()),
}


def read(coding: str, data: bytes, size: int) -> Result[bytes]:
    """Give what is decoded of data that comes in pieces of a size."""

    async def pieces() -> AsyncIterator[Result[bytes]]:
        for start in range(0, len(data), size):
            yield success(data[start : start + size])

    async def close() -> None:
        """Do nothing."""

    async def main() -> Result[bytes]:
        reply = HttpReply(200, Headers({"content-encoding": coding}), pieces(), close)
        plain = decoded(reply, 100.0).unwrap()
        return collect([piece async for piece in plain]).map(b"".join)

    return asyncio.run(main())


@pytest.mark.parametrize("body", BODIES)
@pytest.mark.parametrize("size", [1, 2, 3, 7, 1000])
def test_the_size_of_the_pieces_makes_no_difference(body: str, size: int) -> None:
    coding, data = BODIES[body]
    assert read(coding, data, size) == success(TEXT)


@pytest.mark.parametrize("body", BODIES)
@pytest.mark.parametrize("size", [1, 1000])
def test_no_part_of_it_is_taken_for_the_whole(body: str, size: int) -> None:
    coding, data = BODIES[body]
    for end in (1, 2, 5, len(data) - 1):
        error: QiError = assert_failure(read(coding, data[:end], size), code="PARSE_ERROR")
        assert "ends before its end" in error.message or "is damaged" in error.message
    assert read(coding, b"", size) == success(b"")
