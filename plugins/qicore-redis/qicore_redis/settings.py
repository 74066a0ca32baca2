"""What can be set, in the URL or beside it, and the one place that checks it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, final
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from qicore_cache.errors import SETTINGS_INVALID
from qicore_cache.settings import read_settings, ttl_error
from qicore_core import QiError, Result, Secret, failure

__all__ = ["RedisSettings", "read_url"]

_PORTS: Final = {"redis": 6379, "rediss": 6379, "redis+cluster": 6379, "redis+sentinel": 26379}


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class RedisSettings:
    """Where the servers are, and how they are asked.

    Attributes:
        scheme: what the servers are: one, with TLS, behind a socket, Sentinel or Cluster.
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
        ssl_ca_certs: a file of certificates to trust, for `rediss:`; None is the system's.
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


def read_url(url: str, settings: Mapping[str, object], /) -> Result[RedisSettings]:
    """Read the URL and the settings beside it; what is named in the call wins.

    Errors:
        CACHE_SETTINGS_INVALID: all that is wrong, each with what it may be.
    """
    try:
        split = urlsplit(url)
        said: dict[str, Any] = {"scheme": split.scheme, **_place(split)}
    except ValueError as error:
        return failure(
            QiError.configuration(
                SETTINGS_INVALID,
                f"the URL of the cache is wrong: {error}",
                hint="write redis://user:password@host:6379/0",
                source="cache",
            )
        )
    query = dict(parse_qsl(split.query, keep_blank_values=True))
    return read_settings(RedisSettings, {**said, **query, **settings}, f"{split.scheme}:")


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
    if split.scheme == "redis+unix":
        if hosts or not path:
            raise ValueError("a socket is a path with three slashes before it: redis+unix:///run/x")
        return {**said, "path": path}
    if split.scheme not in _PORTS:
        raise ValueError(f"its scheme is one of {', '.join(_PORTS)}, redis+unix")
    said["servers"] = [_server(one, _PORTS[split.scheme]) for one in hosts.split(",")]
    parts = [part for part in path.split("/") if part]
    if split.scheme == "redis+sentinel":
        if not parts:
            raise ValueError("it names no master: redis+sentinel://host:26379/mymaster/0")
        said["service"] = parts.pop(0)
    elif len(said["servers"]) > 1 and split.scheme != "redis+cluster":
        raise ValueError("several servers are redis+cluster: or redis+sentinel:")
    if len(parts) > 1 or (parts and (not parts[0].isdigit() or split.scheme == "redis+cluster")):
        raise ValueError(f"its path {path!r} is no number of a database")
    return {**said, "db": int(parts[0])} if parts else said


def _server(text: str, port: int) -> tuple[str, int]:
    """Read host and port; IPv6 stands in brackets."""
    one = urlsplit(f"//{text}")
    return one.hostname or "localhost", one.port or port
