"""Placeholders are found where they are, and nowhere else."""

from __future__ import annotations

import sqlite3

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qicore_core.testing import assert_failure
from qicore_sql.statement import Dialect, Statements

POSTGRES = Dialect()
SQLITE = Dialect(
    placeholder="?",
    has_brackets=True,
    has_dollar_quotes=False,
    has_escapes=False,
    nests_comments=False,
)

# Tokens that hold what looks like a placeholder, a quote or a comment, by dialect.
INSIDE = st.text("$12?%'\"`[]-/*\\\n aE", max_size=8)
PLAIN = st.sampled_from(["a", "a$1", "E", "$", "=", "(", ",", "x1", "1", "1.5", "::", "->", "%"])
STRINGS = INSIDE.map(lambda text: "'" + text.replace("'", "''") + "'")
NAMES = INSIDE.map(lambda text: '"' + text.replace('"', '""') + '"')
TICKS = INSIDE.map(lambda text: "`" + text.replace("`", "``") + "`")
LINES = INSIDE.map(lambda text: "--" + text.replace("\n", "") + "\n")
BLOCKS = INSIDE.filter(lambda text: "*" not in text and "/" not in text).map("/*{}*/".format)
NESTED = BLOCKS.map("/* $1 {} ' */".format)
BRACKETS = INSIDE.filter(lambda text: "]" not in text).map("[{}]".format)
DOLLARS = st.tuples(st.sampled_from(["", "tag", "é"]), INSIDE.filter(lambda t: "$" not in t)).map(
    lambda both: f"${both[0]}${both[1]}$1 ${both[0]}$"
)
ESCAPES = st.sampled_from(["E'\\' $1'", "e'\\\\'", "E'''$1\\''"])
PLACES = st.integers(1, 9)
EVERYWHERE = PLAIN | STRINGS | NAMES | TICKS | LINES | BLOCKS
TOKENS = {
    POSTGRES: st.lists(EVERYWHERE | NESTED | DOLLARS | ESCAPES | PLACES, max_size=12),
    SQLITE: st.lists(EVERYWHERE | BRACKETS | PLACES, max_size=12),
}


def renumbered(tokens: list[str | int]) -> list[str | int]:
    """Number the places so that none is left out."""
    known: dict[int, int] = {}
    for token in tokens:
        if isinstance(token, int):
            known.setdefault(token, len(known) + 1)
    return [known[token] if isinstance(token, int) else token for token in tokens]


@pytest.mark.parametrize("dialect", TOKENS, ids=["postgres", "sqlite"])
@given(data=st.data())
def test_only_placeholders_are_translated(dialect: Dialect, data: st.DataObject) -> None:
    tokens = renumbered(data.draw(TOKENS[dialect]))
    sql = " ".join([f"${token}" if isinstance(token, int) else token for token in tokens])
    read = Statements(dialect).read(sql).unwrap()
    wanted = dialect.placeholder
    assert read.text == " ".join(
        [
            token if isinstance(token, str) else f"${token}" if wanted == "$1" else wanted
            for token in tokens
        ]
    )
    used = [token for token in tokens if isinstance(token, int)]
    assert read.size == max(used, default=0)
    values = [f"value {number}" for number in range(1, read.size + 1)]
    if wanted == "?":
        assert list(read.arrange(values)) == [f"value {number}" for number in used]
    else:
        assert read.arrange(values) is values


@given(tokens=st.lists(STRINGS | NAMES | BLOCKS | LINES | BRACKETS | PLACES, max_size=8))
def test_sqlite_reads_what_was_translated(tokens: list[str | int]) -> None:
    tokens = renumbered(tokens)
    used = [token for token in tokens if isinstance(token, int)]
    columns = []
    for token in tokens:
        if isinstance(token, int):
            columns.append(f"${token} as n")
        elif token[0] in "'-/":
            columns.append(token if token[0] == "'" else f"0 {token}")
        else:
            columns.append(f"1 as {token}")
    read = Statements(SQLITE).read("select " + ", ".join([*columns, "0"])).unwrap()
    connection = sqlite3.connect(":memory:")
    values = [f"value {number}" for number in range(1, read.size + 1)]
    row = connection.execute(read.text, read.arrange(values)).fetchone()
    connection.close()
    assert [value for value in row if str(value).startswith("value ")] == [
        f"value {number}" for number in used
    ]


@given(sql=st.text("$1?%'\"`[]-/*\\\n aEx", max_size=40))
def test_any_text_has_an_answer(sql: str) -> None:
    for dialect in TOKENS:
        read = Statements(dialect).read(sql)
        if read and dialect is POSTGRES:
            assert read.value.text == sql


@pytest.mark.parametrize(
    ("dialect", "sql", "text"),
    [
        (SQLITE, "select '\\', $1", "select '\\', ?"),
        (POSTGRES, "select a[$1]", "select a[$1]"),
        (SQLITE, "/* /* */ $1", "/* /* */ ?"),
        (POSTGRES, "/* /* */ $2", "/* /* */ $2"),
        (SQLITE, "select $1x, x$1, $1234567890", "select $1x, x$1, $1234567890"),
        (Dialect(placeholder="%s"), "select 5 % 2, '%', $1", "select 5 %% 2, '%%', %s"),
        (SQLITE, "select 'no end $1", "select 'no end $1"),
        (POSTGRES, "select $a$ $1", "select $a$ $1"),
        (POSTGRES, "/* no end $1", "/* no end $1"),
    ],
)
def test_dialects_differ(dialect: Dialect, sql: str, text: str) -> None:
    assert Statements(dialect).read(sql).unwrap().text == text


