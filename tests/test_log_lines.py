"""What a value looks like in a line: plain, without secrets, bounded, and never an exception."""

from __future__ import annotations

import importlib.util
import json
import math
import os
import sys
from collections import UserDict, namedtuple
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from io import StringIO
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any
from uuid import UUID

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from qicore_core.error import QiError
from qicore_core.error.foreign import ForeignError
from qicore_core.log import LoggerFactory, LogLevel, LogRecord, log_context
from qicore_core.log import record as records
from qicore_core.log.line import Lines
from qicore_core.log.screen import Screen, safe_name
from qicore_core.result import failure
from qicore_core.secret import Secret, look, may_hold_secret

PLANTED = "hunter2hunter2"


class Unshowable:
    def __str__(self) -> str:
        raise RuntimeError(f"no, not even {PLANTED}")

    __repr__ = __str__


class Address:
    def __str__(self) -> str:
        return f"redis://u:{PLANTED}@h"


class Items(UserDict[str, object]):
    pass


class Broken(dict[str, object]):
    def keys(self) -> Any:
        raise LookupError("gone")


def line(format: Any = "json", *, redact: bool = True, **said: Any) -> str:
    """Give the line of one call; as JSON to a file it goes the short way, and is the same."""
    message = said.pop("message", "said")
    lines = []
    for out in (StringIO(), TemporaryFile("w+", encoding="utf-8")):  # noqa: SIM115  # see below
        log = LoggerFactory.create("app", format=format, sink=out, redact=redact, clock=lambda: 0.0)
        with out:
            log.unwrap().error(message, **said)
            out.seek(0)
            lines.append(out.read())
    assert lines[0] == lines[1]
    return lines[0]


def raised(make: Callable[[], object]) -> Exception:
    try:
        make()
    except Exception as error:  # noqa: BLE001  # that is what it is for
        return error
    raise AssertionError("it did not raise")


def fail(text: str = "boom") -> None:
    password = PLANTED  # noqa: F841  # a local, which must not be shown
    raise ValueError(text)


circular: list[Any] = [1]
circular.append(circular)
deep: Any = []
for _ in range(100_000):
    deep = [deep]


