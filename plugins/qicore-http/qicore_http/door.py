"""The door: `open_http()` finds the transport and puts the client on it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from os import PathLike
from typing import Final

from qicore_core import (
    Failure,
    Kind,
    Opening,
    Parts,
    Policy,
    QiError,
    Result,
    Secret,
    failure,
    success,
)
from qicore_core.error.qi_error import again
from qicore_core.plugins import choose, open_port

from .bearer import Bearer
from .client import HttpClient
from .guard import AddressGuard
from .hooks import OnRequest, OnResponse
from .settings import BY_PROXY, DEFAULT_POLICY, HttpSettings, cannot_pin, setting_error
from .stored import ResponseCache, ResponseStore
from .transport import HttpTransport

__all__ = ["HTTP", "open_http"]


def open_http(
    base_url: str | None = None,
    /,
    *,
    client: str | None = None,
    headers: Mapping[str, str | Secret[str]] | None = None,
    policy: Policy | None = None,
    max_redirects: int = 10,
    max_response_bytes: int = 10 * 1024 * 1024,
    accept_status: frozenset[int] | None = None,
    idle_timeout: float = 60.0,
    max_decompression_ratio: float = 100.0,
    guard: AddressGuard | bool = False,
    cache: ResponseStore | ResponseCache | None = None,
    bearer: Bearer | None = None,
    on_request: OnRequest | None = None,
    on_response: OnResponse | None = None,
    record: str | PathLike[str] | None = None,
    parts: Parts | None = None,
    **settings: object,
) -> Opening[HttpClient]:
    """Open an HTTP client, for `async with` or `await`.

    Args:
        base_url: what relative URLs go below: "users" and "/users" below "https://host/v1" are both
            "https://host/v1/users".
        client: which transport, "stdlib", "httpx" or "aiohttp"; None is the only one installed
            besides `stdlib`.
        headers: sent with every request to the base's origin, or everywhere without a base.
        policy: how calls are made; None is three attempts, 30 seconds in all, and a breaker for
            each host.
        max_redirects: how many redirects are followed.
        max_response_bytes: how many decoded bytes a body may have.
        accept_status: the statuses that are successes; None is all below 400.
        idle_timeout: seconds of a server's silence after which an attempt or a stream fails.
        max_decompression_ratio: how many bytes one byte of a compressed body may become, once it
            has become 1 MiB.
        guard: which addresses may be reached, also by redirects; True is all that are public.
        cache: where answers are kept that may be: a Cache, or a ResponseCache that says how.
        bearer: what fetches a bearer token; it goes where `headers` go.
        on_request: sees each request before it is sent, and gives what is sent.
        on_response: sees each request and the head of its answer.
        record: a file to which all exchanges are written when the client is closed, for
            `RecordedHttp(file)`.
        parts: the clock, random and logger that the client and its transport use.
        settings: the transport's own, as its README lists them.

    Errors:
        INVALID_URL, HTTP_SETTINGS_INVALID: settings are wrong; the message names each.
        HTTP_UNSUPPORTED: the transport has no such setting, or a guard and a proxy are asked for:
            that resolves names itself.
        PLUGIN_NOT_FOUND, PLUGIN_UNDECIDED, ...: there is no such transport, or there are several.
    """
    own = {
        "base_url": base_url,
        "headers": headers or {},
        "policy": policy or DEFAULT_POLICY,
        "max_redirects": max_redirects,
        "max_response_bytes": max_response_bytes,
        "accept_status": accept_status,
        "idle_timeout": idle_timeout,
        "max_decompression_ratio": max_decompression_ratio,
        "guard": guard,
        "cache": cache,
        "bearer": bearer,
        "on_request": on_request,
        "on_response": on_response,
        "record": record,
    }
    return _opening(client, {**settings, **own}, parts or Parts())


def _opening(client: object, settings: Mapping[str, object], parts: Parts) -> Opening[HttpClient]:
    """Take our settings out of all that are said; the rest is the transport's."""

    async def start() -> Result[HttpClient]:
        known = {field.name for field in fields(HttpSettings)}
        own = HttpSettings.read({name: settings[name] for name in settings if name in known})
        if isinstance(own, Failure):
            return own
        rest = {name: value for name, value in settings.items() if name not in known}
        if own.value.guard and rest.get("proxy") is not None:
            return failure(cannot_pin(*BY_PROXY))
        if not isinstance(client, str | None):
            wanted = f"the name of a transport, got {type(client).__name__}"
            return failure(setting_error("client", wanted))
        name = success(client) if client else choose(HTTP.name, parts.plugins).map_error(_by_name)
        if isinstance(name, Failure):
            return name
        transport = await open_port(HTTP, name.value, f"{name.value}:", rest, parts)
        return transport.map(lambda opened: HttpClient(opened, own.value, parts))

    return Opening(start)


def _by_name(error: QiError) -> QiError:
    """Say how one of several transports is named: not by the URL, which is a server's."""
    names = error.context.get("names")
    if not isinstance(names, list | tuple):
        return error
    return again(error, hint=f'name one: client="{names[0]}"')


def _from_section(
    url: str | None, settings: Mapping[str, object], parts: Parts
) -> Opening[HttpClient]:
    """Open what a section says: `url` is the base, `client` the transport."""
    rest = {name: value for name, value in settings.items() if name != "client"}
    return _opening(settings.get("client"), {**rest, "base_url": url}, parts)


HTTP: Final[Kind[HttpTransport, HttpClient]] = Kind("http", _from_section)
"""The kind that HTTP transports register under: `registry.add(HTTP, "httpx", open_transport)`."""
