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

__all__ = ["HttpxSettings"]


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

    @classmethod
    def read(cls, given: Mapping[str, object], /) -> Result[HttpxSettings]:
        """Read them from what is given.

        Errors:
            HTTP_SETTINGS_INVALID: one is wrong, or there is none of that name; or there is a client
                and something to make one with.
            HTTP_UNSUPPORTED: one that is not supported yet.
        """
        import httpx2  # late: the SDK is for those who open the transport

        trust = trust_of({name: given[name] for name in given if name != "client_object"}, "httpx")
        if isinstance(trust, Failure):
            return trust
        client = given.get("client_object")
        if client is None:
            return success(cls(verify=trust.value))
        if not isinstance(client, httpx2.AsyncClient):
            kind = type(client)
            wanted = f"an httpx2.AsyncClient, got {kind.__module__}.{kind.__qualname__}"
            return failure(setting_error("client_object", wanted))
        if trust.value is not None:
            return failure(setting_error("verify", "a client of yours checks certificates itself"))
        return success(cls(client_object=client))
