"""Values to bytes and back: what comes out equals what went in, or is refused on the way in.

JSON is the default, as reading it can run no code. What JSON has no form for goes as an object with
the one key "$": `{"$": ["bytes", "aGk="]}`. Dataclasses come back only from a typed cache,
`cache.of(User)`: the bytes name a class, and only classes that can be reached from the cache's own
type are made. Pickle runs code when it is read, so it is used only when asked for, and only behind
a signature.
"""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterator
from dataclasses import fields, is_dataclass
from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal
from typing import Any, Final, Protocol, final, get_args, get_type_hints, runtime_checkable
from uuid import UUID

from qicore_core import Secret

__all__ = ["Codec", "JsonCodec", "MsgpackCodec", "SignedPickleCodec"]

_MARK: Final = "$"
_MARKED: Final = b'"$"'  # bytes without it are plain JSON, and the walk is spared
_PLAIN: Final = frozenset({type(None), bool, int, float, str})
_DEPTH: Final = 100
_read_json: Final = json.JSONDecoder().decode  # what json.loads does with text in the end


@runtime_checkable
class Codec(Protocol):
    """How values become bytes. Both ways refuse with a ValueError or TypeError that says why.

    `kind` is the cache's type, or None; `place` is the namespace and the key, for a codec whose
    bytes hold in their own place alone. A store can count only where an int is written as its
    digits.
    """

    def encode(self, value: Any, kind: Any, place: str, /) -> bytes:
        """Give the bytes of a value."""
        ...

    def decode(self, data: bytes, kind: Any, place: str, /) -> Any:
        """Give the value of bytes that `encode` made."""
        ...


def _moment(value: datetime | time) -> str:
    if value.fold or type(value.tzinfo) not in (type(None), timezone):
        raise TypeError("its time zone or fold would be lost: convert it to UTC")
    return value.isoformat()


_TAGS: Final[dict[type, tuple[str, Callable[[Any], Any], Callable[[Any], Any]]]] = {
    bytes: (
        "bytes",
        lambda value: b64encode(value).decode(),
        lambda text: b64decode(text, validate=True),
    ),
    datetime: ("datetime", _moment, datetime.fromisoformat),
    date: ("date", date.isoformat, date.fromisoformat),
    time: ("time", _moment, time.fromisoformat),
    timedelta: (
        "timedelta",
        lambda value: [value.days, value.seconds, value.microseconds],
        lambda parts: timedelta(*parts),
    ),
    Decimal: ("decimal", str, Decimal),
    UUID: ("uuid", str, UUID),
    complex: ("complex", lambda value: [value.real, value.imag], lambda parts: complex(*parts)),
}
_READERS: Final = {name: read for name, _, read in _TAGS.values()}
_CONTAINERS: Final[dict[str, Callable[[Any], Any]]] = {
    "tuple": tuple,
    "set": set,
    "frozenset": frozenset,
}


@final
class JsonCodec:
    """JSON with exact types: dates, decimals, UUIDs, bytes, tuples, sets and dataclasses too."""

    __slots__ = ("_exact",)

    def __init__(self) -> None:
        self._exact = _Exact(_PLAIN)

    def encode(self, value: Any, kind: Any = None, place: str = "", /) -> bytes:
        """Give UTF-8 JSON; what would not come back exactly is a TypeError."""
        return json.dumps(
            self._exact.out(value, kind), ensure_ascii=False, separators=(",", ":")
        ).encode("utf-8", "surrogatepass")

    def decode(self, data: bytes, kind: Any = None, place: str = "", /) -> Any:
        """Give the value; bytes that are no such JSON are a ValueError."""
        value = _read_json(data.decode("utf-8", "surrogatepass"))
        return self._exact.into(value, kind) if _MARKED in data else value


