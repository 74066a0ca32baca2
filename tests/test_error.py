"""QiError: what it says, what it keeps through every journey, and what it never tells."""

from __future__ import annotations

import asyncio
import contextlib
import copy
import gc
import json
import pickle
import re
import threading
from collections.abc import Callable, Iterator
from types import FrameType, ModuleType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qicore_core.error import ErrorCategory, ForeignError, QiError, release
from qicore_core.error.chain import MAX_DEPTH
from qicore_core.error.qi_error import again, make_error
from qicore_core.secret import Secret

PLANTED = "hunter2-XyZZy"

# The table of DESIGN 3.2: retry, HTTP status, exit code, log level
CATEGORIES = {
    "VALIDATION": ("never", 422, 65, "info"),
    "NOT_FOUND": ("never", 404, 66, "info"),
    "CONFLICT": ("never", 409, 73, "info"),
    "AUTHENTICATION": ("never", 401, 77, "warn"),
    "PERMISSION": ("never", 403, 77, "warn"),
    "RATE_LIMITED": ("retry_after", 429, 75, "warn"),
    "TIMEOUT": ("backoff", 504, 75, "warn"),
    "NETWORK": ("backoff", 502, 75, "warn"),
    "UNAVAILABLE": ("backoff", 503, 69, "error"),
    "EXHAUSTED": ("backoff", 503, 71, "error"),
    "CONTENTION": ("at_once", 409, 75, "info"),
    "CANCELLED": ("never", 499, 130, "info"),
    "UNSUPPORTED": ("never", 501, 64, "error"),
    "CONFIGURATION": ("never", 500, 78, "error"),
    "BAD_DATA": ("never", 502, 76, "error"),
    "INTERNAL": ("never", 500, 70, "error"),
    "UNKNOWN": ("never", 500, 1, "error"),
}
EACH_CATEGORY = pytest.mark.parametrize("category", list(ErrorCategory), ids=str)


class Mute:
    """An object that cannot show itself."""

    def __repr__(self) -> str:
        raise OSError("no repr")


class Plain:
    """An object that is equal to itself alone, and can be pickled."""


class TwoPartError(Exception):
    """An exception that pickle makes but cannot make again."""

    def __init__(self, one: int, two: int) -> None:
        super().__init__("said")


class NoTextError(Exception):
    def __str__(self) -> str:
        raise OSError("no text")


def circle() -> list[object]:
    made: list[object] = []
    made.append(made)
    return made


# Drawn by their place: Hypothesis asks a repr of what it samples from.
ODD: list[object] = [
    circle(), Secret(PLANTED), dict, len, threading.Lock(), lambda: 1, Plain(), 10**5000, Mute(),
    ErrorCategory.TIMEOUT, ValueError("x"), TwoPartError(1, 2), {1, 2}, object(),
]  # fmt: skip
ODD_KEYS: list[Any] = [None, len, (1, "a"), Mute(), Plain(), 1.5]
PLAIN = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary() | st.dates()
)
LEAVES = PLAIN | st.integers(0, len(ODD) - 1).map(lambda n: ODD[n])
KEYS = (
    st.text()
    | st.integers()
    | st.binary()
    | st.integers(0, len(ODD_KEYS) - 1).map(lambda n: ODD_KEYS[n])
)
VALUES = st.recursive(
    LEAVES,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.tuples(inner, inner)
        | st.dictionaries(KEYS, inner, max_size=3)
    ),
    max_leaves=8,
)
CONTEXTS = st.dictionaries(KEYS, VALUES, max_size=4)
CODES = st.from_regex(r"[A-Z][A-Z0-9_]{0,20}", fullmatch=True)
MAYBE = st.none() | st.text(min_size=1)


