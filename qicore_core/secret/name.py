"""Which names are those of secrets: keys, options, headers, in any spelling."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

__all__ = ["is_secret_name"]

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


def _last_word(name: str) -> str:
    name = name.rstrip("0123456789_-. ")
    start = len(name)
    while start and name[start - 1].isalnum():
        start -= 1
        if name[start].isupper() and name[start - 1 : start].islower():
            break
    return name[start:].lower()


def _counts_tokens(squashed: str) -> bool:
    counts = any(part in squashed for part in _COUNTS)
    return counts and not any(part in squashed for part in _PLURALS)
