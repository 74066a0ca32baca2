"""What a server has done and is doing, counted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

__all__ = ["ServerStats"]


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class ServerStats:
    """A server at one moment.

    Attributes:
        connections: open now.
        connections_total: accepted since the start.
        requests: begun since the start, WebSockets among them.
        in_flight: begun and not yet ended.
        reloads: how often the application was replaced.
        workers: processes that serve; 1, as there are no others yet.
        uptime: seconds since the start; 0.0 when it is not running.
    """

    connections: int
    connections_total: int
    requests: int
    in_flight: int
    reloads: int
    workers: int
    uptime: float
