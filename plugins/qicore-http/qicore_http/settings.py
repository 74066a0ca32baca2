"""What can be set on an HTTP client, and the one place that checks it."""

from __future__ import annotations

import math
import ssl
from collections.abc import Mapping, Set
from dataclasses import dataclass, field
from types import NoneType
from typing import Final, final

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

from .errors import SETTINGS_INVALID, UNSUPPORTED
from .message import plain_fields
from .url import target_of

__all__ = ["DEFAULT_POLICY", "HttpSettings", "setting_error", "trust_of"]

DEFAULT_POLICY: Final = Policy(retry=3, timeout=30.0, breaker=CircuitBreakerConfig())

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
    """

    base_url: str | None = field(default=None, repr=False)
    headers: Mapping[str, str | Secret[str]] = field(default_factory=dict, repr=False)
    policy: Policy = DEFAULT_POLICY
    max_redirects: int = 10
    max_response_bytes: int = 10 * 1024 * 1024
    accept_status: frozenset[int] | None = None
    idle_timeout: float = 60.0

    def check(self) -> Result[None]:
        """Say what is wrong with the settings.

        Errors:
            INVALID_URL: the base URL cannot be called.
            HTTP_SETTINGS_INVALID: another setting is wrong.
        """
        for name, kind, wanted in (
            ("base_url", (str, NoneType), "a URL"),
            ("headers", Mapping, "names and values"),
            ("policy", Policy, "a Policy"),
            ("accept_status", (Set, NoneType), "a set of statuses"),
        ):
            value = getattr(self, name)
            if not isinstance(value, kind):
                return failure(setting_error(name, f"{wanted}, got {type(value).__name__}"))
        if self.base_url is not None:
            target = target_of(None, self.base_url)
            if isinstance(target, Failure):
                return target
        plain = plain_fields(self.headers)
        if isinstance(plain, Failure):
            return failure(setting_error("headers", plain.error.message))
        for name, least in (("max_redirects", 0), ("max_response_bytes", 1)):
            value = getattr(self, name)
            if type(value) is not int or value < least:
                wanted = f"a whole number, at least {least}, got {value!r}"
                return failure(setting_error(name, wanted))
        if type(self.idle_timeout) not in (int, float) or not 0 < self.idle_timeout < math.inf:
            wanted = f"a number of seconds above 0, got {self.idle_timeout!r}"
            return failure(setting_error("idle_timeout", wanted))
        if not all(type(status) is int for status in self.accept_status or ()):
            return failure(setting_error("accept_status", "a set of statuses, as 200"))
        return success()


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
