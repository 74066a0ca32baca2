"""One request and what is known of it, for the layer around and the handlers inside.

A context variable carries it, so that it is there in a thread of Starlette's pool and in a
mounted application too.
"""

from __future__ import annotations

import itertools
import re
import secrets
from contextvars import ContextVar
from typing import Final

from qicore_core import QiError

__all__ = ["CURRENT", "Exchange", "chosen_id", "request_id"]

_GOOD: Final = re.compile(rb"[A-Za-z0-9._-]{1,64}").fullmatch
_PREFIX: Final = secrets.token_hex(6)  # of this process; a counter behind it is cheaper than a UUID
_numbers: Final = itertools.count(1)


class Exchange:
    """A request on its way through; the layer makes it.

    Attributes:
        id: what the log, the answer's header and its problem have in common.
        error: what it failed with, for the log.
    """

    __slots__ = ("error", "id")

    error: QiError | None
    id: str


CURRENT: Final[ContextVar[Exchange | None]] = ContextVar("qicore_web", default=None)


def request_id() -> str | None:
    """Give the id of the request that is being answered; None outside of one."""
    exchange = CURRENT.get()
    return None if exchange is None else exchange.id


def chosen_id(said: bytes | None) -> str:
    """Take the id that a caller chose if it is harmless, else make one."""
    if said is not None and _GOOD(said):
        return said.decode("ascii")
    return f"{_PREFIX}-{next(_numbers):x}"
