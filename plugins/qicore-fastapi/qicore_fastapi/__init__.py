"""qicore-fastapi: handlers that return Results, and every failure in one shape."""

from __future__ import annotations

from .door import install
from .exchange import request_id
from .problem import problems
from .route import Router
from .use import use

__version__ = "0.1.0"
__all__ = ["Router", "__version__", "install", "problems", "request_id", "use"]
