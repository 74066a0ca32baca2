"""Soak the components in faults; look whether a call is lost or hung, and whether anything grows.

    python tests/soak/run.py [--seconds 600] [--cancelled 6] [--seed 1] [COMPONENT ...]

Exit status 1 when a call was lost or hung, when memory, tasks, threads, sockets or files grow or
are left after closing, or when a client does not answer every call of a healthy peer.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
import threading
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import AsyncExitStack
from pathlib import Path
from random import Random
from time import monotonic
from typing import Final
from warnings import simplefilter

from calls import SLACK, Operation, Tally
from components import COMPONENTS
from ground import Ground
from growth import LEAST, Verdict, judged, sample
from peers import Peers, started
from planted import planted

WORKERS: Final = 4  # a component
PACE: Final = 0.01  # seconds, at most, between two calls of a worker
TIMEOUTS: Final = (0.005, 0.05, 0.3, 1.0)
HEALTHY, TOGETHER = 100, 20  # calls of the healthy phase, and how many at once
RECOVERY: Final = 5.0  # seconds in which a client must find a peer that is well again
REST: Final = 1.5  # seconds, at most, for what runs behind the calls to end before a sample
# Once in fifty thousand calls aiohttp leaves the exception of this task of its own to nobody: noise
# in the log of the loop; the call itself has ended as it should.
KNOWN: Final = "ClientRequest.write_bytes"
NEWS: Final = 5.0  # seconds between two lines of progress


class Soak:
    """One run: what is asked of whom, and what came of it."""

    def __init__(self, asked: argparse.Namespace, peers: Peers) -> None:
        self.asked = asked
        self.peers = peers
        self.random = Random(asked.seed)
        self.operations: dict[str, list[Operation]] = {}
        self.tallies: dict[str, Tally] = {}
        self.samples: list[dict[str, float]] = []
        self.healthy: dict[str, dict[str, Counter[str]]] = {}
        self.unheard: list[str] = []
        self.known = 0
        self.told = self.began = monotonic()

    async def cancel(self, seconds: float) -> None:
        """Cancel every call while the peers are silent."""
        self.spoil("blackhole")
        await self.work(seconds, 1.0)
        self.spoil("heal")
        await self.rest()

    async def soak(self, seconds: float) -> None:
        """Make calls in rounds while faults come and go; sample after each, at rest."""
        began, size = monotonic(), min(3.0, seconds / 24)
        while (gone := monotonic() - began) < seconds or len(self.samples) < LEAST:
            await asyncio.gather(self.spoil_at_random(size), self.work(size, 0.3))
            await self.rest()
            now = sample()
            if gone > seconds / 4:  # until then pools, caches and threads fill up
                self.samples.append(now)
            self.tell(now)

    async def work(self, seconds: float, cancelled: float) -> None:
        """Have all components called for so long, and such a share of the calls cancelled."""
        until = monotonic() + seconds

        async def one(name: str, random: Random) -> None:
            tally, operations = self.tallies[name], self.operations[name]
            while monotonic() < until:
                operation = random.choice(operations)
                if random.random() < cancelled:
                    await tally.cancelled(operation, random, random.random() * 0.1)
                else:
                    await tally.plain(operation, random, random.choice(TIMEOUTS))
                await asyncio.sleep(random.random() * PACE)

        async with asyncio.TaskGroup() as workers:
            for name in self.operations:
                for _ in range(WORKERS):
                    workers.create_task(one(name, Random(self.random.random())))

    async def spoil_at_random(self, seconds: float) -> None:
        """Switch the faults of the peers again and again for so long, and heal them."""
        random, until = self.random, monotonic() + seconds
        while (left := until - monotonic()) > 0.0:
            for peer in self.peers.urls:
                fault, amount = random.choice(
                    (
                        ("heal", None),
                        ("heal", None),
                        ("delay", random.uniform(0.01, 0.3)),
                        ("drip", random.uniform(500.0, 50_000.0)),
                        ("blackhole", None),
                        ("cut", random.choice((0, random.randrange(10_000)))),
                        ("half_close", random.choice((0, random.randrange(10_000)))),
                        ("reset", random.choice((0, random.randrange(10_000)))),
                    )
                )
                self.spoil(fault, amount, peer)
            await asyncio.sleep(min(left, random.uniform(0.1, 0.6)))
        self.spoil("heal")

    def spoil(self, fault: str, amount: float | None = None, *peers: str) -> None:
        """Switch the fault of peers, or of all."""
        for peer in peers or self.peers.urls:
            self.peers.spoil(peer, fault, amount)

    async def rest(self) -> None:
        """Let what runs behind the calls end: until nothing has ended for a while."""
        until, running = monotonic() + REST, -1
        while running != len(asyncio.all_tasks()) and monotonic() < until:
            running = len(asyncio.all_tasks())
            await asyncio.sleep(0.1)

    async def look(self, after: str) -> None:
        """See what healthy peers answer to each client."""
        self.healthy[after] = {name: await self.ask(name) for name in self.operations}

    async def ask(self, name: str) -> Counter[str]:
        """Let a client find its peer, then make calls which must all be answered."""
        tally, operations, random = Tally(), self.operations[name], self.random
        until = monotonic() + RECOVERY
        while monotonic() < until:
            if all([await tally.plain(one, random, 1.0) == "success" for one in operations]):
                break
        counts: Counter[str] = Counter()
        for start in range(0, HEALTHY, TOGETHER):
            chosen = [operations[n % len(operations)] for n in range(start, start + TOGETHER)]
            counts.update(await asyncio.gather(*[tally.plain(one, random, 5.0) for one in chosen]))
        return counts

    def hear(self, what: str) -> None:
        """Note an error that nobody awaited, or a thing that nobody closed."""
        if KNOWN in what:
            self.known += 1
        else:
            self.unheard.append(what)

    def tell(self, now: Mapping[str, float]) -> None:
        """Say every few seconds how it goes."""
        if monotonic() - self.told < NEWS:
            return
        self.told = monotonic()
        made = sum(tally.made for tally in self.tallies.values())
        held = ", ".join(f"{what} {size:,.0f}" for what, size in now.items())
        bad = sum(tally.hung + tally.lost.total() for tally in self.tallies.values())
        seconds = self.told - self.began
        print(f"{seconds:5.0f} s  {made:,} calls, {bad} lost or hung; {held}", flush=True)


def main() -> int:
    """Run what was asked for; give the exit status."""
    parser = argparse.ArgumentParser(description="soak QiCore in faults")
    known = ", ".join(COMPONENTS)
    parser.add_argument("components", nargs="*", metavar="COMPONENT", help=known)
    parser.add_argument("--seconds", type=float, default=600.0, help="of faults; 600 by default")
    parser.add_argument("--cancelled", type=float, default=6.0, help="of nothing but cancellations")
    parser.add_argument("--seed", type=int, default=1, help="of the faults and the calls")
    parser.add_argument("--plant", action="store_true", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    simplefilter("error")
    asked.components = asked.components or list(COMPONENTS)
    unknown = set(asked.components) - set(COMPONENTS)
    if unknown:
        parser.error(f"no component {', '.join(sorted(unknown))}; there are: {known}")
    return asyncio.run(run(asked))


async def run(asked: argparse.Namespace) -> int:
    """Open, soak, look, close, and say what came of it."""
    chosen = {name: COMPONENTS[name] for name in asked.components}
    if asked.plant:
        chosen["planted"] = planted
    loop = asyncio.get_running_loop()
    with tempfile.TemporaryDirectory() as folder:
        async with started() as peers:
            before = sample()
            soak = Soak(asked, peers)
            loop.set_exception_handler(lambda _, context: soak.hear(str(context)))
            sys.unraisablehook = lambda raised: soak.hear(repr(raised.exc_value))
            ground = Ground(peers.urls, Path(folder))
            async with AsyncExitStack() as stack:
                for name, component in chosen.items():
                    soak.operations[name] = await stack.enter_async_context(component(ground))
                    soak.tallies[name] = Tally()
                if asked.cancelled:
                    await soak.cancel(asked.cancelled)
                    await soak.look(f"{asked.cancelled:g} s of cancelled calls")
                await soak.soak(asked.seconds)
                await soak.look(f"{asked.seconds:g} s of faults")
            await loop.shutdown_default_executor()
            left = await closed(before)
    verdicts = judged(soak.samples)
    print("\n".join(report(soak, verdicts, before, left)))
    wrong = list(faults_of(soak, verdicts, before, left))
    print("\n".join(["", *wrong]) if wrong else "\nnothing lost, hung, grown or left")
    return 1 if wrong else 0


async def closed(before: Mapping[str, float]) -> dict[str, float]:
    """Look at what is left after closing, when the last threads have ended."""
    until = monotonic() + SLACK
    while threading.active_count() > before["threads"] and monotonic() < until:  # noqa: ASYNC110
        await asyncio.sleep(0.05)
    return sample()


LEFT: Final = ("tasks", "threads", "sockets", "files")  # of which closing leaves none


def report(
    soak: Soak, verdicts: list[Verdict], before: Mapping[str, float], left: Mapping[str, float]
) -> Iterator[str]:
    """Show what happened, as tables."""
    yield f"\nseed {soak.asked.seed}, {len(soak.samples)} samples\n"
    yield (
        f"{'':<10} {'calls':>8} {'success':>8} {'failure':>8} {'cancelled':>9}"
        f" {'lost':>5} {'hung':>5} {'latest':>8}"
    )
    for name, tally in soak.tallies.items():
        good, cancelled = tally.ended["success"], tally.ended["cancelled"]
        failed = tally.ended.total() - good - cancelled
        yield (
            f"{name:<10} {tally.made:>8,} {good:>8,} {failed:>8,} {cancelled:>9,}"
            f" {tally.lost.total():>5} {tally.hung:>5} {tally.latest:>6.2f} s"
        )
    yield f"latest: by how much a call outlived its deadline or cancellation; {SLACK:g} s is hung"
    yield f"known noise of aiohttp: {soak.known}"
    yield "\nfailures by code"
    for name, tally in soak.tallies.items():
        codes = [f"{code} {n:,}" for code, n in tally.ended.most_common() if code.isupper()]
        yield f"{name:<10} {', '.join(codes) or 'none'}"
    for after, clients in soak.healthy.items():
        yield f"\nanswered by healthy peers, after {after}"
        for name, counts in clients.items():
            yield f"{name:<10} {counts['success']} of {counts.total()}"
    yield f"\n{'':<10} {'first':>11} {'last':>11} {'at most':>11} {'before':>9} {'closed':>9}"
    for one in verdicts:
        yield (
            f"{one.what:<10} {one.first:>11,.0f} {one.last:>11,.0f} {one.most:>11,.0f}"
            f" {before[one.what]:>9,.0f} {left[one.what]:>9,.0f}"
        )


def faults_of(
    soak: Soak, verdicts: list[Verdict], before: Mapping[str, float], left: Mapping[str, float]
) -> Iterator[str]:
    """Say what must not be."""
    for name, tally in soak.tallies.items():
        if tally.hung:
            yield f"{name}: {tally.hung} calls were hung"
        for what, count in tally.lost.most_common(10):
            yield f"{name}: {count} calls were lost: {what}"
    for after, clients in soak.healthy.items():
        for name, counts in clients.items():
            if counts.keys() != {"success"}:
                yield f"{name}: not every call was answered after {after}: {dict(counts)}"
    for one in verdicts:
        if one.has_grown:
            yield f"{one.what} grew from {one.first:,.0f} to {one.last:,.0f}, above {one.most:,.0f}"
    for what in LEFT:
        if left[what] > before[what]:
            yield f"closing left {left[what] - before[what]:,.0f} {what}"
    yield from (f"nobody heard: {one}" for one in soak.unheard[:10])


if __name__ == "__main__":
    sys.exit(main())
