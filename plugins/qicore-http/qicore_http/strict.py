"""An answer as http.client reads it, where it is not too kind: what has two readings has none.

Two readers that disagree on where an answer ends are how one request is answered with what was
meant for another. http.client is lenient in just that; this is the part that is not.
"""

from __future__ import annotations

import http.client
import re
from typing import Any, Final, final

__all__ = ["StrictResponse"]

_DIGITS: Final = re.compile(r"[0-9]+")
_CHUNK: Final = re.compile(rb"([0-9A-Fa-f]{1,15})(?:[ \t]*;[^\r\n]*)?\r\n")
_MAX_LINE: Final = 65_536
_MAX_INTERIM: Final = 100


@final
class StrictResponse(http.client.HTTPResponse):
    """An answer that is read as it must be, where http.client is too kind.

    Interim answers are passed over, not 100 alone; and a head that leaves a doubt about where the
    body ends is no answer. Source: RFC 9112, section 6.3.
    """

    def begin(self) -> None:
        """Read the head."""
        super().begin()
        lengths = {value.strip() for value in self.headers.get_all("content-length", ())}
        codings = [value.strip().lower() for value in self.headers.get_all("transfer-encoding", ())]
        if (
            self.status == 101  # nobody asked to switch
            or self.headers.defects
            or len(lengths) > 1
            or not all(_DIGITS.fullmatch(value) for value in lengths)
            or codings not in ([], ["chunked"])
            or any("\0" in value for value in self.headers.values())
        ):
            raise http.client.HTTPException("the head of the answer cannot be read")

    def _read_status(self) -> tuple[str, int, str]:
        for _ in range(_MAX_INTERIM):  # a thread that reads on and on takes the loop's time
            status: tuple[str, int, str] = super()._read_status()  # type: ignore[misc]  # not in typeshed
            if status[1] == 101 or not 100 <= status[1] < 200:
                return status
            http.client.parse_headers(self.fp)
        raise http.client.HTTPException("the interim answers do not end")

    def _get_chunk_left(self) -> int | None:
        """Give the bytes left of a chunk, beginning the next one; None after the last."""
        this: Any = self  # typeshed does not have these
        left: int | None = this.chunk_left
        if not left:
            if left is not None and this._safe_read(2) != b"\r\n":
                raise http.client.HTTPException("a chunk does not end where it should")
            line = _CHUNK.fullmatch(this.fp.readline(_MAX_LINE))
            if line is None:
                raise http.client.HTTPException("the size of a chunk cannot be read")
            left = int(line[1], 16)
            if left == 0:
                this._read_and_discard_trailer()
                this._close_conn()
                left = None
            this.chunk_left = left
        return left
