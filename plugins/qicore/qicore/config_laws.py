"""The laws of configuration: merging is a monoid, and what is read is the left fold."""

# ruff: noqa: S101  # a law asserts

from __future__ import annotations

from hypothesis import strategies as st

from qicore_core import ConfigData
from qicore_core.conformance import Contract, law

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Final

__all__ = ["ConfigLaws"]

_KEYS: Final = st.sampled_from(["a", "b", "c"])
_LEAVES: Final = st.none() | st.booleans() | st.integers() | st.text(max_size=3) | st.just([1])
_TREES: Final = st.dictionaries(
    _KEYS,
    st.recursive(_LEAVES, lambda inner: st.dictionaries(_KEYS, inner, max_size=3), max_leaves=6),
    max_size=3,
)
_DATA: Final = _TREES.map(lambda tree: ConfigData.from_object(tree).unwrap())
_VARIABLES: Final = st.permutations([("QI_A__B", "1"), ("QI_A__C", "2"), ("QI_D", "3")])


class ConfigLaws(Contract["Any"], abstract=True):
    """What ConfigData promises, for every input."""

    max_examples = 100

    @law(one=_DATA)
    def the_empty_one_is_the_identity(self, one: ConfigData) -> None:
        """Merging with nothing changes nothing, on either side."""
        assert ConfigData.empty() + one == one == one + ConfigData.empty()

    @law(one=_DATA, two=_DATA, three=_DATA)
    def merging_is_associative(self, one: ConfigData, two: ConfigData, three: ConfigData) -> None:
        """How it is bracketed changes neither the layers nor what is read."""
        left, right = (one + two) + three, one + (two + three)
        assert left == right == ConfigData.merge([one, two, three])
        assert left.as_dict() == right.as_dict()

    @law(one=_DATA, two=_DATA)
    def the_later_one_wins(self, one: ConfigData, two: ConfigData) -> None:
        """Every value of the later one is read as it stands there."""
        merged = one + two
        for key in two.keys():  # noqa: SIM118  # no dict
            value = two.get(key).unwrap()
            assert merged.get(key).unwrap() == value or value == {}

    @law(tree=_TREES)
    def one_layer_comes_back(self, tree: dict[str, Any]) -> None:
        """What one layer said is what is read."""
        assert ConfigData.from_object(tree).unwrap().as_dict() == tree

    @law(variables=_VARIABLES)
    def the_environment_has_no_order(self, variables: list[tuple[str, str]]) -> None:
        """In whatever order variables stand, they say the same."""
        read = ConfigData.from_environment("QI_", dict(variables)).unwrap()
        assert read.as_dict() == {"a": {"b": "1", "c": "2"}, "d": "3"}
