"""A TCP proxy that spoils what passes through it, so that faults in a test are real ones.

It stands on 127.0.0.1 before a real peer. The fault is switched while it runs and holds for
connections that are open as well as for new ones. Faults spoil what the peer answers, as that is
where clients break; a black hole swallows both ways. It is bounded: so many connections, one chunk
a direction in memory, and leaving it ends every connection at once.
"""

from __future__ import annotations

import asyncio
from socket import SO_LINGER, SOL_SOCKET
from struct import pack

TYPE_CHECKING = False
if TYPE_CHECKING:
    from asyncio import StreamReader, StreamWriter
    from types import TracebackType
    from typing import Any, Final, Literal, Self, TypeAlias

    Ending: TypeAlias = Literal["cut", "half_close", "reset"]

__all__ = ["FaultProxy"]

_CHUNK: Final = 65536
_CONNECT_TIMEOUT: Final = 10.0
_DRIPS_A_SECOND: Final = 20.0


class FaultProxy:
    """Stand between a client and its peer, and pass all, some or nothing of what the peer says.

    Args:
        host: where the peer is.
        port: where the peer is.
        max_connections: how many are open at once, at most; one more is reset.

    Attributes:
        host: where the client connects to: 127.0.0.1.
        port: where the client connects to; known once entered.
        connections: how many were accepted.
        bytes_up: how many bytes the peer was passed.
        bytes_down: how many bytes the client was passed.

    Example:
        ```python
        async with FaultProxy("127.0.0.1", 6379) as proxy:
            async with open_cache(f"redis://{proxy.host}:{proxy.port}/0") as cache:
                proxy.reset()
                assert_failure(await cache.get("k"), category="NETWORK")
                proxy.heal()
        ```
    """

    __slots__ = (
        "bytes_down", "bytes_up", "connections", "host", "max_connections", "port",
        "_fault", "_links", "_peer", "_server", "_switched",
    )  # fmt: skip

    def __init__(self, host: str, port: int, /, *, max_connections: int = 100) -> None:
        self.host = "127.0.0.1"
        self.port = 0
        self.max_connections = max_connections
        self.connections = self.bytes_up = self.bytes_down = 0
        self._peer = (host, port)
        self._fault = _Fault()
        self._links: set[_Link] = set()
        self._switched = asyncio.Event()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, self.host, 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        tb: TracebackType | None,
        /,
    ) -> None:
        self._server.close()
        links = list(self._links)
        for link in links:
            link.cancel()
        await asyncio.gather(*[link.task for link in links], return_exceptions=True)
        await self._server.wait_closed()

    def heal(self) -> None:
        """Pass everything again; what a delay or a black hole holds back goes on its way."""
        self._switch(_Fault())

    def delay(self, seconds: float, /) -> None:
        """Hold each piece of an answer back for so long."""
        self._switch(_Fault(delay=seconds))

    def drip(self, bytes_per_second: float, /) -> None:
        """Pass answers this slowly."""
        self._switch(_Fault(rate=bytes_per_second))

    def blackhole(self) -> None:
        """Pass nothing, either way, and close nothing."""
        self._switch(_Fault(swallows=True))

    def cut(self, *, after_bytes: int = 0) -> None:
        """Close each connection in order, after so many more bytes of its answers."""
        self._switch(_Fault(ending="cut", after_bytes=after_bytes))

    def half_close(self, *, after_bytes: int = 0) -> None:
        """End each answer after so many more bytes, and go on reading what the client sends."""
        self._switch(_Fault(ending="half_close", after_bytes=after_bytes))

    def reset(self, *, after_bytes: int = 0) -> None:
        """Reset each connection (RST, no orderly end), after so many more bytes of its answers."""
        self._switch(_Fault(ending="reset", after_bytes=after_bytes))

    def _switch(self, fault: _Fault) -> None:
        self._fault = fault
        self._switched.set()  # wakes what waits under the old fault
        self._switched = asyncio.Event()
        for link in list(self._links):
            link.begin(fault)

    async def _accept(self, reader: StreamReader, writer: StreamWriter) -> None:
        if len(self._links) >= self.max_connections:
            _reset(writer)
            return
        self.connections += 1
        link = _Link(self, reader, writer)
        self._links.add(link)
        try:
            link.begin(self._fault)
            await link.run()
        except asyncio.CancelledError:
            if not link.cancels or link.task.cancelling() > link.cancels:
                raise  # somebody else's, such as the end of the loop
        finally:
            self._links.discard(link)


