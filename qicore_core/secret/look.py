"""What a secret looks like in a text, and its mask; loaded when a text may hold one.

Every repetition is bounded, possessive or starts at an edge, so that hostile text costs linear
time.
"""

from __future__ import annotations

import re

from .name import is_secret_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from re import Match
    from typing import Final

__all__ = ["mask"]

_MASK: Final = "***"
_SCHEME: Final = r"(?<![A-Za-z0-9+.-])[A-Za-z0-9+.-]"
# Query and fragment of a URL go as a whole, as a key may have any name; a quote belongs to them
# after "=" alone, else it ends the URL. A path ends where another URL begins.
_URL: Final = re.compile(
    rf"({_SCHEME}*+://)"
    r"([^\s/?#:@]{0,512}:(?!\d{1,5}(?:[/?#\s]|$))\S{0,1024}@|[^\s/?#@]{0,512}@)?"
    rf"((?:(?!{_SCHEME}++://)[^\s?#'\"<>])*)([?#](?:[^\s'\"<>]|(?<==)['\"])*)?"
)
_CREDENTIALS: Final = re.compile(r"\b((?ai:bearer|basic))(\s{1,3})[A-Za-z0-9._~+/=-]{6,}")
_QUOTE: Final = r"\\{0,8}+['\"]"  # JSON that stands in JSON has a "\" before its quotes
_BYTES: Final = rf"(?:[BRUbru]{{1,2}}+(?={_QUOTE}))?+"  # what Python writes before b"..."
# What these headers hold has spaces and commas in it, so the whole line goes.
_HEADER: Final = re.compile(
    rf"(?i)\b((?:proxy-)?authorization|(?:set-)?cookie)((?:{_QUOTE})?:[ \t]{{0,3}}+)"
    rf"(?!{_BYTES}{_QUOTE})(?:[^\r\n'\"]|(?<==)['\"][^\r\n'\"]*+['\"]?)++"
)
_GAP: Final = r"\s{0,3}+[ \t]*+"
# What a name is followed by: "=", ":", "==" or "=>"; where it is an option, also a space or the
# next item of a list: `--password x`, `['--password', 'x']`; where it begins a pair, a comma:
# `('password', 'x')`; and `"name": "password", "value": "x"`. A file and a line,
# `secrets.toml:4`, is no pair.
_PAIR: Final = "|".join(
    [
        rf"(?<={begins}['\"])"
        for begins in (r"\(", r"\(b", r"[\[,]\[", r"[\[,]\[b", r", \[", r", \[b")
    ]
)
_NAME: Final = re.compile(
    r"(?<![A-Za-z0-9_.-])"
    r"(?![A-Za-z0-9_.-]*\.(?:cfg|conf|env|ini|json|py|toml|txt|ya?ml):\d{1,6}(?!\w))"
    rf"(?:(?:{_PAIR})())?((--)?[A-Za-z0-9_.-]++)"
    rf"(?:(?:{_QUOTE})?{_GAP}(?:[!:]?={{1,3}}+>?|:){_GAP}"
    rf"|{_QUOTE},{_GAP}{_QUOTE}[Vv]alue{_QUOTE}{_GAP}:{_GAP}"
    rf"|(?(1){_QUOTE},{_GAP}|(?!))"
    rf"|(?(3)(?:\s{{1,3}}+[ \t]*+|['\"](?:,{_GAP}|\s{{1,3}}+(?=['\"])))(?!['\"]?-)|(?!)))" + _BYTES
)
# An unquoted value goes up to the next space, or to a comma that a quote follows, as in JSON.
_VALUE: Final = re.compile(
    r"(?s)\"(?:[^\"\\]|\\.)*+\"|'(?:[^'\\]|\\.)*+'"
    r"|(\\{1,8}+)(['\"])(?:(?!(?<!\\)\1\2).)*+\1\2"
    r"|(?:[^\s,]++|,(?!['\"]))++"
)
_INSIDE: Final = re.compile(r"(?s)\"(?:[^\"\\]|\\.)*+\"|'(?:[^'\\]|\\.)*+'|\\.|[()\[\]{}]")
_ENDS: Final = ",;&})]"  # not the last of an unquoted value
_PEM: Final = re.compile(
    r"(?s)(-----BEGIN [A-Z ]{0,32}PRIVATE KEY(?: BLOCK)?-----).*?(?=-----END|\Z)"
)
_KEYS: Final = re.compile(
    r"\b(?:sk|pk|rk)-[\w-]{12,}|\b[sr]k_(?:live|test)_\w{10,}|\bgh[pousr]_\w{20,}"
    r"|\bgithub_pat_\w{20,}|\bglpat-[\w-]{20,}|\bhf_\w{30,}|\bAKIA[0-9A-Z]{16}\b"
    r"|\bAIza[\w-]{35}|\bxox[abeprs]-[\w-]{8,}|\beyJ[\w-]{8,2048}+\.[\w-]++\.[\w-]*"
)


def mask(text: str, /) -> str:
    """Mask what looks like a secret, once: what that uncovers is for the next time."""
    text = _URL.sub(_mask_url, _PEM.sub(rf"\1{_MASK}", text))
    text = _CREDENTIALS.sub(rf"\1\2{_MASK}", text)
    return _KEYS.sub(_MASK, _mask_pairs(_HEADER.sub(rf"\1\2{_MASK}", text)))


def _mask_url(found: Match[str]) -> str:
    scheme, userinfo, rest, query = found.groups("")
    host, slash, path = rest.partition("/")
    if ":" in host and "@" in path:  # a port, or the start of a password with a "/" in it
        rest = f"{host}{slash}{_MASK}{path[path.rindex('@') :]}"
    return f"{scheme}{_MASK + '@' if userinfo else ''}{rest}{query[:1] + _MASK if query else ''}"


def _mask_pairs(text: str) -> str:
    """Mask the value after each secret name; what follows another name may itself be a pair."""
    kept: list[str] = []
    start = at = 0
    while found := _NAME.search(text, at):
        at = found.end()
        value = _VALUE.match(text, at) if is_secret_name(found[2]) else None
        if value is None:
            continue
        said = value[0]
        quote = f"{value[1] or ''}{value[2] or ''}"
        if not quote and len(said) > 1 and said[0] in "'\"" and said[-1] == said[0]:
            quote = said[0]
        if said[0] in "([{":
            end = _end_of_brackets(text, at)
        else:
            end = value.end() if quote else at + len(said.rstrip(_ENDS))
        if end > at:
            kept += (text[start:at], quote, _MASK, quote)
            start = at = end
    return "".join((*kept, text[start:]))


def _end_of_brackets(text: str, start: int) -> int:
    """Find where what a bracket opens is closed; at the end of the text where it is not."""
    depth = 0
    for part in _INSIDE.finditer(text, start):
        depth += (part[0] in "([{") - (part[0] in ")]}")
        if depth == 0:
            return part.end()
    return len(text)
