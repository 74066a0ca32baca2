"""Environment, .env files and arguments: a set of words, and what contradicts itself in it."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qicore_core import QiError
from qicore_core.config import ConfigData

SEGMENTS = st.sampled_from(["A", "B", "C", "a", "A_B", "", "_X", "PASSWORD"])
VARIABLES = st.dictionaries(
    st.lists(SEGMENTS, min_size=1, max_size=3).map(lambda path: "APP_" + "__".join(path)),
    st.sampled_from(["", "1", "x"]),
    max_size=6,
)


def error_of(**variables: str) -> QiError:
    return ConfigData.from_environment("APP_", variables).unwrap_error()


@given(VARIABLES, st.randoms(use_true_random=False))
def test_no_order_decides(variables: dict[str, str], chance: random.Random) -> None:
    shuffled = list(variables.items())
    chance.shuffle(shuffled)
    one = ConfigData.from_environment("APP_", variables)
    other = ConfigData.from_environment("APP_", dict(shuffled))
    assert one == other
    if not one:
        assert one.error.errors == other.unwrap_error().errors


@given(st.dictionaries(st.sampled_from(["APP_A", "APP_B__C", "APP_B__D"]), st.text(max_size=3)))
def test_a_conflict_free_environment_comes_back(variables: dict[str, str]) -> None:
    data = ConfigData.from_environment("APP_", variables).unwrap()
    keys = data.keys()
    back = {"APP_" + key.upper().replace(".", "__"): data.get(key).unwrap() for key in keys}
    assert back == variables


def test_variables_say_keys_and_stay_text() -> None:
    variables = {"APP_DB__HOST": "x", "APP_DB__PORT": "80", "APP_EMPTY": "", "OTHER": "y"}
    data = ConfigData.from_environment("APP", variables).unwrap()
    assert data.as_dict() == {"db": {"host": "x", "port": "80"}, "empty": ""}
    assert repr(data) == "<ConfigData: environment APP_*>"
    assert data.explain("db.port").won[0].place == "APP_DB__PORT"
    assert data.explain("db").won[0].place == "APP_DB__HOST"


def test_a_prefix_ends_in_an_underscore_and_is_needed() -> None:
    assert ConfigData.from_environment("APP", {"APPLE": "1"}).unwrap().as_dict() == {}
    for prefix in ("", "_"):
        with pytest.raises(ValueError, match="a prefix is needed"):
            ConfigData.from_environment(prefix, {})


def test_by_default_it_is_the_environment_of_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QICORE_TEST_DB__HOST", "x")
    data = ConfigData.from_environment("QICORE_TEST_").unwrap()
    assert data.as_dict() == {"db": {"host": "x"}}


def test_a_value_and_a_section_contradict_each_other() -> None:
    error = error_of(APP_DB="1", APP_DB__HOST="x")
    assert error.code == "CONFIG_ENV_CONFLICT"
    assert error.message == "APP_DB makes db a value and APP_DB__HOST makes it a section"
    assert error.hint == "unset APP_DB or APP_DB__HOST"
    assert error.context["variables"] == ["APP_DB", "APP_DB__HOST"]
    assert error == error_of(APP_DB__HOST="x", APP_DB="1")


def test_an_empty_value_is_unset_beside_a_section() -> None:
    variables = {"APP_DB": "", "APP_DB__HOST": "x", "APP_DB__PORT": "1"}
    data = ConfigData.from_environment("APP_", variables).unwrap()
    assert data.as_dict() == {"db": {"host": "x", "port": "1"}}


def test_two_spellings_contradict_each_other() -> None:
    error = error_of(APP_DB__HOST="x", APP_db__Host="x")
    assert error.message == "APP_DB__HOST and APP_db__Host both say db.host"
    assert error.hint == "unset APP_DB__HOST or APP_db__Host"


@pytest.mark.parametrize("name", ["APP_", "APP__X", "APP_A__", "APP_A___B", "APP_A____B", "APP_A_"])
def test_an_empty_part_is_an_error(name: str) -> None:
    error = error_of(**{name: "1"})
    assert error.message == f"{name} has an empty part in its name"
    assert error.hint == f"unset {name}"


def test_all_conflicts_are_said_at_once() -> None:
    error = error_of(APP_="1", APP_A="1", APP_A__B="1", APP_C="1", APP_c="1")
    assert error.code == "CONFIG_ENV_CONFLICT"
    assert [one.code for one in error.errors] == ["CONFIG_ENV_CONFLICT"] * 3


def test_a_name_of_too_many_parts_is_refused() -> None:
    error = error_of(**{"APP_" + "__".join("A" * 65): "1"})
    assert error.code == "CONFIG_LIMIT_EXCEEDED"
    arguments = ConfigData.from_args([".".join("a" * 65) + "=1"])
    assert arguments.unwrap_error().code == "CONFIG_LIMIT_EXCEEDED"


def test_a_secret_may_stand_in_a_file(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text(" s3cr3t \r\n\n", encoding="utf-8")
    variables = {"APP_DB__PASSWORD_FILE": str(file), "APP_TOKEN_FILE": "", "APP_LOG_FILE": "log"}
    data = ConfigData.from_environment("APP_", variables).unwrap()
    assert data.as_dict() == {"db": {"password": " s3cr3t "}, "log_file": "log"}
    assert str(data.explain("db.password")) == "db.password = *** from APP_DB__PASSWORD_FILE"


def test_a_secret_and_its_file_contradict_each_other(tmp_path: Path) -> None:
    error = error_of(APP_PASSWORD="x", APP_PASSWORD_FILE=str(tmp_path))
    assert error.message == "APP_PASSWORD and APP_PASSWORD_FILE both say password"


def test_a_secret_file_that_is_missing_is_named_with_its_variable(tmp_path: Path) -> None:
    file = str(tmp_path / "missing")
    error = error_of(APP_PASSWORD_FILE=file, APP_B_="1")
    assert [one.code for one in error.errors] == ["CONFIG_ENV_CONFLICT", "CONFIG_FILE_NOT_FOUND"]
    missing = error.errors[1]
    assert missing.message == "the file that APP_PASSWORD_FILE names does not exist"
    assert missing.hint == (
        "APP_PASSWORD_FILE takes the path of a file that holds the secret, not the secret"
    )


DOTENV = r"""
# a comment
APP_PLAIN=a b # c
export APP_DB__HOST = "x\n\"y\"\$\q" # a comment
APP_HASH=#not a comment
APP_NONE= # a comment
APP_EMPTY=
APP_SINGLE='a \n # b'
APP_KEY="-----BEGIN
two lines"
   APP_SPACED =  c