# Values


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, None),
        (True, True),
        (10**30, 10**30),
        (1.5, 1.5),
        (math.nan, "nan"),
        (-math.inf, "-inf"),
        ("é\u2028", "é\u2028"),
        (b"\xffabc", "\\xffabc"),
        (bytearray(b"x"), "x"),
        ((1, [2]), [1, [2]]),
        (frozenset([3]), [3]),
        ({1: {"a": None}}, {"1": {"a": None}}),
        (Items(a=1), {"a": 1}),
        (circular, [1, "..."]),
        (deep, json.loads("[" * 24 + '"..."' + "]" * 24)),
        (datetime(2024, 1, 2, tzinfo=UTC), "2024-01-02T00:00:00+00:00"),
        (UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        (Decimal("1.10"), "1.10"),
        (Path("a/b"), "a/b"),
        (LogLevel.WARN, 30),
        (Unshowable(), "<Unshowable: RuntimeError when shown>"),
        (Broken(a=1), "<Broken: LookupError when shown>"),
        (10**5000, f"<a number of {(10**5000).bit_length()} bits>"),
        (int, "<class 'int'>"),
        (list(range(600)), [*range(500), "..."]),
        (dict.fromkeys(range(600), 0), {**dict.fromkeys(map(str, range(500)), 0), "...": "..."}),
        ("x" * 10_001, "x" * 9_997 + "..."),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_value_is_shown_as_plain_data(value: object, shown: object) -> None:
    assert json.loads(line(value=value))["value"] == shown
    assert Screen().value(value) == shown


@pytest.mark.parametrize(
    ("message", "shown"),
    [("", ""), ("a\nb", "a\nb"), (None, "None"), ([1], "[1]"), (Unshowable(), "<Unsh"), (7, "7")],
    ids=lambda value: type(value).__name__,
)
def test_any_message_is_shown(message: object, shown: str) -> None:
    for _ in range(2):
        assert json.loads(line(message=message))["message"].startswith(shown)


def test_reserved_names_get_a_tail_and_never_meet() -> None:
    names = ["timestamp", "level", "logger", "message", "correlation_id", "error"]
    tails = [name + "_" * count for name in names for count in range(3)]
    safe = [safe_name(name) for name in tails]
    assert len(set(safe)) == len(tails)
    assert set(safe).isdisjoint(names)
    out = StringIO()
    log = LoggerFactory.create("app", format="json", sink=out).unwrap()
    log.with_context(**dict.fromkeys(tails, 1)).info("said")
    pairs = json.loads(out.getvalue(), object_pairs_hook=list)
    assert len(pairs) == 4 + len(tails) == len(dict(pairs))


def test_more_names_and_messages_than_are_kept_do_no_harm(tmp_path: Path) -> None:
    log = LoggerFactory.create("app", format="json", sink=tmp_path / "log").unwrap()
    for number in range(2_100):
        log.info(f"message {number}", ms=1.5, status="ok", **{f"field_{number}": number})
    lines = [json.loads(line) for line in (tmp_path / "log").read_text().splitlines()]
    assert [(each["message"], each[f"field_{number}"]) for number, each in enumerate(lines)] == [
        (f"message {number}", number) for number in range(2_100)
    ]


PLAIN = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.floats(),
        st.text(max_size=30),
        st.sampled_from(["redis://u:p@h/0?q=1", "password=hunter2", "sk-" + "a" * 20, "plain"]),
        st.binary(max_size=8),
        st.just(Secret("s")),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.sampled_from(["a", "token", "b c"]), inner, max_size=3),
        st.tuples(st.sampled_from(["authorization", "x"]), inner),
    ),
    max_leaves=6,
)
FIELDS = st.dictionaries(
    st.sampled_from(["a", "b", "level", "level_", "api_key", "Pass Word", "x", "é"]), PLAIN
)
ERRORS = st.sampled_from(
    [
        None,
        raised(fail),
        raised(lambda: fail("password=hunter2")),
        ForeignError("redis.TimeoutError", "slow"),
        QiError.timeout("SLOW", "too slow", password=PLANTED),
        failure(QiError.timeout("SLOW", "too slow")),
        QiError.cache("SLOW", f"password={PLANTED}", hint=f"?token={PLANTED}"),
        QiError.internal("LONG", "x" * 20_000, source="é\n", public_message="x", retry_after=1.0),
        QiError.internal("LONG", "x" * 20_000, source="é\n", hint="x" * 20_000),
        ExceptionGroup("two", [ValueError(1), KeyError("x")]),
        KeyboardInterrupt(),
        "no exception",
    ]
)


SHORT = QiError.internal("SHORT", f"password={PLANTED}", source="é\n", hint=f"pw={PLANTED}")
LONG = QiError.internal("LONG", "x" * 5_000)


@given(st.text(max_size=30), FIELDS, FIELDS, FIELDS, ERRORS, st.none() | st.text())
@example("", {}, {}, {}, SHORT, None)
@example("", {}, {}, {}, LONG, None)
@example("", {}, {}, {"a": 1.5, "b": 2}, SHORT, "id")
def test_the_short_way_and_the_long_way_give_one_line(
    message: str, around: Any, bound: Any, fields: Any, error: Any, correlation: str | None
) -> None:
    seen: list[LogRecord] = []
    with TemporaryFile("w+", encoding="utf-8") as out:
        sinks: list[Any] = [out, seen]
        for sink in sinks:
            made = LoggerFactory.create("app", format="json", sink=sink, clock=lambda: 1.25)
            with log_context(correlation_id=correlation, **around):
                log = made.unwrap().with_context(**bound)
                for _ in range(2):  # the second time by what was kept
                    log.info(message, error, **fields)
        out.seek(0)
        lines = out.read()
    assert lines == "".join(f"{record.line}\n" for record in seen)
    for each in lines.splitlines():
        pairs = json.loads(each, object_pairs_hook=lambda found: found)
        assert len({name for name, _ in pairs}) == len(pairs)
    said = json.loads(lines.splitlines()[0])
    assert {name: said[name] for name in seen[0].fields} == seen[0].fields


