"""qicore-http: one HTTP client for every transport, and `stdlib`."""

from __future__ import annotations

from .bearer import Bearer
from .body import Body, BodyPart
from .client import HttpClient
from .door import HTTP, open_http
from .fake import FakeHttp
from .guard import AddressGuard
from .message import Headers, HttpRequest, HttpResponse
from .options import CallOptions, RequestOptions
from .recorded import RecordedHttp
from .stored import ResponseCache, ResponseStore
from .transport import HttpReply, HttpTransport

__version__ = "0.1.0"
__all__ = [
    "HTTP",
    "AddressGuard",
    "Bearer",
    "Body",
    "BodyPart",
    "CallOptions",
    "FakeHttp",
    "Headers",
    "HttpClient",
    "HttpReply",
    "HttpRequest",
    "HttpResponse",
    "HttpTransport",
    "RecordedHttp",
    "RequestOptions",
    "ResponseCache",
    "ResponseStore",
    "__version__",
    "open_http",
]
