"""What goes out and what comes back: requests, responses and their headers, as values."""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final, final

from qicore_core import Failure, QiError, Result, Secret, failure, success
from qicore_core.secret import redact_text

from .body import Body
from .errors import INVALID_REQUEST, PARSE_ERROR

__all__ = ["Headers", "HttpRequest", "HttpResponse", "is_token", "plain_fields", "shown"]

_EXCERPT: Final = 500
_WITH_BODY: Final = ("PATCH", "POST", "PUT")
_TOKEN: Final = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_UNSENT: Final = re.compile(r"[\x00-\x08\x0a-\x1f\x7f\ud800-\udfff]")
# Python's own codecs: no server means them, and "punycode" takes quadratic time.
_NO_CHARSETS: Final = frozenset(
    ("idna", "mbcs", "oem", "punycode", "raw-unicode-escape", "undefined", "unicode-escape")
)
# Who may write these decides where a request ends, and may smuggle a second one behind it.
_TRANSPORTS_OWN: Final = frozenset(
    (
        "connection", "content-length", "expect", "host", "keep-alive", "proxy-connection", "te",
        "trailer", "transfer-encoding", "upgrade",
    )
)  # fmt: skip


@final
class Headers(Mapping[str, str]):
    """Header fields: looked up whatever their case, in order, those of one name joined.

    >>> Headers([("Content-Type", "text/html"), ("Via", "a"), ("via", "b")])["VIA"]
    'a, b'
    """

    __slots__ = ("_joined", "_pairs")

    def __init__(self, pairs: Mapping[str, str] | Iterable[tuple[str, str]] = (), /) -> None:
        given: Any = pairs.items() if isinstance(pairs, Mapping) else pairs
        self._pairs = tuple([(name.lower(), value) for name, value in given])
        self._joined: dict[str, str] = {}
        for name, value in self._pairs:
            before = self._joined.get(name)
            self._joined[name] = value if before is None else f"{before}, {value}"

    def __getitem__(self, name: str, /) -> str:
        return self._joined[name.lower()]

    if not TYPE_CHECKING:  # they know Mapping's, which is slow where there is no such name

        def get(self, key, default=None):
            """Give the value of a name, or the default."""
            return self._joined.get(key.lower(), default)

    def __iter__(self) -> Iterator[str]:
        return iter(self._joined)

    def __len__(self) -> int:
        return len(self._joined)

    def all(self, name: str, /) -> list[str]:
        """Give every value of a name, in order."""
        wanted = name.lower()
        return [value for key, value in self._pairs if key == wanted]

    def pairs(self) -> tuple[tuple[str, str], ...]:
        """Give every field as it came, names in lower case."""
        return self._pairs

    def with_fields(self, other: Mapping[str, str], /) -> Headers:
        """Make headers with fields of `other` in place of those of the same name."""
        names = {name.lower() for name in other}
        return Headers([*(pair for pair in self._pairs if pair[0] not in names), *other.items()])

    def without(self, *names: str) -> Headers:
        """Make headers without fields of these names."""
        return Headers([pair for pair in self._pairs if pair[0] not in names])

    def __repr__(self) -> str:
        return f"Headers({', '.join(self)})"  # names alone: values may be credentials


@final
@dataclass(frozen=True, slots=True, repr=False)
class HttpRequest:
    """One request, whole: what a transport sends.

    Attributes:
        method: in capitals.
        url: absolute, http or https, without userinfo and fragment.
        headers: all but Host, Content-Length and what the connection needs.
        body: the bytes to send, or pieces of them that are read while they are sent.
        private: names of headers, in lower case, that must not reach another origin, besides
            those that name a secret.
        idle_timeout: seconds of a server's silence after which the transport gives up.
        address: the one address that the transport connects to, in place of asking for those of the
            URL's host; Host and the name in TLS stay the URL's.
    """

    method: str
    url: str
    headers: Headers = field(default_factory=Headers)
    body: bytes | Body = b""
    private: frozenset[str] = frozenset()
    idle_timeout: float = 60.0
    address: str | None = None

    @property
    def length(self) -> int | None:
        """What Content-Length says: sent with a body, or where one could be expected.

        None is no such header: there is no body, or one that is sent in chunks.
        Source: RFC 9110, section 8.6.
        """
        body = self.body
        size = len(body) if isinstance(body, bytes) else body.length
        return None if size == 0 and self.method not in _WITH_BODY else size

    def with_headers(self, fields: Mapping[str, str], /) -> HttpRequest:
        """Make the request with fields in place of those of the same name, as hooks do.

        Raises:
            ValueError: one cannot be sent.
        """
        plain = plain_fields(fields)
        if isinstance(plain, Failure):
            raise ValueError(plain.error.message)
        return replace(self, headers=self.headers.with_fields(plain.value))

    def __repr__(self) -> str:
        return f"HttpRequest({self.method} {shown(self.url)})"


