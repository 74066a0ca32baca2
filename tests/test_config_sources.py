"""Objects, texts and files: what is read, what is refused, and how large it may be."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import pytest

from qicore_core import QiError, failure, success
from qicore_core.config import ConfigData, readers
from qicore_core.config.trouble import MAX_BYTES

if TYPE_CHECKING:
    from conftest import Site


def nested(levels: int) -> dict[str, Any]:
    tree: dict[str, Any] = {}
    for _ in range(levels):
        tree = {"a": tree}
    return tree


def error_of(text: str, format: str = "toml") -> QiError:
    return ConfigData.from_string(text, format, "app").unwrap_error()


def test_any_mapping_is_a_section_and_all_else_a_value() -> None:
    class Tags(list[str]):
        pass

    values = {"a": MappingProxyType({"b": 1}), "kind": dict, "tags": Tags("x"), "set": {1}}
    data = ConfigData.from_object(values).unwrap()
    assert data.as_dict() == {"a": {"b": 1}, "kind": dict, "tags": ["x"], "set": {1}}


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([1], "object must hold a section of keys and values, got list"),
        ({1: 2}, "object: a key is text, got 1 in the top"),
        ({"a": {None: 2}}, "object: a key is text, got None in a"),
    ],
)
def test_an_object_that_is_no_section_is_refused(values: Any, message: str) -> None:
    error = ConfigData.from_object(values).unwrap_error()
    assert (error.code, error.message) == ("CONFIG_TYPE_MISMATCH", message)


def test_nesting_is_bounded() -> None:
    assert ConfigData.from_object(nested(64)).unwrap().as_dict() == nested(64)
    assert ConfigData.from_object(nested(66)).unwrap_error().code == "CONFIG_LIMIT_EXCEEDED"
    circle: dict[str, Any] = {}
    circle["a"] = [circle]
    error = ConfigData.from_object(circle).unwrap_error()
    assert error.message == "object: a[0].a[0]... is nested deeper than 64 levels"


@pytest.mark.parametrize(
    ("text", "format"),
    [
        pytest.param("a = " + "[" * 70 + "]" * 70, "toml", id="toml lists"),
        pytest.param("a = " + "[" * 5000 + "]" * 5000, "toml", id="toml beyond the stack"),
        pytest.param('{"a":' * 70 + "1" + "}" * 70, "json", id="json objects"),
        pytest.param("[" * 200_000, "json", id="json beyond the stack"),
        pytest.param("ok = 1\n" + ".".join("a" * 80_000) + " = 1", "toml", id="toml dotted key"),
        pytest.param("[" + ' . "a"' * 70 + "]", "toml", id="toml quoted key"),
        pytest.param(".".join(['"!"'] * 80_000) + " = 1", "toml", id="toml odd quoted key"),
        pytest.param(".".join(["'é \" .'"] * 20_000) + " = 1", "toml", id="toml odd literal key"),
    ],
)
def test_a_text_nested_too_deep_is_refused(text: str, format: str) -> None:
    error = error_of(text, format)
    assert error.code == "CONFIG_LIMIT_EXCEEDED"
    line = 1 + text.startswith("ok")
    assert error.message == f"app:{line} is nested deeper than 64 levels"


def test_headers_and_keys_that_are_too_deep_together_are_refused() -> None:
    error = error_of(f"[{'.'.join('a' * 40)}]\n{'.'.join('b' * 40)} = 1")
    assert error.message == "app: a.a.a.a... is nested deeper than 64 levels"


def test_a_key_that_stands_twice_very_deep_is_refused() -> None:
    error = error_of('{"a":' * 900 + '{"b": 1, "b": 2}' + "}" * 900, "json")
    assert error.code == "CONFIG_LIMIT_EXCEEDED"


def test_a_byte_order_mark_is_passed_over_in_a_text_too() -> None:
    assert ConfigData.from_string("\ufeffa = 1", "toml").unwrap().get("a") == success(1)
    assert ConfigData.from_string('\ufeff{"a": 1}', "json").unwrap().get("a") == success(1)


def test_many_dots_that_are_no_key_are_fine() -> None:
    text = f"a = 'x{'.' * 100}'\nb = [{'1.5, ' * 100}]\nc = '{'x' * 100_000} {'.' * 100}'"
    assert ConfigData.from_string(text, "toml").is_success()


@pytest.mark.parametrize(
    ("text", "format", "place", "reason"),
    [
        ("a = 1\nb = = 2", "toml", (2, 5), "Invalid value"),
        ("a = 1\nb = ", "toml", (2, 5), "Invalid value"),
        ("a = 1\na = 2\n", "toml", (2, 6), "Cannot overwrite a value"),
        ('{"a": 1,\n "b": }', "json", (2, 7), "Expecting value"),
        ('{"a": {"b": 1,\n "b": 2}}', "json", (2, 2), "the key 'b' stands here again"),
        ('{"\\u0061": 1, "a": 2}', "json", (1, 15), "the key 'a' stands here again"),
    ],
)
def test_a_text_that_cannot_be_read_says_where(
    text: str, format: str, place: tuple[int, int], reason: str
) -> None:
    error = error_of(text, format)
    line, column = place
    assert error.code == "CONFIG_PARSE_ERROR"
    assert error.message == f"app:{line}:{column}: {reason}"
    assert error.hint == f"mend line {line}"
    assert dict(error.context) == {"file": "app", "line": line, "column": column}
    assert error.cause is None  # a parser's error holds the whole document


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("# 1\na = -{}", (2, 5)),
        ("a = ['{}',\n 0x1, +{},]", (2, 7)),
        ('{{"a": "{}",\n"b": [-{}]}}', (2, 7)),
    ],
)
def test_a_number_of_too_many_digits_says_where(text: str, place: tuple[int, int]) -> None:
    digits = "9" * 5000
    error = error_of(text.format(digits, digits), "json" if text.startswith("{") else "toml")
    assert error.code == "CONFIG_PARSE_ERROR"
    assert error.message == "app:{}:{}: this number has too many digits".format(*place)
    assert digits not in repr(error)


@pytest.mark.parametrize("constant", ["NaN", "Infinity", "-Infinity"])
def test_what_json_has_no_value_for_says_where(constant: str) -> None:
    error = error_of(f'{{"NaN": 1,\n "b": {constant}}}', "json")
    assert error.message == f"app:2:7: {constant} is no value of JSON"
    assert ConfigData.from_string("a = nan", "toml").is_success()


@pytest.mark.parametrize(
    ("format", "text", "place"),
    [
        ("toml", "a = 1\nb = [1,\n", "2:8: "),
        ("toml", 'a = """x\n\n', "1:9: "),
        ("json", '{"a": [1,\n', "1:10: "),
        ("json", '{"a": 1\n\n', "1:8: "),
    ],
)
def test_what_is_never_closed_is_reported_on_a_line_that_there_is(
    format: str, text: str, place: str
) -> None:
    error = ConfigData.from_string(text, format, "app").unwrap_error()
    assert error.message.startswith(f"app:{place}")


