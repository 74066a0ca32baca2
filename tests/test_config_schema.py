"""Configuration(Schema): each type it reads, all errors at once, what is empty, what is unknown."""

from __future__ import annotations

import datetime
import itertools
import sys
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field, make_dataclass
from decimal import Decimal
from enum import Enum, IntEnum
from pathlib import Path, PurePosixPath
from typing import Annotated, Any, Final, Generic, Literal, NewType, Optional, TypeVar, Union
from uuid import UUID

import pytest

from qicore_core import QiError, Secret, failure, success
from qicore_core.config import ConfigData, Configuration, readers


class Color(Enum):
    RED = "red"
    BLUE = 2


class Size(IntEnum):
    SMALL = 1


T = TypeVar("T")
UserId = NewType("UserId", int)


@dataclass(frozen=True)
class Database:
    host: str
    port: int = 5432
    tags: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Pool:
    size: int = 5
    name: str = "main"

    def __post_init__(self) -> None:
        if self.size < 1:
            raise ValueError(f"size must be at least 1, got {self.size}")
        if self.size > 100:
            raise QiError.validation("POOL_TOO_LARGE", "at most 100")
        if self.size == 13:
            raise ValueError


@dataclass(frozen=True)
class Settings:
    db: Database
    debug: bool = False
    pool: Pool = Pool(size=7, name="own")
    spare: Database | None = None
    servers: list[Database] = field(default_factory=list)
    named: dict[str, Database] = field(default_factory=dict)
    made: int = field(default=0, init=False)


@dataclass
class Box(Generic[T]):
    held: T
    anything: Any = None
    thing: object = None


@dataclass
class Node:
    next: Node


@dataclass
class Left:
    left: int


@dataclass
class Right:
    right: int
    more: int = 0


def read_one(hint: Any, value: object) -> Any:
    """Read a value that a file or an object says as a type."""
    return Configuration(make_dataclass("One", [("x", hint)])).from_object({"x": value})


def read_word(hint: Any, word: str) -> Any:
    """Read a word from the environment as a type."""
    return Configuration(make_dataclass("One", [("x", hint)])).from_environment("A", {"A_X": word})


def refusal(result: Any) -> QiError:
    error = result.unwrap_error()
    assert error.code == "CONFIG_VALIDATION_FAILED"
    (one,) = error.errors
    assert isinstance(one, QiError)
    return one


def same(one: object, other: object) -> bool:
    return type(one) is type(other) and one == other


NOON = datetime.time(12, 0)
DAY = datetime.date(2030, 1, 31)
MOMENT = datetime.datetime(2030, 1, 31, 12, 0, tzinfo=datetime.UTC)
SOME_ID = UUID("12345678-1234-5678-1234-567812345678")


