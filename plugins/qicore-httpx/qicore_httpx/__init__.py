"""qicore-httpx: the HTTP transport on httpx2. Users open it by `open_http(client="httpx")`."""

from __future__ import annotations

from .transport import HttpxTransport

__version__ = "0.1.0"
__all__ = ["HttpxTransport", "__version__"]
