"""What may be kept of an answer, and for how long it stands for a new one. Pure rules.

Source: RFC 9111, read as a private cache, and RFC 5861 (stale-if-error). Where a header can be read
in two ways, the shorter life wins.
"""

from __future__ import annotations

import re
from typing import Final

from qicore_core.secret import is_secret_name

from .bearer import UNFILLED
from .message import Headers, HttpRequest, HttpResponse, plain_fields
from .stored import ResponseCache, Stored, digests
from .verdict import date_of

__all__ = [
    "age_of", "directives", "has_life", "is_for_all", "is_storable", "life_of", "may_stand_in",
    "merged", "seconds_of", "stored", "usable", "validators",
]  # fmt: skip

_DIRECTIVE: Final = re.compile(r'\s*([^\s=,;"]+)\s*(?:=\s*("(?:[^"\\]|\\.)*"|[^,"]*))?\s*(?:,|$)')
_MAX_SECONDS: Final = 2**31
_HEURISTIC: Final = frozenset({200, 203, 204, 300, 301, 308, 404, 405, 410, 414})
_NEVER: Final = frozenset({206, 304})
# Source: RFC 9110, section 15: those whose rules of caching are known here.
_UNDERSTOOD: Final = _HEURISTIC | {302, 303, 307, 400, 401, 403, 406, 409, 422, 429, 500, 501, 503}
# Source: RFC 9111, section 3.1, and 3.2 for what a 304 must not change.
_OF_CONNECTION: Final = (
    "connection", "keep-alive", "proxy-authenticate", "proxy-authentication-info",
    "proxy-authorization", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade",
)  # fmt: skip
_OF_BODY: Final = ("content-encoding", "content-length", "content-md5", "content-range", "etag")


def directives(headers: Headers, /, name: str = "cache-control") -> dict[str, str]:
    """Read Cache-Control; of a directive that is said twice, the first.

    >>> directives(Headers({"cache-control": 'Max-Age="60", no-store, private="a, b"'}))
    {'max-age': '60', 'no-store': '', 'private': 'a, b'}
    """
    found: dict[str, str] = {}
    text, at = headers.get(name, ""), 0
    while at < len(text):
        match = _DIRECTIVE.match(text, at)
        if match is None or match.end() == at:  # unreadable: on to the next comma
            comma = text.find(",", at)
            at = len(text) if comma < 0 else comma + 1
            continue
        at = match.end()
        found.setdefault(match[1].lower(), (match[2] or "").strip().strip('"'))
    return found


def is_storable(request: HttpRequest, response: HttpResponse, /) -> bool:
    """Tell whether an answer may be kept at all. Source: RFC 9111, section 3."""
    said, asked = directives(response.headers), directives(request.headers)
    if request.method != "GET" or response.status < 200 or response.status in _NEVER:
        return False
    vary = response.headers.get("vary", "")
    if "no-store" in said or "no-store" in asked or "*" in vary:
        return False
    if any(is_secret_name(name) for name in request.headers) and "public" not in said:
        return False  # the store may be one that others share
    if request.headers.get("authorization") == UNFILLED and "authorization" in vary.lower():
        return False  # which token will be filled in is not known here
    if "must-understand" in said and response.status not in _UNDERSTOOD:
        return False
    is_explicit = "max-age" in said or "expires" in response.headers or "public" in said
    return is_explicit or response.status in _HEURISTIC


def is_for_all(response: HttpResponse, /) -> bool:
    """Tell whether an answer is the same whoever asks, and however."""
    return "public" in directives(response.headers) and not response.headers.get("vary")


def stored(request: HttpRequest, response: HttpResponse, asked: float, came: float, /) -> Stored:
    """Make the entry of an answer."""
    names = [name.strip().lower() for name in response.headers.get("vary", "").split(",")]
    # What must not reach another origin may say whose answer it is, whatever Vary says.
    names += [name for name in request.private if not is_secret_name(name)]
    varying = digests(sorted({name for name in names if name}), request.headers)
    headers = response.headers.without(*_connection_of(response.headers))
    return Stored(response.status, headers, response.body, varying, asked, came)


def merged(old: Stored, response: HttpResponse, asked: float, came: float, /) -> Stored:
    """Give an entry the headers of the 304 that validated it. Source: RFC 9111, section 3.2."""
    news = response.headers.without(*_connection_of(response.headers), *_OF_BODY)
    headers = old.headers.without("age").without(*news)
    merged = Headers([*headers.pairs(), *news.pairs()])
    return Stored(old.status, merged, old.body, old.varying, asked, came)