@pytest.mark.parametrize(
    ("hint", "value", "expected"),
    [
        (str, "x", "x"),
        (int, 5, 5),
        (int, " 5 ", 5),
        (float, 5, 5.0),
        (float, "1e3", 1000.0),
        (float, 1.5, 1.5),
        (bool, True, True),
        (bool, "Yes", True),
        (bool, "off", False),
        (bool, "false", False),
        (Decimal, 0.1, Decimal("0.1")),
        (Decimal, "1.50", Decimal("1.50")),
        (Decimal, Decimal(1), Decimal(1)),
        (UUID, str(SOME_ID), SOME_ID),
        (UUID, SOME_ID, SOME_ID),
        (datetime.datetime, "2030-01-31T12:00:00Z", MOMENT),
        (datetime.datetime, MOMENT, MOMENT),
        (datetime.date, "2030-01-31", DAY),
        (datetime.date, DAY, DAY),
        (datetime.time, "12:00", NOON),
        (datetime.time, NOON, NOON),
        (datetime.timedelta, 1.5, datetime.timedelta(seconds=1.5)),
        (datetime.timedelta, "90", datetime.timedelta(seconds=90)),
        (datetime.timedelta, "1h 30m", datetime.timedelta(minutes=90)),
        (datetime.timedelta, "500ms", datetime.timedelta(milliseconds=500)),
        (datetime.timedelta, NOON.resolution, NOON.resolution),
        (Path, "/tmp", Path("/tmp")),
        (Path, Path("/tmp"), Path("/tmp")),
        (PurePosixPath, "a/b", PurePosixPath("a/b")),
        (Color, "red", Color.RED),
        (Color, "BLUE", Color.BLUE),
        (Color, 2, Color.BLUE),
        (Color, Color.RED, Color.RED),
        (Size, "small", Size.SMALL),
        (Literal["a", 1, True], "a", "a"),
        (Literal["a", 1], 1, 1),
        (Optional[int], None, None),  # noqa: UP045  # both spellings are read
        (int | None, 5, 5),
        (int | str, "5", "5"),
        (Union[str, int], 5, 5),  # noqa: UP007  # as above
        (float | int, 5, 5),
        (int | bool, True, True),
        (Literal["auto"] | int, "auto", "auto"),
        (Left | Right, {"right": 1}, Right(1)),
        (list[int], [1, "2"], [1, 2]),
        (list[int], (1, 2), [1, 2]),
        (list, [1, "2"], [1, "2"]),
        (Sequence[int], [1], (1,)),
        (Collection[int], [1], (1,)),
        (Iterable[int], [1], (1,)),
        (tuple[int, str], [1, "a"], (1, "a")),
        (tuple[int], [1], (1,)),
        (tuple[int, ...], [1, 2], (1, 2)),
        (set[int], [1, 1], {1}),
        (frozenset[int], {1}, frozenset({1})),
        (Set[int], [1], frozenset({1})),
        (dict[str, int], {"a": "1"}, {"a": 1}),
        (dict[int, int], {"1": 2}, {1: 2}),
        (Mapping[str, int], {}, {}),
        (dict, {"a": [1]}, {"a": [1]}),
        (Annotated[int, "unit"], 5, 5),
        (Final[int], 5, 5),
        (UserId, "5", 5),
        (Any, [1], [1]),
        (object, "x", "x"),
        (None, None, None),
        (Database, {"host": "x"}, Database("x")),
        (Database, Database("x"), Database("x")),
        (bytes, b"x", b"x"),
        (Secret[int], "5", Secret(5)),
        (Secret[int], Secret(5), Secret(5)),
        (Secret, "x", Secret("x")),
        (list[Secret[str]], ["x"], [Secret("x")]),
    ],
    ids=repr,
)
def test_a_value_is_read_as_its_type(hint: Any, value: object, expected: object) -> None:
    assert same(read_one(hint, value).unwrap().x, expected)


def test_a_function_may_be_a_setting() -> None:
    assert read_one(Callable[[str], int], int).unwrap().x is int


@pytest.mark.parametrize(
    ("hint", "value", "said"),
    [
        (str, 5, "text, got 5"),
        (int, True, "a whole number, got True"),
        (int, 5.0, "a whole number, got 5.0"),
        (int, "5.0", "a whole number, got '5.0'"),
        (int, "9" * 5000, f"a whole number, got '{'9' * 78}…"),
        (float, True, "a number, got True"),
        (float, 10**400, f"a number, got 1{'0' * 78}…"),
        (bool, 1, "true or false, got 1"),
        (bool, "maybe", "true or false, got 'maybe'"),
        (Decimal, "x", "a decimal number, got 'x'"),
        (Decimal, True, "a decimal number, got True"),
        (UUID, "x", "a UUID, got 'x'"),
        (UUID, 5, "a UUID, got 5"),
        (datetime.datetime, "x", "a date and time such as 2030-01-31T12:30:00Z, got 'x'"),
        (datetime.date, MOMENT, f"a date such as 2030-01-31, got {MOMENT!r}"[:80]),
        (datetime.time, 12, "a time such as 12:30:00, got 12"),
        (
            datetime.timedelta,
            "1 fortnight",
            'a duration such as 30 (seconds), "500ms" or "1h30m", got \'1 fortnight\'',
        ),
        (datetime.timedelta, True, 'a duration such as 30 (seconds), "500ms" or "1h30m", got True'),
        (
            datetime.timedelta,
            1e300,
            'a duration such as 30 (seconds), "500ms" or "1h30m", got 1e+300',
        ),
        (Path, "", "a path, got ''"),
        (Path, 5, "a path, got 5"),
        (Color, "green", "one of red, 2, got 'green'"),
        (Color, 3, "one of red, 2, got 3"),
        (Literal["a", 1], True, "one of a, 1, got True"),
        (Literal["a", 1], "1", "one of a, 1, got '1'"),
        (int | None, "x", "a whole number, got 'x'"),
        (int, None, "a whole number, got None"),
        (int | float | None, "x", "a whole number or a number or nothing, got 'x'"),
        (int | Left, "x", "a whole number or a section, got 'x'"),
        (list[int], "1,2", "a list, got '1,2'"),
        (tuple[int, str], [1], "a list of 2, got [1]"),
        (tuple[int, str], 5, "a list of 2, got 5"),
        (dict[str, int], 5, "a section, got 5"),
        (Database, [1], "a section, got [1]"),
        (int, {"a": 1}, "a whole number, got a section"),
        (bytes, "x", "a bytes, got 'x'"),
        (str, PurePosixPath("x"), "text, got PurePosixPath('x')"),
        (int, PurePosixPath("5"), "a whole number, got PurePosixPath('5')"),
        (None, 1, "nothing, got 1"),
        (str, Secret("x"), "text, got '***'"),
        (int | Secret[Decimal], "y", "a whole number or a decimal number, got ***"),
    ],
    ids=repr,
)
def test_a_value_that_does_not_fit_is_named(hint: Any, value: object, said: str) -> None:
    error = refusal(read_one(hint, value))
    assert error.code == "CONFIG_TYPE_MISMATCH"
    assert error.message.startswith(f"x must be {said}")
    assert error.message.endswith("(object)")
    assert (error.context["key"], error.context["at"]) == ("x", "object")