@st.composite
def errors(draw: st.DrawFn, depth: int = 2) -> QiError:
    cause: Any = None
    held: tuple[QiError, ...] = ()
    if depth:
        foreign = (
            st.builds(ValueError, st.text())
            | st.builds(NoTextError)
            | st.builds(TwoPartError, st.just(1), st.just(2))
        )
        cause = draw(st.none() | foreign | errors(depth=depth - 1))
        held = tuple(draw(st.lists(errors(depth=depth - 1), max_size=2)))
    return make_error(
        draw(CODES),
        draw(st.text(min_size=1)),
        draw(st.sampled_from(list(ErrorCategory))),
        draw(MAYBE),
        draw(CONTEXTS),
        cause,
        held,
        draw(st.none() | st.booleans()),
        draw(st.none() | st.floats()),
        draw(MAYBE),
        draw(MAYBE),
    )


def frames_behind(thing: object) -> list[object]:
    """Walk all that an object holds on to; give the frames, never passing through a module."""
    found, todo, seen = [], [thing], set()
    while todo:
        one = todo.pop()
        if id(one) in seen or isinstance(one, type | ModuleType) or callable(one):
            continue
        seen.add(id(one))
        if isinstance(one, FrameType):
            found.append(one)
        else:
            todo += gc.get_referents(one)
    return found


class TestCategory:
    def test_the_table_is_the_design_s(self) -> None:
        table = {str(c): (c.retry, c.http_status, c.exit_code, c.log_level) for c in ErrorCategory}
        assert table == CATEGORIES
        assert list(table) == list(CATEGORIES)
        assert len(ErrorCategory) == len(CATEGORIES)

    @EACH_CATEGORY
    def test_is_one_object_for_ever(self, category: ErrorCategory) -> None:
        assert ErrorCategory(str(category)) is category
        assert pickle.loads(pickle.dumps(category)) is category
        assert copy.deepcopy([category])[0] is category
        assert getattr(ErrorCategory, category) is category

    @EACH_CATEGORY
    def test_is_text_that_names_it(self, category: ErrorCategory) -> None:
        assert category == str(category)
        assert json.loads(json.dumps(category)) == category
        assert repr(category) == f"ErrorCategory.{category}"
        assert category.retryable == (category.retry != "never")

    def test_another_name_is_refused(self) -> None:
        with pytest.raises(ValueError, match="'WHERE' is not an error category; there are: VALID"):
            ErrorCategory("WHERE")

    def test_is_read_only(self) -> None:
        with pytest.raises(AttributeError, match="read-only"):
            ErrorCategory.TIMEOUT.http_status = 200
        with pytest.raises(AttributeError, match="read-only"):
            del ErrorCategory.TIMEOUT.retry


class TestFactories:
    @EACH_CATEGORY
    def test_each_category_has_one(self, category: ErrorCategory) -> None:
        make = getattr(QiError, category.lower())
        cause = ValueError("x")
        error = make(
            "CODE_1", "said", cause=cause, hint="h", retryable=True, retry_after=2.5,
            public_message="p", source="s", a=1,
        )  # fmt: skip
        assert (error.code, error.message, error.category) == ("CODE_1", "said", category)
        assert (error.cause, error.__cause__, error.hint) == (cause, cause, "h")
        assert (error.retryable, error.retry_after, error.public_message) == (True, 2.5, "p")
        assert (error.source, dict(error.context), error.errors) == ("s", {"a": 1}, ())
        assert make.__name__ == category.lower()
        assert str(category) in make.__doc__

    @EACH_CATEGORY
    def test_what_is_not_given_follows_from_the_category(self, category: ErrorCategory) -> None:
        error = getattr(QiError, category.lower())("CODE", "said")
        assert error.retryable == category.retryable
        assert error.public_message == category.public_message or error.public_message == "said"
        assert error.cause is error.source is error.hint is error.retry_after is None
        assert 1.6e9 < error.timestamp < 1e11

    @pytest.mark.parametrize(
        ("where", "category"),
        [
            ("cache", ErrorCategory.UNAVAILABLE),
            ("filesystem", ErrorCategory.UNAVAILABLE),
            ("database", ErrorCategory.UNAVAILABLE),
            ("http", ErrorCategory.NETWORK),
        ],
    )
    def test_the_guide_s_set_the_source(self, where: str, category: ErrorCategory) -> None:
        error = getattr(QiError, where)("CODE", "said")
        assert (error.source, error.category) == (where, category)
        assert getattr(QiError, where)("CODE", "said", source="other").source == "other"

    @pytest.mark.parametrize(
        "code", ["", "lower", "WITH SPACE", "1ST", "A-B", "x_Y", 5, None, b"A"]
    )
    def test_a_code_is_upper_snake(self, code: Any) -> None:
        with pytest.raises(ValueError, match="UPPER_SNAKE"):
            QiError.internal(code, "said")

    @pytest.mark.parametrize("message", ["", None, 5, b"x"])
    def test_a_message_is_needed(self, message: Any) -> None:
        with pytest.raises(ValueError, match="needs a message"):
            QiError.internal("NEW_CODE", message)

    def test_the_memo_of_codes_is_bounded(self) -> None:
        for number in range(1100):
            assert QiError.unknown(f"CODE_{number}", "x").code == f"CODE_{number}"

    def test_the_class_itself_makes_none(self) -> None:
        with pytest.raises(TypeError, match="factory of its category"):
            QiError("CODE", "said")
        with pytest.raises(TypeError, match="factory of its category"):
            raise QiError

    def test_is_final(self) -> None:
        with pytest.raises(TypeError, match="QiError is final"):
            type("Mine", (QiError,), {})


