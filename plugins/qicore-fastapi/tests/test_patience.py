"""One timer for all who wait."""

from __future__ import annotations

import asyncio

import pytest

from qicore_fastapi.patience import Patience


async def _never() -> None:
    await asyncio.Event().wait()


async def _at_once() -> int:
    return 1


def test_everybody_is_rung_for_on_any_loop_and_who_was_quick_is_not() -> None:
    patience = Patience(0.05)

    async def main() -> None:
        assert await patience.wait(_at_once) == 1
        first = asyncio.create_task(patience.wait(_never))
        await asyncio.wait({first}, timeout=0.02)
        second = asyncio.create_task(patience.wait(_never))
        done, left = await asyncio.wait({first, second}, timeout=5)
        assert not left
        assert {type(task.exception()) for task in done} == {TimeoutError}

    asyncio.run(main())
    asyncio.run(main())


def test_a_cancellation_by_somebody_else_passes() -> None:
    async def main() -> None:
        patience = Patience(60.0)
        waiting = asyncio.create_task(patience.wait(_never))
        await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting

    asyncio.run(main())
