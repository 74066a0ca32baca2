"""What redis-py raises, and what it means. Imports redis-py: the store loads it when it opens."""

from __future__ import annotations

import socket
import ssl
from typing import Any, Final, final

from redis import exceptions as redis
from redis.asyncio.sentinel import MasterNotFoundError

from qicore_cache.errors import (
    NOT_A_NUMBER,
    NOT_CONNECTED,
    READ_FAILED,
    TIMEOUT,
    UNAVAILABLE,
    WRITE_FAILED,
)
from qicore_core import ErrorCategory, ErrorMap, QiError
from qicore_core.error.qi_error import again

from .roads import ClosedError
from .settings import RedisSettings

__all__ = ["RedisErrors"]


_NOT_NOW: Final = {
    "BUSY": (UNAVAILABLE, "the server runs a script and takes nothing else"),
    "MISCONF": (WRITE_FAILED, "the server cannot save its data, and so takes no writes"),
    "NOREPLICAS": (WRITE_FAILED, "the server has too few replicas, and so takes no writes"),
}
_OTHER: Final = {
    "DB index is out of range": (
        "the server has no database of this number",
        "name a lower one in the URL's path, or by db=",
    ),
    "This instance has cluster support disabled": (
        "the server is no node of a cluster",
        "write redis: in place of redis+cluster:",
    ),
    "unknown command 'SENTINEL'": (
        "the server is no sentinel",
        "name sentinels, which listen on 26379, or write redis: in place of redis+sentinel:",
    ),
}
_RUNS: Final = "look whether the server runs, and whether the URL is its own"


def _refused(error: Exception) -> QiError:
    """Read what the server said: its first word is a code of its own."""
    word = str(error).partition(" ")[0]
    if word == "WRONGTYPE":
        return QiError.conflict(
            READ_FAILED,
            "what is kept under this key is of another type: someone else wrote it there",
            hint="remove the key, or use a namespace of your own",
        )
    if "not an integer" in str(error) or "increment or decrement" in str(error):
        return QiError.conflict(
            NOT_A_NUMBER,
            "the entry is no whole number of 64 bits, so it cannot be incremented",
            hint="use another key, or remove this one first",
        )
    if word in _NOT_NOW:
        code, message = _NOT_NOW[word]
        return QiError.unavailable(code, message)
    text, is_quoting, _ = str(error).partition(", with args beginning with")
    if text in _OTHER:
        message, hint = _OTHER[text]
        return QiError.configuration(READ_FAILED, message, hint=hint)
    return QiError.unknown(
        READ_FAILED,
        f"the server refused the command: {word[:40]}",
        hint="look at the cause",
        cause=type(error)(text) if is_quoting else None,  # what it quotes may be a password
    )


def _unreachable(error: Exception) -> QiError:
    """Tell a certificate that is no good from a server that is not there, and say why."""
    why = "the server cannot be reached, or broke off"
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLError):
            what = getattr(cause, "verify_message", "") or "it speaks no TLS that we accept"
            return QiError.network(
                UNAVAILABLE,
                f"TLS with the server failed: {what}",
                hint="look at its certificate, and at ssl_ca_certs in the settings",
                retryable=False,
            )
        if isinstance(cause, ConnectionRefusedError):
            why = "the connection was refused"
        elif isinstance(cause, socket.gaierror):
            why = "there is no such host"
        cause = cause.__cause__ or cause.__context__
    return QiError.unavailable(UNAVAILABLE, why, hint=_RUNS)


def _closed(_: Exception) -> QiError:
    return QiError.unavailable(
        NOT_CONNECTED,
        "the connections to the server were closed",
        hint="open it for as long as it is used",
        retryable=False,
    )


def _full(_: Exception) -> QiError:
    return QiError.exhausted(
        WRITE_FAILED,
        "the server's memory is full",
        hint="shorten ttls, raise its maxmemory, or let it forget: maxmemory-policy allkeys-lru",
    )


def _no_master(_: Exception) -> QiError:
    return QiError.unavailable(
        UNAVAILABLE,
        "no sentinel names a master now: none can be reached, lets us in, or knows it",
        hint="look at the sentinels, at sentinel_password, and at the master's name in the URL",
    )


def _elsewhere(_: Exception) -> QiError:
    return QiError.configuration(
        READ_FAILED,
        "the server is a node of a cluster, and another one has the key",
        hint="write redis+cluster: in place of redis:",
    )


def _denied(error: Exception) -> QiError:
    return QiError.authentication(
        READ_FAILED,
        "the server wants another user name or password",
        hint="give them in the URL, redis://user:password@host, or as settings",
        cause=type(error)("what it said is left out: it may quote a password"),
    )


def _read_only(_: Exception) -> QiError:
    return QiError.unavailable(
        WRITE_FAILED,
        "the server is a replica and takes no writes: it lost its place in a failover",
        hint="try again; name the sentinels or the cluster in the URL, and the new master is found",
    )


_RULES: Final[dict[type[Exception], Any]] = {
    TimeoutError: (TIMEOUT, ErrorCategory.TIMEOUT, "the server did not answer in time"),
    redis.TimeoutError: (TIMEOUT, ErrorCategory.TIMEOUT, "the server did not answer in time"),
    redis.AuthenticationError: _denied,
    redis.AuthorizationError: _denied,
    redis.AuthenticationWrongNumberOfArgsError: _denied,
    redis.NoPermissionError: (
        READ_FAILED,
        ErrorCategory.PERMISSION,
        "this user may not do that, or not with this key",
    ),
    redis.ReadOnlyError: _read_only,
    redis.OutOfMemoryError: _full,
    redis.BusyLoadingError: (
        UNAVAILABLE,
        ErrorCategory.UNAVAILABLE,
        "the server is still loading its data",
    ),
    redis.ClusterDownError: (
        UNAVAILABLE,
        ErrorCategory.UNAVAILABLE,
        "a part of the cluster has no master now",
    ),
    redis.AskError: _elsewhere,  # a MovedError is one, too
    redis.TryAgainError: (
        UNAVAILABLE,
        ErrorCategory.CONTENTION,
        "keys are being moved to another node of the cluster",
    ),
    redis.MasterDownError: (
        UNAVAILABLE,
        ErrorCategory.UNAVAILABLE,
        "the server is a replica that has lost its master",
    ),
    redis.InvalidResponse: (
        READ_FAILED,
        ErrorCategory.BAD_DATA,
        "the answer is none of a Redis server",
    ),
    redis.ResponseError: _refused,
    MasterNotFoundError: _no_master,
    ClosedError: _closed,
    redis.ConnectionError: _unreachable,
    OSError: _unreachable,
}


@final
class RedisErrors(ErrorMap):
    """The table, for one place: every error names the servers that are asked."""

    __slots__ = ("_where",)

    def __init__(self, settings: RedisSettings, /) -> None:
        super().__init__("cache", _RULES)
        self._where = settings.where

    def translate(self, exception: BaseException, /) -> QiError | None:
        """Give the error that an exception stands for, and where it happened."""
        error = super().translate(exception)
        return error and again(error, message=f"{self._where}: {error.message}")