class TestImmutable:
    @pytest.mark.parametrize(
        "name", [n for n in vars(QiError) if isinstance(vars(QiError)[n], property)]
    )
    def test_no_part_can_be_set_or_removed(self, name: str) -> None:
        error = QiError.internal("CODE", "said", a=1)
        with pytest.raises(AttributeError):
            setattr(error, name, None)
        with pytest.raises(AttributeError):
            delattr(error, name)

    def test_the_context_is_read_only(self) -> None:
        context: Any = QiError.internal("CODE", "said", a=1).context
        with pytest.raises(TypeError):
            context["a"] = 2

    def test_what_it_is_read_from_may_change(self) -> None:
        data: Any = QiError.internal("CODE", "said", a=1).to_dict()
        error = QiError.from_dict(data)
        data["context"]["a"] = 2
        assert error.context == {"a": 1}

    @given(errors(), CONTEXTS, CONTEXTS)
    def test_with_context_is_right_biased(self, error: QiError, a: Any, b: Any) -> None:
        before = dict(error.context)
        more = error.with_context(a).with_context(b)
        assert dict(more.context).keys() == (before | a | b).keys()
        assert all(more.context[key] is value for key, value in (before | a | b).items())
        assert dict(error.context).keys() == before.keys()
        assert error.with_context() == error
        assert more.timestamp == error.timestamp

    def test_with_cause_makes_another(self) -> None:
        error, cause = QiError.internal("CODE", "said", a=1, retryable=True), OSError("x")
        other = error.with_cause(cause)
        assert (error.cause, other.cause) == (None, cause)
        assert other.with_cause(error).cause is error
        assert (other.retryable, other.context) == (True, {"a": 1})