@pytest.mark.parametrize(
    ("sql", "keyword", "is_read"),
    [
        ("select 1", "select", True),
        ("-- insert\n (SELECT 1)", "select", True),
        ("With x as (select 1) delete from t", "with", False),
        ("", "", False),
        ("'select'", "", False),
    ],
)
def test_the_first_word_is_known(sql: str, keyword: str, is_read: bool) -> None:
    read = Statements(SQLITE).read(sql).unwrap()
    assert (read.keyword, read.is_read) == (keyword, is_read)


@pytest.mark.parametrize("sql", ["select $0", "select $2", "select $1, $3", "select $0, $1, $2"])
def test_placeholders_are_counted_from_one(sql: str) -> None:
    assert_failure(Statements(POSTGRES).read(sql), "DB_SYNTAX")


def test_a_hundred_thousand_parameters_are_counted() -> None:
    places = ",".join([f"${number}" for number in range(1, 100_001)])
    assert Statements(SQLITE).read(f"values ({places})").unwrap().size == 100_000


def test_a_statement_shows_no_text() -> None:
    read = Statements(POSTGRES).read("select 'secret', $1").unwrap()
    assert repr(read) == "<Statement select, 1 parameter>"
    assert repr(Statements(POSTGRES).read("").unwrap()) == "<Statement empty, 0 parameters>"


@pytest.mark.parametrize(
    ("sql", "params", "said"),
    [
        ("select $1", (), "the statement takes 1 parameter, not 0"),
        ("select 1", (5,), "the statement takes 0 parameters, not 1"),
        ("select $1, $2", (5,), "the statement takes 2 parameters, not 1"),
    ],
)
def test_more_or_fewer_parameters_are_counted(sql: str, params: tuple[int, ...], said: str) -> None:
    assert Statements(POSTGRES).read(sql).unwrap().misfit(params).message == said


def test_long_text_is_read_and_not_remembered() -> None:
    statements = Statements(SQLITE)
    long = f"select '{'x' * 10_000}', $1"
    assert statements.read(long).unwrap() is not statements.read(long).unwrap()
    assert statements.read("select $1").unwrap() is statements.read("select $1").unwrap()


def test_hostile_text_costs_linear_time() -> None:
    for piece in ("'", "/*", "$a$ ", "E'\\", "--", "[", '"', "$1 ", "*/", "a$"):
        read = Statements(POSTGRES).read(piece * 100_000)
        assert read or read.error.code == "DB_SYNTAX"


SCRIPTS = {
    "nothing": ("", []),
    "only comments": ("-- a;\n/* b; */ ;;\n;", []),
    "lines": (
        "\n-- one\nselect 1;\n\n select 2 -- two;\n",
        [(3, "select 1"), (5, "select 2 -- two;")],
    ),
    "quotes": ("select ';', \";\", `;`;select 2", [(1, "select ';', \";\", `;`"), (1, "select 2")]),
    "what begins with no word": ("(select 1);'x'", [(1, "(select 1)"), (1, "'x'")]),
    "a comment within": ("select /* ; */ 1;", [(1, "select /* ; */ 1")]),
    "words of a body elsewhere": (
        "update trigger set begin = 1;select 1",
        [(1, "update trigger set begin = 1"), (1, "select 1")],
    ),
    "names that look like a body": (
        "create table t (begin int, trigger int);select 1",
        [(1, "create table t (begin int, trigger int)"), (1, "select 1")],
    ),
}
TRIGGER = """create temp trigger t after insert on a begin
  update a set n = case n when 1 then 2 else 3 end;
  select 1; -- end;
end"""
FUNCTION = """create or replace function f() returns int
begin atomic
  select 1; select case when true then 2 end;
end"""
QUOTED = """create function g() returns int as $x$ begin return 1; end; $x$ language plpgsql"""


@pytest.mark.parametrize("name", SCRIPTS)
def test_a_script_is_split_into_statements(name: str) -> None:
    script, pieces = SCRIPTS[name]
    assert Statements(Dialect()).split(script) == pieces


@pytest.mark.parametrize("body", [TRIGGER, FUNCTION, QUOTED], ids=["trigger", "atomic", "quoted"])
def test_a_body_is_one_statement(body: str) -> None:
    lines = body.count("\n") + 1
    pieces = [(1, "select 0"), (2, body), (2 + lines, "select 9")]
    assert Statements(Dialect()).split(f"select 0;\n{body};\nselect 9;") == pieces
    assert Statements(Dialect()).split(f"{body};") == [(1, body)]
    assert Statements(Dialect()).split(body[:-4]) == [(1, body[:-4].rstrip())]  # no end: all of it


def test_a_trigger_without_a_body_ends_at_its_semicolon() -> None:
    one = "create trigger t before insert on a for each row execute function f()"
    assert Statements(Dialect()).split(f"{one};select 1") == [(1, one), (1, "select 1")]


def test_a_long_script_is_split_in_time() -> None:
    assert len(Statements(Dialect()).split("select ';';\n" * 50_000)) == 50_000
