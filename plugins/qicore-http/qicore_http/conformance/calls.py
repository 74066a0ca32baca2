"""How calls are made around the transport: budgets, places, turns, tokens, hooks, and words."""

# ruff: noqa: S101  # a law asserts

from __future__ import annotations

import asyncio
import socket
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from time import monotonic

from qicore_core import (
    Policy,
    QiError,
    Rate,
    Result,
    RetryPolicy,
    Secret,
    failure,
    success,
)
from qicore_core.conformance import law
from qicore_core.resilience import RetryBudget
from qicore_core.testing import FaultProxy, assert_failure, assert_success, recorded

from ..bearer import Bearer
from ..message import HttpRequest, HttpResponse
from .faults import nobody
from .pair import QUICK, HttpLaws, Pair
from .server import Seen, Server, reply

__all__ = ["CallLaws"]


class CallLaws(HttpLaws, abstract=True):
    """The laws of how calls are made."""

    @law()
    async def a_retry_budget_ends_a_storm(self, pair: Pair) -> None:
        """When many calls fail, the budget of their host is spent and retries end; others' not."""
        budget = RetryBudget(capacity=20.0, per_second=0.0)
        policy = Policy(retry=RetryPolicy(5, base=0.0, cap=0.0, budget=budget), timeout=20.0)
        client = await pair.another(policy=policy)
        for status in (503, 429):
            server: Server = await pair.keep(Server())
            server.on("/x", reply(status))
            errors = [assert_failure(await client.get(server.url + "/x")) for _ in range(10)]
            assert errors[-1].code == "RETRY_BUDGET_EXHAUSTED"
            assert server.count("/x") == 10 + int(20.0 / budget.cost)

    @law()
    async def places_and_turns_are_of_one_host(self, pair: Pair) -> None:
        """A full bulkhead and a spent rate stop calls of their host and port, and no others."""
        other: Server = await pair.keep(Server())
        slow = _Slow()
        pair.server.on("/slow", slow.answer)
        client = await pair.another(policy=Policy(bulkhead=2, timeout=10.0))
        calls = [asyncio.create_task(client.get("/slow")) for _ in range(6)]
        await slow.is_full.wait()
        async with asyncio.timeout(self.patience):
            assert_success(await client.get(other.url + "/x"))
        slow.go.set()
        for answered in await asyncio.gather(*calls):
            assert_success(answered)
        assert slow.most == 2
        client = await pair.another(policy=Policy(rate=Rate(0.01, max_wait=0.5), timeout=1.0))
        assert_success(await client.get("/x"))
        assert_failure(await client.get("/x"), code="RATE_EXCEEDED")
        assert_success(await client.get(other.url + "/x"))

    @law()
    async def a_retry_after_that_is_a_date_is_waited_for(self, pair: Pair) -> None:
        """A near date is waited for, a past one is no reason to wait."""
        times: list[float] = []

        def busy(_: Seen) -> bytes:
            times.append(monotonic())
            when = datetime.now(UTC) + timedelta(seconds=2 if len(times) == 1 else -3600)
            after = f"retry-after: {format_datetime(when, usegmt=True)}"
            return reply(200) if len(times) == 3 else reply(503, b"", after)

        pair.server.on("/x", busy)
        assert_success(await pair.client.get("/x"))
        assert times[1] - times[0] >= 0.9  # dates have whole seconds
        assert times[2] - times[1] < 0.9

    @law()
    async def an_outage_is_told_with_its_place_and_reason(self, pair: Pair) -> None:
        """The message names host and port, and whether it was refused, reset or not found."""
        place = nobody()
        refused = assert_failure(await pair.client.get(place + "/x"), "NETWORK_ERROR")
        assert refused.message == f"{place.removeprefix('http://')}: the connection was refused"
        assert refused.hint == "look whether the server runs, and at host and port"
        lost = assert_failure(await pair.client.get("http://no-such.invalid"), "NETWORK_ERROR")
        place, _, reason = lost.message.partition(": ")
        assert place == "no-such.invalid:80"
        assert reason in ("there is no such host", "no name server answers")
        proxy: FaultProxy = await pair.keep(FaultProxy("127.0.0.1", pair.server.port))
        proxy.reset()
        client = await pair.another(f"http://127.0.0.1:{proxy.port}", policy=Policy(timeout=10.0))
        reset = assert_failure(await client.get("/x?key=hidden"), "NETWORK_ERROR")
        assert reset.message == f"127.0.0.1:{proxy.port}: the connection was reset"
        with socket.socket() as full:  # it listens and accepts nobody
            full.bind(("127.0.0.1", 0))
            full.listen(0)
            quiet = await pair.another(idle_timeout=0.2, policy=Policy(timeout=10.0))
            url = f"http://127.0.0.1:{full.getsockname()[1]}/x"
            error = assert_failure(await quiet.get(url), "TIMEOUT_ERROR")
            assert error.message.startswith(url.removeprefix("http://").removesuffix("/x") + ": ")

    @law()
    async def a_token_is_fetched_once_and_anew_where_it_is_refused(self, pair: Pair) -> None:
        """One fetch for many calls; after a 401 one more; strangers get none."""
        other: Server = await pair.keep(Server())
        fetched: list[str] = []

        async def fetch() -> Result[Secret[str]]:
            await asyncio.sleep(0)
            fetched.append(f"t{len(fetched)}")
            if len(fetched) == 4:
                return failure(QiError.network("LOGIN_DOWN", "it is down"))
            return success(Secret(fetched[-1]))

        def answer(seen: Seen) -> bytes:
            return reply(200 if seen.all("authorization") == ["Bearer t1"] else 401)

        for path in ("/x", "/y"):
            pair.server.on(path, answer)
        pair.server.on("/away", reply(302, b"", f"location: {other.url}/there"))
        other.on("/there", reply(302, b"", f"location: {pair.server.url}/back"))
        client = await pair.another(bearer=Bearer(fetch), policy=QUICK)
        for answered in await asyncio.gather(*[client.post("/x", json=1) for _ in range(5)]):
            assert_success(answered)
        assert fetched == ["t0", "t1"]
        assert_success(await client.get("/away"))
        assert other.seen[-1].all("authorization") == []
        assert pair.server.seen[-1].all("authorization") == []
        pair.server.on("/y", reply(401))
        assert_failure(await client.get("/y"), category="AUTHENTICATION")
        assert (pair.server.count("/y"), len(fetched)) == (2, 3)
        assert_failure(await client.get("/y", policy=Policy(timeout=5.0)), code="HTTP_TOKEN_FAILED")

    @law()
    async def hooks_see_every_attempt_and_hop(self, pair: Pair) -> None:
        """What the first gives is sent; the second sees each status; both may be async."""
        told: list[tuple[str, int]] = []
        count = 0

        def sign(request: HttpRequest) -> HttpRequest:
            nonlocal count
            count += 1
            return request.with_headers({"x-count": str(count)})

        async def look(request: HttpRequest, response: HttpResponse) -> None:
            told.append((request.url.rpartition("/")[2], response.status))

        answers = iter([reply(503), reply(302, b"", "location: /end")])
        pair.server.on("/x", lambda _: next(answers))
        client = await pair.another(on_request=sign, on_response=look)
        with recorded() as events:
            assert_success(await client.get("/x"))
        assert told == [("x", 503), ("x", 302), ("end", 200)]
        assert [one.all("x-count") for one in pair.server.seen] == [["1"], ["2"], ["3"]]
        phases = [(event.phase, event.fields.get("attempt")) for event in events]
        assert [one for one in phases if one[0] == "attempt"] == [("attempt", 1), ("attempt", 2)]
        assert {event.fields.get("key") for event in events} == {f"127.0.0.1:{pair.server.port}"}


class _Slow:
    """Answers when it is told to, and counts how many wait."""

    def __init__(self) -> None:
        self.go = asyncio.Event()
        self.is_full = asyncio.Event()
        self.now = 0
        self.most = 0

    @property
    def answer(self):  # type: ignore[no-untyped-def]  # a function, as the server wants one
        async def speak(_: Seen, writer: asyncio.StreamWriter) -> None:
            self.now += 1
            self.most = max(self.most, self.now)
            if self.now == 2:
                self.is_full.set()
            await self.go.wait()
            self.now -= 1
            writer.write(reply(200, b"", "connection: close"))
            await writer.drain()
            writer.close()

        return speak
