"""What stands between the client and its transport where it is asked for, and is not there else.

Outermost first: the program's hooks, the bearer token, the guard. Each is a transport around the
next one and sees every attempt and every hop of a redirect.
"""

from __future__ import annotations

from .bearer import WithBearer
from .guard import AddressGuard, Guarded, guard_of
from .hooks import Hooked
from .settings import HttpSettings
from .transport import HttpTransport

__all__ = ["layered"]


def layered(
    transport: HttpTransport, settings: HttpSettings, guard: AddressGuard | bool, /
) -> HttpTransport:
    """Put what the settings ask for around a transport."""
    guards = guard_of(guard)
    if guards is not None:
        transport = Guarded(transport, guards)
    if settings.bearer is not None:
        transport = WithBearer(transport, settings.bearer)
    if settings.on_request is not None or settings.on_response is not None:
        transport = Hooked(transport, settings.on_request, settings.on_response)
    return transport
