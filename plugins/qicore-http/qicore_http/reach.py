"""What can be set on a transport, and the one way in which all of them read it."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, ClassVar, Final, TypeVar

from qicore_core import Failure, QiError, Result, Secret, failure
from qicore_core.config.settings import read_settings

from .errors import SETTINGS_INVALID, UNSUPPORTED
from .proxy import Proxy, proxy_of
from .settings import HttpSettings, setting_error

__all__ = ["BY_PROXY", "SETTINGS", "TransportSettings", "cannot_pin", "read_transport"]

S = TypeVar("S", bound="TransportSettings")
SETTINGS: Final = {
    "verify": "what checks certificates; by default the system's trust",
    "proxy": "http://user:password@host:port, for all requests",
    "max_connections": "how many at most",
}
"""What a plugin says of the settings that all have."""

BY_PROXY: Final = ("a proxy resolves names itself", "leave proxy= or guard= out")
_ELSEWHERE: Final = {
    "cert": "verify= takes an ssl.SSLContext that has it: context.load_cert_chain(cert, key)",
    "limits": "max_connections= says how many",
    "mounts": "proxy= is one for all hosts; a client= for each proxy does the rest",
    "proxies": "proxy= is one for all hosts; a client= for each proxy does the rest",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class TransportSettings:
    """How a transport reaches servers: what every transport of ours has.

    Attributes:
        verify: what checks certificates, and shows one of yours: an ssl.SSLContext, or the path of
            a file of certificates; None is the system's trust. Nothing turns the check off.
        proxy: "http://user:password@host:port": what all requests go through; secured ones by a
            tunnel.
        http2: whether HTTP/2 is spoken where the server does, over TLS.
        max_connections: how many at most; a request waits for one for its `idle_timeout`.
        has_http2: whether the transport can.
    """

    verify: ssl.SSLContext | str | None = None
    proxy: Secret[str] | None = None
    http2: bool = False
    max_connections: int = 100

    has_http2: ClassVar[bool] = False

    def __post_init__(self) -> None:
        if self.max_connections < 1:
            raise ValueError(f"max_connections is at least 1, got {self.max_connections}")
        if self.proxy is not None:
            proxy_of(self.proxy.reveal())
        if isinstance(self.verify, str):
            try:
                context = ssl.create_default_context(cafile=self.verify)
            except OSError:  # an ssl.SSLError is one
                raise ValueError(f"verify: no certificates are in {self.verify!r}") from None
            object.__setattr__(self, "verify", context)  # read once, also by those who copy it

    @property
    def trust(self) -> ssl.SSLContext | None:
        """What checks certificates; None is the system's trust."""
        return self.verify if isinstance(self.verify, ssl.SSLContext) else None

    @property
    def via(self) -> Proxy | None:
        """The proxy, read."""
        return None if self.proxy is None else proxy_of(self.proxy.reveal())

    @property
    def unpinnable(self) -> QiError | None:
        """What a guarded request fails with, where no address can be told; None where one can."""
        if getattr(self, "client_object", None) is not None:
            return cannot_pin("a client of yours resolves names itself", "leave client_object= out")
        return None if self.proxy is None else cannot_pin(*BY_PROXY)


def read_transport(
    schema: type[S], url: str, given: Mapping[str, object], client: str, /
) -> Result[S]:
    """Read the settings of a transport.

    Args:
        schema: its own; one with a `client_object`, a client of the caller's, takes no other
            setting beside that.
        url: what its factory was given: a name and a colon.
        given: what was said.
        client: its name.

    Errors:
        HTTP_SETTINGS_INVALID: all that is wrong; `errors` has one for each.
        HTTP_UNSUPPORTED: the transport has no such thing; the hint says what does.
    """
    if url != f"{client}:":
        return failure(setting_error("client", "a transport has a name alone, and no URL"))
    for name in given:
        if name in _ELSEWHERE:
            return failure(_unsupported(name, client, _ELSEWHERE[name]))
    said = f"{client}:"
    read = read_settings(
        schema, given, said, kind="http", code=SETTINGS_INVALID, also=[HttpSettings]
    )
    if isinstance(read, Failure):
        return read
    if read.value.http2 and not schema.has_http2:
        return failure(_unsupported("http2", client, 'client="httpx" does: qicore-httpx[http2]'))
    if getattr(read.value, "client_object", None) is not None:
        for one in fields(schema):
            if one.name != "client_object" and _is_said(read.value, one):
                return failure(setting_error(one.name, "a client of yours has its own"))
    return read


def cannot_pin(why: str, hint: str, /) -> QiError:
    """Make the error of a transport that cannot be told which address to connect to.

    >>> cannot_pin("a proxy resolves names itself", "leave proxy= out").message
    'no address can be checked, as a guard does: a proxy resolves names itself'
    """
    message = f"no address can be checked, as a guard does: {why}"
    return QiError.unsupported(UNSUPPORTED, message, hint=hint, source="http")


def _is_said(settings: TransportSettings, one: Any) -> bool:
    return bool(getattr(settings, one.name) != one.default)


def _unsupported(name: str, client: str, hint: str) -> QiError:
    message = f"the {client} transport has no setting {name}"
    return QiError.unsupported(UNSUPPORTED, message, hint=hint, source="http", setting=name)
