"""Where a body ends that says no length: with its connection, and by TLS with a word of its own.

Without that word anybody between client and server may have ended it. Most libraries take it for
its end all the same. Source: RFC 9112, sections 6.3 and 9.8.
"""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator

from qicore_core import Failure, Result, failure

from .errors import unreadable
from .message import Headers

__all__ = ["ends_with_its_connection", "to_its_end"]


def ends_with_its_connection(method: str, status: int, headers: Headers, /) -> bool:
    """Tell whether nothing but the end of its connection ends an answer's body.

    >>> ends_with_its_connection("GET", 200, Headers({"content-length": "2"}))
    False
    """
    return (
        headers.get("content-length") is None
        and headers.get("transfer-encoding") is None
        and method != "HEAD"
        and status not in (204, 304)
    )


async def to_its_end(
    pieces: AsyncIterator[Result[bytes]], secured: ssl.SSLObject | None, /
) -> AsyncIterator[Result[bytes]]:
    """Give the pieces of a body that its connection ends; where TLS did not, a Failure after them.

    Args:
        pieces: the body's.
        secured: the TLS of the connection; None where it has none.

    Errors:
        NETWORK_ERROR: the body may have been cut short.
    """
    async for piece in pieces:
        yield piece
        if isinstance(piece, Failure):
            return
    if secured is not None and not _has_ended(secured):
        yield failure(unreadable())


def _has_ended(secured: ssl.SSLObject) -> bool:
    """Tell whether the other side has said by TLS that nothing more comes."""
    try:
        return not secured.read(1)
    except ssl.SSLZeroReturnError:
        return True
    except ssl.SSLError:  # it would wait for more
        return False
