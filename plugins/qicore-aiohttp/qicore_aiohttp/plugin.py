"""What this distribution brings to the plugin system: the `aiohttp` transport."""

from __future__ import annotations

from collections.abc import Mapping

from qicore_core import Opening, Parts, PluginInfo, Registry, Result, hookimpl
from qicore_http import HTTP, HttpTransport
from qicore_http.settings import SETTINGS

from .transport import AiohttpTransport

__all__ = ["open_transport", "qicore_plugin_info", "qicore_register_adapters"]


@hookimpl
def qicore_plugin_info(info: PluginInfo) -> None:
    """Say what `aiohttp` is."""
    info.summary = "aiohttp: connections that are kept and shared, with the least CPU"
    info.settings = {
        **SETTINGS,
        "client_object": "an aiohttp.ClientSession of your own, which you close",
    }


@hookimpl
def qicore_register_adapters(registry: Registry) -> None:
    """Register `aiohttp`."""
    registry.add(HTTP, "aiohttp", open_transport)


def open_transport(
    url: str, settings: Mapping[str, object], parts: Parts, /
) -> Opening[HttpTransport]:
    """Open the transport; aiohttp is imported here.

    Errors:
        HTTP_SETTINGS_INVALID, HTTP_UNSUPPORTED: see AiohttpSettings.
    """

    async def start() -> Result[HttpTransport]:
        from .settings import AiohttpSettings  # late: aiohttp is for those who open the transport

        return AiohttpSettings.read(url, settings).map(AiohttpTransport)

    return Opening(start)
