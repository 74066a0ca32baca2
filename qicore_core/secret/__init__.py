"""Keep secrets out of everything that is shown: the one place that knows what a secret looks like.

Errors, logs, configuration and settings all call `redact` before they show a value. The rules live
here so that a secret hidden from a log is hidden from an error too. This room must never learn what
the values are for.
"""

from __future__ import annotations

from itertools import count

from .name import is_secret_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any, ClassVar, Final, Generic, TypeVar

    T_co = TypeVar("T_co", covariant=True)
else:
    from ..lean import Generic

    T_co = object

__all__ = [
    "MASK", "Redactor", "Secret", "is_secret_name", "may_hold_secret", "redact", "redact_text",
]  # fmt: skip

MASK: Final = "***"
_CUT: Final = "..."
_NAMES: Final = ("name", "key")  # beside "value", what they hold names it

_PASSES: Final = 8
_LIMIT: Final = 100_000  # characters of a text: to look at more is dear, and nobody reads it
_MARGIN: Final = 4_096  # what is looked at beyond a limit, lest a cut uncover half a secret
_NO_SECRET: Final = 19  # characters: the shortest key of a known shape has more
_NONE: Final[dict[object, object]] = {}
_ITEMS: Final[tuple[type[Any], ...]] = (
    list, tuple, set, frozenset, type(_NONE.keys()), type(_NONE.items()), type(_NONE.values()),
)  # fmt: skip


class Secret(Generic[T_co]):
    """Hold a value that must not be shown: `reveal()` gives it, nothing else does.

    `repr`, `str`, format and JSON show `***`; two secrets are equal when their values are, compared
    in constant time where they are text or bytes. Pickle keeps the value, so that settings reach a
    worker process.

    >>> key = Secret("s3cr3t")
    >>> f"{key}", key.reveal()
    ('***', 's3cr3t')
    """

    __slots__ = ("_value",)

    def __init__(self, value: T_co, /) -> None:
        self._value = value

    def reveal(self) -> T_co:
        """Give the value itself; the caller keeps it out of errors and logs."""
        return self._value

    def __repr__(self) -> str:
        return f"Secret('{MASK}')"

    def __str__(self) -> str:
        return MASK

    def __format__(self, spec: str, /) -> str:
        return format(MASK, spec)

    def __bool__(self) -> bool:
        return bool(self._value)

    def __eq__(self, other: object, /) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        mine: Any = self._value
        theirs: Any = other._value
        if type(mine) is type(theirs) and isinstance(mine, str | bytes):
            from hmac import compare_digest  # late: it loads hashlib

            return compare_digest(_bytes(mine), _bytes(theirs))
        return bool(mine == theirs)

    def __hash__(self) -> int:
        return hash((Secret, self._value))


def may_hold_secret(text: str, /) -> bool:
    """Tell whether `redact_text` could mask part of a text; quick, and right when it says no.

    >>> may_hold_secret("user logged in"), may_hold_secret("see redis://bob:hunter2@cache")
    (False, True)
    """
    if text.isalnum():
        return "AKIA" in text or "AIza" in text
    if ":" in text or "=" in text or "--" in text or "'," in text or '",' in text:
        return True
    lower = text.lower()
    if "bearer" in lower or "basic" in lower:
        return True
    if "eyJ" in text or "AKIA" in text or "AIza" in text:
        return True
    if "-" in text and ("k-" in text or "pat-" in text or "xox" in text):
        return True
    return "_" in text and ("k_" in text or "gh" in text or "hf_" in text or "pat_" in text)


def redact_text(text: str, /, *, limit: int = _LIMIT) -> str:
    """Mask what looks like a secret in free text, leaving the rest readable.

    Masked are the userinfo, query and fragment of URLs, the value after a secret name
    (`password=...`, `--password ...`), what follows `Bearer` or `Basic`, the headers that carry
    credentials, and keys of known shapes. Masking twice changes nothing more.

    Args:
        text: what is to be shown.
        limit: how many characters come back at most; "..." ends what was cut off.

    >>> redact_text("cannot reach redis://bob:hunter2@cache/0?ssl=1")
    'cannot reach redis://***@cache/0?***'
    """
    if len(text) > limit:
        text = redact_text(text[: limit + _MARGIN], limit=limit + _MARGIN)
        return text[: limit - len(_CUT)] + _CUT
    if not may_hold_secret(text):
        return text
    from .look import mask  # late: it loads re, and most programs redact nothing

    before, passes = "", 0
    while text != before and passes < _PASSES:  # a mask may uncover another's look; twice will do
        before, text, passes = text, mask(text), passes + 1
    return text


