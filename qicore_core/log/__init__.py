"""Say what happens, as data: loggers, their levels, formats and sinks, and the bridge to `logging`.

>>> seen = []
>>> configure_logging("debug", sink=seen).unwrap()
>>> log = get_logger("app.orders")
>>> with log_context(user_id=7):
...     log.info("paid", amount=9.5, api_key="k-123")
>>> seen[0].fields
{'user_id': 7, 'amount': 9.5, 'api_key': '***'}
>>> reset_logging()
"""

from __future__ import annotations

from .configure import (
    LoggerFactory,
    capture_stdlib,
    configure_logging,
    flush_logging,
    get_logger,
    logging_stats,
    reset_logging,
)
from .context import correlation_id, log_context, set_correlation_id
from .level import LogLevel
from .logger import Logger
from .record import LogRecord

__all__ = [
    "LogLevel",
    "LogRecord",
    "Logger",
    "LoggerFactory",
    "capture_stdlib",
    "configure_logging",
    "correlation_id",
    "flush_logging",
    "get_logger",
    "log_context",
    "logging_stats",
    "reset_logging",
    "set_correlation_id",
]
