"""URLs: joined to a base, checked, and stripped of what must not travel.

Whatever is doubtful is refused, as two readers of one URL that disagree are how requests end up
where they must not.
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Mapping
from ipaddress import IPv6Address
from typing import Final, final
from urllib.parse import SplitResult, quote, unquote, urlencode, urljoin, urlsplit, urlunsplit

from qicore_core import QiError, Result, Secret, failure, success
from qicore_core.secret import redact_text

from .errors import INVALID_URL

__all__ = ["Target", "encoded", "is_same_origin", "redirect_of", "target_of", "with_params"]

_DEFAULT_PORTS: Final = {"http": 80, "https": 443}
_PATH: Final = "/%:@!$&'()*+,;=~-._"
_QUERY: Final = _PATH + "?[]"
_WHOLE: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]")
_LONE_PERCENT: Final = re.compile(r"%(?![0-9A-Fa-f]{2})")
_LABEL: Final = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?")
_MAX_HOST: Final = 253
_MAX_URL: Final = 65_536
_MAX_SHOWN: Final = 200


@final
class Target:
    """Where a request goes.

    Attributes:
        url: absolute, without userinfo and fragment; host in ASCII, no default port, no dot
            segments, and all else percent-encoded.
        host: "example.com:443", the key of breaker and budget.
        authorization: what the URL's userinfo comes to as a header, or None.
    """

    __slots__ = ("authorization", "host", "url")

    def __init__(self, url: str, host: str, authorization: str | None) -> None:
        self.url = url
        self.host = host
        self.authorization = authorization


def target_of(base: str | None, url: str, /) -> Result[Target]:
    """Read a URL, relative to a base if there is one.

    A relative one goes below the base's path, with or without a slash in front: "users" and
    "/users" below "https://host/v1" are both "https://host/v1/users".

    Errors:
        INVALID_URL: it is not absolute, not http or https, has no host, or one that is none.
    """
    url = url.strip(" ")
    if base is not None and not _WHOLE.match(url):
        if url.startswith(("//", "\\")):
            return failure(_invalid(url, "it names a host and no scheme"))
        base = base.strip(" ")
        head = base.partition("#")[0].partition("?")[0].rstrip("/")
        url = base if not url else head + ("" if url[0] == "?" else "/") + url.lstrip("/")
    return _read(url)


def with_params(url: str, params: Mapping[str, object], /) -> Result[str]:
    """Add fields to the query of a Target's URL.

    >>> with_params("https://host/?a=1", {"b": "c d"}).unwrap()
    'https://host/?a=1&b=c+d'

    Errors:
        INVALID_URL: a field has text that is no Unicode.
    """
    try:
        added = encoded(params)
    except UnicodeError:
        return failure(_invalid(url, "its params have text that is no Unicode"))
    return success(f"{url}{'&' if '?' in url else '?'}{added}" if added else url)


def redirect_of(url: str, location: str, /) -> Result[Target]:
    """Read the URL of a redirect. Source: RFC 3986, section 5.2.

    Errors:
        INVALID_URL: as in `target_of`.
    """
    try:
        location = location.strip(" ")
        return _read(location if _WHOLE.match(location) else urljoin(url, location))
    except ValueError:
        return failure(_invalid(location, "its host or port cannot be read"))


def encoded(fields: Mapping[str, object], /) -> str:
    """Write fields as a query or form: None left out, a list one field each, secrets revealed.

    >>> encoded({"tag": ["a", "b"], "deep": True, "page": None})
    'tag=a&tag=b&deep=true'

    Raises:
        UnicodeError: text that is no Unicode.
    """
    pairs: list[tuple[str, str | bytes]] = []
    for name, value in fields.items():
        several = isinstance(value, list | tuple | set | frozenset)
        for one in value if several else (value,):  # type: ignore[attr-defined]  # iterable then
            if one is not None:
                pairs.append((name, _plain(one)))
    return urlencode(pairs)


def is_same_origin(one: str, other: str, /) -> bool:
    """Tell whether two URLs of Targets share scheme, host and port. Source: RFC 6454, section 5."""
    return urlsplit(one)[:2] == urlsplit(other)[:2]


def _read(url: str) -> Result[Target]:
    if len(url) > _MAX_URL:
        return failure(_invalid(url, f"it has more than {_MAX_URL} characters"))
    if _CONTROL.search(url):
        return failure(_invalid(_CONTROL.sub("", url), "it has a control character"))
    try:
        url.encode()
        parts = urlsplit(url)
        port = parts.port
    except UnicodeError:
        return failure(_invalid(url, "it has text that is no Unicode"))
    except ValueError:
        return failure(_invalid(url, "its host or port cannot be read"))
    if parts.scheme not in _DEFAULT_PORTS:
        hint = "give the whole URL, or open the client with a base URL" if not parts.scheme else ""
        return failure(_invalid(url, "its scheme is not http or https", hint))
    host = _host_of(parts)
    if host is None:
        why = "its host is no domain name and no address" if parts.hostname else "it has no host"
        return failure(_invalid(url, why))
    if port == 0:
        return failure(_invalid(url, "port 0 cannot be called"))
    default = _DEFAULT_PORTS[parts.scheme]
    place = host if port in (None, default) else f"{host}:{port}"
    whole = (parts.scheme, place, _quoted(_without_dots(parts.path or "/"), _PATH))
    authorization = None
    if parts.username is not None:
        pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        authorization = "Basic " + b64encode(pair.encode()).decode()
    return success(
        Target(
            urlunsplit((*whole, _quoted(parts.query, _QUERY), "")),
            f"{host}:{port or default}",
            authorization,
        )
    )


def _host_of(parts: SplitResult) -> str | None:
    """Give the host as it is written in a URL, in ASCII; None where it is none."""
    host = parts.hostname or ""
    if "\\" in parts.netloc:  # browsers end the host there
        return None
    if "[" in parts.netloc:
        try:
            return f"[{IPv6Address(host)}]" if "%" not in host else None
        except ValueError:
            return None
    if not host.isascii():
        try:
            host = host.encode("idna").decode()
        except UnicodeError:
            return None
    labels = host.removesuffix(".").split(".")
    is_name = len(host) <= _MAX_HOST and all(_LABEL.fullmatch(label) for label in labels)
    return host if is_name else None


def _without_dots(path: str) -> str:
    """Resolve "." and ".." in an absolute path. Source: RFC 3986, section 5.2.4."""
    if "/." not in path:
        return path
    out: list[str] = []
    segments = path.split("/")[1:]
    for segment in segments:
        if segment == "..":
            del out[-1:]
        elif segment != ".":
            out.append(segment)
    if segments[-1] in (".", ".."):
        out.append("")
    return "/" + "/".join(out)


def _quoted(text: str, safe: str) -> str:
    return quote(_LONE_PERCENT.sub("%25", text), safe=safe)


def _plain(value: object) -> str | bytes:
    if isinstance(value, Secret):
        value = value.reveal()
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if isinstance(value, bytes) else str(value)


def _invalid(url: str, why: str, hint: str = "") -> QiError:
    return QiError.validation(
        INVALID_URL,
        f"the URL {_masked(url)!r} cannot be called: {why}",
        hint=hint or "write it as https://host/path",
        source="http",
    )


def _masked(url: str) -> str:
    """Show a URL that cannot be read: what may be its userinfo is masked, its query is cut off."""
    head = re.split(r"[?#]", url, maxsplit=1)[0]
    scheme, mark, _ = head.rpartition("://")
    if "@" in head:
        head = f"{scheme}{mark}***@{head.rpartition('@')[2]}"
    elif "@" in url:  # the "?" may be one of a password
        head = f"{scheme}{mark}***"
    return redact_text(head[:_MAX_SHOWN])
