"""A few seconds of tests/soak: no call is lost or hung, nothing grows; and it can find all that."""

from __future__ import annotations

import asyncio
import re
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from random import Random
from typing import Any, TypeAlias

import pytest

from qicore_core import success

SOAK = Path(__file__).parent / "soak"
Runs: TypeAlias = list[subprocess.CompletedProcess[str]]
NEEDED = pytest.mark.skipif(
    sys.platform != "linux" or sys.version_info >= (3, 12),
    reason="needs /proc of Linux, and takes so long that one Python is enough: the oldest",
)


@pytest.fixture(scope="module")
def runs() -> Runs:
    """What a sound run and one with planted faults said; side by side, as they mostly wait."""
    program = [sys.executable, str(SOAK / "run.py")]
    commands = [
        [*program, "--cancelled", "6", "--seconds", "4"],
        [*program, "--cancelled", "0", "--seconds", "2", "--plant", "memory"],
    ]
    pipe = subprocess.PIPE
    running = [subprocess.Popen(one, stdout=pipe, stderr=pipe, text=True) for one in commands]
    try:
        said = [one.communicate(timeout=100.0) for one in running]
    finally:
        for one in running:
            one.kill()
    return [
        subprocess.CompletedProcess(one.args, one.returncode, *texts)
        for one, texts in zip(running, said, strict=True)
    ]


@NEEDED
def test_no_call_is_lost_or_hung_and_nothing_grows(runs: Runs) -> None:
    done, _ = runs
    assert (done.returncode, done.stderr) == (0, ""), done.stdout + done.stderr
    assert done.stdout.endswith("nothing lost, hung, grown or left\n")
    for client in ("memory", "redis", "tiered", "disk", "stdlib", "httpx", "aiohttp", "sqlite"):
        assert re.findall(rf"(?m)^{client} +(\d+ of \d+)$", done.stdout) == ["100 of 100"] * 2


@NEEDED
def test_what_is_planted_is_found(runs: Runs) -> None:
    _, done = runs
    assert done.returncode == 1, done.stdout + done.stderr
    for what in (
        r"planted: \d+ calls were lost: raised ZeroDivisionError",
        r"planted: \d+ calls were lost: raised AssertionError.*is no answer to this call",
        r"planted: not every call was answered",
        *(f"{one} grew" for one in ("objects", "blocks", "tasks", "threads", "sockets", "files")),
        r"closing left \d+ tasks",
        r"closing left \d+ files",
    ):
        assert re.search(what, done.stdout), f"{what} not in {done.stdout}"


@pytest.mark.parametrize("what", ["rss KiB", "objects", "tasks", "threads", "sockets", "files"])
def test_growth_is_the_last_quarter_above_the_first(
    what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(SOAK)
    growth = import_module("growth")
    bound = growth.BOUNDS[what]
    most = 1000 * (1 + bound.share) + bound.number
    for last, has_grown in ((most, False), (most + 1, True), (0, False)):
        sizes = [1000, 1000, 1e9, last, 1000, 1e9, last, last]  # a peak that goes away is none
        samples = [dict.fromkeys(growth.BOUNDS, 0) | {what: size} for size in sizes]
        grown = [one.what for one in growth.judged(samples) if one.has_grown]
        assert grown == ([what] if has_grown else [])
    with pytest.raises(ValueError, match="7 samples say nothing"):
        growth.judged(samples[1:])


def test_a_call_that_does_not_end_is_hung_and_one_that_will_not_be_cancelled_lost(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.syspath_prepend(SOAK)
    calls = import_module("calls")
    monkeypatch.setattr(calls, "SLACK", 0.05)

    async def hang(_: Random, timeout: float) -> Any:
        await asyncio.Event().wait()

    async def refuse(_: Random, timeout: float) -> Any:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            return success()

    async def main() -> Any:
        tally = calls.Tally()
        assert await tally.plain(hang, Random(1), 0.01) == "hung"
        assert await tally.cancelled(hang, Random(1), 0.01) == "cancelled"
        await tally.cancelled(refuse, Random(1), 0.01)
        return tally

    tally = asyncio.run(main())
    assert (tally.made, tally.hung) == (3, 1)
    assert tally.lost == {"cancelled, and yet success": 1}
