"""What can be set on the `httpx` transport, and the one place that checks it."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, final

from qicore_core import Failure, Result, failure, success
from qicore_http.settings import setting_error, trust_of

if TYPE_CHECKING:
    import httpx2

__all__ = ["HttpxSettings", "read_settings"]


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class HttpxSettings:
    """How the transport reaches servers.

    Attributes:
        verify: what checks certificates; None is the system's trust.
        client_object: a client of the caller's, which the caller closes. Its connections, TLS,
            proxies and HTTP/2 are used; its headers, cookies, auth, base URL and timeouts are not,
            as they would follow redirects to other origins.
    """

    verify: ssl.SSLContext | None = None
    client_object: httpx2.AsyncClient | None = None


def read_settings(settings: Mapping[str, object], /) -> Result[HttpxSettings]:
    """Read the settings.

    Errors:
        HTTP_SETTINGS_INVALID: one is wrong, or there is none of that name; or there is a client and
            something to make one with.
        HTTP_UNSUPPORTED: one that is not supported yet.
    """
    import httpx2  # late: the SDK is for those who open the transport

    rest = {name: value for name, value in settings.items() if name != "client_object"}
    trust = trust_of(rest, "httpx")
    if isinstance(trust, Failure):
        return trust
    client = settings.get("client_object")
    if client is None:
        return success(HttpxSettings(verify=trust.value))
    if not isinstance(client, httpx2.AsyncClient):
        wanted = f"an httpx2.AsyncClient, got {type(client).__module__}.{type(client).__name__}"
        return failure(setting_error("client_object", wanted))
    if trust.value is not None:
        return failure(setting_error("verify", "a client of your own checks certificates itself"))
    return success(HttpxSettings(client_object=client))