@pytest.mark.parametrize(
    ("hint", "value", "advice"),
    [
        (Color, "redd", "did you mean red?"),
        (Literal["debug", "info"], "inof", "did you mean info?"),
        (list[str], "a,b", 'write a list, such as ["a", "b"]'),
        (str, 5, "write it in quotes"),
        (int, [1], None),
    ],
    ids=repr,
)
def test_a_mistake_that_is_plain_to_see_gets_advice(
    hint: Any, value: object, advice: str | None
) -> None:
    assert refusal(read_one(hint, value)).hint == advice


@pytest.mark.parametrize(
    ("hint", "word", "expected"),
    [
        (str, "5", "5"),
        (int, "5", 5),
        (int | str, "5", 5),
        (str | int, "5", 5),
        (int | str, "x", "x"),
        (int | None, "none", None),
        (int | None, "NULL", None),
        (str | None, "none", "none"),
        (str | None, "", ""),
        (Secret[str], "", Secret("")),
        (list[str], "a, b", ["a", "b"]),
        (list[int], "1", [1]),
        (list[int], "[1, 2]", [1, 2]),
        (list[str], "[a", ["[a"]),
        (list[bool], "yes,no", [True, False]),
        (tuple[int, str], "1,b", (1, "b")),
        (dict[str, int], '{"a": 1}', {"a": 1}),
        (Database, '{"host": "x", "tags": ["a"]}', Database("x", tags=["a"])),
        (list[Database], '[{"host": "x"}]', [Database("x")]),
        (Literal[1, 2], "2", 2),
        (Literal[True, "x"], "true", True),
        (Color, "2", Color.BLUE),
    ],
    ids=repr,
)
def test_a_word_is_read_as_its_type(hint: Any, word: str, expected: object) -> None:
    assert same(read_word(hint, word).unwrap().x, expected)


@pytest.mark.parametrize(
    ("hint", "word", "said"),
    [
        (list[int], "1,x", "x[1] must be a whole number, got 'x' (A_X)"),
        (Database, "{x", "x must be a section, got '{x' (A_X)"),
        (Database, "[1]", "x must be a section, got '[1]' (A_X)"),
        (dict[str, int], "1", "x must be a section, got '1' (A_X)"),
        (list[list[int]], "[" * 100_000, None),
        (dict, '{"a":' * 70 + "1" + "}" * 70, None),
        (Database, '{"host": "x", "host": "y"}', None),
        (dict, '{"a": NaN}', "x must be a section, got '{\"a\": NaN}' (A_X)"),
        (Literal[1, 2], "3", "x must be one of 1, 2, got '3' (A_X)"),
    ],
    ids=lambda value: repr(value)[:40],
)
def test_a_word_that_does_not_fit_is_named_with_its_variable(
    hint: Any, word: str, said: str | None
) -> None:
    error = refusal(read_word(hint, word))
    assert said is None or error.message == said


def test_sections_are_read_as_dataclasses_and_a_default_is_the_lowest_layer() -> None:
    values = {
        "db": {"host": "a"},
        "debug": True,
        "pool": {"size": 9},
        "spare": {"host": "b", "port": 1},
        "servers": [{"host": "c"}],
        "named": {"x": {"host": "d"}},
    }
    settings = Configuration(Settings).from_object(values).unwrap()
    assert settings == Settings(
        Database("a"),
        True,
        Pool(9, "own"),  # its name is what the default says, not what the class says
        Database("b", 1),
        [Database("c")],
        {"x": Database("d")},
    )


