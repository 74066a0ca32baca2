"""What can be set on an HTTP client, and the one place that checks it."""

from __future__ import annotations

import math
import ssl
from collections.abc import Callable, Mapping, Set
from dataclasses import dataclass, field
from os import PathLike
from types import NoneType
from typing import Any, Final, final

from qicore_core import (
    CircuitBreakerConfig,
    Failure,
    Policy,
    QiError,
    Result,
    Secret,
    failure,
    success,
)

from .bearer import Bearer
from .errors import SETTINGS_INVALID, UNSUPPORTED
from .guard import AddressGuard
from .hooks import OnRequest, OnResponse
from .message import plain_fields
from .stored import ResponseCache, ResponseStore
from .url import target_of

__all__ = ["DEFAULT_POLICY", "HttpSettings", "setting_error", "trust_of"]

DEFAULT_POLICY: Final = Policy(retry=3, timeout=30.0, breaker=CircuitBreakerConfig())

_KINDS: Final[tuple[tuple[str, Any, str], ...]] = (
    ("base_url", (str, NoneType), "a URL"),
    ("headers", Mapping, "names and values"),
    ("policy", Policy, "a Policy"),
    ("accept_status", (Set, NoneType), "a set of statuses"),
    ("guard", (AddressGuard, bool), "an AddressGuard or True"),
    ("cache", (ResponseStore, ResponseCache, NoneType), "something with get and set"),
    ("bearer", (Bearer, NoneType), "a Bearer"),
    ("on_request", (Callable, NoneType), "a function"),
    ("on_response", (Callable, NoneType), "a function"),
    ("record", (str, PathLike, NoneType), "the path of a file"),
)
_NOT_YET: Final = ("cert", "http2", "limits", "mounts", "proxies", "proxy")


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class HttpSettings:
    """How a client behaves, whatever sends its requests.

    Attributes:
        base_url: what relative URLs go below.
        headers: sent with every request, unless it says otherwise; never to another origin than the
            base's.
        policy: how calls are made; breaker, budget and rate are kept for each host and port.
        max_redirects: how many redirects are followed; 0 gives the redirect itself.
        max_response_bytes: how many decoded bytes a body may have.
        accept_status: the statuses that are successes; None is all below 400.
        idle_timeout: seconds of a server's silence after which an attempt or a stream fails.
        max_decompression_ratio: how many bytes one byte of a compressed body may become, once it
            has become 1 MiB.
        guard: which addresses may be reached; True is all that are public, False any.
        cache: where answers are kept that may be; anything with `get` and `set`, or a
            ResponseCache, which says how.
        bearer: what fetches a bearer token, and a new one where the server refuses it.
        on_request: sees each request before it is sent, and gives what is sent.
        on_response: sees each request and the head of its answer.
        record: a file to which all exchanges are written when the client is closed, for tests.
    """

    base_url: str | None = field(default=None, repr=False)
    headers: Mapping[str, str | Secret[str]] = field(default_factory=dict, repr=False)
    policy: Policy = DEFAULT_POLICY
    max_redirects: int = 10
    max_response_bytes: int = 10 * 1024 * 1024
    accept_status: frozenset[int] | None = None
    idle_timeout: float = 60.0
    max_decompression_ratio: float = 100.0
    guard: AddressGuard | bool = False
    cache: ResponseStore | ResponseCache | None = None
    bearer: Bearer | None = None
    on_request: OnRequest | None = None
    on_response: OnResponse | None = None
    record: str | PathLike[str] | None = None

    def check(self) -> Result[None]:
        """Say what is wrong with the settings.

        Errors:
            INVALID_URL: the base URL cannot be called.
            HTTP_SETTINGS_INVALID: another setting is wrong.
        """
        wrong = self._wrong()
        if wrong is not None:
            return failure(setting_error(*wrong))
        if self.base_url is not None:
            target = target_of(None, self.base_url)
            if isinstance(target, Failure):
                return target
        plain = plain_fields(self.headers)
        if isinstance(plain, Failure):
            return failure(setting_error("headers", plain.error.message))
        return success()

    def _wrong(self) -> tuple[str, str] | None:
        """Name the first setting that is no such thing, and say what it may be."""
        for name, kind, wanted in _KINDS:
            value = getattr(self, name)
            if not isinstance(value, kind):
                return name, f"{wanted}, got {type(value).__name__}"
        for name, least in (("max_redirects", 0), ("max_response_bytes", 1)):
            value = getattr(self, name)
            if type(value) is not int or value < least:
                return name, f"a whole number, at least {least}, got {value!r}"
        for name, what in (
            ("idle_timeout", "a number of seconds above 0"),
            ("max_decompression_ratio", "a number above 0"),
        ):
            value = getattr(self, name)
            if type(value) not in (int, float) or not 0 < value < math.inf:
                return name, f"{what}, got {value!r}"
        if not all(type(status) is int for status in self.accept_status or ()):
            return "accept_status", "a set of statuses, as 200"
        return None


def trust_of(settings: Mapping[str, object], transport: str, /) -> Result[ssl.SSLContext | None]:
    """Read the one setting that transports share: `verify`, what checks certificates.

    Args:
        settings: a transport's; any other one in it is wrong.
        transport: whose.

    Returns:
        A context, or None for the system's trust. There is no way to check nothing.

    Errors:
        HTTP_SETTINGS_INVALID: it is neither a context nor the path of a file of certificates.
        HTTP_UNSUPPORTED: a setting that is not supported yet: `proxy`, `http2`.
    """
    for name in settings:
        if name in _NOT_YET:
            return failure(
                QiError.unsupported(
                    UNSUPPORTED,
                    f"{name} is not supported yet by the {transport} transport",
                    hint="the httpx transport takes a client of yours that has it: client_object=",
                    source="http",
                )
            )
        if name != "verify":
            return failure(setting_error(name, f"the {transport} transport has none of that name"))
    verify = settings.get("verify")
    if verify is None or isinstance(verify, ssl.SSLContext):
        return success(verify)
    if not isinstance(verify, str):
        wanted = "an ssl.SSLContext or the path of a file of certificates"
        return failure(setting_error("verify", f"{wanted}, got {type(verify).__name__}"))
    try:
        return success(ssl.create_default_context(cafile=verify))
    except OSError:  # an ssl.SSLError is one
        return failure(setting_error("verify", f"no certificates can be read from {verify!r}"))


def setting_error(name: str, why: str, /) -> QiError:
    """Say what is wrong with a setting."""
    return QiError.configuration(
        SETTINGS_INVALID,
        f"the http setting {name} is wrong: {why}",
        source="http",
        setting=name,
    )
