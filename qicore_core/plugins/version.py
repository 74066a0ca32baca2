"""Whether a version lies in a range, as plugins state it in Requires-Dist and `PluginInfo.api`.

Only what a range over the core's own versions needs: numbers with dots. Source: PEP 440, without
epochs and local versions; a pre-release counts as its release, so that `>=0.2` takes 0.2.0rc1 of
the core being tested.
"""

from __future__ import annotations

from .index import normal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

__all__ = ["fits", "range_in"]

_DIGITS: Final = "0123456789"
_HOLDS: Final = {  # the longer signs first, as one begins with another
    ">=": list.__ge__, "<=": list.__le__, "==": list.__eq__, "!=": list.__ne__,
    "~=": list.__eq__, ">": list.__gt__, "<": list.__lt__,
}  # fmt: skip


def fits(version: str, wanted: str, /) -> bool:
    """Tell whether a version lies in a range; a range that cannot be read holds none.

    >>> fits("0.1.4", ">=0.1,<0.2"), fits("0.2.0", "~=0.1.3"), fits("1.0", "==1.*")
    (True, False, True)
    """
    have = _numbers(version)
    return all(_holds(have, clause.strip()) for clause in wanted.split(",") if clause.strip())


def range_in(requirements: list[str], distribution: str, /) -> str:
    """Give the range in which Requires-Dist lines want a distribution; empty for any.

    A requirement by address, `name @ file:...`, states no range.

    >>> range_in(["redis>=5", "qicore_core[plugins]<0.2,>=0.1 ; a > 'b'"], "qicore-core")
    '<0.2,>=0.1'
    """
    for line in requirements:
        said, _, marker = line.strip().partition(";")
        name = said
        for sign in "[(<>=!~@ ":
            name = name.partition(sign)[0]
        if normal(name) == distribution and "extra" not in marker:
            rest = said.removeprefix(name).rpartition("]")[2].strip(" ()")
            return "" if rest.startswith("@") else rest
    return ""


def _holds(have: list[int], clause: str) -> bool:
    sign = next((sign for sign in _HOLDS if clause.startswith(sign)), "")
    text = clause.removeprefix(sign).strip()
    if sign == "~=":
        return _holds(have, f">={text}") and _holds(have, f"=={text.rpartition('.')[0]}.*")
    want = _numbers(text.removesuffix(".*"))
    if text.endswith(".*"):
        have = have[: len(want)]
    size = max(len(have), len(want))
    padded = [numbers + [0] * (size - len(numbers)) for numbers in (have, want)]
    return bool(sign and want) and _HOLDS[sign](*padded)


def _numbers(text: str) -> list[int]:
    numbers: list[int] = []
    for part in text.strip().lstrip("vV").split("."):
        rest = part.lstrip(_DIGITS)
        if rest != part:
            numbers.append(int(part.removesuffix(rest)[:9]))
        if rest:
            break  # "0rc1": the rest is a pre-release
    return numbers
