"""Fifty misses at once are one computation: in tasks and in threads; processes are in test_door."""

from __future__ import annotations

import asyncio
from threading import Barrier, Thread
from typing import Any

from qicore_cache import open_cache
from qicore_core import Result, blocking, success

MANY = 50


def test_fifty_tasks_are_one_computation(url: str) -> None:
    ran: list[int] = []

    async def compute() -> list[int]:
        ran.append(1)
        await asyncio.sleep(0.1)  # so that even a second connection could have asked meanwhile
        return [7]

    async def main() -> None:
        async with open_cache(url, namespace="fifty tasks") as cache:
            await cache.clear()
            calls = [cache.get_or_set("k", compute) for _ in range(MANY)]
            assert await asyncio.gather(*calls) == [success([7])] * MANY

    asyncio.run(main())
    assert ran == [1]


def test_fifty_threads_are_one_computation(url: str) -> None:
    ran: list[int] = []
    answers: list[Result[Any]] = []
    all_here = Barrier(MANY)

    async def compute() -> list[int]:
        ran.append(1)
        await asyncio.sleep(0.1)
        return [7]

    async def ask() -> None:
        async with open_cache(url, namespace="fifty threads") as cache:
            await cache.get("another")  # connected
            all_here.wait(30.0)
            answers.append(await cache.get_or_set("k", compute))

    with blocking() as call:
        cache = call(open_cache(url, namespace="fifty threads")).unwrap()
        call(cache.clear())
        call(cache.close())
    threads = [Thread(target=lambda: asyncio.run(ask())) for _ in range(MANY)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60.0)
    assert answers == [success([7])] * MANY
    assert ran == [1]