def test_an_interpreter_without_the_c_encoder_writes_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    data: Any = {"é": [1, None, True, 1.5, "\u2028", {}]}
    monkeypatch.setitem(sys.modules, "_json", None)
    spec = importlib.util.spec_from_file_location(records.__name__, records.__file__)
    assert spec is not None
    assert spec.loader is not None
    other = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(other)
    assert other.quote is not records.quote
    assert other.to_json(data) == records.to_json(data)
    assert other.quote("é\n") == records.quote("é\n")


# Secrets


@pytest.mark.parametrize("format", ["json", "text", repr], ids=["json", "text", "own"])
@pytest.mark.parametrize(
    "said",
    [
        {"password": PLANTED},
        {"db_password": PLANTED},
        {"X-Api-Key".replace("-", "_"): [PLANTED]},
        {"value": Secret(PLANTED)},
        {"value": {"deep": [{"token": PLANTED}]}},
        {"value": {f"redis://u:{PLANTED}@h": 1}},
        {"headers": [("Authorization", PLANTED), (b"cookie", PLANTED)]},
        {"url": f"https://u:{PLANTED}@host/path"},
        {"url": f"https://host/path?code={PLANTED}"},
        {"value": b"password=" + PLANTED.encode()},
        {"value": Address()},
        {"message": f"cannot reach redis://u:{PLANTED}@cache"},
        {"message": f"login with password={PLANTED}"},
        {"error": ValueError(f"password={PLANTED}")},
        {"error": QiError.internal("X", f"password={PLANTED}", password=PLANTED)},
        {"error": raised(fail)},
        {"value": raised(fail)},
        {"error": Unshowable()},
    ],
    ids=lambda said: next(iter(said)),
)
def test_a_planted_secret_does_not_come_out(said: Any, format: Any) -> None:
    own = "json" if format is repr else format
    assert PLANTED not in line(own, **said)
    if format is repr:
        assert PLANTED not in line(lambda record: f"{record!r} {record.error}", **said)


def test_a_message_with_a_secret_is_masked_each_time() -> None:
    assert PLANTED not in line(message=f"password={PLANTED}") + line(message=f"pwd={PLANTED}")


def test_a_cut_does_not_uncover_half_a_secret() -> None:
    text = "x" * 9_980 + f" redis://u:{PLANTED}@cache"
    assert PLANTED[:6] not in line(message=text, value=text, error=ValueError(text))


def test_a_text_is_cut_without_redaction_too() -> None:
    assert Screen(redact=False).text("x" * 10_001) == "x" * 9_997 + "..."


def test_redaction_can_be_turned_off_but_not_for_a_secret_or_an_error() -> None:
    shown = line(redact=False, password="pw", url="http://u:p@h", key=Secret(PLANTED))
    assert '"password":"pw","url":"http://u:p@h","key":"***"' in shown
    assert PLANTED not in line(redact=False, error=ValueError(f"password={PLANTED}"))


LOOKS = st.one_of(
    st.from_regex(look._KEYS.pattern),
    st.from_regex(look._CREDENTIALS.pattern),
    st.from_regex(look._NAME.pattern.replace("|(?!)", "|")),  # which Hypothesis cannot read on 3.13
    st.text("abk-_:=.? @/&eyJAKI", max_size=40),
    st.text(),
)


@given(st.lists(LOOKS, max_size=3).map(" ".join))
@example("see sk_live_" + "a" * 20)
@example("eyJ" + "a" * 8 + ".b.c")
@example("--password x")
@example("BEARER abcdef")
@example("AKIA" + "A" * 16)
def test_a_text_that_is_let_through_holds_no_secret(text: str) -> None:
    if not may_hold_secret(text):
        assert look.mask(text) == text


