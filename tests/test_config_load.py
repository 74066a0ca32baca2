"""load: defaults, files, profiles, environment and arguments in their order, trouble at once."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from qicore_core.config import ConfigData, load, load_data


@dataclass(frozen=True)
class Settings:
    a: int = 0
    b: int = 0
    c: int = 0
    d: int = 0
    e: int = 0


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "app.toml").write_text("b = 2\nc = 2\nd = 2\ne = 2", encoding="utf-8")
    (tmp_path / "app.production.toml").write_text("c = 3\nd = 3\ne = 3", encoding="utf-8")
    monkeypatch.setenv("QT_D", "4")
    monkeypatch.setenv("QT_E", "4")
    return tmp_path


def test_without_sources_the_defaults_of_the_schema_hold() -> None:
    assert load(Settings).unwrap() == Settings()


@pytest.mark.parametrize("kind", ["mapping", "data"])
def test_the_later_source_wins(kind: str) -> None:
    values = dict.fromkeys("abcde", 1)
    defaults = values if kind == "mapping" else ConfigData.from_object(values).unwrap()
    loaded = load(
        Settings,
        "app.toml",
        env="QT_",
        args=["--e=5"],
        defaults=defaults,
        profile="production",
    )
    assert loaded.unwrap() == Settings(1, 2, 3, 4, 5)


def test_each_file_is_followed_by_its_profile_if_it_has_one(folder: Path) -> None:
    (folder / "own.json").write_text('{"e": 9}', encoding="utf-8")
    loaded = load(Settings, Path("app.toml"), "own.json", profile="production")
    assert loaded.unwrap() == Settings(0, 2, 3, 3, 9)


def test_the_sources_are_merged_without_a_schema() -> None:
    data = load_data("app.toml", env="QT_", args=["e=5"], defaults={"a": 1}, profile="production")
    assert data.unwrap().as_dict() == {"a": 1, "b": 2, "c": 3, "d": "4", "e": "5"}
    said = str(data.unwrap().explain("c")).splitlines()
    assert said == ["c = 3 from app.production.toml:1", "  shadows 2 from app.toml:2"]
    assert load_data("no.toml").unwrap_error().code == "CONFIG_FILE_NOT_FOUND"
    assert load_data().unwrap() == ConfigData.empty()


def test_an_empty_profile_is_none() -> None:
    assert load(Settings, "app.toml", profile="").unwrap() == Settings(0, 2, 2, 2, 2)


def test_a_profile_that_no_file_has_is_a_failure() -> None:
    error = load(Settings, "app.toml", profile="prodution").unwrap_error()
    assert error.code == "CONFIG_FILE_NOT_FOUND"
    assert error.message == "no file has the profile 'prodution': there is no app.prodution.toml"
    assert "there is no file" in load(Settings, profile="x").unwrap_error().message


def test_a_missing_file_is_a_failure() -> None:
    error = load(Settings, "app.toml", "gone.toml").unwrap_error()
    assert error.code == "CONFIG_FILE_NOT_FOUND"
    assert error.context["file"] == "gone.toml"


def test_a_dotenv_file_is_read_for_the_variables_of_the_environment(folder: Path) -> None:
    (folder / ".env").write_text("QT_A=7\nQT_D=7\nOTHER=1", encoding="utf-8")
    assert load(Settings, ".env", env="QT_").unwrap() == Settings(a=7, d=4, e=4)
    assert load(Settings, ".env").unwrap_error().code == "CONFIG_FORMAT_UNKNOWN"


def test_all_sources_that_cannot_be_read_are_named_at_once(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("QT_", "1")
    (folder / "bad.json").write_text("{", encoding="utf-8")
    error = load(Settings, "bad.json", "gone.toml", env="QT_", args=["x"]).unwrap_error()
    assert error.code == "CONFIG_VALIDATION_FAILED"
    assert [one.code for one in error.errors] == [
        "CONFIG_PARSE_ERROR",
        "CONFIG_FILE_NOT_FOUND",
        "CONFIG_ENV_CONFLICT",
        "CONFIG_PARSE_ERROR",
    ]


def test_values_that_do_not_fit_are_named_with_their_source() -> None:
    error = load(Settings, "app.toml", env="QT_", args=["a=x", "z=1"]).unwrap_error()
    assert [one.message for one in error.errors] == [
        "a must be a whole number, got 'x' (argument a)",
        "z is no key of Settings (argument z)",
    ]
    assert load(Settings, args=["z=1"], ignore_unknown=True).unwrap() == Settings()
