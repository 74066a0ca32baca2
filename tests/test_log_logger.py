"""What a program says comes out as it was meant, from the level on that was asked for."""

from __future__ import annotations

import asyncio
import copy
import json
import pickle
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from qicore_core import log as log_room
from qicore_core.codes import INVALID_LOG_CONFIG
from qicore_core.error import QiError
from qicore_core.log import (
    Logger,
    LoggerFactory,
    LogLevel,
    LogRecord,
    configure_logging,
    correlation_id,
    flush_logging,
    get_logger,
    log_context,
    logging_stats,
    reset_logging,
    set_correlation_id,
)
from qicore_core.result import Result, failure, success

METHODS = {
    "trace": LogLevel.TRACE,
    "debug": LogLevel.DEBUG,
    "info": LogLevel.INFO,
    "warn": LogLevel.WARN,
    "warning": LogLevel.WARN,
    "error": LogLevel.ERROR,
    "exception": LogLevel.ERROR,
    "fatal": LogLevel.FATAL,
}


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    yield
    reset_logging()


def make(level: LogLevel | str = "trace", **options: Any) -> tuple[Logger, list[LogRecord]]:
    seen: list[LogRecord] = []
    return LoggerFactory.create("app", level, sink=seen, **options).unwrap(), seen


# Levels


def test_levels_are_six_in_order() -> None:
    names = ["TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL"]
    assert [level.name for level in LogLevel] == names
    assert list(LogLevel) == sorted(LogLevel)
    assert len(LogLevel) == 6
    assert [int(level) for level in LogLevel] == [5, 10, 20, 30, 40, 50]


@pytest.mark.parametrize("word", ["warn", "WARN", " Warning ", 30, LogLevel.WARN])
def test_a_level_has_one_object_whatever_names_it(word: int | str) -> None:
    assert LogLevel(word) is LogLevel.WARN
    assert LogLevel.from_name(word).unwrap() is LogLevel.WARN


def test_a_level_survives_pickle_and_copy_as_itself() -> None:
    for level in LogLevel:
        assert pickle.loads(pickle.dumps(level)) is level
        assert copy.deepcopy(level) is level


def test_a_level_says_its_name() -> None:
    assert (str(LogLevel.FATAL), repr(LogLevel.FATAL)) == ("fatal", "LogLevel.FATAL")
    assert LogLevel("critical") is LogLevel.FATAL


@pytest.mark.parametrize("word", ["loud", "", 7, None])
def test_no_level_is_a_failure_that_lists_them(word: Any) -> None:
    error = LogLevel.from_name(word).unwrap_error()
    assert error.code == INVALID_LOG_CONFIG
    assert "trace, debug, info, warn, error, fatal" in str(error.hint)
    with pytest.raises(ValueError, match="there are: trace, debug"):
        LogLevel(word)


@pytest.mark.parametrize("lowest", list(LogLevel), ids=str)
@pytest.mark.parametrize("method", METHODS)
def test_a_method_writes_from_its_level_on(method: str, lowest: LogLevel) -> None:
    log, seen = make(lowest)
    getattr(log, method)("said", field=1)
    expected = [METHODS[method]] if METHODS[method] >= lowest else []
    assert [record.level for record in seen] == expected


@pytest.mark.parametrize("lowest", list(LogLevel), ids=str)
def test_what_is_enabled_can_be_asked(lowest: LogLevel) -> None:
    log, seen = make(lowest)
    for level in LogLevel:
        assert log.is_level_enabled(level) is (level >= lowest)
        assert getattr(log, f"{level}_enabled") is (level >= lowest)
        log.log(level, "said")
    assert [record.level for record in seen] == [level for level in LogLevel if level >= lowest]
    assert log.level is lowest


# Records