def test_a_value_that_logs_while_it_is_shown_comes_to_an_end() -> None:
    seen: list[LogRecord] = []
    log = LoggerFactory.create("app", sink=seen).unwrap()

    class Talker(Exception):  # noqa: N818
        def __str__(self) -> str:
            log.info("inner", me=self, error=self)
            return "shown"

        __repr__ = __str__

    log.info("outer", me=[Talker()], error=Talker())
    log.error("a QiError", error=QiError.internal("X", "x", me=Talker()))
    log.info(Talker())  # type: ignore[arg-type]
    inner = [record for record in seen if record.message == "inner"]
    assert (len(inner), len(seen)) == (4, 7)
    assert {record.error["text"] for record in inner} == {""}
    assert seen[2].error["text"] == seen[2].fields["me"][0]["text"] == "shown"  # type: ignore[index]


def test_a_long_message_costs_little() -> None:
    said = line(message="x" * 1_000_000, error=ValueError("password=" * 1_000_000), v=b"y" * 10**6)
    assert len(said) < 31_000


# Errors


def test_an_exception_is_shown_with_its_frames() -> None:
    error = json.loads(line(error=raised(fail)))["error"]
    assert (error["type"], error["text"]) == ("ValueError", "boom")
    assert [frame["function"] for frame in error["frames"]] == ["raised", "fail"]
    assert {frame["file"] for frame in error["frames"]} == {__file__}
    assert error["frames"][1]["line"] == fail.__code__.co_firstlineno + 2


def test_a_qi_error_is_shown_as_it_travels() -> None:
    error = QiError.timeout("SLOW", "too slow", cause=OSError("no"), hint="wait", key="k")
    assert json.loads(line(error=error))["error"] == json.loads(json.dumps(error.to_dict()))
    again = raised(lambda: failure(error).unwrap())
    assert json.loads(line(error=again))["error"]["frames"][0]["function"] == "raised"


def test_causes_and_members_are_shown() -> None:
    def chained() -> None:
        try:
            fail()
        except ValueError as why:
            raise KeyError("k") from why

    def met() -> None:
        try:
            fail()
        except ValueError:
            raise KeyError("k")  # noqa: B904

    def hidden() -> None:
        try:
            fail()
        except ValueError:
            raise KeyError("k") from None

    causes = [json.loads(line(error=raised(each)))["error"] for each in (chained, met, hidden)]
    assert [each.get("cause", {}).get("type") for each in causes] == [
        "ValueError",
        "ValueError",
        None,
    ]
    group = json.loads(line(error=ExceptionGroup("two", [ValueError(1), TypeError(2)])))["error"]
    assert [member["type"] for member in group["errors"]] == ["ValueError", "TypeError"]


def test_errors_without_end_come_to_one() -> None:
    first, second = ValueError(1), ValueError(2)
    first.__cause__, second.__cause__ = second, first
    assert line(error=first).count('"type"') == 21
    wide: BaseExceptionGroup[Any] = ExceptionGroup("w", [ValueError(n) for n in range(100)])
    for _ in range(5):
        wide = ExceptionGroup("w", [wide] * 10)
    assert line(error=wide).count('"type"') < 50

    def recurse() -> None:
        recurse()

    frames = json.loads(line(error=raised(recurse)))["error"]["frames"]
    assert [frame["function"] for frame in frames] == [recurse.__qualname__] * 32


def test_an_error_that_cannot_be_shown_is_named() -> None:
    class MuteError(Exception):
        def __str__(self) -> str:
            raise RuntimeError

    assert json.loads(line(error=MuteError()))["error"]["text"] == ""

    class TornError(Exception):
        @property
        def __traceback__(self) -> Any:  # type: ignore[override]
            raise RuntimeError

    error = json.loads(line(error=TornError()))["error"]
    assert error == {"type": error["type"], "text": "RuntimeError when shown"}


# Text


