"""What this distribution brings to the plugin system: the `httpx` transport."""

from __future__ import annotations

from collections.abc import Mapping

from qicore_core import Opening, Parts, PluginInfo, Registry, Result, hookimpl
from qicore_http import HTTP, HttpTransport
from qicore_http.settings import SETTINGS

from .transport import HttpxTransport

__all__ = ["open_transport", "qicore_plugin_info", "qicore_register_adapters"]


@hookimpl
def qicore_plugin_info(info: PluginInfo) -> None:
    """Say what `httpx` is."""
    info.summary = "httpx2: connections that are kept and shared"
    info.settings = {
        **SETTINGS,
        "http2": "whether HTTP/2 is spoken where the server does",
        "client_object": "an httpx2.AsyncClient of your own, which you close",
    }


@hookimpl
def qicore_register_adapters(registry: Registry) -> None:
    """Register `httpx`."""
    registry.add(HTTP, "httpx", open_transport)


def open_transport(
    url: str, settings: Mapping[str, object], parts: Parts, /
) -> Opening[HttpTransport]:
    """Open the transport; httpx2 is imported here.

    Errors:
        HTTP_SETTINGS_INVALID, HTTP_UNSUPPORTED: see HttpxSettings.
    """

    async def start() -> Result[HttpTransport]:
        from .settings import HttpxSettings  # late: httpx2 is for those who open the transport

        return HttpxSettings.read(url, settings).map(HttpxTransport)

    return Opening(start)