def test_a_record_has_all_that_was_said() -> None:
    log, seen = make(clock=lambda: 12.5)
    log.info("paid", amount=9.5, tags=("a", "b"))
    record = seen[0]
    assert (record.timestamp, record.level, record.logger) == (12.5, LogLevel.INFO, "app")
    assert (record.message, record.fields) == ("paid", {"amount": 9.5, "tags": ["a", "b"]})
    assert (record.correlation_id, record.error) == (None, None)
    assert repr(record) == "LogRecord(info app: 'paid', {'amount': 9.5, 'tags': ['a', 'b']})"
    assert json.loads(record.line) == {
        "timestamp": "1970-01-01T00:00:12.500000Z",
        "level": "info",
        "logger": "app",
        "message": "paid",
        "amount": 9.5,
        "tags": ["a", "b"],
    }


def test_an_error_may_be_given_by_position_or_name() -> None:
    log, seen = make()
    log.error("a", KeyError("x"))  # noqa: PLE1205
    log.info("b", error=KeyError("x"))
    log.warn("c", failure(QiError.timeout("SLOW", "too slow")))  # noqa: PLE1205
    assert [record.error["type"] for record in seen[:2]] == ["KeyError", "KeyError"]
    assert seen[2].error["code"] == "SLOW"


def test_exception_takes_what_is_being_handled() -> None:
    log, seen = make()
    try:
        raise ValueError("boom")
    except ValueError:
        log.exception("it failed", step=2)
    log.exception("nothing is handled")
    log.exception("another", error=KeyError("k"))
    assert [record.error and record.error["type"] for record in seen] == [
        "ValueError",
        None,
        "KeyError",
    ]


def test_fields_may_have_any_name() -> None:
    log, seen = make()
    log.with_context(self=1).info("said", self=2, message=3, level=4, level_=5, name=6)
    assert seen[0].fields == {"self": 2, "message_": 3, "level_": 4, "level__": 5, "name": 6}


# Binding


def test_with_context_adds_and_leaves_the_first_alone() -> None:
    log, seen = make()
    bound = log.with_context(a=1, b=2).with_context(b=3)
    bound.info("bound")
    log.info("plain")
    bound.info("once more", a=4)
    assert [record.fields for record in seen] == [{"a": 1, "b": 3}, {}, {"a": 4, "b": 3}]
    assert repr(bound) == "<Logger app: trace, a, b>"


def test_bound_fields_are_rendered_once(tmp_path: Path) -> None:
    class Counted:
        shown = 0

        def __str__(self) -> str:
            Counted.shown += 1
            return "x"

    log = LoggerFactory.create("app", format="json", sink=tmp_path / "log").unwrap()
    bound = log.with_context(value=Counted())
    assert Counted.shown == 0
    for _ in range(3):
        bound.info("said")
    assert Counted.shown == 1


def test_a_logger_is_made_by_its_doors_alone() -> None:
    with pytest.raises(TypeError, match="get_logger"):
        Logger()


def test_a_logger_is_copied_as_itself_and_pickled_by_name() -> None:
    seen: list[LogRecord] = []
    configure_logging(sink=seen).unwrap()
    log = get_logger("app.copied").with_context(a=1)
    assert copy.copy(log) is log
    assert copy.deepcopy({"log": log})["log"] is log
    pickle.loads(pickle.dumps(log)).info("said")
    assert (seen[0].logger, seen[0].fields) == ("app.copied", {"a": 1})


# Context


def test_log_context_adds_to_all_inside_the_block() -> None:
    log, seen = make()
    with log_context(a=1, b=1, correlation_id="r-1"), log_context(b=2):
        log.with_context(c=3).info("inside", d=4)
        assert correlation_id() == "r-1"
    log.info("outside")
    assert seen[0].fields == {"a": 1, "b": 2, "c": 3, "d": 4}
    assert [record.correlation_id for record in seen] == ["r-1", None]


def test_the_nearest_field_wins() -> None:
    log, seen = make()
    with log_context(who="context"):
        log.info("1")
        log.with_context(who="logger").info("2")
        log.with_context(who="logger").info("3", who="call")
    assert [record.fields["who"] for record in seen] == ["context", "logger", "call"]