def test_text_is_one_readable_line() -> None:
    said = line("text", message="sent mail", to="bob", subject="a b", tags=[1], empty="", q='a"\\')
    assert said == (
        '1970-01-01T00:00:00.000Z ERROR app  sent mail  to=bob  subject="a b"  tags=[1]  '
        'empty=""  q="a\\"\\\\"\n'
    )


def test_text_shows_the_correlation_id() -> None:
    with log_context(correlation_id="r 1"):
        assert line("text").endswith('said  correlation_id="r 1"\n')


CONTROLS = "\n\r\x0b\x0c\x1b[2J\x85\u2028\u2029\u202e\x00\ud800\x7f"


@given(st.text(st.sampled_from(CONTROLS) | st.characters(), min_size=1))
@example(CONTROLS)
def test_a_line_of_text_cannot_be_forged(text: str) -> None:
    fields: Any = {f"name {text}": text, "nested": [{text: text}]}
    with log_context(correlation_id=text):
        said = line("text", message=text, **fields)
    assert said.endswith("\n")
    assert said[:-1].isprintable()


def test_a_line_of_json_cannot_be_forged() -> None:
    with log_context(correlation_id=CONTROLS):
        fields: Any = {CONTROLS: CONTROLS}
        said = line(message=CONTROLS, value=CONTROLS, **fields)
    assert said.count("\n") == 1
    assert json.loads(said)["message"] == json.loads(said)[CONTROLS] == CONTROLS


def test_text_shows_an_error_below_its_line() -> None:
    error = QiError.aggregate(
        [
            QiError.timeout("SLOW", "too slow", cause=OSError("no\nforged"), hint="wait", key="k"),
            QiError.internal("X", "x"),
        ]
    )
    assert line("text", error=error).splitlines()[1:] == [
        "    MULTIPLE_ERRORS: 2 errors: SLOW: too slow; X: x",
        "      | SLOW: too slow",
        '      |   context: {"key":"k"}',
        "      |   hint: wait",
        "      | from OSError: no\\nforged",
        "      | X: x",
    ]
    number = fail.__code__.co_firstlineno + 2
    assert line("text", error=raised(fail)).splitlines()[-1] == (
        f"      at {__file__}:{number} in fail"
    )
    assert line("text", error="no exception").splitlines()[1:] == ['    "no exception"']
    assert line("text", error={"a": 1}).splitlines()[1:] == ['    {"a":1}']


def test_a_format_of_ones_own_is_used() -> None:
    assert line(lambda record: f"{record.level.name} {record.message}") == "ERROR said\n"


def test_a_terminal_gets_text_and_everything_else_json() -> None:
    class Terminal(StringIO):
        def isatty(self) -> bool:
            return True

    ours, theirs = os.openpty()
    terminal, pipe = Terminal(), StringIO()
    for sink in (terminal, pipe, theirs):
        LoggerFactory.create("app", sink=sink).unwrap().info("said")
    assert terminal.getvalue().endswith(" INFO  app  said\n")
    assert b" INFO  app  said" in os.read(ours, 1_000)
    assert json.loads(pipe.getvalue())["message"] == "said"
    os.close(ours)
    os.close(theirs)


def test_the_fields_of_a_named_tuple_are_names() -> None:
    account = namedtuple("account", "user password")("bob", "hunter2")  # type: ignore[call-arg]
    assert Screen().value([account]) == [{"user": "bob", "password": "***"}]


def test_the_items_of_a_dict_are_pairs() -> None:
    given = {"user": "bob", "password": "hunter2"}
    assert Screen().value(given.items()) == [["user", "bob"], ["password", "***"]]
    assert Screen().value({"tags": [1]}.values()) == [[1]]


def test_only_short_names_are_remembered() -> None:
    screen, long = Screen(), "k" * 2_000
    lines = Lines(screen)
    for _ in range(2):
        assert lines.fields({long: 1}) == f',"{long}":1'
        assert screen.value({long: 1, f"{long}_pin": 2}) == {long: 1, f"{long}_pin": "***"}
    assert (screen._names, lines._keys) == ({}, {})
