"""The standard library's logging and ours hand records to each other, and in no circle."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from io import StringIO
from typing import Any

import pytest

from qicore_core.error import QiError
from qicore_core.log import (
    LogLevel,
    LogRecord,
    capture_stdlib,
    configure_logging,
    get_logger,
    log_context,
    logging_stats,
    reset_logging,
)
from qicore_core.log.stdlib import _capture


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    yield
    capture_stdlib()()
    reset_logging()


@pytest.fixture
def seen() -> list[LogRecord]:
    records: list[LogRecord] = []
    configure_logging("trace", sink=records).unwrap()
    return records


# In


def test_captured_records_come_with_all_they_have(seen: list[LogRecord]) -> None:
    stop = capture_stdlib(LogLevel.DEBUG)
    theirs = logging.getLogger("vendor.client")
    try:
        raise ValueError("boom")
    except ValueError:
        with log_context(user_id=7, correlation_id="r-1"):
            theirs.exception("it %s", "failed", extra={"port": 80, "password": "hunter2"})
    theirs.debug("said")
    stop()
    theirs.error("after")
    first, second = seen
    assert (first.logger, first.level, first.message) == (
        "vendor.client",
        LogLevel.ERROR,
        "it failed",
    )
    assert first.fields == {"user_id": 7, "port": 80, "password": "***"}
    assert (first.correlation_id, first.error["type"]) == ("r-1", "ValueError")
    assert (second.message, second.level, second.error) == ("said", LogLevel.DEBUG, None)


def test_the_time_of_a_captured_record_is_its_own(seen: list[LogRecord]) -> None:
    record = logging.makeLogRecord({"name": "vendor", "msg": "said", "levelno": 20, "created": 5.0})
    _capture.handle(record)
    assert seen[0].timestamp == 5.0


@pytest.mark.parametrize(
    ("number", "level"),
    [
        (1, "trace"),
        (5, "trace"),
        (10, "debug"),
        (25, "info"),
        (30, "warn"),
        (50, "fatal"),
        (99, "fatal"),
    ],
)
def test_levels_are_those_not_above(number: int, level: str, seen: list[LogRecord]) -> None:
    stop = capture_stdlib(LogLevel.TRACE)
    root = logging.getLogger()
    before, root.level = root.level, 1
    logging.getLogger("vendor.levels").log(number, "said")
    root.level = before
    stop()
    assert [str(record.level) for record in seen] == [level]


def test_captured_records_obey_our_levels_by_name() -> None:
    seen: list[LogRecord] = []
    configure_logging("info", sink=seen, levels={"vendor.noisy": "error"}).unwrap()
    stop = capture_stdlib(LogLevel.INFO)
    logging.getLogger("vendor.noisy.part").warning("not said")
    logging.getLogger().warning("said")
    stop()
    assert [(record.logger, record.message) for record in seen] == [("root", "said")]


def test_capture_is_one_handler_and_leaves_no_trace(seen: list[LogRecord]) -> None:
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    first, second = capture_stdlib(LogLevel.DEBUG), capture_stdlib()
    logging.getLogger("vendor.twice").warning("said")
    assert len(seen) == 1
    second()
    first()
    first()
    assert (root.handlers, root.level) == (handlers, level)


def test_a_record_whose_arguments_do_not_fit_is_kept(seen: list[LogRecord]) -> None:
    _capture.handle(logging.makeLogRecord({"msg": "%d items", "args": ("two",), "levelno": 20}))
    assert (seen[0].logger, seen[0].message) == ("None", "%d items ['two']")


def test_a_record_without_a_name_is_of_the_root(seen: list[LogRecord]) -> None:
    _capture.handle(logging.makeLogRecord({"name": "", "msg": "said", "levelno": 20}))
    assert seen[0].logger == "root"


# Out


def test_caplog_sees_our_records(caplog: pytest.LogCaptureFixture) -> None:
    configure_logging("trace", sink="stdlib").unwrap()
    with log_context(correlation_id="r-1"):
        get_logger("app.orders").with_context(order=7).warn("paid twice", amount=9.5)
    assert caplog.record_tuples == [("app.orders", logging.WARNING, "paid twice")]
    record: Any = caplog.records[0]
    assert (record.order, record.amount, record.correlation_id) == (7, 9.5, "r-1")


def test_a_bridged_record_is_like_any_other(caplog: pytest.LogCaptureFixture) -> None:
    configure_logging("trace", sink="stdlib", clock=lambda: 3.25).unwrap()
    log = get_logger("app.bridge")
    log.trace("100 %d", name="n", msg="m", args=(1,), args_=2, password="hunter2")
    log.fatal("the end")
    first: Any = caplog.records[0]
    assert (first.getMessage(), first.levelname, first.levelno) == ("100 %d", "TRACE", 5)
    assert (first.created, first.msecs) == (3.25, 250.0)
    assert (first.name_, first.msg_, first.args_, first.args__) == ("n", "m", [1], 2)
    assert first.password == "***"
    assert caplog.records[1].levelname == "CRITICAL"


def test_a_bridged_error_is_text_without_secrets() -> None:
    out = StringIO()
    handler = logging.StreamHandler(out)
    theirs = logging.getLogger("app.bridged")
    theirs.addHandler(handler)
    try:
        configure_logging(sink="stdlib").unwrap()
        get_logger("app.bridged").error(
            "it failed", QiError.timeout("SLOW", "too slow", cause=OSError("password=hunter2"))
        )
    finally:
        theirs.removeHandler(handler)
    assert out.getvalue() == "it failed\nSLOW: too slow\nfrom OSError: password=***\n"


def test_both_ways_at_once_is_no_circle(caplog: pytest.LogCaptureFixture) -> None:
    configure_logging(sink="stdlib").unwrap()
    stop = capture_stdlib()
    get_logger("app.circle").error("ours")
    logging.getLogger("vendor.circle").error("theirs")
    stop()
    assert caplog.messages.count("ours") == 1
    assert caplog.messages.count("theirs") == 2  # as it came, and as we wrote it
    assert logging_stats()["failed"] == 0


class _Mute:
    def __repr__(self) -> str:
        raise RuntimeError("cannot be shown")


@pytest.mark.parametrize(
    "given",
    [
        {"msg": _Mute()},
        {"msg": "%s", "args": (_Mute(),)},
        {"msg": "m", "exc_info": True},
    ],
    ids=["message", "arguments", "error"],
)
def test_a_record_of_any_shape_fails_nobody(given: dict[str, Any], seen: list[LogRecord]) -> None:
    _capture.handle(logging.makeLogRecord({"levelno": 20, **given}))
    assert len(seen) == 1