def test_what_the_parser_alone_can_name_is_said_in_its_words() -> None:
    before = sys.get_int_max_str_digits()
    sys.set_int_max_str_digits(640)
    try:
        error = error_of(f"a = {'9' * 700}")
    finally:
        sys.set_int_max_str_digits(before)
    assert error.message.startswith("app:1:1: Exceeds the limit")


@pytest.mark.parametrize("format", ["toml", "json"])
@pytest.mark.parametrize("count", [1, 1000], ids=["once", "often"])
def test_a_first_fault_is_named_whatever_follows_it(format: str, count: int) -> None:
    number = "9" * 5000
    if format == "toml":
        error = error_of(f"a = {number}\n" + '"\\x' * count)
    else:
        error = error_of(f'{{"a": NaN, "b": {number}' + '"\\x' * count, "json")
    assert error.message.startswith("app:1:")


def test_a_json_text_that_is_no_object_is_refused() -> None:
    error = error_of("[1]", "json")
    assert error.message == "app must hold a section of keys and values, got list"


def test_the_ending_says_the_format_unless_it_is_given(tmp_path: Path) -> None:
    file = tmp_path / "app.TOML"
    file.write_bytes(b"\xef\xbb\xbfa = 1")  # as some editors begin a file
    assert ConfigData.from_file(file).unwrap().as_dict() == {"a": 1}
    other = tmp_path / "settings"
    other.write_text('{"a": 2}', encoding="utf-8")
    assert ConfigData.from_file(str(other), "json").unwrap().as_dict() == {"a": 2}
    assert ConfigData.from_file(other).unwrap_error().code == "CONFIG_FORMAT_UNKNOWN"


def test_a_file_is_named_with_its_line(tmp_path: Path) -> None:
    file = tmp_path / "app.json"
    file.write_text(json.dumps({"a": [1], "b": {"c": 2}}, indent=1), encoding="utf-8")
    data = ConfigData.from_file(file).unwrap()
    assert data.explain("b.c").won[0].place == f"{file}:6"
    assert data.place_of(("a", 0)) == f"{file}:3"


@pytest.mark.parametrize("name", ["missing.toml", "file.toml/app.toml"])
def test_a_missing_file_is_a_failure(tmp_path: Path, name: str) -> None:
    (tmp_path / "file.toml").touch()
    error = ConfigData.from_file(tmp_path / name).unwrap_error()
    assert error.code == "CONFIG_FILE_NOT_FOUND"
    assert error.context["file"] == str(tmp_path / name)
    assert str(tmp_path / name) in error.message
    assert isinstance(error.cause, OSError)


@pytest.mark.parametrize("name", ["", "nul\0.toml"])
def test_what_is_no_readable_file_is_a_failure(tmp_path: Path, name: str) -> None:
    error = ConfigData.from_file(os.path.join(tmp_path, name)).unwrap_error()
    assert error.code == "CONFIG_FILE_UNREADABLE"


