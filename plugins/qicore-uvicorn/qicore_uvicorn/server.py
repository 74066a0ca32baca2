"""The server: uvicorn's protocols under a life of our own.

uvicorn's `Server` looks at flags ten times a second, takes the signals of the process and leaves
by SystemExit; its protocols are what serves, and they are used as they are. This file opens the
socket before all else, starts the application, and sees both to their end.
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import ssl
from collections.abc import Sequence
from time import monotonic
from typing import final

import uvicorn

from qicore_core import Failure, Opening, QiError, Result, failure, success

from .address import bind, bind_unix
from .connections import Connections
from .errors import START_FAILED, failed, not_running, unsupported
from .gate import Gate, Served
from .lifespan import ASGIApp, Lifespan
from .running import Running, end, overdue
from .signals import caught_signals
from .stats import ServerStats

__all__ = ["Server"]


@final
class Server:
    """A server that starts, drains, reloads and stops when it is told to, in the running loop.

    Example:
        ```python
        async with Server(app, port=0).running() as server:
            print(server.address)
            await server.wait(signals=True)
        ```

    Args:
        app: an ASGI application, the object itself.
        host: the address to listen on; the default is reached from this machine alone.
        port: 0 takes a free one; `address` says which.
        unix: the path of a unix socket in place of host and port. Who may connect is the umask's.
        stop_timeout: seconds that requests have to end when the server stops or reloads.
        notice: seconds at the start of a stop in which it still accepts and readiness already
            says 503, for a load balancer to look away.
        keep_alive: seconds that a connection may wait for its next request.
        max_connections: above so many, a request is answered 503; None is no limit.
        trusted_proxies: addresses whose X-Forwarded-For and X-Forwarded-Proto are believed.
        workers: processes; more than 1 is UNSUPPORTED for now.
        tls: UNSUPPORTED for now.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        host: str = "127.0.0.1",
        port: int = 8000,
        unix: str | None = None,
        stop_timeout: float = 10.0,
        notice: float = 0.0,
        keep_alive: float = 5.0,
        max_connections: int | None = None,
        trusted_proxies: Sequence[str] = (),
        workers: int = 1,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        if not callable(app):
            raise TypeError(f"a server needs an ASGI application, got {type(app).__name__}")
        self._app = app
        self._host, self._port, self._unix = host, port, unix
        self._stop_timeout, self._notice, self._keep_alive = stop_timeout, notice, keep_alive
        self._max_connections, self._trusted = max_connections, list(trusted_proxies)
        self._workers, self._tls = workers, tls
        self._changing = asyncio.Lock()
        self._running: Running | None = None
        self._stopped = asyncio.Event()
        self._reloads = 0

    @property
    def address(self) -> str | None:
        """Where it is reached, "http://127.0.0.1:8000" or "unix:/run/app.sock"; None: nowhere."""
        running = self._running
        if running is None:
            return None
        if self._unix is not None:
            return f"unix:{self._unix}"
        host, port = running.socket.getsockname()[:2]
        return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"

    @property
    def is_draining(self) -> bool:
        """Whether it is about to stop; an application reads it from its request's state."""
        return self._running is not None and self._running.gate.is_draining

    def running(self) -> Opening[Server]:
        """Give the server as an Opening: `async with` starts it, and leaving stops it."""
        return Opening(self.start)

    async def start(self) -> Result[Server]:
        """Bind the socket, start the application, accept connections.

        Errors:
            SERVER_PORT_IN_USE: another process listens on the address.
            SERVER_START_FAILED: the address cannot be bound, the application refused, or the
                server runs already.
            SERVER_UNSUPPORTED: workers or TLS were asked for.
        """
        async with self._changing:
            if refused := self._refused():
                return failure(refused)
            bound = (
                await bind(self._host, self._port) if self._unix is None else bind_unix(self._unix)
            )
            if isinstance(bound, Failure):
                return bound
            served = Served(Lifespan(self._app))
            try:
                started = await served.lifespan.startup()
                if isinstance(started, Failure):
                    self._forget(bound.value)
                    return started
                self._running = await self._accept(bound.value, served)
            except SystemExit as error:  # uvicorn's way to say so
                self._forget(bound.value)
                await served.lifespan.abandon()
                return failure(failed(START_FAILED, "uvicorn refused to start", error))
            except BaseException:
                self._forget(bound.value)
                await served.lifespan.abandon()
                raise
            self._stopped.clear()
            return success(self)

    async def stop(self, timeout: float | None = None) -> Result[None]:
        """Drain and stop: readiness says 503, answers say `Connection: close`, then the end.

        Args:
            timeout: seconds that requests have to end; by default `stop_timeout`. What is still
                under way then is cancelled.

        Errors:
            SERVER_NOT_RUNNING: there is nothing to stop.
            SERVER_DRAIN_TIMEOUT: requests were cancelled; the server has stopped all the same.
            SERVER_STOP_FAILED: the application's shutdown failed; the server has stopped.
        """
        async with self._changing:
            if self._running is None:
                return failure(not_running("stop"))
            return await self._end(
                self._running, self._stop_timeout if timeout is None else timeout
            )

    async def reload(self, app: ASGIApp, timeout: float | None = None) -> Result[None]:
        """Put another application in place of this one: no connection is refused or closed.

        The new one is started first; a request ends in the application that it began with. When
        the new one does not start, the old one keeps serving.

        Args:
            app: the application; it may be the same object, whose lifespan then runs again.
            timeout: seconds that requests of the old one have to end, its WebSockets among them;
                by default `stop_timeout`.

        Errors:
            SERVER_NOT_RUNNING: there is nothing to reload.
            SERVER_START_FAILED: the new one did not start.
            SERVER_DRAIN_TIMEOUT, SERVER_STOP_FAILED: of the old one; the new one serves.
        """
        if not callable(app):
            raise TypeError(f"a server needs an ASGI application, got {type(app).__name__}")
        async with self._changing:
            running = self._running
            if running is None:
                return failure(not_running("reload"))
            fresh = Served(Lifespan(app))
            try:
                started = await fresh.lifespan.startup()
            except BaseException:
                await fresh.lifespan.abandon()
                raise
            if isinstance(started, Failure):
                return started
            old, running.gate.served = running.gate.served, fresh
            self._app = app
            self._reloads += 1
            allowed = self._stop_timeout if timeout is None else timeout
            try:
                left = await old.drain(asyncio.get_running_loop().time() + allowed)
                ended = await end(old.lifespan, allowed)
            finally:
                await old.lifespan.abandon()
            return failure(overdue(left, allowed)) if left else ended

    async def wait(self, *, signals: bool = False) -> signal.Signals | None:
        """Wait until the server has stopped.

        Args:
            signals: return on SIGTERM and SIGINT too, and give which; the caller stops. Only in
                the main thread; the handlers from before are put back.
        """
        if not signals:
            await self._stopped.wait()
            return None
        with caught_signals() as caught:
            stopped = asyncio.create_task(self._stopped.wait())
            signalled = asyncio.create_task(caught.get())
            try:
                await asyncio.wait({stopped, signalled}, return_when=asyncio.FIRST_COMPLETED)
                return signalled.result() if signalled.done() else None
            finally:
                stopped.cancel()
                signalled.cancel()

    def stats(self) -> ServerStats:
        """Count what it has done since the start and is doing now."""
        running = self._running
        connections = running.connections if running else None
        return ServerStats(
            connections=len(connections or ()),
            connections_total=connections.total if connections is not None else 0,
            requests=running.gate.requests if running else 0,
            in_flight=len(running.tasks) if running else 0,
            reloads=self._reloads,
            workers=1,
            uptime=monotonic() - running.since if running else 0.0,
        )

    async def close(self) -> Result[None]:
        """Stop if it runs; twice does no harm, nor does it while a stop is under way."""
        async with self._changing:
            running = self._running
            return success() if running is None else await self._end(running, self._stop_timeout)

    def _refused(self) -> QiError | None:
        if self._running is not None:
            return QiError.conflict(
                START_FAILED,
                f"the server runs already, at {self.address}",
                hint="make another Server, or stop this one first",
                source="server",
            )
        if self._workers != 1:
            return unsupported(
                "worker processes", "start one process for each port behind a load balancer"
            )
        if self._tls is not None:
            return unsupported("TLS", "end TLS in front of it: a load balancer or a proxy")
        return None

    async def _accept(self, listener: socket.socket, served: Served) -> Running:
        gate = Gate(served)
        config = uvicorn.Config(
            gate,
            interface="asgi3",
            lifespan="off",  # ours runs it
            log_config=None,  # nobody configures logging but the program
            access_log=False,
            server_header=False,
            proxy_headers=bool(self._trusted),
            forwarded_allow_ips=self._trusted,
            timeout_keep_alive=self._keep_alive,  # type: ignore[arg-type]  # call_later takes it
            limit_concurrency=self._max_connections,
            workers=1,
        )
        config.load()
        server = uvicorn.Server(config)
        server.lifespan = config.lifespan_class(config)
        server.server_state.connections = Connections()
        await server.on_tick(0)
        await server.startup(sockets=[listener])
        return Running(listener, gate, server)

    async def _end(self, running: Running, allowed: float) -> Result[None]:
        lifespan = running.gate.served.lifespan
        try:
            running.gate.is_draining = True
            if self._notice:
                await asyncio.sleep(min(self._notice, allowed))
            self._forget(running.socket)
            left = await running.drain(asyncio.get_running_loop().time() + allowed)
            ended = await end(lifespan, allowed)
        finally:
            await lifespan.abandon()
            self._forget(running.socket)
            running.cut()
            self._running = None
            self._stopped.set()
        return failure(overdue(left, allowed)) if left else ended

    def _forget(self, listener: socket.socket) -> None:
        """Close the listening socket, and take away the file of a unix socket."""
        if listener.fileno() < 0:
            return
        if self._running is not None:
            for server in self._running.uvicorn.servers:
                server.close()
        listener.close()
        if self._unix is not None:
            try:
                os.unlink(self._unix)
            except FileNotFoundError:
                pass
