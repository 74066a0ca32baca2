"""Where a server listens: sockets are bound here, before anything else happens.

So a taken port is an answer, not an exit, and port 0 has its number before the application starts.
"""

from __future__ import annotations

import asyncio
import errno
import os
import socket
import stat

from qicore_core import Result, failure, success

from .errors import START_FAILED, failed, port_in_use

__all__ = ["bind", "bind_unix"]


async def bind(host: str, port: int) -> Result[socket.socket]:
    """Bind a TCP socket; the first address that a host's name has.

    Errors:
        SERVER_PORT_IN_USE: another process listens there.
        SERVER_START_FAILED: the host is unknown or not ours, or the port may not be bound.
    """
    said = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    try:
        found = await asyncio.get_running_loop().getaddrinfo(
            host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
    except OSError as error:
        hint = "use an address of this machine: 127.0.0.1, or 0.0.0.0 for all"
        return failure(failed(START_FAILED, f"there is no address {said}", error, hint))
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
        return _not_bound(said, error)
    return success(listener)


def bind_unix(path: str) -> Result[socket.socket]:
    """Bind a unix socket; a stale file that nobody listens on is replaced.

    Errors:
        SERVER_PORT_IN_USE: somebody listens there, or the file is no socket.
        SERVER_START_FAILED: the file may not be made.
    """
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        if _is_stale(path):
            os.unlink(path)
        listener.setblocking(False)
        listener.bind(path)
        listener.listen(_BACKLOG)
    except OSError as error:
        listener.close()
        return _not_bound(f"unix:{path}", error)
    return success(listener)


def _not_bound(said: str, error: OSError) -> Result[socket.socket]:
    if error.errno == errno.EADDRINUSE:
        return failure(port_in_use(said, error))
    return failure(failed(START_FAILED, f"cannot listen on {said}", error))


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


_BACKLOG = 2048
