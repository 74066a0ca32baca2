"""Who said a setting: sources, layers, and what `explain` tells of them.

Keeping the origin of a value costs nothing while all goes well: a layer knows its source, and the
source finds the line in its text when it is first asked.
"""

from __future__ import annotations

from .key import key_of, nearest, shown

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from typing import Any, Final

    from .key import Path

__all__ = ["ABSENT", "Explanation", "Layer", "Said", "Source", "explain", "look", "winner"]


class Source:
    """Where a layer came from.

    Args:
        name: "app.toml", "environment APP_*", "defaults".
        places: for each path who said it, such as a variable's name.
        is_text: whether its values are words that wait for a schema, as those of an environment.
        prefix: of the variables, where it has some.
        text: what was read, and `offsets`, which finds the keys in it: for lines, when asked.
    """

    __slots__ = ("_offsets", "_places", "_text", "is_text", "name", "prefix")

    def __init__(
        self,
        name: str,
        /,
        places: Mapping[Path, str] | None = None,
        *,
        is_text: bool = False,
        prefix: str | None = None,
        text: str | None = None,
        offsets: Callable[[str], dict[Path, int]] | None = None,
    ) -> None:
        self.name = name
        self.is_text = is_text
        self.prefix = prefix
        self._places = places
        self._text = text
        self._offsets = offsets

    @property
    def is_written(self) -> bool:
        """Whether it is a text that a person wrote, such as a file."""
        return self._text is not None

    def place_of(self, path: Path, /) -> str:
        """Name the line or the variable that says a path, or the nearest section around it."""
        if self._places is None:
            self._places = self._read_places()
        while path:
            if path in self._places:
                return self._places[path]
            path = path[:-1]
        return self.name

    def _read_places(self) -> Mapping[Path, str]:
        if self._offsets is None or self._text is None:
            return {}
        from .lines import lines  # late: only where someone asks

        found = lines(self._text, self._offsets(self._text))
        return {path: f"{self.name}:{line}" for path, line in found.items()}


class Layer:
    """What one source said: a tree of sections, never changed once it is made.

    Attributes:
        values: the tree.
        source: who said it.
        at: where in the source the tree begins; empty unless it is a section of it.
    """

    __slots__ = ("at", "source", "values")

    def __init__(self, source: Source, values: dict[str, object], at: Path = ()) -> None:
        self.source = source
        self.values = values
        self.at = at

    def place_of(self, path: Path, /) -> str:
        """Name the line or the variable that says a path."""
        return self.source.place_of((*self.at, *path))

    def __eq__(self, other: object, /) -> bool:
        if not isinstance(other, Layer):
            return NotImplemented
        return self.source.name == other.source.name and self.values == other.values

    __hash__ = None  # type: ignore[assignment]  # it holds dicts


class Said:
    """One source's word on a key.

    Attributes:
        place: the line or the variable: "app.toml:3", "APP_DB__HOST".
        shown: the value, as it may be shown.
    """

    __slots__ = ("place", "shown")

    def __init__(self, place: str, shown: str) -> None:
        self.place = place
        self.shown = shown

    def __repr__(self) -> str:
        return f"{self.shown} from {self.place}"


class Explanation:
    """Why a key has its value; `str()` tells it in lines.

    Attributes:
        key: what was asked for.
        is_set: whether the key has a value.
        won: who said what holds: one for a value, each that adds to it for a section, the strongest
            first; for a key that is not set, the one that replaced the section around it.
        shadowed: what was said in vain, the strongest first.
        hint: the nearest key where nobody ever said this one.
    """

    __slots__ = ("hint", "is_set", "key", "shadowed", "won")

    def __init__(
        self,
        key: str,
        is_set: bool,
        won: Sequence[Said],
        shadowed: Sequence[Said],
        hint: str | None = None,
    ) -> None:
        self.key = key
        self.is_set = is_set
        self.won = tuple(won)
        self.shadowed = tuple(shadowed)
        self.hint = hint

    def __str__(self) -> str:
        places = ", ".join([said.place for said in self.won])
        if self.is_set:
            first = f"{self.key} = {self.won[0].shown} from {places}"
        elif self.won:
            first = f"{self.key} is not set: {places} says {self.won[0].shown}"
        else:
            first = f"{self.key} is not set" + (f"; {self.hint}" if self.hint else "")
        return "\n".join([first, *[f"  shadows {said!r}" for said in self.shadowed]])

    def __repr__(self) -> str:
        return f"<Explanation: {self}>"


ABSENT: Final = object()
"""Stands for what nobody said; None is something that was said."""


def explain(layers: Sequence[Layer], path: Path, known: Iterable[str], /) -> Explanation:
    """Tell who said a path, the last layer first; `known` are the keys that there are."""
    won: list[Said] = []
    shadowed: list[Said] = []
    is_set = is_settled = False
    for layer in reversed(layers):
        value, end = look(layer.values, path)
        if value is ABSENT:
            continue
        here = path[:end]
        is_cut = end < len(path)  # a scalar stands where a section would have to be
        said = Said(layer.place_of(here), shown((*layer.at, *here), value))
        if is_settled or (won and not isinstance(value, dict)):
            is_settled = True
            if not is_cut:
                shadowed.append(said)
            continue
        if is_cut:
            said.shown = f"{key_of(here)} = {said.shown}"
        won.append(said)
        is_set = not is_cut
        is_settled = not isinstance(value, dict)
    hint = None
    if not won:
        near = nearest(key_of(path), known)
        hint = f"did you mean {near}?" if near else None
    return Explanation(key_of(path), is_set, won, shadowed, hint)


def winner(layers: Sequence[Layer], path: Path, /) -> Layer | None:
    """Give the layer whose word on a path, or on the value around it, holds."""
    for layer in reversed(layers):
        if look(layer.values, path)[0] is not ABSENT:
            return layer
    return None


def look(values: dict[str, object], path: Path, /) -> tuple[object, int]:
    """Follow a path as far as sections go: what stands at the end, and how many parts that took.

    ABSENT at the end is a key that is not there; fewer parts than the path has, a value in the way.
    """
    value: Any = values
    for end, part in enumerate(path):
        if not isinstance(value, dict):
            return value, end
        if part not in value:
            return ABSENT, len(path)
        value = value[part]
    return value, len(path)
