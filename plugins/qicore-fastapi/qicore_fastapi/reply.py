"""An answer whose bytes are there already, in the fewest steps that send it."""

from __future__ import annotations

from collections.abc import Iterable

from starlette.responses import Response

__all__ = ["Reply"]


class Reply(Response):
    """A response of ready bytes; in place of Starlette's way from a text and named headers.

    Args:
        body: the bytes.
        status: the status.
        media_type: the Content-Type, encoded.
        more: further headers, encoded, names in lower case.
    """

    def __init__(
        self,
        body: bytes,
        status: int,
        media_type: bytes,
        more: Iterable[tuple[bytes, bytes]] = (),
    ) -> None:
        self.body = body
        self.status_code = status
        self.background = None
        self.raw_headers = [
            (b"content-length", b"%d" % len(body)),
            (b"content-type", media_type),
            *more,
        ]
