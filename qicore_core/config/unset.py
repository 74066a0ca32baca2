"""What an empty word means: nothing, unless a text is wanted where it stands.

`APP_PORT=` in an environment is a port that nobody set, not a port that is no number, and what a
file says of the port holds.
"""

from __future__ import annotations

from .data import ConfigData
from .hints import hint_in
from .origin import Layer

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

__all__ = ["without_empty"]


def without_empty(
    data: ConfigData, schema: Any, takes_empty: Callable[[Any], bool], /
) -> ConfigData:
    """Take the empty words out of the layers that hold words, where a schema wants no text.

    Args:
        data: the layers.
        schema: the type of the whole.
        takes_empty: tells whether an empty text can be read as a type.
    """

    def kept(values: dict[str, Any], hint: Any) -> dict[str, object]:
        out: dict[str, object] = {}
        for name, value in values.items():
            inner = hint_in(hint, name)
            if isinstance(value, dict):
                value = kept(value, inner)
                if value:
                    out[name] = value
            elif value or inner is None or takes_empty(inner):
                out[name] = value
        return out

    return ConfigData(
        Layer(layer.source, kept(layer.values, schema), layer.at) if layer.source.is_text else layer
        for layer in data._layers
    )
