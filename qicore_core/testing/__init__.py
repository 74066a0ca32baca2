"""For tests of programs that use QiCore: time that does not pass, events kept, faults on a wire.

Standard library alone, but for `pytest_plugin`, which pytest finds by itself. Everything here is
real but for time: an answer that fails comes from a real connection through `FaultProxy`, never
from a mock. This room must never be imported by the product. Its names are loaded when they are
asked for, so that the plugin, which every run of pytest loads, costs nothing.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

    from .asserts import assert_failure, assert_success
    from .clock import FakeClock, instant
    from .events import recorded
    from .proxy import FaultProxy
else:

    def __getattr__(name: str) -> object:
        home = _HOMES.get(name)
        if home is None:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        value = globals()[name] = getattr(__import__(f"{__name__}.{home}", fromlist=[name]), name)
        return value


__all__ = [
    "FakeClock",
    "FaultProxy",
    "assert_failure",
    "assert_success",
    "instant",
    "recorded",
]

_HOMES: Final = {
    "FakeClock": "clock",
    "FaultProxy": "proxy",
    "assert_failure": "asserts",
    "assert_success": "asserts",
    "instant": "clock",
    "recorded": "events",
}
