"""qicore-aiohttp: the HTTP transport on aiohttp. Users open it by `open_http(client="aiohttp")`."""

from __future__ import annotations

from .transport import AiohttpTransport

__version__ = "0.1.0"
__all__ = ["AiohttpTransport", "__version__"]
