"""Keep secrets out of everything that is shown: the one place that knows what a secret looks like.

Errors, logs, configuration and settings all call `redact` before they show a value. The rules live
here so that a secret hidden from a log is hidden from an error too. This room must never learn what
the values are for.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from re import Match
    from typing import Any, Final, Generic, TypeVar

    T_co = TypeVar("T_co", covariant=True)
else:
    from .lean import Generic

    T_co = object

__all__ = ["Secret", "is_secret_name", "redact", "redact_text"]

MASK: Final = "***"

# A name is squashed ("DB-Password" -> "dbpassword") and is secret when it contains one of these,
_PARTS: Final = (
    "password", "passwd", "passphrase", "passcode", "secret", "token", "apikey", "accesskey",
    "privatekey", "signingkey", "encryptionkey", "authorization", "cookie", "credential", "pwd",
)  # fmt: skip
# or is one of these, or ends in one as its last word ("DB_PASS", "userPin", "pass1"),
_WORDS: Final = frozenset((
    "auth", "bearer", "creds", "dsn", "jwt", "otp", "pass", "pin", "pw", "session", "sessionid",
    "sid", "sig", "signature",
))  # fmt: skip
# unless its only "token" is a number of tokens, as language models count them.
_COUNTS: Final = ("tokens", "tokencount", "tokenlimit", "tokenbudget", "tokeniz", "tokenusage")
_PLURALS: Final = (
    "accesstokens", "refreshtokens", "apitokens", "authtokens", "sessiontokens", "idtokens",
)  # fmt: skip

_DEPTH: Final = 12
_PASSES: Final = 8
_NO_SECRET: Final = 19  # characters: the shortest key of a known shape has more

# Every repetition is bounded, possessive or starts at an edge, so that hostile text costs linear
# time. Query and fragment of a URL go as a whole, as a key may have any name; a quote belongs to
# them after "=" alone, else it ends the URL.
_URL: Final = (
    r"(?<![A-Za-z0-9+.-])([A-Za-z0-9+.-]*+://)"
    r"([^\s/?#:@]{0,512}:(?!\d{1,5}(?:[/?#\s]|$))\S{0,1024}@|[^\s/?#@]{0,512}@)?"
    r"([^\s?#'\"<>]*)([?#](?:[^\s'\"<>]|(?<==)['\"])*)?"
)
_SCHEME: Final = r"(?i)\b(bearer|basic)(\s{1,3})[A-Za-z0-9._~+/=-]{6,}"
# What these headers hold has spaces and commas in it, so the whole line goes.
_HEADER: Final = (
    r"(?i)\b((?:proxy-)?authorization|(?:set-)?cookie)(['\"]?:[ \t]{0,3}+)"
    r"(?!['\"])(?:[^\r\n'\"]|(?<==)['\"][^\r\n'\"]*+['\"]?)++"
)
# An unquoted value goes up to the next space, or to a comma that a quote follows, as in JSON.
_NAME: Final = r"(?<![A-Za-z0-9_.-])([A-Za-z0-9_.-]++)['\"]?\s{0,3}(?:=>|[=:])\s{0,3}+"
_VALUE: Final = r"(?s)(\"(?:[^\"\\]|\\.)*+\"|'(?:[^'\\]|\\.)*+'|(?:[^\s,]|,(?!['\"]))*[^\s,;&})\]])"
_SHAPES: Final = (
    r"\b(?:sk|pk|rk)-[\w-]{12,}|\b[sr]k_(?:live|test)_\w{10,}|\bgh[pousr]_\w{20,}"
    r"|\bgithub_pat_\w{20,}|\bglpat-[\w-]{20,}|\bhf_\w{30,}|\bAKIA[0-9A-Z]{16}\b"
    r"|\bAIza[\w-]{35}|\bxox[abeprs]-[\w-]{8,}|\beyJ[\w-]{8,2048}+\.[\w-]++\.[\w-]*"
)


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


def is_secret_name(name: str, /) -> bool:
    """Tell whether a key of this name holds a secret, in any spelling.

    >>> [is_secret_name(n) for n in ("DB_PASSWORD", "apiKey", "Auth-Token", "max_tokens")]
    [True, True, True, False]
    """
    squashed = "".join([c for c in name.lower() if c.isalnum()])
    if squashed in _WORDS or _last_word(name) in _WORDS:
        return True
    for part in _PARTS:
        if part in squashed and (part != "token" or not _counts_tokens(squashed)):
            return True
    return False


def redact_text(text: str, /) -> str:
    """Mask what looks like a secret in free text, leaving the rest readable.

    Masked are the userinfo, query and fragment of URLs, the value after a secret name
    (`password=...`), what follows `Bearer` or `Basic`, the headers that carry credentials, and keys
    of known shapes. Masking twice changes nothing more.

    >>> redact_text("cannot reach redis://bob:hunter2@cache/0?ssl=1")
    'cannot reach redis://***@cache/0?***'
    """
    before, passes = "", 0
    while text != before and passes < _PASSES:  # a mask may uncover another's look; twice will do
        before, text, passes = text, _mask(text), passes + 1
    return text


def _mask(text: str) -> str:
    import re  # late: 7 ms, and most programs that import the core redact nothing

    if "://" in text:
        text = re.sub(_URL, _mask_url, text)
    if "=" in text or ":" in text:
        text = re.sub(_SCHEME, rf"\1\2{MASK}", text)
        text = re.sub(_HEADER, rf"\1\2{MASK}", text)
        text = _mask_pairs(text)
    elif "earer" in text or "asic" in text:
        text = re.sub(_SCHEME, rf"\1\2{MASK}", text)
    return re.sub(_SHAPES, MASK, text)


def redact(value: object, /, *, depth: int = _DEPTH) -> object:
    """Copy plain data with its secrets masked, by name, by type and by look.

    Args:
        value: mappings, lists, tuples and sets are copied (to dict and list); in one of these, a
            pair of a secret name and a value is masked as an entry of a mapping is, as in a list of
            headers. Anything else comes back as it is.
        depth: how many levels to enter; what lies deeper, or closes a circle, becomes "...".

    >>> redact({"user": "bob", "password": "hunter2", "tags": ("a",)})
    {'user': 'bob', 'password': '***', 'tags': ['a']}
    """
    return _redact(value, depth, ())


def _redact(value: Any, depth: int, inside: tuple[int, ...]) -> object:
    if isinstance(value, str):
        return redact_text(value)
    if isinstance(value, Secret):
        return MASK
    named: Any = getattr(value, "_asdict", None) if isinstance(value, tuple) else None
    if named is not None:
        value = named()  # a named tuple: its names tell what is secret
    items = isinstance(value, list | tuple | set | frozenset)
    if not items and not _is_mapping(value):
        return value
    if len(inside) == depth or id(value) in inside:
        return "..."
    inside = (*inside, id(value))
    try:
        if items:
            return [_redact_item(item, depth, inside) for item in value]
        return _redact_mapping(value, depth, inside)
    except Exception:  # noqa: BLE001  # foreign code: a mapping that fails, a list that changes
        return value


def _redact_mapping(mapping: Any, depth: int, inside: tuple[int, ...]) -> dict[object, object]:
    out: dict[object, object] = {}
    for key in mapping.keys():  # noqa: SIM118  # only keys() and [] are asked of a mapping here
        value = mapping[key]
        shown = key
        if isinstance(key, str) and (len(key) > _NO_SECRET or not key.isidentifier()):
            shown = redact_text(key)
        hidden = value is not None and _names_secret(key)
        out[shown] = MASK if hidden else _redact(value, depth, inside)
    return out


def _redact_item(item: Any, depth: int, inside: tuple[int, ...]) -> object:
    if isinstance(item, list | tuple) and len(item) == 2 and _names_secret(item[0]):
        return [item[0], MASK]
    return _redact(item, depth, inside)


def _is_mapping(value: object) -> bool:
    kind = type(value)  # asked of the type: a proxy's own attributes may do anything
    return issubclass(kind, dict) or (hasattr(kind, "keys") and hasattr(kind, "__getitem__"))


def _names_secret(key: object) -> bool:
    if isinstance(key, str):
        return is_secret_name(key)
    try:
        return is_secret_name(key.decode("latin-1") if isinstance(key, bytes) else repr(key))
    except Exception:  # noqa: BLE001  # foreign code: what cannot be shown names nothing
        return False


def _mask_url(found: Match[str]) -> str:
    scheme, userinfo, rest, query = found.groups("")
    host, slash, path = rest.partition("/")
    if ":" in host and "@" in path:  # a port, or the start of a password with a "/" in it
        rest = f"{host}{slash}{MASK}{path[path.rindex('@') :]}"
    return f"{scheme}{MASK + '@' if userinfo else ''}{rest}{query[:1] + MASK if query else ''}"


def _mask_pairs(text: str) -> str:
    """Mask the value after each secret name; what follows another name may itself be a pair."""
    import re  # late, as above

    names, values = re.compile(_NAME), re.compile(_VALUE)
    kept: list[str] = []
    start = at = 0
    while found := names.search(text, at):
        at = found.end()
        value = values.match(text, at) if is_secret_name(found[1]) else None
        if value is not None:
            quote = value[0][0] if re.fullmatch(r"(['\"]).*\1", value[0], re.DOTALL) else ""
            kept += (text[start:at], quote, MASK, quote)
            start = at = value.end()
    return "".join((*kept, text[start:]))


def _last_word(name: str) -> str:
    name = name.rstrip("0123456789_-. ")
    start = len(name)
    while start and name[start - 1].isalnum():
        start -= 1
        if name[start].isupper() and name[start - 1 : start].islower():
            break
    return name[start:].lower()


def _counts_tokens(squashed: str) -> bool:
    return _has(squashed, _COUNTS) and not _has(squashed, _PLURALS)


def _has(text: str, parts: tuple[str, ...]) -> bool:
    return any(part in text for part in parts)


def _bytes(value: str | bytes) -> bytes:
    return value.encode("utf-8", "surrogatepass") if isinstance(value, str) else value