@final
class MsgpackCodec:
    """MessagePack with the exact types of JsonCodec: bytes as they are, and numbers for less.

    It needs the package msgpack: `pip install 'qicore-cache[msgpack]'`. An int has at most 64 bits.
    A cache with this codec cannot count.
    """

    __slots__ = ("_exact", "_pack", "_unpack")

    def __init__(self) -> None:
        try:
            import msgpack  # type: ignore[import-untyped]  # late: an extra; it has no types
        except ModuleNotFoundError as missing:
            said = "MsgpackCodec needs msgpack: pip install 'qicore-cache[msgpack]'"
            raise ModuleNotFoundError(said, name=missing.name) from None
        self._exact = _Exact(_PLAIN | {bytes})
        self._pack: Callable[..., bytes] = msgpack.packb
        self._unpack: Callable[..., Any] = msgpack.unpackb

    def encode(self, value: Any, kind: Any = None, place: str = "", /) -> bytes:
        """Give MessagePack; what would not come back exactly is a TypeError."""
        try:
            packed = self._pack(self._exact.out(value, kind), unicode_errors="surrogatepass")
        except OverflowError:
            raise TypeError("it holds an int of more than 64 bits: use the JsonCodec") from None
        return b"\x03" + packed

    def decode(self, data: bytes, kind: Any = None, place: str = "", /) -> Any:
        """Give the value; bytes that are no such MessagePack are a ValueError."""
        if data[:1] != b"\x03":
            raise ValueError("it was not written by a MsgpackCodec")
        try:
            value = self._unpack(data[1:], unicode_errors="surrogatepass")
        except Exception as error:  # noqa: BLE001  # its reasons have types of their own
            raise ValueError(f"it is no MessagePack: {type(error).__name__}") from None
        return self._exact.into(value, kind)


@final
class _Exact:
    """Values as what a format has, and back: what it has no form for is marked.

    Args:
        plain: the types that the format gives back exactly by itself.
    """

    __slots__ = ("_known", "_plain")

    def __init__(self, plain: frozenset[type]) -> None:
        self._plain = plain
        self._known: dict[Any, dict[str, type]] = {}

    def out(self, value: Any, kind: Any, depth: int = _DEPTH) -> Any:
        """Give a value as lists, dicts and what is plain; else a TypeError."""
        of = type(value)
        if of in self._plain:
            return value
        if depth == 0:
            raise TypeError(f"it is nested deeper than {_DEPTH} levels")
        if of is list:
            return [self.out(item, kind, depth - 1) for item in value]
        if of is dict:
            if all(type(key) is str for key in value) and list(value) != [_MARK]:
                return {key: self.out(item, kind, depth - 1) for key, item in value.items()}
            pairs = [
                [self.out(key, kind, depth - 1), self.out(item, kind, depth - 1)]
                for key, item in value.items()
            ]
            return {_MARK: ["dict", pairs]}
        if of in _TAGS:
            name, write, _ = _TAGS[of]
            return {_MARK: [name, write(value)]}
        if of in _CONTAINERS.values():
            return {_MARK: [of.__name__, [self.out(item, kind, depth - 1) for item in value]]}
        if of in self._classes(kind).values():
            object.__new__(of)  # as reading will: a TypeError where its base is a dict or the like
            parts = {
                field.name: self.out(getattr(value, field.name), kind, depth - 1)
                for field in fields(value)
            }
            return {_MARK: ["class", [_name(of), parts]]}
        raise TypeError(_refusal(of))

    def into(self, value: Any, kind: Any) -> Any:
        """Give back what `out` was given; what it did not make is a ValueError."""
        if isinstance(value, list):
            return [self.into(item, kind) for item in value]
        if type(value) in self._plain:
            return value
        if not isinstance(value, dict):
            raise ValueError(f"it holds a {type(value).__name__}, which no codec of ours writes")
        if list(value) != [_MARK]:
            return {key: self.into(item, kind) for key, item in value.items()}
        name, held = _list(value[_MARK])
        if name == "dict":
            return {self.into(key, kind): self.into(item, kind) for key, item in map(_list, held)}
        if name in _CONTAINERS:
            return _CONTAINERS[name]([self.into(item, kind) for item in _list(held)])
        if name == "class":
            named, parts = _list(held)
            of = self._classes(kind).get(named)
            if of is None:
                raise ValueError(f"it holds a {named!r}, which this cache's type does not lead to")
            return _build(of, {key: self.into(item, kind) for key, item in parts.items()})
        if name not in _READERS:
            raise ValueError(f"it holds a {name!r}, which this version does not know")
        return _READERS[name](held)

    def _classes(self, kind: Any) -> dict[str, type]:
        """Give the dataclasses that a type leads to, by name."""
        if kind is None:
            return {}
        if kind not in self._known:
            self._known[kind] = {_name(of): of for of in _reach(kind, set())}
        return self._known[kind]