@pytest.mark.parametrize("kind", ["pipe", "folder", "loop", "device"])
def test_what_is_no_regular_file_is_refused_at_once(tmp_path: Path, kind: str) -> None:
    file = tmp_path / "app.toml"
    if kind == "pipe":
        os.mkfifo(file)  # nobody writes into it: to open it would wait for ever
    elif kind == "folder":
        file.mkdir()
    else:
        file.symlink_to(file if kind == "loop" else os.devnull)
    error = ConfigData.from_file(file).unwrap_error()
    assert error.code == "CONFIG_FILE_UNREADABLE"
    why = "Too many levels of symbolic links" if kind == "loop" else "it is no regular file"
    assert error.message == f"the file {file} cannot be read: {why}"
    assert error.hint == "it must be a regular file that this program may read"


def test_a_refused_pipe_is_closed(tmp_path: Path) -> None:
    def next_number() -> int:
        number = os.dup(0)
        os.close(number)
        return number

    os.mkfifo(tmp_path / "app.toml")
    before = next_number()
    ConfigData.from_file(tmp_path / "app.toml").unwrap_error()
    assert next_number() == before


def test_a_file_that_is_not_utf8_says_where(tmp_path: Path) -> None:
    file = tmp_path / "app.toml"
    file.write_bytes(b"a = 1\nb = '\xc3\xa9\xe9'")
    error = ConfigData.from_file(file).unwrap_error()
    assert error.message == f"{file}:2:7: this is not UTF-8 text"
    assert error.hint == "save it as UTF-8"


def test_every_error_says_that_it_is_of_the_configuration(tmp_path: Path) -> None:
    for error in (
        error_of("a ="),
        ConfigData.from_file(tmp_path / "no.toml").unwrap_error(),
        ConfigData.empty().validate_required("a", "b").unwrap_error(),
    ):
        assert error.source == "config"
        assert {one.source for one in error.errors} <= {"config"}


def test_size_is_bounded(tmp_path: Path) -> None:
    file = tmp_path / "app.toml"
    file.write_bytes(b"#" * (MAX_BYTES + 1))
    error = ConfigData.from_file(file).unwrap_error()
    assert error.code == "CONFIG_LIMIT_EXCEEDED"
    assert error.message == f"{file} is larger than 10 MiB"
    assert error_of("#" * (MAX_BYTES + 1)).code == "CONFIG_LIMIT_EXCEEDED"


BY_PLUGIN = "install a distribution that brings it (entry point group qicore.format)"


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("app.yaml", f"the core reads .toml and .json; {BY_PLUGIN}"),
        ("app.ini", f"the core reads .toml and .json; {BY_PLUGIN}"),
        (".env", 'read it with ConfigData.from_dotenv("{file}", "APP_")'),
    ],
)
def test_an_unknown_format_says_who_reads_it(tmp_path: Path, name: str, hint: str) -> None:
    file = tmp_path / name
    file.touch()
    error = ConfigData.from_file(file).unwrap_error()
    assert error.code == "CONFIG_FORMAT_UNKNOWN"
    assert error.hint == hint.format(file=file)
    assert error.context["file"] == str(file)


def test_a_plugin_reads_other_formats(monkeypatch: pytest.MonkeyPatch) -> None:
    def read_lines(text: str) -> Any:
        if not text:
            return failure(QiError.configuration("CONFIG_PARSE_ERROR", "there is nothing"))
        return success(dict(line.split(":") for line in text.splitlines()))

    found = {("format", "lines"): success(read_lines)}
    monkeypatch.setattr(readers, "lookup", lambda kind, name: found[kind, name])
    data = ConfigData.from_string("a:1\nb:2", "LINES").unwrap()
    assert data.as_dict() == {"a": "1", "b": "2"}
    assert data.explain("b").won[0].place == "text"
    assert error_of("", "lines").message == "there is nothing"


@pytest.mark.parametrize(
    ("body", "code", "said"),
    [
        ("1 / 0", "PLUGIN_RAISED", "reading raised ZeroDivisionError"),
        ("raise SystemExit(3)", "PLUGIN_RAISED", "reading raised SystemExit"),
        ("return {}", "PLUGIN_INVALID", "reading gave dict, not a Result"),
        ("return failure(QiError.bad_data('NO_LINES', 'no lines'))", "NO_LINES", "no lines"),
    ],
    ids=["raises", "exits", "gives no Result", "fails"],
)
def test_a_plugin_that_cannot_read_is_a_failure_that_names_it(
    site: Site, body: str, code: str, said: str
) -> None:
    module = (
        "from qicore_core import QiError, failure\n"
        "from qicore_core.hookspecs import hookimpl\n"
        "from qicore_core.kinds import FORMAT\n"
        f"def read(text): {body}\n"
        "@hookimpl\n"
        "def qicore_register_adapters(registry): registry.add(FORMAT, 'lines', read)\n"
    )
    points = {"qicore.format": {"lines": "acme_lines"}}
    site.install("acme-lines", points=points, files={"acme_lines.py": module})
    error = error_of("a:1", "lines")
    assert error.code == code
    assert said in error.message
    assert code == "NO_LINES" or "acme-lines 1.0" in error.message
