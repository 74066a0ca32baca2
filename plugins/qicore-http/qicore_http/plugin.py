"""What this distribution brings to the plugin system: the kind, and the `stdlib` transport."""

from __future__ import annotations

from collections.abc import Mapping

from qicore_core import Opening, Parts, PluginInfo, Registry, Result, hookimpl

from .door import HTTP
from .settings import SETTINGS, TransportSettings, read_transport
from .stdlib import StdlibTransport
from .transport import HttpTransport

__all__ = ["open_transport", "qicore_plugin_info", "qicore_register_adapters"]


@hookimpl
def qicore_plugin_info(info: PluginInfo) -> None:
    """Say what `stdlib` is."""
    info.summary = "http.client in threads: no other library, a connection for each request"
    info.settings = dict(SETTINGS)


@hookimpl
def qicore_register_adapters(registry: Registry) -> None:
    """Register `stdlib`."""
    registry.add(HTTP, "stdlib", open_transport)


def open_transport(
    url: str, settings: Mapping[str, object], parts: Parts, /
) -> Opening[HttpTransport]:
    """Open the transport.

    Errors:
        HTTP_SETTINGS_INVALID, HTTP_UNSUPPORTED: see `read_transport`.
    """

    async def start() -> Result[HttpTransport]:
        return read_transport(TransportSettings, url, settings, "stdlib").map(StdlibTransport)

    return Opening(start)
