"""Whether a version lies in a range, as plugins state it in Requires-Dist and `PluginInfo.api`.

Only what a range over the core's own versions needs: numbers with dots. Source: PEP 440, without
epochs and local versions; a pre-release counts as its release, so that `>=0.2` takes 0.2.0rc1 of
the core being tested.
"""

from __future__ import annotations

from .index import normal

__all__ = ["fits", "range_in"]


def fits(version: str, wanted: str, /) -> bool:
    """Tell whether a version lies in a range; a range that cannot be read holds none.

    >>> fits("0.1.4", ">=0.1,<0.2"), fits("0.2.0", "~=0.1.3"), fits("1.0", "==1.*")
    (True, False, True)
    """
    return all(
        _one(_numbers(version), clause.strip()) for clause in wanted.split(",") if clause.strip()
    )


def range_in(requirements: list[str], distribution: str, /) -> str:
    """Give the range in which Requires-Dist lines want a distribution; empty for any.

    A requirement by address, `name @ file:...`, states no range.

    >>> range_in(["redis>=5", "qicore_core[plugins]<0.2,>=0.1 ; a > 'b'"], "qicore-core")
    '<0.2,>=0.1'
    """
    for line in requirements:
        requirement, _, marker = line.partition(";")
        name = requirement.strip()
        end = 0
        while end < len(name) and (name[end].isalnum() or name[end] in "-_."):
            end += 1
        if normal(name[:end]) == distribution and "extra" not in marker:
            rest = name[end:].strip()
            if rest.startswith("["):
                rest = rest.partition("]")[2]
            return "" if rest.strip().startswith("@") else rest.strip(" ()")
    return ""


def _one(have: list[int], clause: str) -> bool:
    for sign in (">=", "<=", "==", "!=", "~=", ">", "<"):
        if clause.startswith(sign):
            break
    else:
        return False
    text = clause[len(sign) :].strip()
    wild = text.endswith(".*")
    want = _numbers(text.removesuffix(".*"))
    if not want:
        return False
    if wild or sign == "~=":
        start = want if wild else want[:-1]
        same = _padded(have, len(start))[: len(start)] == start
        return same != (sign == "!=") and (wild or _padded(have, len(want)) >= want)
    size = max(len(have), len(want))
    mine, theirs = _padded(have, size), _padded(want, size)
    return {
        ">=": mine >= theirs,
        "<=": mine <= theirs,
        "==": mine == theirs,
        "!=": mine != theirs,
        ">": mine > theirs,
        "<": mine < theirs,
    }[sign]


def _numbers(text: str) -> list[int]:
    numbers: list[int] = []
    for part in text.strip().lstrip("vV").split("."):
        digits = ""
        for char in part:
            if not char.isdigit():
                break
            digits += char
        if not digits:
            break
        numbers.append(int(digits[:9]))
        if digits != part:
            break  # "0rc1": the rest is a pre-release
    return numbers


def _padded(numbers: list[int], size: int) -> list[int]:
    return numbers + [0] * (size - len(numbers))
