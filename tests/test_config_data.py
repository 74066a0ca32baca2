"""ConfigData: the laws of merging, what is read, and who said it."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qicore_core.config import ConfigData

NAMES = st.sampled_from(["a", "b", "c", "d"])
LEAVES = st.none() | st.booleans() | st.integers(0, 9) | st.text("xy", max_size=2)
VALUES = st.recursive(
    LEAVES | st.lists(LEAVES, max_size=2),
    lambda inner: st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=8,
)
TREES = st.dictionaries(NAMES, VALUES, max_size=4)


def said(*trees: dict[str, Any]) -> ConfigData:
    """Make data of trees, the first the lowest layer."""
    return ConfigData.merge(
        ConfigData.from_object(tree, f"layer {number}").unwrap()
        for number, tree in enumerate(trees)
    )


DATA = st.lists(TREES, max_size=3).map(lambda trees: said(*trees))


def naive_merge(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    """Merge as everybody does; right for two, not associative for three."""
    out = dict(below)
    for key, value in above.items():
        under = out.get(key)
        both = isinstance(value, dict) and isinstance(under, dict)
        out[key] = naive_merge(under, value) if both else value  # type: ignore[arg-type]
    return out


@given(DATA, DATA, DATA)
def test_merging_is_associative(a: ConfigData, b: ConfigData, c: ConfigData) -> None:
    assert (a + b) + c == a + (b + c)
    assert ((a + b) + c).as_dict() == (a + (b + c)).as_dict()
    assert ConfigData.merge([a, ConfigData.merge([b, c])]) == ConfigData.merge([a, b, c])


@given(DATA)
def test_empty_is_the_identity_on_both_sides(data: ConfigData) -> None:
    assert ConfigData.empty() + data == data == data + ConfigData.empty()
    assert ConfigData.merge([]) == ConfigData.empty()


def test_the_counterexample_to_recursive_merging_is_read_from_the_left() -> None:
    a, b, c = said({"a": {"x": 1}}), said({"a": 5}), said({"a": {"y": 2}})
    assert ((a + b) + c).as_dict() == (a + (b + c)).as_dict() == {"a": {"y": 2}}


@given(TREES, TREES)
def test_two_layers_read_as_the_naive_merge(a: dict[str, Any], b: dict[str, Any]) -> None:
    assert said(a, b).as_dict() == naive_merge(a, b)


@given(st.lists(TREES, max_size=4))
def test_many_layers_read_as_the_left_fold(trees: list[dict[str, Any]]) -> None:
    folded: dict[str, Any] = {}
    for tree in trees:
        folded = naive_merge(folded, tree)
    assert said(*trees).as_dict() == folded


@given(TREES, TREES)
def test_what_the_right_one_says_holds(a: dict[str, Any], b: dict[str, Any]) -> None:
    right, both = said(b), said(a) + said(b)
    keys = right.keys()
    for key in keys:
        value = right.get(key).unwrap()
        if value != {}:  # an empty section adds nothing to the one below it
            assert both.get(key).unwrap() == value
    assert (right + right).as_dict() == right.as_dict()


@given(TREES)
def test_one_layer_comes_back_as_it_was(tree: dict[str, Any]) -> None:
    assert said(tree).as_dict() == tree


@given(TREES)
def test_every_key_can_be_got(tree: dict[str, Any]) -> None:
    data = said(tree)
    keys = data.keys()
    for key in keys:
        assert data.explain(key).is_set
        assert data.get(key).is_success()
        assert data.get_or(key, data) is not data


@given(DATA, NAMES)
def test_a_section_reads_as_its_part_of_the_whole(data: ConfigData, name: str) -> None:
    value = data.get_or(name, None)
    section = data.section(name)
    assert section.is_success() == isinstance(value, dict)
    if section:
        assert section.value.as_dict() == value


@given(st.lists(TREES, min_size=1, max_size=4), NAMES, NAMES)
def test_explain_agrees_with_what_is_read(
    trees: list[dict[str, Any]], section: str, name: str
) -> None:
    data, key = said(*trees), f"{section}.{name}"
    explanation = data.explain(key)
    found = data.get(key)
    assert explanation.is_set == found.is_success()
    value: object = found.unwrap_or(
        {}
    )  # not `if found`: the truth of a Result[bool] is not its value's
    if not isinstance(value, dict):
        assert explanation.won[0].shown == repr(value)
        assert len(explanation.won) == 1


def test_lists_and_none_replace() -> None:
    data = said({"a": [1, 2], "b": 1}, {"a": [3], "b": None})
    assert data.as_dict() == {"a": [3], "b": None}
    assert data.get("b").unwrap() is None
    assert data.get_or("b", 7) is None


def test_equality_is_of_layers() -> None:
    assert said({"a": 1}) == said({"a": 1})
    assert said({"a": 1}, {"a": 1}) != said({"a": 1})
    assert ConfigData.from_object({}, "x") != ConfigData.from_object({}, "y")
    assert said({}) != ConfigData.empty()
    assert said({}) != {}
    with pytest.raises(TypeError, match="unhashable"):
        hash(said({}))


def test_only_data_is_added_to_data() -> None:
    with pytest.raises(TypeError):
        said({}) + {}  # type: ignore[operator]  # what is tested


def test_nobody_else_can_change_what_was_said() -> None:
    given_values: dict[str, Any] = {"a": {"b": [1, {"c": 2}]}, "t": ({"d": 1},)}
    data = said(given_values)
    before = copy.deepcopy(given_values)
    given_values["a"]["b"].append(3)
    data.as_dict()["a"]["b"].append(3)
    data.get("a.b").unwrap()[1]["c"] = 3
    data.get_or("t", ())[0]["d"] = 3
    assert data.as_dict() == before


def test_it_travels_in_a_pickle() -> None:
    data = ConfigData.from_string("a = 1\nb = 2", "toml").unwrap()
    again = pickle.loads(pickle.dumps(data))
    assert again == data
    assert again.explain("b").won[0].place == "text:2"


def test_a_missing_key_is_a_failure_with_the_nearest() -> None:
    error = said({"db": {"host": "x"}}).get("db.hots").unwrap_error()
    assert error.code == "CONFIG_KEY_NOT_FOUND"
    assert error.message == "db.hots is not set"
    assert error.hint == "did you mean db.host?"
    assert error.context["key"] == "db.hots"
    assert said({"db": {}}).get("dbb").unwrap_error().hint == "did you mean db?"


def test_a_missing_key_with_none_near_says_where_it_could_be_said() -> None:
    assert said({}).get("db").unwrap_error().hint is None
    data = ConfigData.from_string("x = 1", "toml", "app.toml").unwrap()
    assert data.get("db.host").unwrap_error().hint == "set db.host in app.toml"
    data += ConfigData.from_environment("APP", {}).unwrap()
    hint = data.get("db.host").unwrap_error().hint
    assert hint == "set db.host in app.toml or APP_DB__HOST"
    arguments = ConfigData.from_args(["q=1"]).unwrap()
    assert arguments.get("db").unwrap_error().hint is None


def test_a_key_below_a_value_is_not_set() -> None:
    assert said({"db": 5}).get("db.host").is_failure()
    assert said({"db": 5}).get_or("db.host", 1) == 1


def test_a_name_with_a_dot_stands_in_quotes() -> None:
    data = said({"hosts": {"example.org": {"port": 1}, 'a"\\b': 2}})
    keys = data.keys()
    assert keys == ('hosts."example.org".port', 'hosts."a\\"\\\\b"')
    assert [data.get(key).unwrap() for key in keys] == [1, 2]


@given(st.lists(st.text('a."\\[', max_size=4), min_size=1, max_size=3))
def test_any_name_can_be_asked_for(path: list[str]) -> None:
    tree: Any = 1
    for name in reversed(path):
        tree = {name: tree}
    (key,) = said(tree).keys()
    assert said(tree).get(key).unwrap() == 1


@pytest.mark.parametrize("name", ["\ud800", "\x1b[31m", "a\nb", "\U000e0001"])
def test_what_cannot_be_printed_is_escaped_wherever_it_is_shown(name: str) -> None:
    data = ConfigData.from_object({name: {name: name}}, f"from {name}").unwrap()
    (key,) = data.keys()
    assert data.get(key).unwrap() == name
    data += ConfigData.from_environment("A", {f"A_{name}": ""}).unwrap()
    missing, unset = data.get(f"{key}x").unwrap_error(), data.explain(f"x{name}")
    texts = [str(data.explain(key)), str(unset), repr(data), data.place_of((name,))]
    texts += [missing.message, str(missing.hint)]
    texts += [ConfigData.from_file(f"{name}.toml").unwrap_error().message]
    assert [line for text in texts for line in text.split("\n") if not line.isprintable()] == []
    assert repr(name)[1:-1] in texts[0]


@pytest.mark.parametrize("key", ['"a', 'a"b"', '"\\', '"\\U0011ffff"', '"\\Ux"', '""'])
def test_every_text_is_a_key(key: str) -> None:
    assert said({}).get(key).unwrap_error().code == "CONFIG_KEY_NOT_FOUND"


def test_a_section_is_no_value_and_a_value_no_section() -> None:
    data = said({"db": {"host": "x"}, "n": 1})
    assert data.get("db").unwrap() == {"host": "x"}
    error = data.section("n").unwrap_error()
    assert error.code == "CONFIG_TYPE_MISMATCH"
    assert error.message == "n must be a section, got 1 (layer 0)"
    assert dict(error.context) == {"key": "n", "at": "layer 0"}
    assert data.section("m").unwrap_error().code == "CONFIG_KEY_NOT_FOUND"


def test_a_section_begins_where_a_value_replaced_the_one_before() -> None:
    data = said({"a": {"x": 1}}, {"a": 5}, {}, {"a": {"y": 2}})
    assert data.section("a").unwrap().as_dict() == {"y": 2}


def test_a_section_still_knows_who_said_what() -> None:
    data = ConfigData.from_string("[db]\nhost = 'x'", "toml", "app.toml").unwrap()
    data += ConfigData.from_environment("APP_", {"APP_DB__PORT": "1", "APP_X": "2"}).unwrap()
    section = data.section("db").unwrap()
    assert section.explain("host").won[0].place == "app.toml:2"
    assert section.explain("port").won[0].place == "APP_DB__PORT"
    hint = section.get("user").unwrap_error().hint
    assert hint == "set db.user in app.toml or APP_DB__USER"


def test_required_keys_are_all_named_at_once() -> None:
    data = said({"a": None, "b": {"c": 1}})
    assert data.validate_required("a", "b.c").unwrap() is data
    error = data.validate_required("a", "b.d", "e").unwrap_error()
    assert error.code == "CONFIG_VALIDATION_FAILED"
    assert [one.context["key"] for one in error.errors] == ["b.d", "e"]


def test_explain_names_the_winner_and_what_it_shadows() -> None:
    data = said({"db": {"host": "here"}})
    data += ConfigData.from_string("\n[db]\nhost = 'there'", "toml", "app.toml").unwrap()
    data += ConfigData.from_environment("APP_", {"APP_DB__HOST": "far"}).unwrap()
    explanation = data.explain("db.host")
    assert str(explanation) == (
        "db.host = 'far' from APP_DB__HOST\n"
        "  shadows 'there' from app.toml:3\n"
        "  shadows 'here' from layer 0"
    )
    assert repr(explanation) == f"<Explanation: {explanation}>"
    assert str(data.explain("db")) == "db = a section from APP_DB__HOST, app.toml:2, layer 0"


def test_explain_of_a_key_that_nobody_said_gives_the_nearest() -> None:
    assert str(said({"host": 1}).explain("hots")) == "hots is not set; did you mean host?"
    assert str(said({}).explain("hots")) == "hots is not set"


def test_explain_tells_when_a_value_replaced_the_section() -> None:
    data = said({"db": {"host": "here"}}, {"db": 5})
    explanation = data.explain("db.host")
    assert not explanation.is_set
    assert str(explanation) == (
        "db.host is not set: layer 1 says db = 5\n  shadows 'here' from layer 0"
    )
    again = said({"db": {"host": "here"}}, {"db": 5}, {"db": {"port": 1}})
    assert str(again.explain("db")) == (
        "db = a section from layer 2\n  shadows 5 from layer 1\n  shadows a section from layer 0"
    )
    assert str(again.explain("db.port")) == "db.port = 1 from layer 2"


def test_explain_of_a_section_within_a_replaced_one_leaves_the_replacement_out() -> None:
    data = said({"a": {"b": {"c": 1}}}, {"a": 5}, {"a": {"b": {"d": 1}}})
    assert str(data.explain("a.b")) == (
        "a.b = a section from layer 2\n  shadows a section from layer 0"
    )


def test_the_representation_names_sources_alone() -> None:
    assert repr(said({"a": "planted"})) == "<ConfigData: layer 0>"
    assert repr(ConfigData.empty()) == "<ConfigData: empty>"


def test_place_of_what_nobody_said_is_nowhere() -> None:
    assert ConfigData.empty().place_of(("a", "b")) == "nowhere"


class _Mute:
    def __repr__(self) -> str:
        raise RuntimeError("cannot be shown")


@pytest.mark.parametrize("value", [_Mute(), [_Mute()], 1 << 100_000], ids=["mute", "list", "long"])
def test_what_cannot_be_shown_is_explained_by_its_type(value: object) -> None:
    said = str(ConfigData.from_object({"a": value}).unwrap().explain("a"))
    assert said == f"a = <{type(value).__name__}> from object"
