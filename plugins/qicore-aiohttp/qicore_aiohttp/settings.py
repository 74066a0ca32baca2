"""What can be set on the `aiohttp` transport. Imports aiohttp: loaded when it opens."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import final

import aiohttp

from qicore_core import Result
from qicore_http.settings import TransportSettings, read_transport

__all__ = ["AiohttpSettings"]


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class AiohttpSettings(TransportSettings):
    """How the transport reaches servers.

    Attributes:
        client_object: a session of the caller's, which the caller closes. Its connector and its
            proxy are used; its headers, cookies, auth, base URL, timeouts, traces and middlewares
            are not, as they would follow redirects to other origins.
    """

    client_object: aiohttp.ClientSession | None = None

    @classmethod
    def read(cls, url: str, given: Mapping[str, object], /) -> Result[AiohttpSettings]:
        """Read them from what is given.

        Errors:
            HTTP_SETTINGS_INVALID, HTTP_UNSUPPORTED: see `read_transport`.
        """
        return read_transport(cls, url, given, "aiohttp")