@final
@dataclass(frozen=True, slots=True, repr=False)
class HttpResponse:
    """An answer, read to its end.

    Attributes:
        status: the three digits.
        headers: its header fields.
        body: its bytes, decoded from any content encoding.
        url: where it came from, after redirects.
        elapsed: seconds from sending the request to the last byte.
        from_cache: whether it came from a response cache.
    """

    status: int
    headers: Headers
    body: bytes
    url: str
    elapsed: float = 0.0
    from_cache: bool = False

    @property
    def text(self) -> str:
        """The body as text, in its charset or UTF-8; what does not fit becomes U+FFFD."""
        charset = _parameter(self.headers.get("content-type", ""), "charset") or "utf-8"
        try:
            if codecs.lookup(charset).name not in _NO_CHARSETS:
                return self.body.decode(charset, "replace")
        except (LookupError, ValueError):  # no charset, or a codec that is none of text
            pass
        return self.body.decode("utf-8", "replace")

    def json(self) -> Result[Any]:
        """Give the body as JSON.

        Errors:
            PARSE_ERROR: it is none; the context has the line, the column and an excerpt.
        """
        try:
            return success(json.loads(self.body, parse_constant=_no_number))
        except (ValueError, RecursionError) as error:
            return failure(
                QiError.bad_data(
                    PARSE_ERROR,
                    f"the answer of {shown(self.url)} is not JSON",
                    hint=f"its content-type is {self.headers.get('content-type', 'not stated')}",
                    source="http",
                    line=getattr(error, "lineno", None),
                    column=getattr(error, "colno", None),
                    excerpt=self.excerpt,
                )
            )

    @property
    def excerpt(self) -> str:
        """The beginning of the body, for the context of errors; what looks secret is masked."""
        return redact_text(self.body[:_EXCERPT].decode("utf-8", "replace"))

    def __repr__(self) -> str:
        return f"HttpResponse({self.status}, {len(self.body)} bytes, {shown(self.url)})"


def shown(url: str, /) -> str:
    """Give the URL of a request as it may be shown: without its query, keys in it masked."""
    return redact_text(url.partition("?")[0])


def is_token(name: object, /) -> bool:
    """Tell whether something may be the name of a header or method. Source: RFC 9110, 5.6.2."""
    return isinstance(name, str) and _TOKEN.fullmatch(name) is not None


def plain_fields(fields: Mapping[str, str | Secret[str]], /) -> Result[dict[str, str]]:
    """Check header fields and reveal what is a Secret, names in lower case.

    Errors:
        INVALID_REQUEST: a name is none, or is the transport's to write; or a value is no text of
            one line. The value is not named.
    """
    plain: dict[str, str] = {}
    for name, said in fields.items():
        value = said.reveal() if isinstance(said, Secret) else said
        if not is_token(name):
            return failure(_unsendable(name, "its name is none"))
        lower = name.lower()
        if lower in _TRANSPORTS_OWN:
            return failure(_unsendable(name, "the transport writes it"))
        if not isinstance(value, str) or _UNSENT.search(value):
            return failure(_unsendable(name, "its value is no text of one line"))
        plain[lower] = value.strip(" \t")
    return success(plain)


def _no_number(word: str) -> None:
    """Refuse NaN and Infinity, which Python reads. Source: RFC 8259, section 6."""
    raise ValueError(f"{word} is no number of JSON")


def _unsendable(name: object, why: str) -> QiError:
    return QiError.validation(
        INVALID_REQUEST, f"the header {str(name)[:40]!r} cannot be sent: {why}", source="http"
    )


def _parameter(value: str, name: str) -> str:
    for part in value.split(";")[1:]:
        key, _, held = part.strip().partition("=")
        if key.lower() == name:
            return held.strip("\"' ")
    return ""
