"""Planted secrets are in no error, no representation and no explanation."""

from __future__ import annotations

import pickle
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qicore_core import QiError, Result, Secret
from qicore_core.config import ConfigData, Configuration, load

NO_KEYS, DEFAULT, ONE = Secret(["none"]), Secret("d3fault"), Secret(1)
PLANTED = "p1ant\n'ed\\"
NAMES = ("password", "api_key", "DB-Token", "clientSecret", "dsn")


@dataclass
class Vault:
    pepper: Secret[str]
    salts: list[Secret[str]] = field(default_factory=list)
    password: str = ""
    pins: dict[str, int] = field(default_factory=dict)
    keys: Secret[list[str]] = NO_KEYS
    plain: str = "x"
    default: Secret[str] = DEFAULT

    def __post_init__(self) -> None:
        held = [self.pepper, *self.salts, self.keys, self.default]
        quoted = f"{self.password!r} {self.pins} {[one.reveal() for one in held]}"
        raise ValueError(f"{quoted} {self.password} {self.plain!r} refused")


@dataclass
class Outer:
    vault: Vault | None = None
    vaults: dict[str, Vault] = field(default_factory=dict)
    number: Secret[int] = ONE
    api_key: int = 0
    url: int = 0


@dataclass
class Kept:
    pepper: Secret[str]
    password: str


@dataclass
class Holder:
    kept: Kept

    def __post_init__(self) -> None:
        raise ValueError(f"{self.kept.pepper.reveal()} {self.kept.password} {self.kept}")


def everything_shown(error: QiError) -> str:
    """Give all that an error says to anybody, raw properties and a pickle included."""
    texts = [str(error), repr(error), error.message, str(error.hint), str(dict(error.context))]
    texts += [error.to_string(), str(error.to_dict()), str(pickle.dumps(error))]
    texts += [f"{link!s}{link!r}" for link in error.chain()]
    return "\n".join(texts + [everything_shown(one) for one in error.errors])


def assert_hidden(result: Result[Any], *secrets: str) -> None:
    shown = everything_shown(result.unwrap_error())
    for secret in secrets:
        assert secret not in shown
        assert repr(secret)[1:-1] not in shown


@given(st.sampled_from(NAMES), st.text("abcxyz0189", min_size=6, max_size=12), st.booleans())
def test_a_value_under_a_secret_name_is_never_shown(name: str, secret: str, deep: bool) -> None:
    secret = f"q{secret}"
    tree: dict[str, Any] = {name: {"inner": [secret]}} if deep else {name: secret}
    data = ConfigData.from_object({"s": tree}).unwrap()
    key = f"s.{name}.inner" if deep else f"s.{name}"
    for text in (str(data.explain(key)), repr(data.explain(key)), repr(data), repr(data._layers)):
        assert secret not in text
    assert_hidden(data.section("s." + ("x" if deep else name)), secret)
    assert_hidden(data.get(f"{key}.x"), secret)
    assert_hidden(Configuration(Outer).from_data(data), secret)


SECTION = {"pepper": PLANTED, "salts": ["one5alt"], "password": "passw0rd", "pins": {"pin": 987654}}


@pytest.mark.parametrize(
    "values",
    [
        pytest.param({"vault": SECTION}, id="refused by the schema"),
        pytest.param({"vaults": {"a": SECTION | {"keys": ["k3ys", 5]}}}, id="refused in a dict"),
        pytest.param({"vault": SECTION | {"salts": [{"x": PLANTED}]}}, id="wrong in a list"),
        pytest.param({"vault": SECTION | {"pepper": [PLANTED]}}, id="a list for a secret"),
        pytest.param({"vault": PLANTED}, id="a text for a section"),
        pytest.param({"vault": [PLANTED]}, id="a list for a section"),
        pytest.param({"number": PLANTED, "api_key": PLANTED}, id="text for a number"),
        pytest.param({"url": "x://u:hunter2@h/?k=hunter2"}, id="in a URL"),
        pytest.param({"url": Secret(PLANTED)}, id="already a Secret"),
    ],
)
def test_no_error_of_a_schema_shows_a_secret(values: dict[str, Any]) -> None:
    secrets = (PLANTED, "one5alt", "passw0rd", "987654", "k3ys", "hunter2", "d3fault")
    assert_hidden(Configuration(Outer).from_object(values), *secrets)


def test_a_refusal_still_says_what_is_no_secret() -> None:
    error = Configuration(Vault).from_object({"pepper": "hot", "plain": "seen"}).unwrap_error()
    assert "'seen' refused" in error.message
    assert "hot" not in error.message


def test_a_refusal_by_the_holder_of_secrets_shows_none() -> None:
    values = {"kept": {"pepper": "p3pper", "password": "passw0rd"}}
    assert_hidden(Configuration(Holder).from_object(values), "p3pper", "passw0rd")
    words = {"A_KEPT": '{"pepper": "p3pper", "password": "passw0rd"}'}
    assert_hidden(Configuration(Holder).from_environment("A", words), "p3pper", "passw0rd")


def test_no_error_of_a_source_shows_a_secret(tmp_path: Path) -> None:
    words = {"A_PASSWORD": "hunter2", "A_PASSWORD__X": "hunter2", "A_": "hunter2"}
    assert_hidden(ConfigData.from_environment("A", words), "hunter2")
    assert_hidden(ConfigData.from_args(["--password", "hunter2"]), "hunter2")
    for text, format in (
        ("password = 'hunter2", "toml"),
        ("password = hunter2", "toml"),
        ('{"password": "hunter2" 1}', "json"),
        ('{"password": "hunter2", "password": "hunter2"}', "json"),
    ):
        assert_hidden(ConfigData.from_string(text, format), "hunter2")
    file = tmp_path / ".env"
    file.write_text('A_PASSWORD="hunter2', encoding="utf-8")
    assert_hidden(ConfigData.from_dotenv(file, "A"), "hunter2")
    assert_hidden(load(Outer, args=["api_key=hunter2", "vault=hunter2"]), "hunter2")


@pytest.mark.parametrize("length", [1, 50_000], ids=["short", "longer than a path may be"])
def test_a_secret_in_place_of_its_file_is_not_shown(tmp_path: Path, length: int) -> None:
    secret = "hunter2" * length
    read = ConfigData.from_environment("A", {"A_PASSWORD_FILE": secret})
    assert_hidden(read, "hunter2")
    assert "A_PASSWORD_FILE" in read.unwrap_error().message
    folder = tmp_path / "hunter2"
    folder.mkdir()
    assert_hidden(ConfigData.from_environment("A", {"A_PASSWORD_FILE": str(folder)}), "hunter2")
    file = folder / "binary"
    file.write_bytes(b"\xff")
    assert_hidden(ConfigData.from_environment("A", {"A_PASSWORD_FILE": str(file)}), "hunter2")


def test_a_secret_reaches_the_program() -> None:
    data = ConfigData.from_object({"pepper": PLANTED, "password": "passw0rd"}).unwrap()
    kept = Configuration(Kept).from_data(data).unwrap()
    assert (kept.pepper.reveal(), kept.password) == (PLANTED, "passw0rd")
    assert data.get("password").unwrap() == "passw0rd"


@pytest.mark.parametrize("text", ['{"pin": "planted" x}', '{"a": planted}'])
def test_a_text_that_cannot_be_read_is_not_held_by_its_error(text: str) -> None:
    error = ConfigData.from_string(text, "json").unwrap_error()
    assert error.__context__ is None
