"""The double that answers with what was recorded of a real server."""

from __future__ import annotations

import json
from base64 import b64decode
from os import PathLike
from pathlib import Path
from typing import Any, final

from qicore_core import Failure, Parts, QiError, Result, failure, success, unwrap

from .client import HttpClient
from .errors import FILE_FAILED, NETWORK_ERROR
from .fake import reply_of
from .message import Headers, HttpRequest
from .recorder import name_of
from .settings import HttpSettings
from .transport import HttpReply

__all__ = ["RecordedHttp"]


@final
class RecordedHttp:
    """Answers with exchanges that `open_http(..., record=path)` wrote.

    Each exchange answers once, in the order in which it was recorded; the last of a kind goes on
    answering. A request is known by its method, its URL and its body.

    Args:
        path: the file.

    Example:
        ```python
        async with open_http("https://users.example", record="users.json") as client: ...
        client = RecordedHttp("users.json").client("https://users.example")  # asks the file
        ```
    """

    __slots__ = ("_exchanges", "_path")

    def __init__(self, path: str | PathLike[str], /) -> None:
        self._path = Path(path)
        self._exchanges: dict[str, list[dict[str, Any]]] | None = None

    def client(
        self, base_url: str | None = None, /, *, parts: Parts | None = None, **settings: Any
    ) -> HttpClient:
        """Make a client that the recording answers, with any setting of `open_http`.

        Raises:
            QiError: a setting is wrong.
        """
        made = unwrap(HttpSettings.read({"base_url": base_url, **settings}))
        return HttpClient(self, made, parts)

    async def send(self, request: HttpRequest, /) -> Result[HttpReply]:
        """Answer a request; one that was not recorded is an error that says so."""
        if self._exchanges is None:
            read = _read(self._path)
            if isinstance(read, Failure):
                return read
            self._exchanges = read.value
        wanted = await name_of(request)
        held = self._exchanges.get(wanted)
        if not held:
            return failure(_unknown(wanted, self._exchanges))
        one = held.pop(0) if len(held) > 1 else held[0]
        headers = Headers([(name, value) for name, value in one["headers"]])
        return success(reply_of(one["status"], _plain(one), headers))

    async def close(self) -> None:
        """Do nothing: there is no network."""


def _plain(exchange: dict[str, Any]) -> bytes:
    if "base64" in exchange:
        return b64decode(exchange["base64"])
    return str(exchange.get("text", "")).encode()


def _read(path: Path) -> Result[dict[str, list[dict[str, Any]]]]:
    found: dict[str, list[dict[str, Any]]] = {}
    try:
        for one in json.loads(path.read_text("utf-8"))["exchanges"]:
            found.setdefault(str(one["request"]), []).append(one)
    except (OSError, ValueError, KeyError, TypeError) as error:
        return failure(
            QiError.unavailable(
                FILE_FAILED,
                f"the recording {str(path)!r} cannot be read",
                hint="make it by open_http(..., record=path)",
                cause=error,
                retryable=False,
                source="http",
                sent=False,
            )
        )
    return success(found)


def _unknown(wanted: str, exchanges: dict[str, list[dict[str, Any]]]) -> QiError:
    known = ", ".join(sorted(exchanges)[:20]) or "none"
    return QiError.network(
        NETWORK_ERROR,
        f"nothing was recorded of {wanted!r}; it has {known}",
        hint="record it anew",
        retryable=False,
        source="http",
        sent=False,
    )
