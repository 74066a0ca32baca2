"""What can be set on an HTTP client and on a transport, and the one place that checks it."""

from __future__ import annotations

import math
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, ClassVar, Final, TypeVar, final

from qicore_core import (
    CircuitBreakerConfig,
    Failure,
    Policy,
    QiError,
    Result,
    Secret,
    failure,
)
from qicore_core.config.settings import read_settings
from qicore_core.secret import redact_text

from .bearer import Bearer
from .errors import SETTINGS_INVALID, UNSUPPORTED
from .guard import AddressGuard
from .hooks import OnRequest, OnResponse
from .message import plain_fields
from .proxy import Proxy, proxy_of
from .stored import ResponseCache, ResponseStore
from .url import target_of

__all__ = [
    "BY_PROXY",
    "DEFAULT_POLICY",
    "SETTINGS",
    "HttpSettings",
    "TransportSettings",
    "cannot_pin",
    "read_transport",
    "setting_error",
]

S = TypeVar("S", bound="TransportSettings")

DEFAULT_POLICY: Final = Policy(retry=3, timeout=30.0, breaker=CircuitBreakerConfig())
SETTINGS: Final = {
    "verify": "what checks certificates; by default the system's trust",
    "proxy": "http://user:password@host:port, for all requests",
    "max_connections": "how many at most",
}
"""What a plugin says of the settings that all have."""

BY_PROXY: Final = ("a proxy resolves names itself", "leave proxy= or guard= out")
_POLICY: Final = "policy=Policy(retry=3, timeout=30.0) says it, for a client or a call"
_OPEN_IT: Final = 'async with open_cache("memory:") as cache, open_http(..., cache=cache) as http:'
_TRUST: Final = (
    'verify="authority.pem" trusts whoever signed the certificate of a server, as of one for '
    "tests; without verify= it is the system's trust"
)
_ELSEWHERE: Final = {
    "breaker": "policy=Policy(breaker=CircuitBreakerConfig()) says it, for a client or a call",
    "cert": "verify= takes an ssl.SSLContext that has it: context.load_cert_chain(cert, key)",
    "limits": "max_connections= says how many",
    "mounts": "proxy= is one for all hosts; a client= for each proxy does the rest",
    "proxies": "proxy= is one for all hosts; a client= for each proxy does the rest",
    "retries": _POLICY,
    "retry": _POLICY,
    "timeout": "policy=Policy(timeout=30.0) says it for a client, timeout= for a call",
}


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
    cache: ResponseCache | ResponseStore | None = None
    bearer: Bearer | None = None
    on_request: OnRequest | None = None
    on_response: OnResponse | None = None
    record: Path | None = None

    def __post_init__(self) -> None:
        for name, least in (("max_redirects", 0), ("max_response_bytes", 1)):
            if getattr(self, name) < least:
                raise ValueError(f"{name} is at least {least}, got {getattr(self, name)}")
        for name, what in (("idle_timeout", "seconds"), ("max_decompression_ratio", "a number")):
            if not 0.0 < getattr(self, name) < math.inf:
                raise ValueError(f"{name} is {what} above 0, got {getattr(self, name)}")
        plain = plain_fields(self.headers)
        if isinstance(plain, Failure):
            raise ValueError(f"headers: {plain.error.message}")

    @classmethod
    def read(cls, given: Mapping[str, object], /) -> Result[HttpSettings]:
        """Read them from what is given.

        Errors:
            INVALID_URL: the base URL cannot be called.
            HTTP_SETTINGS_INVALID: all that is wrong with the others; `errors` has one for each.
        """
        if isinstance(cache := given.get("cache"), str):
            why = f"it is an open Cache, and no URL as {redact_text(cache, limit=60)!r} is"
            return failure(setting_error("cache", why, _OPEN_IT))
        read = read_settings(cls, given, "http", kind="http", code=SETTINGS_INVALID)
        if isinstance(read, Failure) or read.value.base_url is None:
            return read
        target = target_of(None, read.value.base_url)
        return failure(target.error) if isinstance(target, Failure) else read