class TestEquality:
    @pytest.mark.parametrize(
        "other",
        [
            QiError.internal("OTHER", "said", source="s", cause=ValueError("v"), a=1),
            QiError.internal("CODE", "other", source="s", cause=ValueError("v"), a=1),
            QiError.unknown("CODE", "said", source="s", cause=ValueError("v"), a=1),
            QiError.internal("CODE", "said", source="t", cause=ValueError("v"), a=1),
            QiError.internal("CODE", "said", source="s", cause=ValueError("v"), a=2),
            QiError.internal("CODE", "said", source="s", cause=ValueError("w"), a=1),
            QiError.internal("CODE", "said", source="s", cause=TypeError("v"), a=1),
            QiError.internal("CODE", "said", source="s", a=1),
            ValueError("said"),
        ],
        ids=["code", "message", "category", "source", "context", "text", "type", "none", "foreign"],
    )
    def test_each_part_counts(self, other: object) -> None:
        assert QiError.internal("CODE", "said", source="s", cause=ValueError("v"), a=1) != other

    def test_neither_time_nor_traceback_nor_the_rest_count(self) -> None:
        one = QiError.internal("CODE", "said", a=1)
        other = again(one, timestamp=1.0, hint="h", retryable=True)
        with contextlib.suppress(QiError):
            raise other
        assert one == other
        assert hash(one) == hash(other)

    @given(errors(), errors())
    def test_equal_errors_have_equal_hashes(self, one: QiError, other: QiError) -> None:
        assert (one == other) == (other == one)
        assert one != other or hash(one) == hash(other)

    def test_a_pattern_reads_code_and_category(self) -> None:
        match QiError.timeout("CODE", "said"):
            case QiError("CODE", ErrorCategory.TIMEOUT):
                pass
            case _:
                pytest.fail("did not match")


class TestJourneys:
    @given(errors())
    def test_json_always_serialises_and_reads_back(self, error: QiError) -> None:
        data = error.to_dict()
        assert json.loads(json.dumps(data, allow_nan=False)) == data
        assert QiError.from_dict(data).to_dict() == data

    @pytest.mark.parametrize(
        ("value", "ends"),
        [
            (list(range(1_000_000)), "..."),
            (dict.fromkeys(map(str, range(1_000_000))), "..."),
            ([["x"] * 3_000] * 3_000, "..."),
            ("x" * 1_000_000, "x..."),
        ],
        ids=["list", "mapping", "nested", "text"],
    )
    def test_data_is_bounded_and_says_where_it_was_cut(self, value: object, ends: str) -> None:
        error = QiError.internal("CODE", "said " * 9_000, value=value, cause=OSError("x" * 9_000))
        data: Any = error.to_dict()
        assert len(json.dumps(data)) < 100_000
        assert len(repr(error)) < 100_000
        cut = data["context"]["value"]
        last = cut if isinstance(cut, str) else list(cut)[-1]
        assert last.endswith(ends)
        assert QiError.from_dict(data).to_dict() == data

    def test_a_mapping_that_fails_appears_as_its_repr(self) -> None:
        class Failing(dict[str, object]):
            def keys(self) -> Any:
                raise OSError("gone")

        data: Any = QiError.internal("CODE", "said", value=Failing(a=1)).to_dict()
        assert data["context"] == {"value": "{'a': 1}"}

    def test_what_a_thousand_items_hold_is_bounded_too(self) -> None:
        data: Any = QiError.internal("CODE", "said", value=[[["x"] * 9] * 9] * 900).to_dict()
        assert json.dumps(data).count('"x"') < 1_000
        assert data["context"]["value"][-1] == "..."
        assert QiError.from_dict(data).to_dict() == data

    @given(errors())
    def test_pickle_and_copy_keep_equality(self, error: QiError) -> None:
        for other in (pickle.loads(pickle.dumps(error)), copy.copy(error), copy.deepcopy(error)):
            assert other == error
            assert other is not error
            assert hash(other) == hash(error)
            assert other.to_dict().keys() == error.to_dict().keys()

    def test_a_pickle_keeps_what_is_raw_and_says_the_rest_as_text(self) -> None:
        lock = threading.Lock()
        error = QiError.internal("CODE", "said", password=PLANTED, lock=lock, cause=OSError("gone"))
        other = pickle.loads(pickle.dumps(error))
        assert other.context == {"password": PLANTED, "lock": repr(lock)}
        assert isinstance(other.cause, ForeignError)
        assert (other.cause.type_name, other.cause.text) == ("OSError", "gone")
        assert str(other.cause) == "OSError: gone"
        assert str(ForeignError("x.Y", "")) == "x.Y"
        assert other.timestamp == error.timestamp

    def test_data_leaves_out_what_is_empty(self) -> None:
        assert QiError.internal("CODE", "said").to_dict().keys() == {
            "code", "message", "category", "retryable", "timestamp",
        }  # fmt: skip

    @pytest.mark.parametrize(
        ("change", "said"),
        [
            ({"code": None}, "the error's 'code' must be a str, got NoneType"),
            ({"code": "lower"}, "UPPER_SNAKE"),
            ({"message": 5}, "'message' must be a str, got int"),
            ({"category": "X"}, "not an error category"),
            ({"timestamp": True}, "'timestamp' must be a float, got bool"),
            ({"retryable": "yes"}, "'retryable' must be a bool, got str"),
            ({"context": []}, "'context' must be a dict, got list"),
            ({"errors": {}}, "'errors' must be a list, got dict"),
            ({"errors": ["x"]}, "read from a mapping, got str"),
            ({"cause": "x"}, "'cause' must be a dict, got str"),
            ({"cause": {"type": "x"}}, "'text' must be a str, got nothing"),
        ],
        ids=str,
    )
    def test_data_that_does_not_fit_is_named(self, change: dict[str, object], said: str) -> None:
        with pytest.raises(ValueError, match=said):
            QiError.from_dict(QiError.internal("CODE", "said").to_dict() | change)

    def test_data_without_a_code_is_named(self) -> None:
        with pytest.raises(ValueError, match="'code' must be a str, got nothing"):
            QiError.from_dict({})

    def test_a_whole_number_is_a_time_too(self) -> None:
        data = QiError.internal("CODE", "said", retry_after=5).to_dict() | {"timestamp": 7}
        assert QiError.from_dict(data).timestamp == 7