@final
class SignedPickleCodec:
    """Pickle behind a signature, for values that JSON refuses.

    What is signed holds for its key, namespace and cache type: moved elsewhere, it is not read. A
    cache with this codec cannot count.

    Args:
        secret: what signs, at least 32 bytes; without the right one nothing is read.

    Source: RFC 2104 (HMAC) with SHA-256, over type, place and pickle.
    """

    __slots__ = ("_secret",)

    def __init__(self, secret: Secret[bytes] | bytes, /) -> None:
        key = secret.reveal() if isinstance(secret, Secret) else secret
        if len(key) < 32:
            raise ValueError(
                "SignedPickleCodec needs a secret of at least 32 bytes: secrets.token_bytes(32)"
            )
        self._secret = Secret(key)

    def encode(self, value: Any, kind: Any = None, place: str = "", /) -> bytes:
        """Give signature and pickle."""
        import pickle  # late: only for those who ask for it

        try:
            body = pickle.dumps(value, protocol=5)
        except (pickle.PicklingError, AttributeError, RecursionError) as error:
            raise TypeError(f"it cannot be pickled: {error}") from None
        return b"\x02" + self._sign(body, kind, place) + body

    def decode(self, data: bytes, kind: Any = None, place: str = "", /) -> Any:
        """Give the value if the signature is right, else a ValueError; never unpickle before."""
        import pickle  # late, as above
        from hmac import compare_digest

        signature, body = data[1:33], data[33:]
        if data[:1] != b"\x02" or not compare_digest(signature, self._sign(body, kind, place)):
            raise ValueError("its signature is not right: another secret, type or key wrote it")
        return pickle.loads(body)  # noqa: S301  # behind a signature that was verified above

    def _sign(self, body: bytes, kind: Any, place: str) -> bytes:
        from hashlib import sha256  # late, as above
        from hmac import digest

        said = [part.encode("utf-8", "surrogatepass") for part in (_name(kind), place)]
        head = b"".join([sha256(part).digest() for part in said])  # of a fixed length each
        return digest(self._secret.reveal(), head + body, "sha256")


def _list(value: Any) -> list[Any]:
    if type(value) is not list:
        raise ValueError(f"it holds a {type(value).__name__} where a list belongs")
    return value


def _name(kind: Any) -> str:
    return f"{getattr(kind, '__module__', '')}.{getattr(kind, '__qualname__', kind)}"


def _reach(kind: Any, seen: set[Any]) -> Iterator[type]:
    """Walk the dataclasses that a type leads to: itself, its arguments, the types of its fields."""
    if is_dataclass(kind) and isinstance(kind, type) and kind not in seen:
        seen.add(kind)
        yield kind
        for hint in get_type_hints(kind).values():
            yield from _reach(hint, seen)
    for argument in get_args(kind):
        yield from _reach(argument, seen)


def _build(of: type, parts: dict[str, Any]) -> Any:
    """Make a dataclass of its fields without `__init__`: it was whole when it was written."""
    wanted = {field.name for field in fields(of)}
    if wanted != parts.keys():
        raise ValueError(f"its {of.__name__} has other fields than the class has now")
    made: Any = object.__new__(of)
    for name, value in parts.items():
        object.__setattr__(made, name, value)
    return made


def _refusal(of: type) -> str:
    if is_dataclass(of):
        name = of.__qualname__
        return f"a {name} comes back only from a typed cache: use cache.of({name})"
    return f"no {of.__qualname__} comes back exactly: convert it, or choose another codec"