def redact(value: object, /) -> object:
    """Copy plain data with its secrets masked, by name, by type and by look.

    Twelve levels are entered; what lies deeper, or closes a circle, becomes "...".

    Args:
        value: mappings, lists, tuples, sets, deques and views are copied (to dict and list); in one
            of these, a pair of a secret name and a value is masked as in a mapping (a list of
            headers), and so is what follows an option (`--password`). Else it comes back as it is.

    >>> redact({"user": "bob", "password": "hunter2", "tags": ("a",)})
    {'user': 'bob', 'password': '***', 'tags': ['a']}
    """
    return Redactor().copy(value, count())


class Redactor:
    """Copies data with its secrets masked; a subclass says what becomes of what is no container."""

    __slots__ = ()

    depth: ClassVar[int] = 12  # how many levels it enters

    def leaf(self, value: object, /) -> object:
        """Give what is shown of a value that is no container."""
        return redact_text(value) if isinstance(value, str) else value

    def key(self, key: Any, /) -> Any:
        """Give what is shown of a key."""
        plain = not isinstance(key, str) or (len(key) <= _NO_SECRET and key.isidentifier())
        return key if plain else redact_text(key)

    def broken(self, value: object, why: Exception, /) -> object:
        """Give what is shown of a value whose own code fails."""
        return value

    def is_secret(self, name: str, /) -> bool:
        """Tell whether what has this name is masked."""
        return is_secret_name(name)

    def copy(self, value: Any, left: Iterator[int], inside: tuple[int, ...] = (), /) -> object:
        """Copy a value that lies inside others; each value within takes one of those left."""
        try:
            if isinstance(value, Secret):
                return MASK
            named: Any = getattr(value, "_asdict", None) if isinstance(value, tuple) else None
            if named is not None:  # a named tuple: its names tell what is secret, or it is a URL
                value = getattr(value, "geturl", named)()
            items = isinstance(value, _ITEMS) or hasattr(type(value), "appendleft")  # a deque
            if not items and not _is_mapping(value):
                return self.leaf(value)
            if len(inside) == self.depth or id(value) in inside:
                return _CUT
            enter = self._list if items else self._dict
            return enter(value, left, (*inside, id(value)))
        except Exception as why:  # noqa: BLE001  # foreign: a list that changes
            return self.broken(value, why)

    def _list(self, values: Any, left: Iterator[int], inside: tuple[int, ...]) -> object:
        out: list[object] = []
        hides = False
        for value in values:
            if next(left, None) is None:
                return [*out, _CUT]
            option = isinstance(value, str) and value.startswith("--")
            if hides and not option:
                out.append(MASK)
            elif isinstance(value, list | tuple) and len(value) == 2 and self._hides(value[0]):
                out.append([self.key(value[0]), MASK])
            else:
                out.append(self.copy(value, left, inside))
            hides = option and "=" not in value and self._hides(value)
        return out

    def _dict(self, mapping: Any, left: Iterator[int], inside: tuple[int, ...]) -> object:
        out: dict[object, object] = {}
        for key in mapping.keys():  # noqa: SIM118  # only keys() and [] are asked of a mapping here
            if next(left, None) is None:
                out[_CUT] = _CUT
                break
            value = mapping[key]
            hidden = value is not None and self._hides(key)
            out[self.key(key)] = MASK if hidden else self.copy(value, left, inside)
        if out.get("value") is not None:
            names = [mapping[key] for key in _NAMES if key in out]
            if any(isinstance(name, str) and self.is_secret(name) for name in names):
                out["value"] = MASK
        return out

    def _hides(self, key: object) -> bool:
        if isinstance(key, str):
            return self.is_secret(key)
        try:
            return self.is_secret(key.decode("latin-1") if isinstance(key, bytes) else repr(key))
        except Exception:  # noqa: BLE001  # foreign code: what cannot be shown names nothing
            return False


def _is_mapping(value: object) -> bool:
    kind = type(value)  # asked of the type: a proxy's own attributes may do anything
    return issubclass(kind, dict) or (hasattr(kind, "keys") and hasattr(kind, "__getitem__"))


def _bytes(value: str | bytes) -> bytes:
    return value.encode("utf-8", "surrogatepass") if isinstance(value, str) else value