def everything_shown(error: QiError) -> str:
    shown = [str(error), repr(error), error.to_string(), json.dumps(error.to_dict())]
    return "\n".join([*shown, error.public_message])


class TestSecrets:
    @pytest.mark.parametrize(
        "context",
        [
            {"password": PLANTED}, {"DB-Password": PLANTED}, {"apiKey": [PLANTED]},
            {"DB_PASS": PLANTED},
            {"a": {"b": [{"client_secret": PLANTED}]}}, {"v": Secret(PLANTED)},
            {"v": {Secret(PLANTED)}},
            {"url": f"redis://bob:{PLANTED}@h/0"}, {"url": f"http://h/?x={PLANTED}"},
            {"headers": [("Authorization", f"Token {PLANTED}")]}, {"headers": {b"cookie": PLANTED}},
            {"headers": [(b"x-api-key", PLANTED.encode())]}, {"body": f'{{"token": "{PLANTED}"}}'},
            {"body": f"password={PLANTED}".encode()}, {"e": ValueError(f"pwd={PLANTED}")},
            {f"redis://u:{PLANTED}@h": 1}, {"v": "x" * 990 + f" redis://bob:{PLANTED}@h"},
            {"v": ["y" * 990, f"redis://bob:{PLANTED}-and-more@h".encode()]},
        ],
        ids=lambda context: str(context)[:40],
    )  # fmt: skip
    def test_planted_in_the_context_never_appear(self, context: dict[str, object]) -> None:
        error = QiError.validation("CODE", "said").with_context(context)
        outer = QiError.validation("OUTER", "said", cause=error)
        aggregate = QiError.aggregate([error, outer])
        assert PLANTED not in "".join(map(everything_shown, (error, outer, aggregate)))

    @pytest.mark.parametrize(
        "text",
        [
            f"cannot reach redis://bob:{PLANTED}@h/0", f"password={PLANTED}", f"Bearer {PLANTED}",
            f"postgres://u:p@ss/{PLANTED}#x@h", f"Authorization: Digest a, {PLANTED}",
        ],
    )  # fmt: skip
    def test_planted_in_a_text_never_appear(self, text: str) -> None:
        cause = ForeignError("x.Y", text)
        for error in (
            QiError.validation(
                "CODE", text, hint=text, public_message=text, source=text, cause=cause
            ),
            QiError.validation("CODE", text, cause=OSError(text)),
            QiError.from_exception(OSError(text)),
            QiError.aggregate([QiError.internal("CODE", text)]),
        ):
            assert PLANTED not in everything_shown(error)
        assert PLANTED not in f"{cause} {cause!r}"

    def test_a_stranger_reads_neither_context_nor_cause_nor_inner_trouble(self) -> None:
        for category in ErrorCategory:
            make = getattr(QiError, category.lower())
            error = make("CODE", "table users is gone", cause=OSError("disk sda1"), where="sda1")
            assert "sda1" not in error.public_message
            if category.http_status >= 500:
                assert "users" not in error.public_message