@dataclass(frozen=True, slots=True, kw_only=True)
class TransportSettings:
    """How a transport reaches servers: what every transport of ours has.

    Attributes:
        verify: what checks certificates, and shows one of yours: an ssl.SSLContext, or the path of
            a file of certificates; None is the system's trust. Nothing turns the check off.
        proxy: "http://user:password@host:port": what all requests go through; secured ones by a
            tunnel.
        http2: whether HTTP/2 is spoken where the server does, over TLS.
        max_connections: how many at most; a request waits for one for its `idle_timeout`.
        has_http2: whether the transport can.
    """

    verify: ssl.SSLContext | str | None = None
    proxy: Secret[str] | None = None
    http2: bool = False
    max_connections: int = 100

    has_http2: ClassVar[bool] = False

    def __post_init__(self) -> None:
        if self.max_connections < 1:
            raise ValueError(f"max_connections is at least 1, got {self.max_connections}")
        if self.proxy is not None:
            proxy_of(self.proxy.reveal())
        if isinstance(self.verify, str):
            try:
                context = ssl.create_default_context(cafile=self.verify)
            except OSError:  # an ssl.SSLError is one
                raise ValueError(
                    f"verify: no certificates are in {self.verify!r}; {_TRUST}"
                ) from None
            object.__setattr__(self, "verify", context)  # read once, also by those who copy it

    @property
    def trust(self) -> ssl.SSLContext | None:
        """What checks certificates; None is the system's trust."""
        return self.verify if isinstance(self.verify, ssl.SSLContext) else None

    @property
    def via(self) -> Proxy | None:
        """The proxy, read."""
        return None if self.proxy is None else proxy_of(self.proxy.reveal())

    @property
    def unpinnable(self) -> QiError | None:
        """What a guarded request fails with, where no address can be told; None where one can."""
        if getattr(self, "client_object", None) is not None:
            return cannot_pin("a client of yours resolves names itself", "leave client_object= out")
        return None if self.proxy is None else cannot_pin(*BY_PROXY)


def read_transport(
    schema: type[S], url: str, given: Mapping[str, object], client: str, /
) -> Result[S]:
    """Read the settings of a transport.

    Args:
        schema: its own; one with a `client_object`, a client of the caller's, takes no other
            setting beside that.
        url: what its factory was given: a name and a colon.
        given: what was said.
        client: its name.

    Errors:
        HTTP_SETTINGS_INVALID: all that is wrong; `errors` has one for each.
        HTTP_UNSUPPORTED: the transport has no such thing; the hint says what does.
    """
    if url != f"{client}:":
        return failure(setting_error("client", "a transport has a name alone, and no URL"))
    for name in given:
        if name in _ELSEWHERE:
            return failure(_unsupported(name, client, _ELSEWHERE[name]))
    if isinstance(verify := given.get("verify"), bool):
        why = f"it says what to trust, and nothing turns the check off, got {verify}"
        return failure(setting_error("verify", why, _TRUST))
    said = f"{client}:"
    read = read_settings(
        schema, given, said, kind="http", code=SETTINGS_INVALID, also=[HttpSettings]
    )
    if isinstance(read, Failure):
        return read
    if read.value.http2 and not schema.has_http2:
        return failure(_unsupported("http2", client, 'client="httpx" does: qicore-httpx[http2]'))
    if getattr(read.value, "client_object", None) is not None:
        for one in fields(schema):
            if one.name != "client_object" and _is_said(read.value, one):
                return failure(setting_error(one.name, "a client of yours has its own"))
    return read


def setting_error(name: str, why: str, hint: str | None = None, /) -> QiError:
    """Say what is wrong with a setting, and what to do."""
    return QiError.configuration(
        SETTINGS_INVALID,
        f"the http setting {name} is wrong: {why}",
        hint=hint,
        source="http",
        setting=name,
    )


def cannot_pin(why: str, hint: str, /) -> QiError:
    """Make the error of a transport that cannot be told which address to connect to.

    >>> cannot_pin("a proxy resolves names itself", "leave proxy= out").message
    'no address can be checked, as a guard does: a proxy resolves names itself'
    """
    message = f"no address can be checked, as a guard does: {why}"
    return QiError.unsupported(UNSUPPORTED, message, hint=hint, source="http")


def _is_said(settings: TransportSettings, one: Any) -> bool:
    return bool(getattr(settings, one.name) != one.default)


def _unsupported(name: str, client: str, hint: str) -> QiError:
    message = f"the {client} transport has no setting {name}"
    return QiError.unsupported(UNSUPPORTED, message, hint=hint, source="http", setting=name)