class _Fault:
    """What is done to answers; one without arguments does nothing."""

    __slots__ = ("after_bytes", "delay", "ending", "rate", "swallows")

    def __init__(
        self,
        *,
        delay: float = 0.0,
        rate: float = 0.0,
        swallows: bool = False,
        ending: Ending | None = None,
        after_bytes: int = 0,
    ) -> None:
        for name, amount in (("delay", delay), ("rate", rate), ("after_bytes", after_bytes)):
            if amount < 0:
                raise ValueError(f"{name} is at least 0, got {amount}")
        self.delay = delay
        self.rate = rate
        self.swallows = swallows
        self.ending: Ending | None = ending
        self.after_bytes = after_bytes


class _Link:
    """One connection of a client and the one to the peer behind it."""

    __slots__ = (
        "cancels", "task", "_client", "_left", "_orderly", "_peer", "_proxy", "_reader",
        "_silenced",
    )  # fmt: skip

    def __init__(self, proxy: FaultProxy, reader: StreamReader, client: StreamWriter) -> None:
        self.task: asyncio.Task[Any] = asyncio.current_task()  # type: ignore[assignment]  # in one
        self.cancels = 0
        self._proxy = proxy
        self._reader = reader
        self._client = client
        self._peer: StreamWriter | None = None
        self._left = 0
        self._silenced = False
        self._orderly = False

    def begin(self, fault: _Fault) -> None:
        """Count anew what may pass under a fault, and end at once where nothing may."""
        self._left = fault.after_bytes
        if fault.ending is not None and not self._left:
            self._end(fault.ending)

    def cancel(self) -> None:
        """End it at the proxy's wish, and count that, as others may cancel the task too."""
        self.cancels += 1
        self.task.cancel()

    async def run(self) -> None:
        """Pass both ways until both have ended; a side that breaks breaks the other."""
        try:
            async with asyncio.timeout(_CONNECT_TIMEOUT):
                reader, peer = await asyncio.open_connection(*self._proxy._peer)
            self._peer = peer
            async with asyncio.TaskGroup() as pumps:
                pumps.create_task(self._pass_up(peer))
                pumps.create_task(self._pass_down(reader))
            self._orderly = True
        except* OSError:
            pass  # the client sees it as a reset
        finally:
            if self._peer is not None:
                self._peer.transport.abort()
            try:
                if self._orderly:
                    self._client.close()  # sends what is left, then the end
                    await self._client.wait_closed()
            except OSError:
                pass  # the client did not wait for it
            finally:
                _reset(self._client)

    async def _pass_up(self, peer: StreamWriter) -> None:
        while data := await self._reader.read(_CHUNK):
            await self._out_of_the_hole()
            peer.write(data)
            await peer.drain()
            self._proxy.bytes_up += len(data)
        await self._out_of_the_hole()
        peer.write_eof()

    async def _pass_down(self, reader: StreamReader) -> None:
        while data := await reader.read(_CHUNK):
            await self._spoil(data)
        await self._out_of_the_hole()
        self._client.write_eof()

    async def _spoil(self, data: bytes) -> None:
        """Pass some of an answer as the fault of the moment has it, then look again."""
        delayed: _Fault | None = None
        while data:
            await self._out_of_the_hole()
            if self._silenced:
                return
            fault = self._proxy._fault
            if fault.delay and fault is not delayed:
                await self._wait(fault.delay)
                delayed = fault
                continue
            size = len(data)
            if fault.rate:
                size = max(1, min(size, int(fault.rate / _DRIPS_A_SECOND)))
            if fault.ending:
                size = min(size, self._left)
                self._left -= size
            self._client.write(data[:size])
            await self._client.drain()
            self._proxy.bytes_down += size
            data = data[size:]
            if fault.ending and not self._left:
                self._end(fault.ending)
            elif fault.rate:
                await self._wait(size / fault.rate)

    async def _out_of_the_hole(self) -> None:
        while self._proxy._fault.swallows:
            await self._proxy._switched.wait()

    async def _wait(self, seconds: float) -> None:
        """Wait so long, or until the fault is switched."""
        try:
            async with asyncio.timeout(seconds):  # 3.11's wait_for may lose a cancellation
                await self._proxy._switched.wait()
        except TimeoutError:
            return

    def _end(self, ending: Ending) -> None:
        self._silenced = True
        if ending == "half_close":
            try:
                self._client.write_eof()
            except OSError:
                pass  # it has gone, and nobody has read that yet
            return
        self._orderly = ending == "cut"
        self.cancel()


def _reset(writer: StreamWriter) -> None:
    """Close without an end: what is not sent is dropped, and the other side gets a RST."""
    try:
        writer.get_extra_info("socket").setsockopt(SOL_SOCKET, SO_LINGER, pack("ii", 1, 0))
    except OSError:
        return  # closed already
    writer.transport.abort()