class TestChain:
    def test_a_line_says_it_all(self) -> None:
        inner = QiError.network("INNER", "no route", cause=OSError("unplugged"))
        error = QiError.cache("OUTER", "said", hint="try", cause=inner)
        assert error.to_string() == (
            "OUTER: said [cache]; try; from INNER: no route; from OSError: unplugged"
        )
        assert repr(error.with_context(a=1)) == "QiError.unavailable('OUTER', 'said', a=1)"

    def test_it_is_cut_at_ten_and_the_root_kept(self) -> None:
        root = OSError("where it began")
        error = QiError.internal("CODE_0", "x", cause=root)
        for number in range(1, 40):
            error = QiError.internal(f"CODE_{number}", "x", cause=error)
            assert error.root is root
            assert len(list(error.chain())) == min(number + 2, MAX_DEPTH + 1)
        codes = [link.code for link in error.chain() if isinstance(link, QiError)]
        assert codes == [f"CODE_{number}" for number in range(39, 29, -1)]

    def test_a_chain_through_vendors_is_cut_too(self) -> None:
        error = root = QiError.internal("ROOT", "x")
        for number in range(40):
            wrapped = ValueError(f"v{number}")
            wrapped.__cause__ = error
            error = QiError.internal("CODE", "x", cause=wrapped)
            assert error.root is root
            assert len(list(error.chain())) <= MAX_DEPTH + 1
        assert error.to_string().startswith("CODE: x; from ValueError: v39; from CODE: x;")

    def test_what_a_vendor_chained_stays_as_it_is(self) -> None:
        first = cause = OSError("first")
        for _ in range(30):
            wrapping = OSError("more")
            wrapping.__cause__ = cause
            cause = wrapping
        error = QiError.internal("CODE", "x", cause=cause).with_context(a=1)
        assert error.cause is cause
        assert error.root is first
        assert len(list(error.chain())) == MAX_DEPTH + 1

    def test_a_circle_ends(self) -> None:
        one, two = OSError("one"), OSError("two")
        one.__cause__, two.__cause__ = two, one
        error = QiError.internal("CODE", "x", cause=one)
        assert list(error.chain()) == [error, one, two]
        json.dumps(error.to_dict())
        release(error)


