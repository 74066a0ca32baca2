"""What can be set, in the URL or beside it, and the one place that checks it."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, final
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from qicore_cache.errors import SETTINGS_INVALID
from qicore_cache.settings import CacheSettings, ttl_error
from qicore_core import QiError, Result, Secret, failure, success
from qicore_core.config.settings import read_settings

__all__ = ["SCHEMES", "RedisSettings"]

SCHEMES: Final = (
    "redis", "rediss", "redis+unix", "redis+sentinel", "rediss+sentinel", "redis+cluster",
    "rediss+cluster",
)  # fmt: skip
_PORT: Final = 6379
_SENTINEL_PORT: Final = 26379
_PLACE: Final = ("scheme", "servers", "path", "service")  # what the URL alone says


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class RedisSettings:
    """Where the servers are, and how they are asked.

    Attributes:
        scheme: what the servers are: one, behind a socket, Sentinel or Cluster; `rediss` is TLS.
        servers: host and port of each, from the URL.
        path: the socket's file, for `redis+unix:`.
        service: what the sentinels call the master, for `redis+sentinel:`.
        db: which database of the server.
        username: who asks; None is the default user.
        password: proves it.
        default_ttl: seconds that an entry is kept where neither the call nor the cache names any.
        max_connections: how many connections at most, in each event loop. One carries any number of
            exchanges; another is opened where replies are slow in coming.
        socket_timeout: seconds that the replies of one exchange may take.
        connect_timeout: seconds that connecting may take, all of it.
        health_check_interval: seconds of silence after which it is asked whether the server is
            there: by the system (TCP keep-alive), and by PING where changes are listened for.
        ssl_ca_certs: a file of certificates to trust, for `rediss`; None is the system's.
        ssl_certfile: a file of our own certificate, where the servers want one.
        ssl_keyfile: a file of its key; None is in the same file.
        sentinel_username: who asks the sentinels, where they have users of their own.
        sentinel_password: proves it; None asks them without.
    """

    scheme: str
    servers: tuple[tuple[str, int], ...] = ()
    path: str | None = None
    service: str | None = None
    db: int = 0
    username: str | None = None
    password: Secret[str] | None = None
    default_ttl: float | None = 300.0
    max_connections: int = 10
    socket_timeout: float = 5.0
    connect_timeout: float = 5.0
    health_check_interval: float = 30.0
    ssl_ca_certs: str | None = None
    ssl_certfile: str | None = None
    ssl_keyfile: str | None = None
    sentinel_username: str | None = None
    sentinel_password: Secret[str] | None = None

    def __post_init__(self) -> None:
        if self.max_connections < 1:
            raise ValueError(f"max_connections is at least 1, got {self.max_connections}")
        if wrong := ttl_error(self.default_ttl):
            raise ValueError(f"default_ttl is wrong: {wrong.message}")
        if self.db < 0:
            raise ValueError(f"db is a number from 0 on, got {self.db}")
        for name, seconds in (
            ("socket_timeout", self.socket_timeout), ("connect_timeout", self.connect_timeout),
            ("health_check_interval", self.health_check_interval),
        ):  # fmt: skip
            if not 0.0 < seconds <= 3600.0:
                raise ValueError(f"{name} is seconds above 0, up to 3600, got {seconds}")
        if self.ssl_keyfile and not self.ssl_certfile:
            raise ValueError("ssl_keyfile is the key of a certificate: name it, ssl_certfile")

    @property
    def where(self) -> str:
        """Name the servers, for messages: without a credential."""
        return self.path or ", ".join([f"{host}:{port}" for host, port in self.servers])

    @property
    def is_tls(self) -> bool:
        """Tell whether the servers speak TLS."""
        return self.scheme.startswith("rediss")

    @property
    def is_cluster(self) -> bool:
        """Tell whether they are a cluster."""
        return self.scheme.endswith("+cluster")

    def at(self, host: str, port: int, /) -> RedisSettings:
        """Give the same for one node of a cluster."""
        scheme = "rediss" if self.is_tls else "redis"
        return replace(self, scheme=scheme, servers=((host, port),))

    @classmethod
    def read(cls, url: str, given: Mapping[str, object], /) -> Result[RedisSettings]:
        """Read them from a URL and from settings; settings win.

        Errors:
            CACHE_SETTINGS_INVALID: all that is wrong, each with what it may be.
        """
        try:
            split = urlsplit(str(url))
            said: dict[str, Any] = {"scheme": split.scheme, **_place(split)}
        except ValueError as error:
            return failure(_wrong_url(str(error)))
        beside = {**dict(parse_qsl(split.query, keep_blank_values=True)), **given}
        if twice := [name for name in _PLACE if name in beside]:
            return failure(_wrong_url(f"it says by itself what {', '.join(twice)} would"))
        read = read_settings(
            cls, {**said, **beside}, f"{split.scheme}:", kind="cache", code=SETTINGS_INVALID,
            also=[CacheSettings],
        )  # fmt: skip
        return read.flat_map(_with_files)


def _with_files(read: RedisSettings) -> Result[RedisSettings]:
    """Look at the files of TLS, once: a connection that reads them cannot say which is wrong."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        if read.ssl_ca_certs is not None:
            context.load_verify_locations(read.ssl_ca_certs)
        if read.ssl_certfile is not None:
            context.load_cert_chain(read.ssl_certfile, read.ssl_keyfile, password=lambda: "")
    except OSError as error:  # an ssl.SSLError is one
        return failure(
            QiError.configuration(
                SETTINGS_INVALID,
                "ssl_ca_certs, ssl_certfile and ssl_keyfile name files in PEM, of which one is not"
                " there or is none, or the key is not the certificate's, or has a password",
                hint="look at the files, and at who may read them",
                source="cache",
                cause=error,
            )
        )
    return success(read)


def _place(split: SplitResult) -> dict[str, Any]:
    """Say where the servers are."""
    userinfo, _, hosts = split.netloc.rpartition("@")
    username, _, password = userinfo.partition(":")
    said: dict[str, Any] = {}
    if username:
        said["username"] = unquote(username)
    if password:
        said["password"] = unquote(password)
    path = unquote(split.path)
    if split.scheme not in SCHEMES:
        raise ValueError(f"its scheme is one of {', '.join(SCHEMES)}")
    if split.scheme == "redis+unix":
        if hosts or not path:
            raise ValueError("a socket is a path with three slashes before it: redis+unix:///run/x")
        return {**said, "path": path}
    _, _, kind = split.scheme.partition("+")
    port = _SENTINEL_PORT if kind == "sentinel" else _PORT
    said["servers"] = [_server(one, port) for one in hosts.split(",")]
    parts = [part for part in path.split("/") if part]
    if kind == "sentinel":
        if not parts:
            raise ValueError(f"it names no master: {split.scheme}://host:26379/mymaster/0")
        said["service"] = parts.pop(0)
    elif len(said["servers"]) > 1 and kind != "cluster":
        raise ValueError("several servers are redis+cluster: or redis+sentinel:")
    if len(parts) > 1 or (parts and (not parts[0].isdigit() or kind == "cluster")):
        raise ValueError(f"its path {path!r} is no number of a database")
    return {**said, "db": int(parts[0])} if parts else said


def _server(text: str, port: int) -> tuple[str, int]:
    """Read host and port; IPv6 stands in brackets."""
    one = urlsplit(f"//{text}")
    return one.hostname or "localhost", one.port or port


def _wrong_url(why: str) -> QiError:
    return QiError.configuration(
        SETTINGS_INVALID,
        f"the URL of the cache is wrong: {why}",
        hint="write redis://user:password@host:6379/0",
        source="cache",
    )
