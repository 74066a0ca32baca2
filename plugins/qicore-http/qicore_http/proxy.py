"""A proxy on the way: where it is, who asks it, and what is said of it where it fails."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final
from urllib.parse import urlsplit

from qicore_core import Failure, QiError, Secret
from qicore_core.error.qi_error import again, make_error

from .errors import HTTP_ERROR, NETWORK_ERROR, TIMEOUT_ERROR, category_of
from .url import target_of

__all__ = ["Proxy", "by_proxy", "proxy_of", "proxy_refused"]


@final
@dataclass(frozen=True, slots=True)
class Proxy:
    """Where a proxy is, and who asks it.

    Attributes:
        url: as "http://host:3128/", without user and password.
        authorization: what Proxy-Authorization says of them, or None.
    """

    url: str
    authorization: Secret[str] | None = None

    @property
    def place(self) -> tuple[str, int]:
        """Its host, an IPv6 address without brackets, and its port."""
        parts = urlsplit(self.url)
        return parts.hostname or "", parts.port or 80

    @property
    def told(self) -> dict[str, str]:
        """The header field that says who asks, revealed; empty where nobody does."""
        said = self.authorization
        return {} if said is None else {"proxy-authorization": said.reveal()}


def proxy_of(said: str, /) -> Proxy:
    """Read the URL of a proxy.

    Raises:
        ValueError: it is none, in words that hold nothing of it.

    >>> proxy_of("http://ada:secret@proxy.example:3128")
    Proxy(url='http://proxy.example:3128/', authorization=Secret('***'))
    """
    target = target_of(None, said)
    if isinstance(target, Failure) or urlsplit(target.value.url)[::2] != ("http", "/", ""):
        how = "http://host:port, with user:password@ before the host where it asks"  # else masked
        raise ValueError(f"proxy is written as {how}")
    told = target.value.authorization
    return Proxy(target.value.url, None if told is None else Secret(told))


def proxy_refused(status: int, /) -> QiError:
    """Make the error of a proxy that makes no connection to the server."""
    return make_error(
        HTTP_ERROR,
        f"the proxy answered {status}",
        category_of(status),
        "http",
        {"status": status, "sent": False},
        retryable=None if status in (429, 502, 503, 504) else False,
        hint="look at user and password in proxy=" if status == 407 else None,
    )


def by_proxy(error: QiError, /) -> QiError:
    """Say of a connection that could not be had that the proxy may be the one at fault."""
    if error.code not in (NETWORK_ERROR, TIMEOUT_ERROR) or error.context.get("sent"):
        return error
    return again(error, message=f"by way of the proxy: {error.message}")
