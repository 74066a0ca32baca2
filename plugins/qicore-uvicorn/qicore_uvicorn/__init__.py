"""qicore-uvicorn: uvicorn with a life of its own: start, drain, reload and stats as Results."""

from __future__ import annotations

from .door import serve
from .server import Server
from .stats import ServerStats

__version__ = "0.1.0"
__all__ = ["Server", "ServerStats", "__version__", "serve"]