def test_a_default_factory_is_the_lowest_layer_too() -> None:
    def own_pool() -> Pool:
        return Pool(size=3, name="made")

    pool = ("pool", Pool, field(default_factory=own_pool))
    inner = make_dataclass("Inner", [pool], frozen=True)
    outer = make_dataclass("Outer", [("inner", inner, inner(Pool(4, "outer")))])
    made: Any = Configuration(inner).from_object({"pool": {"name": "x"}}).unwrap()
    assert made.pool == Pool(3, "x")
    made = Configuration(outer).from_object({"inner": {"pool": {"name": "x"}}}).unwrap()
    assert made.inner.pool == Pool(4, "x")


def test_all_errors_come_at_once_each_with_its_place(tmp_path: Path) -> None:
    file = tmp_path / "app.toml"
    file.write_text(
        "debug = 'maybe'\nspar = 1\n[db]\nport = 'x'\n[[servers]]\nhost = 'a'\n[[servers]]\n"
        "[named.x]\nhots = 'y'\n[named.'a.b']\nhost = 1\n",
        encoding="utf-8",
    )
    data = ConfigData.from_file(file).unwrap()
    data += ConfigData.from_environment("APP", {"APP_POOL__SIZE": "0", "APP_ZZZ__Y": "1"}).unwrap()
    error = Configuration(Settings).from_data(data).unwrap_error()
    assert [(one.code, one.message, one.hint) for one in error.errors] == [
        ("CONFIG_KEY_NOT_FOUND", "db.host is missing", f"set db.host in {file} or APP_DB__HOST"),
        ("CONFIG_TYPE_MISMATCH", f"db.port must be a whole number, got 'x' ({file}:4)", None),
        ("CONFIG_TYPE_MISMATCH", f"debug must be true or false, got 'maybe' ({file}:1)", None),
        (
            "CONFIG_VALUE_REJECTED",
            "pool is refused: size must be at least 1, got 0 (APP_POOL__SIZE)",
            None,
        ),
        ("CONFIG_KEY_NOT_FOUND", f"servers[1].host is missing ({file}:7)", None),
        (
            "CONFIG_KEY_NOT_FOUND",
            "named.x.host is missing",
            f"set named.x.host in {file} or APP_NAMED__X__HOST",
        ),
        (
            "CONFIG_KEY_UNKNOWN",
            f"named.x.hots is no key of Database ({file}:9)",
            "did you mean named.x.host?",
        ),
        (
            "CONFIG_TYPE_MISMATCH",
            f'named."a.b".host must be text, got 1 ({file}:11)',
            "write it in quotes",
        ),
        ("CONFIG_KEY_UNKNOWN", f"spar is no key of Settings ({file}:2)", "did you mean spare?"),
        (
            "CONFIG_KEY_UNKNOWN",
            "zzz is no key of Settings (APP_ZZZ__Y)",
            "it has db, debug, pool, spare, servers, named",
        ),
    ]
    assert error.code == "CONFIG_VALIDATION_FAILED"
    assert error.message.startswith("10 errors in Settings: db.host is missing, set db.host in")


def test_one_error_is_told_as_one() -> None:
    error = Configuration(Database).from_object({}).unwrap_error()
    assert error.message == "1 error in Database: host is missing"


def test_a_long_list_of_names_is_cut() -> None:
    wide = make_dataclass("Wide", [(f"field{n}", int, 0) for n in range(12)])
    hint = refusal(Configuration(wide).from_object({"zzz": 1})).hint
    assert hint == "it has " + ", ".join(f"field{n}" for n in range(10)) + ", ..."


@dataclass(frozen=True)
class Web:
    port: int = 80


@dataclass(frozen=True)
class Service:
    web: Web = Web()


def test_one_underscore_where_two_end_a_section_is_told() -> None:
    [error] = Configuration(Service).from_object({"web_port": 9}).unwrap_error().errors
    assert error.hint == "did you mean web.port? in a variable two underscores end a section"


def test_unknown_keys_can_be_let_be() -> None:
    configuration = Configuration(Database, ignore_unknown=True)
    assert configuration.from_object({"host": "x", "else": 1}).unwrap() == Database("x")
    assert repr(configuration) == "Configuration(Database)"


