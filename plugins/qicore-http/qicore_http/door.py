"""The door: `open_http()` finds the transport and puts the client on it."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import fields
from typing import Any, Final

from qicore_core import Failure, Kind, Opening, Parts, Policy, Result, Secret, failure, success
from qicore_core.plugins import choose, open_port

from .client import HttpClient
from .settings import DEFAULT_POLICY, HttpSettings, setting_error
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
    parts: Parts | None = None,
    **settings: object,
) -> Opening[HttpClient]:
    """Open an HTTP client, for `async with` or `await`.

    Args:
        base_url: what relative URLs go below: "users" and "/users" below "https://host/v1" are both
            "https://host/v1/users".
        client: which transport, "stdlib" or "httpx"; None is the only one installed besides
            `stdlib`.
        headers: sent with every request to the base's origin, or everywhere without a base.
        policy: how calls are made; None is three attempts, 30 seconds in all, and a breaker for
            each host.
        max_redirects: how many redirects are followed.
        max_response_bytes: how many decoded bytes a body may have.
        accept_status: the statuses that are successes; None is all below 400.
        idle_timeout: seconds of a server's silence after which an attempt or a stream fails.
        parts: the clock, random and logger that the client and its transport use.
        settings: the transport's own, as its README lists them.

    Errors:
        INVALID_URL, HTTP_SETTINGS_INVALID: a setting is wrong.
        PLUGIN_NOT_FOUND, PLUGIN_UNDECIDED, ...: there is no such transport, or there are several.
    """
    own = HttpSettings(
        base_url=base_url,
        headers=headers or {},
        policy=policy or DEFAULT_POLICY,
        max_redirects=max_redirects,
        max_response_bytes=max_response_bytes,
        accept_status=accept_status,
        idle_timeout=idle_timeout,
    )
    return _opening(own, client, settings, parts or Parts())


def _opening(
    own: HttpSettings, client: object, settings: Mapping[str, object], parts: Parts
) -> Opening[HttpClient]:
    async def start() -> Result[HttpClient]:
        checked = own.check()
        if isinstance(checked, Failure):
            return checked
        if not isinstance(client, str | None):
            wanted = f"the name of a transport, got {type(client).__name__}"
            return failure(setting_error("client", wanted))
        name = success(client) if client else choose(HTTP.name, parts.plugins)
        if isinstance(name, Failure):
            return name
        transport = await open_port(HTTP, name.value, f"{name.value}:", settings, parts)
        return transport.map(lambda opened: HttpClient(opened, own, parts))

    return Opening(start)


def _from_section(
    url: str | None, settings: Mapping[str, object], parts: Parts
) -> Opening[HttpClient]:
    """Open what a section says: `url` is the base, `client` the transport, ours are taken out."""
    known = {one.name for one in fields(HttpSettings)} - {"base_url"}
    own: dict[str, Any] = {name: value for name, value in settings.items() if name in known}
    statuses = own.get("accept_status")
    if isinstance(statuses, list) and all(isinstance(one, Hashable) for one in statuses):
        own["accept_status"] = frozenset(statuses)  # files have lists
    rest = {name: value for name, value in settings.items() if name not in {*known, "client"}}
    return _opening(HttpSettings(base_url=url, **own), settings.get("client"), rest, parts)


HTTP: Final[Kind[HttpTransport, HttpClient]] = Kind("http", _from_section)
"""The kind that HTTP transports register under: `registry.add(HTTP, "httpx", open_transport)`."""
