"""What can be set on the `httpx` transport. Imports httpx2: the plugin loads it when it opens."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from types import ModuleType
from typing import ClassVar, final

import httpx2

from qicore_core import Failure, QiError, Result, failure
from qicore_http.errors import UNSUPPORTED
from qicore_http.settings import TransportSettings, read_transport

__all__ = ["HttpxSettings"]


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class HttpxSettings(TransportSettings):
    """How the transport reaches servers.

    Attributes:
        client_object: an AsyncClient of httpx2, or of httpx, which the caller closes. Its
            connections, TLS, proxies and HTTP/2 are used; its headers, cookies, auth, base URL and
            timeouts are not, as they would follow redirects to other origins.
    """

    client_object: object | None = None

    has_http2: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if self.client_object is not None and self.vendor is None:
            kind = type(self.client_object)
            raise ValueError(
                "client_object is an httpx2.AsyncClient or an httpx.AsyncClient, got "
                f"{kind.__module__}.{kind.__qualname__}"
            )

    @property
    def vendor(self) -> ModuleType | None:
        """Whose client it is, httpx2 or httpx; None for neither."""
        for kind in type(self.client_object).__mro__:
            root = kind.__module__.partition(".")[0]
            if kind.__name__ == "AsyncClient" and root in ("httpx2", "httpx"):
                return sys.modules[root]
        return None if self.client_object is not None else httpx2

    @classmethod
    def read(cls, url: str, given: Mapping[str, object], /) -> Result[HttpxSettings]:
        """Read them from what is given.

        Errors:
            HTTP_SETTINGS_INVALID, HTTP_UNSUPPORTED: see `read_transport`; also where `http2` is
                asked for and the package h2 is not there.
        """
        read = read_transport(cls, url, given, "httpx")
        if isinstance(read, Failure) or not read.value.http2 or find_spec("h2") is not None:
            return read
        return failure(
            QiError.unsupported(
                UNSUPPORTED,
                "http2 needs the package h2",
                hint="pip install 'qicore-httpx[http2]'",
                source="http",
                setting="http2",
            )
        )