class TestFromException:
    @pytest.mark.parametrize(
        ("exception", "category"),
        [
            (TimeoutError("x"), ErrorCategory.TIMEOUT),
            (ConnectionResetError("x"), ErrorCategory.NETWORK),
            (FileNotFoundError("x"), ErrorCategory.NOT_FOUND),
            (PermissionError("x"), ErrorCategory.PERMISSION),
            (MemoryError("x"), ErrorCategory.EXHAUSTED),
            (ValueError("x"), ErrorCategory.UNKNOWN),
        ],
        ids=str,
    )
    def test_the_builtin_type_decides(self, exception: Exception, category: ErrorCategory) -> None:
        error = QiError.from_exception(exception)
        assert error.category is category
        assert error.code == "UNEXPECTED_EXCEPTION"
        assert error.message == f"{type(exception).__name__}: x"
        assert error.cause is exception
        assert "at" not in error.context

    def test_it_says_where_it_was_raised(self) -> None:
        try:
            json.loads("{")
        except ValueError as exception:
            error = QiError.from_exception(exception, code="BAD_JSON", source="s")
        assert (error.code, error.source) == ("BAD_JSON", "s")
        assert re.search(r"decoder\.py:\d+ in JSONDecoder\.", str(error.context["at"]))
        assert error.message.startswith("json.decoder.JSONDecodeError: Expecting")

    def test_an_exception_without_text_has_a_name(self) -> None:
        assert QiError.from_exception(KeyError()).message == "KeyError"
        assert QiError.from_exception(NoTextError()).message.endswith("NoTextError")

    def test_a_qi_error_is_itself(self) -> None:
        error = QiError.internal("CODE", "x")
        assert QiError.from_exception(error, code="OTHER") is error

    def test_a_group_becomes_an_aggregate(self) -> None:
        error = QiError.internal("CODE", "x")
        group = ExceptionGroup("g", [error, ExceptionGroup("h", [ValueError("v"), OSError("o")])])
        made = QiError.from_exception(group)
        assert made.code == "MULTIPLE_ERRORS"
        assert [held.code for held in made.errors] == ["CODE", *["UNEXPECTED_EXCEPTION"] * 2]
        named = QiError.from_exception(group, code="MINE", source="s")
        assert (named.code, named.source, named.errors) == ("MINE", "s", made.errors)

    @pytest.mark.parametrize("kind", [asyncio.CancelledError, KeyboardInterrupt, SystemExit])
    def test_a_group_with_a_cancellation_passes(self, kind: type[BaseException]) -> None:
        group = BaseExceptionGroup("g", [ValueError("x"), kind()])
        with pytest.raises(BaseExceptionGroup) as caught:
            QiError.from_exception(group)
        assert caught.value is group


class TestAggregate:
    def test_holds_all_in_order(self) -> None:
        held = [QiError.timeout(f"CODE_{n}", "x") for n in range(7)]
        error = QiError.aggregate(held)
        assert error.errors == tuple(held)
        assert error.message.startswith("7 errors: CODE_0: x; ")
        assert "CODE_5" not in error.message
        assert (error.category, error.retryable) == (ErrorCategory.TIMEOUT, True)
        assert error.with_context(a=1).errors == tuple(held)
        data: Any = error.to_dict()
        assert [one["code"] for one in data["errors"]] == [one.code for one in held]
        assert pickle.loads(pickle.dumps(error)).errors == tuple(held)

    def test_differing_categories_are_unknown_and_all_must_be_retryable(self) -> None:
        mixed = [QiError.timeout("A", "x"), QiError.validation("B", "x")]
        error = QiError.aggregate(mixed, code="MINE", message="said")
        assert (error.code, error.message) == ("MINE", "said")
        assert (error.category, error.retryable) == (ErrorCategory.UNKNOWN, False)

    def test_of_nothing_is_refused(self) -> None:
        with pytest.raises(ValueError, match="at least one"):
            QiError.aggregate([])

    def test_however_deep_it_is_it_travels(self) -> None:
        error = QiError.internal("DEEP", "x")
        for n in range(400):
            error = QiError.internal("WHY", "x", cause=error) if n % 3 == 2 else error
            error = QiError.aggregate([QiError.internal("FLAT", "x"), error], message="two")
        assert pickle.loads(pickle.dumps(error)) == error == copy.deepcopy(error)
        data = error.to_dict()
        assert QiError.from_dict(data).to_dict() == data
        assert error.errors[0].code == "FLAT"

    def test_what_fits_is_held_as_it_is(self) -> None:
        whole = error = QiError.internal("DEEP", "x")
        for _ in range(32):
            error = QiError.aggregate([error], message="one")
        for _ in range(32):
            (error,) = error.errors
        assert error is whole

    def test_of_very_many_a_hundred_are_shown_and_all_are_held(self) -> None:
        held = [QiError.internal("CODE", "x" * 300, blob=["y"] * 30) for _ in range(20_000)]
        error = QiError.aggregate([QiError.aggregate(held[:50]), *held])
        data: Any = error.to_dict()
        assert len(json.dumps(data)) < 100_000
        assert len(data["errors"]) == 100 - 50
        assert len(error.errors) == 20_001
        assert QiError.from_dict(data).to_dict() == data

    @pytest.mark.parametrize("name", ["errors", "cause"])
    def test_data_of_hostile_depth_is_refused(self, name: str) -> None:
        data: dict[str, Any] = QiError.internal("CODE", "x").to_dict()
        for _ in range(2_000):
            data = {**data, name: [data] if name == "errors" else data}
        with pytest.raises(ValueError, match="32 levels"):
            QiError.from_dict(data)

    def test_goes_to_an_exception_group_and_back(self) -> None:
        held = [QiError.timeout("A", "x"), QiError.network("B", "x")]
        group = QiError.aggregate(held).to_exception_group()
        assert group.exceptions == tuple(held)
        assert QiError.from_exception_group(group).errors == tuple(held)
        assert held[0].to_exception_group().exceptions == (held[0],)

    def test_except_star_takes_its_members(self) -> None:
        seen = []
        try:
            raise QiError.aggregate([QiError.timeout("A", "x")]).to_exception_group()
        except* QiError as group:
            seen += group.exceptions
        assert seen == [QiError.timeout("A", "x")]


