"""Logging against structlog as fast as it can be made, the standard library and loguru.

All write JSON to the null device. structlog is tuned: a filtering bound logger, cached, bytes by
orjson straight to the file; it has what our record has: context variables, level, ISO time. What a
bare json.dumps and a write cost is there to see, no logger.
"""

from __future__ import annotations

import json
import logging
import os
from itertools import count
from time import time

import loguru
import orjson
import structlog
from harness import Row, compare

from qicore_core.log import Logger, LoggerFactory

NULL = open(os.devnull, "wb", buffering=0)  # noqa: SIM115  # closed with the process
TEXT = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115


def measure() -> list[Row]:
    """Compare what DESIGN has a budget for, and what the peers' users would ask."""
    rows = []
    for name, peers, budgets in _cases():
        costs = compare(peers, rounds=40, inner=500 if name != "an exception" else 60)
        ours = costs.pop("ours")
        rows += [Row(name, peer, ours, costs[peer], budgets[peer]) for peer in costs]
    return rows


def _cases():
    ours, tuned, stdlib, guru = _ours(), _structlog(), _stdlib(), _loguru()
    ours_bound = ours.with_context(app="shop", env="prod", request="r-1")
    tuned_bound = tuned.bind(app="shop", env="prod", request="r-1")
    boom = _exception()
    numbers = count(1)
    return [
        (
            "info with 3 fields",
            {
                "ours": lambda: ours.info("user logged in", user_id=42, status="ok", ms=1.5),
                "structlog": lambda: tuned.info("user logged in", user_id=42, status="ok", ms=1.5),
                "logging": lambda: stdlib.info(
                    "user logged in", extra={"user_id": 42, "status": "ok", "ms": 1.5}
                ),
                "loguru": lambda: guru.info("user logged in", user_id=42, status="ok", ms=1.5),
            },
            {"structlog": 0.55, "logging": 0.35, "loguru": 0.10},
        ),
        (
            "info with 3 fields, each value new",
            {
                "ours": lambda: ours.info(
                    "user logged in",
                    user_id=f"user-{next(numbers)}",
                    path="/a b",
                    ms=next(numbers) / 7,
                ),
                "structlog": lambda: tuned.info(
                    "user logged in",
                    user_id=f"user-{next(numbers)}",
                    path="/a b",
                    ms=next(numbers) / 7,
                ),
            },
            {"structlog": 0.75},
        ),
        (
            "the line of a request, 6 fields",
            {
                "ours": lambda: ours.info(
                    "request",
                    method="GET",
                    path="/items/{id}",
                    route="read_item",
                    status=200,
                    size_bytes=512,
                    duration=0.001234,
                ),
                "json.dumps and a write": lambda: NULL.write(
                    (
                        json.dumps(
                            {
                                "timestamp": time(),
                                "level": "info",
                                "logger": "app",
                                "message": "request",
                                "method": "GET",
                                "path": "/items/{id}",
                                "route": "read_item",
                                "status": 200,
                                "size_bytes": 512,
                                "duration": 0.001234,
                            }
                        )
                        + "\n"
                    ).encode()
                ),
            },
            {"json.dumps and a write": 1.0},
        ),
        (
            "bound to 3 fields, 1 more",
            {
                "ours": lambda: ours_bound.info("user logged in", ms=1.5),
                "structlog": lambda: tuned_bound.info("user logged in", ms=1.5),
            },
            {"structlog": 0.55},
        ),
        (
            "with_context of 3 fields",
            {
                "ours": lambda: ours.with_context(app="shop", env="prod", request="r-1"),
                "structlog": lambda: tuned.bind(app="shop", env="prod", request="r-1"),
            },
            {"structlog": 0.7},
        ),
        (
            "an exception",
            {
                "ours": lambda: ours.error("it failed", boom),
                "structlog": lambda: tuned.error("it failed", exc_info=boom),
                "logging": lambda: stdlib.error("it failed", exc_info=boom),
            },
            {"structlog": 0.10, "logging": 0.10},
        ),
        (
            "a disabled level",
            {
                "ours": lambda: ours.debug("user logged in"),
                "structlog": lambda: tuned.debug("user logged in"),
            },
            {"structlog": 1.0},
        ),
        (
            "a disabled level with 3 fields",
            {
                "ours": lambda: ours.debug("user logged in", user_id=42, status="ok", ms=1.5),
                "structlog": lambda: tuned.debug("user logged in", user_id=42, status="ok", ms=1.5),
            },
            {"structlog": 0.8},
        ),
        (
            "asking whether a level is on",
            {
                "ours": lambda: ours.debug_enabled,
                "structlog": lambda: tuned.is_enabled_for(logging.DEBUG),
            },
            {"structlog": 0.5},
        ),
    ]


def _ours() -> Logger:
    return LoggerFactory.create("app", format="json", sink=NULL).unwrap()


def _structlog():
    return structlog.wrap_logger(
        structlog.BytesLogger(NULL),
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.format_exc_info,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.JSONRenderer(serializer=orjson.dumps),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        cache_logger_on_first_use=True,
    ).bind()


class _Json(logging.Formatter):
    """As little JSON as a formatter can do."""

    own = frozenset((*vars(logging.makeLogRecord({})), "message", "asctime"))

    def format(self, record: logging.LogRecord) -> str:
        said = {
            "timestamp": record.created,
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
            **{name: value for name, value in vars(record).items() if name not in self.own},
        }
        if record.exc_info:
            said["error"] = self.formatException(record.exc_info)
        return json.dumps(said)


def _stdlib() -> logging.Logger:
    logger = logging.getLogger("bench")
    logger.propagate = False
    logger.setLevel(logging.INFO)
    handler = logging.StreamHandler(TEXT)
    handler.setFormatter(_Json())
    logger.handlers = [handler]
    return logger


def _loguru():
    loguru.logger.remove()
    loguru.logger.add(TEXT, level="INFO", serialize=True)
    return loguru.logger


def _exception() -> Exception:
    def inner() -> None:
        raise ValueError("boom")

    def outer() -> None:
        inner()

    try:
        outer()
    except ValueError as error:
        return error
    raise AssertionError