def has_life(entry: Stored, rules: ResponseCache, /) -> bool:
    """Tell whether keeping an entry is of any use."""
    is_stale_used = max(rules.stale_if_error, _stated_error_life(entry.headers)) > 0.0
    return life_of(entry, rules) > 0.0 or bool(validators(entry)) or is_stale_used


def life_of(entry: Stored, rules: ResponseCache, /) -> float:
    """Say for how many seconds after it was made an entry is fresh. Source: section 4.2.1."""
    headers = entry.headers
    said = directives(headers)
    if "max-age" in said:
        return seconds_of(said["max-age"])
    made = date_of(headers.get("date"))
    made = entry.came if made is None else made
    expires = headers.all("expires")
    if expires:
        when = date_of(expires[0]) if len(expires) == 1 else None
        return 0.0 if when is None else max(0.0, when - made)
    changed = date_of(headers.get("last-modified"))
    if rules.heuristic > 0.0 and changed is not None and entry.status in _HEURISTIC:
        return max(0.0, made - changed) * rules.heuristic
    return 0.0


def age_of(entry: Stored, now: float, /) -> float:
    """Say how old an entry is, by the clocks of both sides. Source: section 4.2.3."""
    made = date_of(entry.headers.get("date"))
    apparent = 0.0 if made is None else max(0.0, entry.came - made)
    stated = entry.headers.get("age", "0")  # one that is not one number: as old as can be
    others = seconds_of(stated) if stated.isascii() and stated.isdigit() else float(_MAX_SECONDS)
    corrected = others + max(0.0, entry.came - entry.asked)
    return max(apparent, corrected) + max(0.0, now - entry.came)


def usable(entry: Stored, request: Headers, rules: ResponseCache, /) -> bool:
    """Tell whether an entry may be given without a word of the server. Source: section 4.2."""
    said, asked = directives(entry.headers), directives(request)
    if "no-cache" in said or "no-cache" in asked:
        return False
    if "cache-control" not in request and "no-cache" in request.get("pragma", ""):
        return False
    now = rules.now()
    age, life = age_of(entry, now), life_of(entry, rules)
    if "max-age" in asked and age > seconds_of(asked["max-age"]):
        return False
    if "min-fresh" in asked and life - age < seconds_of(asked["min-fresh"]):
        return False
    if age < life:
        return True
    if "max-stale" not in asked or _needs_word(entry):
        return False
    return not asked["max-stale"] or age - life <= seconds_of(asked["max-stale"])


def _needs_word(entry: Stored, /) -> bool:
    """Tell whether the server forbids that a stale entry is used."""
    return not directives(entry.headers).keys().isdisjoint(("must-revalidate", "no-cache"))


def may_stand_in(entry: Stored, request: Headers, rules: ResponseCache, /) -> bool:
    """Tell whether an entry may be given where the server fails. Source: RFC 5861, section 4."""
    if _needs_word(entry):
        return False
    asked = directives(request).get("stale-if-error")
    stated = directives(entry.headers).get("stale-if-error")
    said = stated if asked is None else asked
    allowed = rules.stale_if_error if said is None else seconds_of(said)
    age, life = age_of(entry, rules.now()), life_of(entry, rules)
    return allowed > 0.0 and age - life <= allowed


def validators(entry: Stored, /) -> dict[str, str]:
    """Give the headers that ask whether an entry still holds. Source: section 4.3.1.

    None where a store that others write to has what cannot be sent.
    """
    etag, changed = entry.headers.get("etag"), entry.headers.get("last-modified")
    found = {} if etag is None else {"if-none-match": etag}
    found |= {} if changed is None else {"if-modified-since": changed}
    return plain_fields(found).unwrap_or({})


def seconds_of(text: str, /) -> float:
    """Read a number of seconds; what is none is 0. Source: section 1.2.2.

    >>> seconds_of("60"), seconds_of("9" * 50), seconds_of("-1"), seconds_of("1.5")
    (60.0, 2147483648.0, 0.0, 0.0)
    """
    text = text.strip()
    if not (text.isascii() and text.isdigit()):
        return 0.0
    return float(min(int(text[:20]), _MAX_SECONDS)) if len(text) < 20 else float(_MAX_SECONDS)


def _stated_error_life(headers: Headers) -> float:
    return seconds_of(directives(headers).get("stale-if-error", ""))


def _connection_of(headers: Headers) -> list[str]:
    named = [name.strip().lower() for name in headers.get("connection", "").split(",")]
    return [*_OF_CONNECTION, *named]
