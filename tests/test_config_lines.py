"""Where a key stands in its file: as the parsers read it, in time that grows with the text."""

from __future__ import annotations

import itertools
import json
import sys
import tomllib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qicore_core.config import ConfigData
from qicore_core.config.lines import places

TOML = '''# a comment with [brackets] and "quotes"
title = "a [x] = 1 # no comment"  # a comment
"quoted \\u0041.key" = 'literal # "'
'lit' . sub = 1
many = """
[no.table]
x = 1 \\"""
""""  # one quote more
lite = \'\'\'
[nor.this]\'\'\'
when = 1979-05-27 07:32:00.5

[a.b] # comment
list = [
  1, # first
  { deep = "}", more = [ 2 ] },
]
empty = []
none = {}
[[servers]]
host = "one"
[servers.more]
port = 1
[[servers]]
host = "two"
[[servers.ports]]
n = 1
[[servers.ports]]
n = 2
last = 1.5
'''


def lines(text: str, format: str) -> dict[tuple[str | int, ...], int]:
    return {
        path: int(place.removeprefix("t:")) for path, place in places(text, format, "t").items()
    }


def line_of(needle: str, text: str = TOML) -> int:
    return text[: text.index(needle)].count("\n") + 1


def test_every_key_of_a_toml_text_is_found() -> None:
    assert tomllib.loads(TOML)
    found = lines(TOML, "toml")
    assert found == {
        ("title",): 2,
        ("quoted A.key",): 3,
        ("lit",): 4,
        ("lit", "sub"): 4,
        ("many",): 5,
        ("lite",): line_of("lite = "),
        ("when",): line_of("when"),
        ("a",): line_of("[a.b]"),
        ("a", "b"): line_of("[a.b]"),
        ("a", "b", "list"): line_of("list = ["),
        ("a", "b", "list", 0): line_of("1, # first"),
        ("a", "b", "list", 1): line_of("{ deep"),
        ("a", "b", "list", 1, "deep"): line_of("{ deep"),
        ("a", "b", "list", 1, "more"): line_of("{ deep"),
        ("a", "b", "list", 1, "more", 0): line_of("{ deep"),
        ("a", "b", "empty"): line_of("empty"),
        ("a", "b", "none"): line_of("none"),
        ("servers",): line_of("[[servers]]"),
        ("servers", 0): line_of("[[servers]]"),
        ("servers", 0, "host"): line_of('"one"'),
        ("servers", 0, "more"): line_of("[servers.more]"),
        ("servers", 0, "more", "port"): line_of("port = 1"),
        ("servers", 1): line_of('"two"') - 1,
        ("servers", 1, "host"): line_of('"two"'),
        ("servers", 1, "ports"): line_of("[[servers.ports]]"),
        ("servers", 1, "ports", 0): line_of("[[servers.ports]]"),
        ("servers", 1, "ports", 0, "n"): line_of("n = 2") - 2,
        ("servers", 1, "ports", 1): line_of("n = 2") - 1,
        ("servers", 1, "ports", 1, "n"): line_of("n = 2"),
        ("servers", 1, "ports", 1, "last"): line_of("last"),
    }


def test_a_json_value_may_stand_below_its_key() -> None:
    text = '\n{"a":\n\n {"b"\n:\n[\n1,\n2]}}'
    assert lines(text, "json") == {
        ("a",): 2,
        ("a", "b"): 4,
        ("a", "b", 0): 7,
        ("a", "b", 1): 8,
    }
    assert json.loads(text)


def test_windows_line_ends_count_once() -> None:
    text = TOML.replace("\n", "\r\n")
    assert lines(text, "toml") == lines(TOML, "toml")


def paths(value: object, path: tuple[str | int, ...] = ()) -> set[tuple[str | int, ...]]:
    inner: list[tuple[str | int, object]] = []
    if isinstance(value, dict):
        inner = list(value.items())
    elif isinstance(value, list):
        inner = list(enumerate(value))
    found = {path} if path else set()
    return found.union(*[paths(one, (*path, name)) for name, one in inner])


TEXTS = st.text('ab"\\{}[],:\n#=.é', max_size=4)
DOCUMENTS = st.dictionaries(
    TEXTS,
    st.recursive(
        st.none() | st.booleans() | st.floats(allow_nan=False, allow_infinity=False) | TEXTS,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
        max_leaves=10,
    ),
    max_size=4,
)


@given(DOCUMENTS, st.sampled_from([None, 1]), st.booleans())
def test_every_key_of_any_json_text_is_found(
    document: dict[str, Any], indent: int | None, ascii_only: bool
) -> None:
    text = json.dumps(document, indent=indent, ensure_ascii=ascii_only)
    assert lines(text, "json").keys() == paths(document)


TOML_TEXTS = st.text('ab"\\{}[],:#=.é\t', max_size=4)


def toml_of(value: object) -> str:
    if isinstance(value, dict):
        pairs = [f"{json.dumps(name)} = {toml_of(one)}" for name, one in value.items()]
        return "{" + ", ".join(pairs) + "}"
    if isinstance(value, list):
        return "[\n" + ",\n".join(map(toml_of, value)) + " # ]\n]"
    return json.dumps(value)


@given(
    st.dictionaries(
        TOML_TEXTS,
        st.recursive(
            st.booleans() | st.integers(0, 9) | TOML_TEXTS,
            lambda inner: (
                st.lists(inner, max_size=3) | st.dictionaries(TOML_TEXTS, inner, max_size=3)
            ),
            max_leaves=10,
        ),
        max_size=4,
    )
)
def test_every_key_of_any_toml_text_is_found(document: dict[str, Any]) -> None:
    text = "\n".join(f"{json.dumps(name)} = {toml_of(one)}" for name, one in document.items())
    assert tomllib.loads(text) == document
    assert lines(text, "toml").keys() == paths(document)


@pytest.mark.parametrize("format", ["toml", "json"])
def test_finding_lines_takes_steps_in_proportion_to_the_text(format: str) -> None:
    def steps(count: int) -> int:
        if format == "toml":
            text = "".join(f"[t{i}]\nk = 'v'\n" for i in range(count))
            text += f"a.b = [{'1,' * count}]\nlast = 1\n"
        else:
            text = json.dumps({f"t{i}": {"k": [i]} for i in range(count)} | {"last": 1}, indent=1)
        data = ConfigData.from_string(text, format).unwrap()
        counted = itertools.count()
        sys.setprofile(lambda *_: next(counted))
        try:
            place = data.place_of((f"t{count - 1}", "last") if format == "toml" else ("last",))
        finally:
            sys.setprofile(None)
        assert place.startswith("text:")
        return next(counted)

    assert steps(1600) < 9 * steps(200)  # eight times the text; by the square, 64 times
