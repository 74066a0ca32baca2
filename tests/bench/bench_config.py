"""Configuration against the merge that everyone writes first: what layers and origins cost."""

from __future__ import annotations

from typing import Any

from harness import Row, compare

from qicore_core import ConfigData

LOW = {f"section{i}": {f"key{j}": j for j in range(10)} for i in range(10)}
HIGH = {f"section{i}": {f"key{j}": -j for j in range(10)} for i in range(10)}


def measure() -> list[Row]:
    """Merge two layers of ten sections with ten keys each, and read the outcome."""
    low, high = (ConfigData.from_object(layer).unwrap() for layer in (LOW, HIGH))
    assert (low + high).as_dict() == _naive(LOW, HIGH)
    cost = compare(
        {
            "ours": lambda: ConfigData.merge((low, high)).get("section5.key5"),
            "naive": lambda: _naive(LOW, HIGH)["section5"]["key5"],
        },
        inner=200,
    )
    return [Row("merge, fold, read a key", "recursive merge", cost["ours"], cost["naive"], 1.5)]


def _naive(low: dict[str, Any], high: dict[str, Any]) -> dict[str, Any]:
    merged = dict(low)
    for key, value in high.items():
        held = merged.get(key)
        both = isinstance(value, dict) and isinstance(held, dict)
        merged[key] = _naive(held, value) if both else value
    return merged
