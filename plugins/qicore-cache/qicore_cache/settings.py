"""What can be set on a cache, and the one place that checks it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, final

from qicore_core import Policy, QiError

from .codec import Codec
from .errors import INVALID_KEY, INVALID_TTL

__all__ = [
    "COUNTS",
    "MAX_KEY",
    "MAX_TTL",
    "CacheSettings",
    "MemorySettings",
    "key_error",
    "number_in",
    "ttl_error",
]

COUNTS: Final = range(-(2**63), 2**63)  # what every store can count
MAX_KEY: Final = 1024
MAX_TTL: Final = 1e10  # seconds: three hundred years, which every store can add to a date
_MAX_NAMESPACE: Final = 128
_DIGITS: Final = 19  # of 64 bits; Python refuses to read some thousands


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class CacheSettings:
    """How a cache behaves, whatever keeps its entries.

    Attributes:
        namespace: keeps its keys apart from those of others in the same store; `clear` empties this
            alone.
        default_ttl: seconds that an entry is kept where `set` names none; None is the store's own
            (`DefaultTtlStore`), else without end.
        ttl_jitter: shortens each ttl by up to this share, from 0.0 up to 1.0, so that entries do
            not end all at once.
        copy: in memory, keep what is in the cache apart from what its users hold. False shares the
            objects: faster, for values that nobody changes.
        codec: how values become bytes; None is JSON, and in memory no codec at all.
        policy: how calls to a store outside this process are made.
        lock_ttl: seconds for which one process computes a value while others wait for it, where the
            store has locks; None asks for none.
    """

    namespace: str = ""
    default_ttl: float | None = None
    ttl_jitter: float = 0.0
    copy: bool = True
    codec: Codec | None = None
    policy: Policy | None = None
    lock_ttl: float | None = 30.0

    def __post_init__(self) -> None:
        if len(self.namespace) > _MAX_NAMESPACE or not self.namespace.isprintable():
            raise ValueError(f"namespace is at most {_MAX_NAMESPACE} printable characters")
        for name, ttl in (("default_ttl", self.default_ttl), ("lock_ttl", self.lock_ttl)):
            if wrong := ttl_error(ttl):
                raise ValueError(f"{name} is wrong: {wrong.message}")
        if not 0.0 <= self.ttl_jitter < 1.0:
            raise ValueError(f"ttl_jitter is from 0.0 up to 1.0, got {self.ttl_jitter!r}")


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class MemorySettings:
    """How much `memory:` keeps.

    Attributes:
        max_entries: how many entries.
        max_bytes: how many bytes of them, by estimate.
    """

    max_entries: int = 10_000
    max_bytes: int = 64 * 1024 * 1024

    def __post_init__(self) -> None:
        for name, value in (("max_entries", self.max_entries), ("max_bytes", self.max_bytes)):
            if value < 1:
                raise ValueError(f"{name} is at least 1, got {value}")


def number_in(data: bytes, /) -> int | None:
    """Read a whole number as stores count it, in digits; None where there is something else."""
    digits = data.removeprefix(b"-")
    return int(data) if digits.isdigit() and len(digits) <= _DIGITS else None


def ttl_error(ttl: Any, /) -> QiError | None:
    """Say what is wrong with a ttl, or None; None is no ttl and right."""
    if ttl is None:
        return None
    if isinstance(ttl, float | int) and not isinstance(ttl, bool) and 0 < ttl <= MAX_TTL:
        return None
    hint = "None keeps the cache's default; remove the key to end it now"
    if isinstance(ttl, str):
        hint = "write a number, without quotes"
    elif hasattr(ttl, "total_seconds"):
        hint = "write ttl.total_seconds()"
    return QiError.validation(
        INVALID_TTL,
        f"a ttl is a number of seconds above 0, up to {MAX_TTL:g}, got {_shown(ttl)}",
        hint=hint,
        source="cache",
    )


def key_error(key: Any, /) -> QiError:
    """Say what is wrong with a key that is wrong."""
    shown = f"{key[:40]!r}, {len(key)} characters" if isinstance(key, str) else type(key).__name__
    is_long = isinstance(key, str) and len(key) > MAX_KEY
    long = "hash what is longer: hashlib.sha256(text.encode()).hexdigest()"
    return QiError.validation(
        INVALID_KEY,
        f"a key is 1 to {MAX_KEY} printable characters, got {shown}",
        hint=long if is_long else 'write a text with a name in it: f"user:{number}"',
        source="cache",
    )


def _shown(value: object) -> str:
    if isinstance(value, int) and value.bit_length() > 64:
        return "one far above that"  # more digits than an int shows
    return repr(value)[:40]
