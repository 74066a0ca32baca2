"""Where a server listens: sockets are bound here, before anything else happens.

So a taken port is an answer, not an exit, and port 0 has its number before the application starts.
"""

from __future__ import annotations

import asyncio
import errno
import os
import socket
import stat
from typing import Final

from qicore_core import Result, failure, success

from .errors import START_FAILED, failed, misplaced, port_in_use

__all__ = ["bind", "bind_unix"]


async def bind(host: str, port: int) -> Result[socket.socket]:
    """Bind a TCP socket; the first address that a host's name has.

    Errors:
        SERVER_PORT_IN_USE: another process listens there.
        SERVER_START_FAILED: the host is unknown or not ours, or the port may not be bound.
    """
    said = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    if not host:  # an unset variable must not open a service to the world
        return failure(misplaced("the host is empty: ''", _HOST))
    if not isinstance(port, int) or not 0 <= port <= _MAX_PORT:  # C would wrap it around
        return failure(misplaced(f"{port!r} is no port", _PORT))
    try:
        found = await asyncio.get_running_loop().getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
    except (OSError, UnicodeError) as error:  # the second by the codec for names, "idna"
        return failure(misplaced(f"there is no address {said}", _HOST, error))
    family, kind, protocol, _, address = found[0]
    listener = socket.socket(family, kind, protocol)
    try:
        if os.name == "posix":  # elsewhere it would let two servers have one port
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.setblocking(False)
        listener.bind(address)
        listener.listen(_BACKLOG)
    except OSError as error:
        listener.close()
        return _not_bound(said, error, _HOST, _HIGH_PORT)
    return success(listener)


def bind_unix(path: str) -> Result[socket.socket]:
    """Bind a unix socket; a stale file that nobody listens on is replaced.

    Errors:
        SERVER_PORT_IN_USE: somebody listens there, or the file is no socket.
        SERVER_START_FAILED: the file may not be made.
    """
    if not path or "\0" in path:  # to Linux that is a name outside of the file system
        return failure(misplaced(f"{path!r} is no path of a socket", _PATH))
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        if _is_stale(path):
            os.unlink(path)
        listener.setblocking(False)
        listener.bind(path)
        listener.listen(_BACKLOG)
    except OSError as error:
        listener.close()
        return _not_bound(f"unix:{path}", error, _PATH, _PATH)
    return success(listener)


def _not_bound(said: str, error: OSError, hint: str, allowed: str) -> Result[socket.socket]:
    if error.errno == errno.EADDRINUSE:
        return failure(port_in_use(said, error))
    if isinstance(error, PermissionError):
        return failure(failed(START_FAILED, f"cannot listen on {said}", error, allowed))
    return failure(misplaced(f"cannot listen on {said}", hint, error))


def _is_stale(path: str) -> bool:
    try:
        if not stat.S_ISSOCK(os.stat(path).st_mode):
            return False  # a file of somebody's: bind says that the address is in use
    except FileNotFoundError:
        return False
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as caller:
        try:
            caller.connect(path)
        except ConnectionRefusedError:
            return True
    return False


_BACKLOG: Final = 2048
_MAX_PORT: Final = 65535
_HOST: Final = "use an address of this machine: 127.0.0.1, or 0.0.0.0 for all"
_PORT: Final = "use a whole number from 1 to 65535; 0 takes a free port"
_HIGH_PORT: Final = "use a port from 1024 on: the system keeps those below for itself"
_PATH: Final = "use a path of at most 100 characters, in a folder where files may be made"