OTHER=1
APP_LAST=z"""


@pytest.mark.parametrize("end", ["", "\n", "\r\n"])
def test_a_dotenv_file_is_read(tmp_path: Path, end: str) -> None:
    file = tmp_path / ".env"
    file.write_bytes((DOTENV + end).encode())
    data = ConfigData.from_dotenv(file, "APP_").unwrap()
    assert data.as_dict() == {
        "plain": "a b",
        "db": {"host": 'x\n"y"$\\q'},
        "hash": "#not a comment",
        "none": "",
        "empty": "",
        "single": "a \\n # b",
        "key": "-----BEGIN\ntwo lines",
        "spaced": "c",
        "last": "z",
    }
    assert data.explain("last").won[0].place == f"{file}:13"
    assert data.explain("db").won[0].place == f"{file}:4"


def test_a_dollar_sign_stands_for_itself_in_a_dotenv_file(tmp_path: Path) -> None:
    file = tmp_path / ".env"
    file.write_text("A_X=$HOME/${Y}$$\nA_Y=\"$a\\$b\"\nA_Z='$c'\n", encoding="utf-8")
    data = ConfigData.from_dotenv(file, "A").unwrap()
    assert data.as_dict() == {"x": "$HOME/${Y}$$", "y": "$a$b", "z": "$c"}


def test_a_dotenv_file_with_windows_line_ends_is_read(tmp_path: Path) -> None:
    file = tmp_path / ".env"
    file.write_bytes(b"A_X=1\r\n\r\n# c\r\nA_Y=\"2\" # c\r\nA_Z='3'\r\n")
    assert ConfigData.from_dotenv(str(file), "A").unwrap().as_dict() == {
        "x": "1",
        "y": "2",
        "z": "3",
    }


@pytest.mark.parametrize(
    "line",
    [
        "no sign",
        "1A=x",
        'APP_X="open',
        "APP_X='a' b",
        "export A B=x",
        "export A",
        "A=a\0b",
        "A='\0'",
    ],
)
def test_a_dotenv_line_that_cannot_be_read_says_where(tmp_path: Path, line: str) -> None:
    file = tmp_path / ".env"
    file.write_text(f"APP_A='\n'\n{line}\n", encoding="utf-8")
    error = ConfigData.from_dotenv(file, "APP_").unwrap_error()
    assert error.code == "CONFIG_PARSE_ERROR"
    assert error.message == f"{file}:3:1: this is no NAME=value"
    assert error.hint == 'mend line 3: NAME=value, or NAME="..." with its closing quote'
    assert error.context["line"] == 3


def test_a_name_that_stands_twice_in_a_dotenv_file_is_an_error(tmp_path: Path) -> None:
    file = tmp_path / ".env"
    file.write_text("APP_A=1\n\nAPP_A=1\n", encoding="utf-8")
    error = ConfigData.from_dotenv(file, "APP_").unwrap_error()
    assert error.code == "CONFIG_ENV_CONFLICT"
    assert error.message == f"{file}:3: APP_A was set in line 1 before"


def test_arguments_say_keys_and_the_later_holds() -> None:
    arguments = ["db.host=a=b", "--db.port=1", "x=1", "x.y=2", "db.port=", 'h."a.b"=c']
    data = ConfigData.from_args(arguments).unwrap()
    assert data.as_dict() == {"db": {"host": "a=b", "port": ""}, "x": {"y": "2"}, "h": {"a.b": "c"}}
    assert data.explain("db.host").won[0].place == "argument db.host"
    assert repr(data) == "<ConfigData: arguments>"


@pytest.mark.parametrize("argument", ["hunter2", "=hunter2", "--", ""])
def test_an_argument_without_a_key_is_named_by_its_number_alone(argument: str) -> None:
    error = ConfigData.from_args(["a=1", argument]).unwrap_error()
    assert error.code == "CONFIG_PARSE_ERROR"
    assert error.message == "argument 2 says no key=value"