def test_a_missing_section_is_asked_for_what_it_needs() -> None:
    error = refusal(Configuration(Settings).from_object({}))
    assert error.message == "db.host is missing"


def test_a_schema_that_holds_itself_comes_to_an_end() -> None:
    error = refusal(Configuration(Node).from_object({}))
    assert error.code == "CONFIG_KEY_NOT_FOUND"


@dataclass
class Ping:
    next: Ping | Pong | int = 0


@dataclass
class Pong:
    next: Pong | Ping | int = 0


@dataclass
class Link:
    own: Link | Chain | int = field(default_factory=lambda: Chain(3))


@dataclass
class Chain:
    own: Chain | Link | int = field(default_factory=lambda: Link(3))


@dataclass
class Leaf:
    inner: list[Leaf] | list[Twig] | int = 0


@dataclass
class Twig:
    inner: list[Twig] | list[Leaf] | int = 0


@pytest.mark.parametrize(
    ("schema", "name", "is_list"),
    [(Ping, "next", False), (Link, "own", False), (Leaf, "inner", True)],
)
def test_a_union_in_itself_takes_no_longer_for_each_level(
    schema: type, name: str, is_list: bool
) -> None:
    calls = itertools.count()

    def steps(depth: int) -> int:
        value: Any = "bad"
        for _ in range(depth):
            value = {name: [value] if is_list else value}
        before = next(calls)
        sys.setprofile(lambda *_: next(calls))
        try:
            error = refusal(Configuration(schema).from_object(value))
        finally:
            sys.setprofile(None)
        assert error.message.startswith(name)
        return next(calls) - before

    assert steps(24) < 9 * steps(8)  # three times the levels; doubled for each, 65,536 times


def test_the_default_of_a_section_in_a_union_is_the_lowest_layer() -> None:
    @dataclass(frozen=True)
    class Held:
        pool: Pool | Left | None = Pool(7, "own")

    assert Configuration(Held).from_object({"pool": {"size": 9}}).unwrap().pool == Pool(9, "own")
    assert Configuration(Held).from_object({"pool": {"left": 9}}).unwrap().pool == Left(9)


def test_each_schema_of_a_union_has_its_own_defaults() -> None:
    pool = Pool | None
    strict = make_dataclass("Strict", [("needed", int), ("pool", pool, Pool(1, "strict"))])
    loose = make_dataclass("Loose", [("pool", pool, Pool(2, "loose"))])
    made = read_one(strict | loose, {"pool": {"size": 9}}).unwrap().x
    assert made == loose(Pool(9, "loose"))


def test_a_factory_is_asked_only_for_a_section_that_is_said_in_part() -> None:
    def never() -> Any:
        raise AssertionError("nobody needs it")

    made = make_dataclass("Made", [("x", int, field(default_factory=never))])
    assert Configuration(made).from_object({"x": 1}).unwrap() == made(1)


def test_many_variables_are_read_in_proportion_to_their_number() -> None:
    def steps(count: int) -> int:
        schema = make_dataclass("Wide", [(f"k{n}", int) for n in range(count)])
        words = {f"A_K{n}": str(n) for n in range(count)}
        calls = itertools.count()
        sys.setprofile(lambda *_: next(calls))
        try:
            assert Configuration(schema).from_environment("A", words).is_success()
        finally:
            sys.setprofile(None)
        return next(calls)

    assert steps(400) < 6 * steps(100)


def test_a_generic_schema_takes_anything_where_its_parameter_stands() -> None:
    made = Configuration[Box[Any]](Box).from_object({"held": [1], "anything": {"a": 1}}).unwrap()
    assert made == Box([1], {"a": 1})


@pytest.mark.parametrize(
    ("size", "reason"),
    [(0, "size must be at least 1, got 0"), (101, "at most 100"), (13, "ValueError")],
)
def test_what_a_schema_refuses_is_an_error_like_the_others(size: int, reason: str) -> None:
    error = refusal(Configuration(Pool).from_object({"size": size}))
    assert error.code == "CONFIG_VALUE_REJECTED"
    assert error.message == f"Pool is refused: {reason}"


def test_a_bug_in_a_schema_is_raised() -> None:
    @dataclass
    class Broken:
        x: int = 0

        def __post_init__(self) -> None:
            raise KeyError(self.x)

    with pytest.raises(KeyError):
        Configuration(Broken).from_object({})


