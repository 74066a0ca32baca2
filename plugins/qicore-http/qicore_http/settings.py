"""What can be set on an HTTP client, whatever sends its requests."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, final

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

from .bearer import Bearer
from .errors import SETTINGS_INVALID
from .guard import AddressGuard
from .hooks import OnRequest, OnResponse
from .message import plain_fields
from .stored import ResponseCache, ResponseStore
from .url import target_of

__all__ = ["DEFAULT_POLICY", "HttpSettings", "setting_error"]

DEFAULT_POLICY: Final = Policy(retry=3, timeout=30.0, breaker=CircuitBreakerConfig())


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
        read = read_settings(cls, given, "http", kind="http", code=SETTINGS_INVALID)
        if isinstance(read, Failure) or read.value.base_url is None:
            return read
        target = target_of(None, read.value.base_url)
        return failure(target.error) if isinstance(target, Failure) else read


def setting_error(name: str, why: str, /) -> QiError:
    """Say what is wrong with a setting."""
    return QiError.configuration(
        SETTINGS_INVALID,
        f"the http setting {name} is wrong: {why}",
        source="http",
        setting=name,
    )
