"""How a value goes into bytes, with what is beside it: a header, only where there is something.

A plain value is its codec's bytes and nothing else, so that a store can count in them. What is more
begins with a mark: "!" and the JSON of an error is a Failure that is kept; "!@" and a line of JSON
stand before a value with tags or a time until which it is fresh; "!!" stands for a "!" with which a
codec's bytes begin.
"""

from __future__ import annotations

import json
from dataclasses import replace
from math import isfinite
from typing import Any, Final, final

from qicore_core import Failure, QiError, failure

from .codec import Codec
from .fit import Fit
from .kept import Kept
from .tags import listed_tags

__all__ = ["Packing"]

_MARK: Final = b"!"
_HEADER: Final = b"!@"
_MAX_HEADER: Final = 64 * 1024  # bytes: more than the most tags take


@final
class Packing:
    """The codec of one cache, for values of one type in one namespace.

    Attributes:
        fit: the type; None is any.
    """

    __slots__ = ("_codec", "_kind", "_ns", "fit")

    def __init__(self, codec: Codec, ns: str, fit: Fit | None = None, /) -> None:
        self._codec = codec
        self._ns = ns
        self._kind = None if fit is None else fit.kind
        self.fit = fit

    def of(self, fit: Fit, /) -> Packing:
        """Give the same for another type."""
        return Packing(self._codec, self._ns, fit)

    def can_count(self) -> bool:
        """Tell whether the codec writes ints as stores count them, in digits."""
        return self._codec.encode(10, self._kind, "") == b"10"

    def pack(self, key: str, value: Any, /) -> bytes:
        """Give the bytes of a value, or of a Kept; what type or codec refuse with is raised."""
        if self.fit is not None:
            self.fit.check(value)
        kept = value if value.__class__ is Kept else None
        plain = value if kept is None else kept.value
        if isinstance(plain, Failure):
            data = _MARK + json.dumps(plain.error.to_dict()).encode()
        else:
            data = self._codec.encode(plain, self._kind, f"{self._ns}\n{key}")
            if data.startswith(_MARK):
                data = _MARK + data
        if kept is None or (not kept.words and kept.fresh_until is None):
            return data
        beside = [dict(kept.words), kept.fresh_until, kept.cost]
        return _HEADER + json.dumps(beside, ensure_ascii=False).encode() + b"\n" + data

    def unpack(self, key: str, data: bytes, /) -> Any:
        """Give the value, or a Kept where something is beside it; what cannot be read is raised."""
        beside: Kept | None = None
        if data.startswith(_HEADER):
            end = data.find(b"\n", 0, _MAX_HEADER)
            if end < 0:
                raise ValueError("its header does not end")
            beside = _read_header(json.loads(data[len(_HEADER) : end]))
            data = data[end + 1 :]
        if data.startswith(_MARK):
            data = data[1:]
            if not data.startswith(_MARK):
                kept = failure(QiError.from_dict(json.loads(data)))
                return Kept(kept) if beside is None else replace(beside, value=kept)
        value = self._codec.decode(data, self._kind, f"{self._ns}\n{key}")
        if self.fit is not None:
            self.fit.check(value)
        return value if beside is None else replace(beside, value=value)


def _read_header(said: Any) -> Kept:
    """Give what is beside a value, still without it."""
    match said:
        case [dict() as words, None | int() | float() as fresh_until, int() | float() as cost] if (
            listed_tags(words)
            and all(isinstance(word, str) for word in words.values())
            and all(isfinite(number) for number in (fresh_until or 0.0, cost))
        ):
            return Kept(None, tuple(words.items()), fresh_until, cost)
        case _:
            raise ValueError("its header is no header")