def test_an_empty_word_is_unset_for_all_but_text() -> None:
    data = ConfigData.from_object(
        {"db": {"host": "x", "port": 1, "tags": ["a"]}, "named": {"x": {"host": "y", "port": 2}}}
    ).unwrap()
    words = {
        "APP_DB__HOST": "",
        "APP_DB__PORT": "",
        "APP_DB__TAGS": "",
        "APP_DEBUG": "",
        "APP_POOL": "",
        "APP_SPARE__PORT": "",
        "APP_NAMED__X__PORT": "",
        "APP_SERVERS": "",
    }
    data += ConfigData.from_environment("APP", words).unwrap()
    data += ConfigData.from_args(["db.port="]).unwrap()
    settings = Configuration(Settings).from_data(data).unwrap()
    assert settings == Settings(Database("", 1, ["a"]), named={"x": Database("y", 2)})


def test_an_empty_word_that_no_schema_knows_is_still_unknown() -> None:
    words = {"APP_HOST": "x", "APP_HOTS": "", "APP_PORT__X": ""}
    error = Configuration(Database).from_environment("APP", words).unwrap_error()
    assert [one.code for one in error.errors] == ["CONFIG_TYPE_MISMATCH", "CONFIG_KEY_UNKNOWN"]


def test_an_empty_text_of_a_file_is_not_unset() -> None:
    error = refusal(read_one(int, ""))
    assert error.message == "x must be a whole number, got '' (object)"


def test_the_nearest_of_several_schemas_says_what_is_wrong() -> None:
    error = refusal(read_one(Left | Right, {"right": 1, "moer": 2}))
    assert error.message == "x.moer is no key of Right (object)"


def test_files_and_their_formats_are_read(tmp_path: Path) -> None:
    file = tmp_path / "db.conf"
    file.write_text("host = 'x'", encoding="utf-8")
    assert Configuration(Database).from_file(file, "toml").unwrap() == Database("x")
    missing = Configuration(Database).from_file(tmp_path / "no.toml")
    assert missing.unwrap_error().code == "CONFIG_FILE_NOT_FOUND"


def test_the_names_that_type_statements_make_are_seen_through() -> None:
    class TypeAliasType:  # as the statement of Python 3.12 makes one
        __value__ = int

    assert read_one(TypeAliasType(), "5").unwrap().x == 5
    if sys.version_info >= (3, 12):
        scope: dict[str, Any] = {}
        exec("type Port = int", scope)
        assert read_one(scope["Port"], "5").unwrap().x == 5


def schema_of(package: str) -> type:
    base = type("BaseModel", (), {"__module__": f"{package}.main"})
    return type("Model", (base,), {})


def test_a_schema_of_another_library_says_which_plugin_reads_it() -> None:
    error = Configuration(schema_of("pydantic")).from_object({}).unwrap_error()
    assert error.code == "CONFIG_SCHEMA_UNKNOWN"
    assert error.message == "Model is a schema of pydantic, which nothing here reads"
    assert error.hint == (
        "the core reads dataclasses; "
        "install a distribution that brings it (entry point group qicore.schema)"
    )


def test_a_class_that_is_no_schema_is_told_how_to_be_one() -> None:
    error = Configuration(int).from_object({}).unwrap_error()
    assert (error.code, error.message) == ("CONFIG_SCHEMA_UNKNOWN", "int is no schema")
    assert error.hint == "make it a dataclass: @dataclass(frozen=True)"


def test_a_plugin_reads_other_schemas(monkeypatch: pytest.MonkeyPatch) -> None:
    def read(schema: type, values: Mapping[str, object]) -> Any:
        if values.get("ok"):
            return success((schema, values))
        held = [QiError.validation("BAD", "bad", key="db.port"), QiError.validation("BAD", "all")]
        return failure(QiError.aggregate(held, code="CONFIG_VALIDATION_FAILED"))

    found = {("schema", "pydantic"): success(read)}
    monkeypatch.setattr(readers, "lookup", lambda kind, name: found[kind, name])
    model = schema_of("pydantic")
    assert Configuration(model).from_object({"ok": True}).unwrap() == (model, {"ok": True})
    words = {"A_DB__PORT": "x"}
    error = Configuration(model).from_environment("A", words).unwrap_error()
    assert error.code == "CONFIG_VALIDATION_FAILED"
    assert [dict(one.context) for one in error.errors] == [
        {"key": "db.port", "at": "A_DB__PORT"},
        {},
    ]
