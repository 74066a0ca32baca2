"""qicore-http: one HTTP client for every transport, and `stdlib`."""

from __future__ import annotations

from .client import HttpClient
from .door import HTTP, open_http
from .fake import FakeHttp
from .message import Headers, HttpRequest, HttpResponse
from .options import CallOptions, RequestOptions
from .transport import HttpReply, HttpTransport

__version__ = "0.1.0"
__all__ = [
    "HTTP",
    "CallOptions",
    "FakeHttp",
    "Headers",
    "HttpClient",
    "HttpReply",
    "HttpRequest",
    "HttpResponse",
    "HttpTransport",
    "RequestOptions",
    "__version__",
    "open_http",
]
