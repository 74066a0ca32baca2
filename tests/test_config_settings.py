"""Settings of a domain and of its driver are read in one way; what is wrong is one error."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import pytest

from qicore_core import Policy, Secret
from qicore_core.config.settings import read_settings
from qicore_core.testing import assert_failure, assert_success


@dataclass(frozen=True)
class Domain:
    max_rows: int = 100
    policy: Policy | None = None


@dataclass(frozen=True)
class Driver:
    can_stream: ClassVar[bool] = True  # no setting: the classes' own
    readers: int = 2
    timeout: float = 5.0
    password: Secret[str] | None = None

    def __post_init__(self) -> None:
        if self.readers < 1:
            raise ValueError(f"readers is at least 1, got {self.readers}")


def read(schema: Any, values: Mapping[str, object], *also: type) -> Any:
    return read_settings(schema, values, "duck:", kind="sql", code="DB_WRONG", also=also)


def test_text_becomes_the_type_of_its_field() -> None:
    said = {"readers": "4", "timeout": "0.5", "password": "hidden"}
    assert assert_success(read(Driver, said)) == Driver(4, 0.5, Secret("hidden"))


def test_an_object_is_taken_as_it_is() -> None:
    policy = Policy(timeout=1.0)
    assert assert_success(read(Domain, {"policy": policy})).policy is policy
    assert read(Domain, {}).unwrap() == Domain()


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"readers": "many"}, "readers must be a whole number, got 'many' (duck:)"),
        ({"readers": True}, "readers must be a whole number, got True"),
        ({"readers": 0}, "Driver is refused: readers is at least 1, got 0"),
        ({"reders": 5}, "there is no sql setting 'reders', did you mean readers?"),
        ({"max_row": 5}, "there is no sql setting 'max_row', did you mean max_rows?"),
        ({"can_stream": 5}, "there is no sql setting 'can_stream', there are readers, timeout"),
        ({"max_rows": 5}, "there is no sql setting 'max_rows', did you mean to give it beside"),
        ({"a.b": 5}, "there is no sql setting 'a.b', there are readers, timeout, password, max"),
    ],
    ids=str,
)
def test_what_is_wrong_is_said_by_the_code_of_the_domain(
    values: Mapping[str, object], said: str
) -> None:
    error = assert_failure(read(Driver, values, Domain), "DB_WRONG", category="CONFIGURATION")
    assert said in error.message
    assert (error.source, error.retryable, len(error.errors)) == ("sql", False, 1)


def test_all_that_is_wrong_is_told_at_once_and_no_secret() -> None:
    said = {"readers": "x", "password": ["hunter2"], "colour": "hunter3"}
    error = assert_failure(read(Driver, said), "DB_WRONG")
    assert len(error.errors) == 3
    assert "hunter" not in f"{error!r} {error.to_dict()}"
