"""Many Results into one: order is kept, the first failure or all of them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qicore_core.combine import accumulate, collect, from_optional, partition, traverse
from qicore_core.error import QiError
from qicore_core.result import failure, success

ERROR = QiError.not_found("GONE", "it is gone")
ERRORS = st.sampled_from(["A", "B", "C"]).map(lambda code: QiError.internal(code, "x"))
RESULTS: st.SearchStrategy[Any] = st.integers().map(success) | ERRORS.map(failure)
MANY = st.lists(RESULTS)


@given(MANY)
def test_collect_keeps_order_or_gives_the_first_failure(results: list[Any]) -> None:
    failed = [result for result in results if not result]
    if failed:
        assert collect(results) is failed[0]
    else:
        assert collect(results) == success([result.value for result in results])


def test_collect_asks_for_nothing_after_a_failure() -> None:
    def results() -> Iterator[Any]:
        yield success(1)
        yield failure(ERROR)
        pytest.fail("it asked for more")

    assert collect(results()) == failure(ERROR)


@given(MANY)
def test_traverse_is_collect_of_a_map(results: list[Any]) -> None:
    assert traverse(lambda result: result, results) == collect(results)


@given(MANY)
def test_partition_loses_nothing(results: list[Any]) -> None:
    values, errors = partition(results)
    assert values == [result.value for result in results if result]
    assert errors == [result.error for result in results if not result]


@given(MANY)
def test_accumulate_loses_no_error(results: list[Any]) -> None:
    errors = [result.error for result in results if not result]
    if errors:
        error = accumulate(results).unwrap_error()
        assert error.code == "MULTIPLE_ERRORS"
        assert list(error.errors) == errors
    else:
        assert accumulate(results) == collect(results)


@pytest.mark.parametrize("value", [0, "", False, [], 5])
def test_a_value_that_is_there_is_a_success(value: object) -> None:
    assert from_optional(value, ERROR) == success(value)


def test_none_is_a_failure() -> None:
    assert from_optional(None, ERROR).unwrap_error() is ERROR
    assert from_optional(None).unwrap_error() == QiError.not_found(
        "VALUE_MISSING", "there is no value"
    )
