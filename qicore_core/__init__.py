"""QiCore's core: one way to fail and one way to be run, on the standard library alone.

This is the window: every public name, loaded when it is first asked for, so that importing the core
costs what an empty package costs. What a name is stands in its room.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

    from .attempt import do, from_async_try_catch, from_try_catch
    from .boundary import ErrorMap
    from .combine import accumulate, collect, from_optional, partition, traverse
    from .concurrency import blocking, each, gather, in_thread, run
    from .config import ConfigData, Configuration
    from .config.load import load
    from .error import ErrorCategory, QiError
    from .events import CallEvent, listen
    from .hookspecs import hookimpl, hookspec
    from .kinds import Extension, Health, Kind, Parts, PluginInfo, Registry
    from .log import (
        Logger,
        LoggerFactory,
        LogLevel,
        capture_stdlib,
        configure_logging,
        get_logger,
        log_context,
    )
    from .opening import Opening, Stream
    from .plugins import PluginPolicy
    from .resilience import (
        CircuitBreaker,
        CircuitBreakerConfig,
        CircuitBreakerState,
        Deadline,
        Policy,
        Rate,
        RetryPolicy,
        Runner,
    )
    from .result import Failure, Result, Success, failure, success, unwrap
    from .runtime import Runtime
    from .secret import Secret
else:

    def __getattr__(name: str) -> object:
        room = _ROOM_OF.get(name)
        if room is None:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        value = globals()[name] = getattr(__import__(f"{__name__}.{room}", fromlist=[name]), name)
        return value

    def __dir__() -> list[str]:
        return sorted({*globals(), *__all__})


__version__ = "0.1.0"

# fmt: off
__all__ = [
    "CallEvent", "CircuitBreaker", "CircuitBreakerConfig", "CircuitBreakerState", "ConfigData",
    "Configuration", "Deadline", "ErrorCategory", "ErrorMap", "Extension", "Failure", "Health",
    "Kind", "LogLevel", "Logger", "LoggerFactory", "Opening", "Parts", "PluginInfo", "PluginPolicy",
    "Policy", "QiError", "Rate", "Registry", "Result", "RetryPolicy", "Runner", "Runtime", "Secret",
    "Stream", "Success", "__version__", "accumulate", "blocking", "capture_stdlib", "collect",
    "configure_logging", "do", "each", "failure", "from_async_try_catch", "from_optional",
    "from_try_catch", "gather", "get_logger", "hookimpl", "hookspec", "in_thread", "listen", "load",
    "log_context", "partition", "run", "success", "traverse", "unwrap",
]

_ROOMS: Final = {
    "attempt": "do from_async_try_catch from_try_catch",
    "boundary": "ErrorMap",
    "combine": "accumulate collect from_optional partition traverse",
    "concurrency": "blocking each gather in_thread run",
    "config": "ConfigData Configuration load",
    "error": "ErrorCategory QiError",
    "events": "CallEvent listen",
    "hookspecs": "hookimpl hookspec",
    "kinds": "Extension Health Kind Parts PluginInfo Registry",
    "log": "LogLevel Logger LoggerFactory capture_stdlib "
        "configure_logging get_logger log_context",
    "opening": "Opening Stream",
    "plugins": "PluginPolicy",
    "resilience": "CircuitBreaker CircuitBreakerConfig CircuitBreakerState Deadline "
        "Policy Rate RetryPolicy Runner",
    "result": "Failure Result Success failure success unwrap",
    "runtime": "Runtime",
    "secret": "Secret",
}
# fmt: on
_ROOM_OF: Final = {name: room for room, names in _ROOMS.items() for name in names.split()}
