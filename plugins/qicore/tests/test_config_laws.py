"""Every law of configuration catches something broken, and what is right breaks none."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import pytest

from qicore import config_laws
from qicore.config_laws import ConfigLaws
from qicore_core import ConfigData, QiError, Result, success


class TestOurs(ConfigLaws): ...


class Honest:
    """A ConfigData of another make, right in everything; those below break one thing."""

    def __init__(self, *layers: dict[str, Any]) -> None:
        self.layers = layers

    @classmethod
    def empty(cls) -> Honest:
        return cls()

    @classmethod
    def from_object(cls, tree: dict[str, Any]) -> Result[Honest]:
        return success(cls(tree))

    @classmethod
    def from_environment(cls, prefix: str, environ: Mapping[str, str]) -> Result[Honest]:
        return success(cls(ConfigData.from_environment(prefix, environ).unwrap().as_dict()))

    @classmethod
    def merge(cls, parts: Iterable[Honest]) -> Honest:
        return cls(*[layer for part in parts for layer in part.layers])

    def __add__(self, other: Honest) -> Honest:
        return self.merge([self, other])

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Honest) and self.layers == other.layers

    __hash__ = None  # type: ignore[assignment]  # it holds dicts

    def folded(self) -> ConfigData:
        return ConfigData.merge([ConfigData.from_object(one).unwrap() for one in self.layers])

    def as_dict(self) -> dict[str, Any]:
        return self.folded().as_dict()

    def keys(self) -> tuple[str, ...]:
        return self.folded().keys()

    def get(self, key: str) -> Result[Any]:
        return self.folded().get(key)


class CountsEmptyLayers(Honest):
    @classmethod
    def empty(cls) -> Honest:
        return cls({})


class PutsTheLongerOneFirst(Honest):
    def __add__(self, other: Honest) -> Honest:
        return self.merge(sorted((self, other), key=lambda one: -len(one.layers)))


class KeepsTheFirst(Honest):
    def folded(self) -> ConfigData:
        return Honest(*reversed(self.layers)).folded()


class DropsNone(Honest):
    @classmethod
    def from_object(cls, tree: dict[str, Any]) -> Result[Honest]:
        return success(cls({name: value for name, value in tree.items() if value is not None}))


class SkipsWhatIsOutOfOrder(Honest):
    @classmethod
    def from_environment(cls, prefix: str, environ: Mapping[str, str]) -> Result[Honest]:
        names = list(environ)
        in_order = [name for name, right in zip(names, sorted(names), strict=True) if name == right]
        return super().from_environment(prefix, {name: environ[name] for name in in_order})


CAUGHT = {
    "the_empty_one_is_the_identity": CountsEmptyLayers,
    "merging_is_associative": PutsTheLongerOneFirst,
    "the_later_one_wins": KeepsTheFirst,
    "one_layer_comes_back": DropsNone,
    "the_environment_has_no_order": SkipsWhatIsOutOfOrder,
}


def hold(kind: type[Honest], name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(config_laws, "ConfigData", kind)
    laws: Any = type("Laws", (ConfigLaws,), {"shrinks": False})
    getattr(laws(), f"test_{name}")()


def test_for_each_law_there_is_something_broken() -> None:
    assert list(CAUGHT) == list(ConfigLaws.laws())


@pytest.mark.parametrize("name", CAUGHT)
def test_a_law_catches_what_is_broken(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises((AssertionError, QiError, ExceptionGroup)) as caught:
        hold(CAUGHT[name], name, monkeypatch)
    each = getattr(caught.value, "exceptions", (caught.value,))  # several, of several examples
    assert all(one.__notes__[0].startswith(f"Laws breaks the law {name!r}: ") for one in each)


@pytest.mark.parametrize("name", CAUGHT)
def test_a_law_lets_what_is_right_pass(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    hold(Honest, name, monkeypatch)