def test_the_same_block_can_be_entered_again_inside_itself() -> None:
    block = log_context(a=1)
    log, seen = make()
    with block:
        with block:
            pass
        log.info("still inside")
    log.info("outside")
    assert [record.fields for record in seen] == [{"a": 1}, {}]


def test_each_task_has_its_own_context() -> None:
    log, seen = make()

    async def handle(number: int) -> None:
        set_correlation_id(f"r-{number}")
        with log_context(number=number):
            await asyncio.sleep(0)
            log.info("handled")

    async def main() -> None:
        await asyncio.gather(*[handle(number) for number in range(5)])

    asyncio.run(main())
    assert {(record.correlation_id, record.fields["number"]) for record in seen} == {
        (f"r-{number}", number) for number in range(5)
    }
    assert correlation_id() is None


def test_the_correlation_id_can_be_taken_away() -> None:
    with log_context(a=1):
        set_correlation_id("r-1")
        set_correlation_id(None)
        assert correlation_id() is None


def test_a_block_closed_from_another_context_does_no_harm() -> None:
    async def generator() -> Any:
        with log_context(a=1):
            yield

    async def main() -> None:
        held = generator()
        await asyncio.create_task(anext(held))  # entered in a task of its own
        await held.aclose()

    asyncio.run(main())


# Timing


def test_timed_says_duration_and_outcome() -> None:
    log, seen = make()
    with log.timed("load", level=LogLevel.DEBUG, rows=3):
        pass
    record = seen[0]
    assert (record.level, record.message) == (LogLevel.DEBUG, "load")
    assert record.fields == {"rows": 3, "duration": record.fields["duration"], "outcome": "ok"}
    assert 0.0 <= float(str(record.fields["duration"])) < 60.0


def test_timed_takes_the_outcome_of_a_result() -> None:
    log, seen = make()
    lost: Result[int] = failure(QiError.not_found("ROW_MISSING", "no such row"))
    with log.timed("load") as timing:
        assert timing.result(lost) is lost
    with log.timed("load") as timing:
        timing.result(success(1))
    assert [(r.level, r.fields["outcome"]) for r in seen] == [
        (LogLevel.INFO, "failed"),
        (LogLevel.INFO, "ok"),
    ]
    assert seen[0].error["code"] == "ROW_MISSING"


@pytest.mark.parametrize(
    ("raised", "level", "outcome"),
    [
        (ValueError("x"), LogLevel.ERROR, "failed"),
        (QiError.timeout("SLOW", "too slow"), LogLevel.WARN, "failed"),
        (asyncio.CancelledError(), LogLevel.INFO, "cancelled"),
        (KeyboardInterrupt(), LogLevel.INFO, "cancelled"),
    ],
    ids=repr,
)
def test_timed_says_what_passed_through(
    raised: BaseException, level: LogLevel, outcome: str
) -> None:
    log, seen = make()
    with pytest.raises(type(raised)), log.timed("load"):
        raise raised
    assert [(record.level, record.fields["outcome"]) for record in seen] == [(level, outcome)]


def test_a_field_of_a_timing_may_have_any_name() -> None:
    log, seen = make()
    with log.timed("load", error=1):
        pass
    assert seen[0].fields["error_"] == 1


def test_timed_is_silent_below_its_level() -> None:
    log, seen = make("error")
    with log.timed("load"):
        pass
    assert seen == []


# Configuration


def test_loggers_follow_a_configuration_that_comes_later() -> None:
    log = get_logger("app.follows")
    bound = log.with_context(a=1)
    for level, expected in (("debug", ["said"]), ("error", []), ("debug", ["said"])):
        seen: list[LogRecord] = []
        configure_logging(level, sink=seen).unwrap()
        bound.debug("said")
        assert [record.message for record in seen] == expected
    assert get_logger("app.follows") is log


