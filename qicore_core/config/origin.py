"""Who said a setting: sources, layers, and what `explain` tells of them.

Keeping the origin of a value costs nothing while all goes well: a layer knows its source, and the
source finds the line in its text when it is first asked.
"""

from __future__ import annotations

from .key import key_of, nearest, printable, shown

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from typing import Any, Final

    from .key import Path

__all__ = ["ABSENT", "Explanation", "Layer", "Said", "Source", "Word", "explain", "look", "sayings"]


class Word(str):
    """A text that waits for a schema to say what it is, such as a variable's value."""

    __slots__ = ()


class Source:
    """Where a layer came from.

    Args:
        name: "app.toml", "environment APP_*", "defaults".
        places: for each path who said it, such as a variable's name.
        prefix: of the variables of a source of words; empty where it has no variables.
        text: what a person wrote, and its `format`: the lines of its keys are found when asked for.
    """

    __slots__ = ("_format", "_places", "name", "prefix", "text")

    def __init__(
        self,
        name: str,
        /,
        places: Mapping[Path, str] | None = None,
        prefix: str | None = None,
        text: str | None = None,
        format: str = "",
    ) -> None:
        self.name = printable(name)
        self.prefix = prefix
        self._places = places
        self.text = text
        self._format = format

    def place_of(self, path: Path, /) -> str:
        """Name the line or the variable that says a path, or the nearest section around it."""
        if self._places is None:
            from .lines import places  # late: only where someone asks

            self._places = places(self.text, self._format, self.name) if self.text else {}
        while path and path not in self._places:
            path = path[:-1]
        return printable(self._places.get(path, self.name))


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
        self, key: str, is_set: bool, won: Sequence[Said], shadowed: Sequence[Said], hint: str = ""
    ) -> None:
        self.key = key
        self.is_set = is_set
        self.won = tuple(won)
        self.shadowed = tuple(shadowed)
        self.hint = hint or None

    def __str__(self) -> str:
        places = ", ".join([said.place for said in self.won])
        if self.is_set:
            first = f"{self.key} = {self.won[0].shown} from {places}"
        elif self.won:
            first = f"{self.key} is not set: {places} says {self.won[0].shown}"
        else:
            first = f"{self.key} is not set" + (f"; {self.hint}" if self.hint else "")
        return "\n".join([printable(first), *[f"  shadows {said!r}" for said in self.shadowed]])

    def __repr__(self) -> str:
        return f"<Explanation: {self}>"


ABSENT: Final = object()
"""Stands for what nobody said; None is something that was said."""


def explain(layers: Sequence[Layer], path: Path, known: Iterable[str], /) -> Explanation:
    """Tell who said a path, the last layer first; `known` are the keys that there are."""
    won: list[Said] = []
    shadowed: list[Said] = []
    is_set = is_settled = False
    for layer, value, end in sayings(layers, path):
        here = path[:end]
        is_cut = end < len(path)  # by a value where a section would have to be
        is_section = isinstance(value, dict)
        said = Said(layer.place_of(here), shown((*layer.at, *here), value))
        if not is_settled and (is_section or not won):
            is_set = not is_cut
            said.shown = f"{key_of(here)} = {said.shown}" if is_cut else said.shown
            won.append(said)
        elif not is_cut:
            shadowed.append(said)
        is_settled = is_settled or not is_section
    near = None if won else nearest(key_of(path), known)
    return Explanation(key_of(path), is_set, won, shadowed, f"did you mean {near}?" if near else "")


def sayings(layers: Sequence[Layer], path: Path, /) -> Iterator[tuple[Layer, object, int]]:
    """Give each layer that says something of a path, the last first, and what `look` finds."""
    for layer in reversed(layers):
        value, end = look(layer.values, path)
        if value is not ABSENT:
            yield layer, value, end


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