@contextlib.contextmanager
def passing() -> Iterator[None]:
    yield


class TestAsAnException:
    def test_survives_a_contextmanager(self) -> None:
        error = QiError.internal("CODE", "x")
        with pytest.raises(QiError) as caught, passing():
            raise error
        assert caught.value is error

    def test_survives_raise_from(self) -> None:
        error, cause = QiError.internal("CODE", "x"), OSError("x")
        with pytest.raises(QiError) as caught:
            raise error from cause
        assert caught.value.__cause__ is cause

    def test_survives_a_task_group(self) -> None:
        async def fails() -> None:
            raise QiError.internal("CODE", "x")

        async def main() -> None:
            async with asyncio.TaskGroup() as group:
                group.create_task(fails())

        with pytest.raises(ExceptionGroup) as caught:
            asyncio.run(main())
        assert QiError.from_exception(caught.value).errors == (QiError.internal("CODE", "x"),)

    def test_survives_a_note(self) -> None:
        error = QiError.internal("CODE", "x")
        error.add_note("seen on a Monday")
        assert error == QiError.internal("CODE", "x")


def raised(make: Callable[[], BaseException]) -> BaseException:
    try:
        try:
            raise OSError("behind")
        except OSError:
            raise make()  # noqa: B904  # the context is wanted
    except BaseException as exception:  # noqa: BLE001  # whatever was asked for
        return exception


class FrozenError(Exception):
    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError("frozen")


class TestRelease:
    def test_lets_go_of_frames_behind_and_inside(self) -> None:
        inner = raised(lambda: ValueError("inner"))
        outer = raised(lambda: OSError(inner))
        outer.wrapped = raised(lambda: KeyError(1))  # type: ignore[attr-defined]
        group = ExceptionGroup("g", [outer, raised(FrozenError)])  # type: ignore[list-item]
        error = raised(lambda: QiError.internal("CODE", "x", cause=raised(lambda: group)))
        assert frames_behind(error)
        release(error)
        assert frames_behind(error) == []

    def test_an_aggregate_lets_go_when_it_is_made(self) -> None:
        held: Any = raised(lambda: QiError.internal("CODE", "x"))
        assert frames_behind(QiError.aggregate([held])) == []

    def test_nothing_is_nothing(self) -> None:
        release(None)


def test_contexts_that_refuse_to_be_compared_are_compared_by_what_they_carry() -> None:
    class Array:
        def __eq__(self, other: object) -> bool:
            raise ValueError("an array has no truth")

        def __hash__(self) -> int:
            return 1

        def __reduce__(self) -> tuple[type, tuple[()]]:
            return list, ()

    one, other = QiError.internal("X", "x", held=Array()), QiError.internal("X", "x", held=Array())
    assert one == other
    assert one != QiError.internal("X", "x", held=5)