def test_levels_are_chosen_by_the_longest_beginning_of_the_name() -> None:
    levels: dict[str, LogLevel | str] = {"app": "error", "app.db": LogLevel.DEBUG}
    configure_logging("warn", sink=[], levels=levels).unwrap()
    chosen = {name: get_logger(name).level for name in ("app.db.pool", "app.dbx", "app", "other")}
    assert chosen == {
        "app.db.pool": LogLevel.DEBUG,
        "app.dbx": LogLevel.ERROR,
        "app": LogLevel.ERROR,
        "other": LogLevel.WARN,
    }


def test_a_logger_of_its_own_follows_nothing() -> None:
    log, seen = make("debug")
    others: list[LogRecord] = []
    configure_logging("fatal", sink=others).unwrap()
    log.debug("said")
    assert (len(seen), others) == (1, [])


def test_reset_goes_back_to_the_beginning() -> None:
    log = get_logger("app.reset")
    configure_logging("fatal", sink=[]).unwrap()
    reset_logging()
    assert log.level is LogLevel.INFO
    assert flush_logging() == 0
    assert logging_stats() == {"failed": 0, "dropped": 0, "waiting": 0}


@pytest.mark.parametrize(
    "options",
    [
        {"level": "loud"},
        {"levels": {"app": "loud"}},
        {"format": "xml"},
        {"sink": 3.5},
        {"sink": 9_999},
        {"sink": "no/such/folder/log"},
        {"sink": "nul\0byte"},
        {"background": -1},
        {"background": "yes"},
        {"clock": 5},
    ],
    ids=str,
)
def test_a_wrong_option_is_a_failure_with_a_hint_and_changes_nothing(options: Any) -> None:
    seen: list[LogRecord] = []
    configure_logging(sink=seen).unwrap()
    error = configure_logging(**options).unwrap_error()
    assert (error.code, bool(error.hint), error.source) == (INVALID_LOG_CONFIG, True, "log")
    get_logger("app.kept").info("said")
    assert len(seen) == 1


@pytest.mark.parametrize("options", [{"level": "loud"}, {"format": 3}, {"sink": b""}], ids=str)
def test_the_factory_refuses_the_same(options: Any) -> None:
    error = LoggerFactory.create("app", **options).unwrap_error()
    assert (error.code, bool(error.hint)) == (INVALID_LOG_CONFIG, True)


@pytest.mark.parametrize("name", ["", None, 3])
def test_a_logger_needs_a_name(name: Any) -> None:
    assert LoggerFactory.create(name).unwrap_error().code == INVALID_LOG_CONFIG
    with pytest.raises(ValueError, match="needs a name"):
        get_logger(name)


def test_threads_that_ask_for_one_name_get_one_logger() -> None:
    found: list[Logger] = []
    threads = [
        threading.Thread(target=lambda: found.append(get_logger("app.shared"))) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(map(id, found))) == 1


# Import


def test_a_name_that_is_not_there_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no_such_name"):
        getattr(log_room, "no_such_name")  # noqa: B009  # mypy knows it is not there
    assert [name for name in log_room.__all__ if not hasattr(log_room, name)] == []
    assert log_room.__all__ == sorted(log_room.__all__)


def test_import_loads_little_and_configures_nothing() -> None:
    program = """
import sys
before = set(sys.modules)
import qicore_core.log as log
loaded = set(sys.modules) - before
print(*sorted(loaded & set("logging json re typing dataclasses enum asyncio threading".split())))
assert "logging" not in sys.modules
log.capture_stdlib()()
assert "logging" in sys.modules
"""
    folder = str(Path(sys.modules["qicore_core"].__path__[0]).parent)
    path = f"import sys; sys.path.insert(0, {folder!r})\n"
    command = [sys.executable, "-I", "-S", "-c", path + program]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    assert (done.stdout.strip(), done.stderr) == ("", "")
