"""What this machine measures: start-up, the plugin index, and hot paths beside their peers.

Ratios are taken in one run, interleaved, and the minimum of many counts; an absolute time is judged
as it stands. A peer that is not installed is named: that is not measured, and no budget kept.
"""

from __future__ import annotations

import gc
import os
import sys
import tempfile
from importlib import import_module
from itertools import repeat
from random import shuffle
from time import thread_time_ns, time

from qicore_core import Policy, QiError, do, success
from qicore_core.error import ErrorCategory

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from typing import Any, Final

__all__ = ["Measured", "calibrate", "index_of_300", "measure", "start_up"]

_ROUNDS: Final = 25
_INNER: Final = 2_000
_CHILDREN: Final = 15

# Prints the milliseconds that the index takes, and how many modules it imports from the folder.
_INDEX: Final = """
import sys, time
from qicore_core import plugins
sys.path.insert(0, sys.argv[1])
began = time.process_time()
found = plugins.index()
took = time.process_time() - began
assert len([one for one in found if one.name.startswith("measured")]) == 300
print(took * 1000, sum(name.startswith("measured") for name in sys.modules))
"""


class Measured:
    """One figure beside its budget.

    Attributes:
        name: what was measured.
        figure: what came out, empty where it was not measured.
        budget: what it may be at most.
        outcome: "kept", "missed" or "not run".
    """

    __slots__ = ("budget", "figure", "name", "outcome")

    def __init__(self, name: str, value: float | None, budget: float, unit: str) -> None:
        self.name = name
        self.figure = "" if value is None else f"{value:.2f}{unit}"
        self.budget = f"<= {budget:.3g}{unit}"
        self.outcome = "not run" if value is None else "kept" if value <= budget else "missed"


def measure() -> Iterator[Measured]:
    """Measure one after the other; the whole takes some seconds."""
    yield from _core()
    yield from _results()
    yield from _errors()
    yield from _do()
    yield from _policy()


def calibrate() -> float:
    """Give the nanoseconds that one turn of a plain loop takes here, to compare machines."""

    def loop() -> None:
        for _ in repeat(None, 100):
            pass

    return _compare({"loop": loop})["loop"] / 100


def start_up() -> tuple[float, float]:
    """Give the milliseconds of CPU time that `import qicore_core` and `qicore --version` add.

    They add to what Python takes itself, each in a child, the minimum of many.
    """
    commands = ("pass", "import qicore_core", "from qicore.cli import main; main(['--version'])")
    best = dict.fromkeys(commands, float("inf"))
    for _ in range(_CHILDREN):
        for command in commands:
            best[command] = min(best[command], _cpu_of(command))
    bare, core, version = (best[command] * 1000 for command in commands)
    return core - bare, version - bare


def index_of_300() -> tuple[float, int]:
    """Give the milliseconds of the first index over 300 plugins, and how many were imported."""
    with tempfile.TemporaryDirectory() as folder:
        for number in range(300):
            info = os.path.join(folder, f"measured_{number}-1.0.dist-info")
            os.mkdir(info)
            with open(os.path.join(info, "entry_points.txt"), "w", encoding="utf-8") as file:
                file.write(f"[qicore.cache]\nmeasured{number} = measured_{number}\n")
        said = [_output_of(["-c", _INDEX, folder]).split() for _ in range(_CHILDREN)]
    return min(float(took) for took, _ in said), max(int(imported) for _, imported in said)


def _core() -> Iterator[Measured]:
    core, version = start_up()
    yield Measured("import qicore_core, over bare Python", core, 5.0, " ms")
    yield Measured("qicore --version, over bare Python", version, 15.0, " ms")
    took, imported = index_of_300()
    yield Measured("plugin index of 300 distributions", took, 5.0, " ms")
    yield Measured("plugin modules that it imports", float(imported), 0.0, "")


def _results() -> Iterator[Measured]:
    for peer, module in (("result", "result"), ("koda", "koda"), ("safe-result", "safe_result")):
        makes, maps = f"success(1), of {peer}'s time", f"map, of {peer}'s time"
        ok = _peer(module, "Ok")
        if ok is None:
            yield Measured(f"{makes}: {peer} is not installed", None, 1 / 1.2, "x")
            continue
        costs = _compare(_pairs(ok))
        yield Measured(makes, costs["makes"] / costs["their makes"], 1 / 1.2, "x")
        yield Measured(maps, costs["maps"] / costs["their maps"], 1 / 1.4, "x")


class _SlottedError(Exception):
    """What a careful hand writes: the same fields, no checks."""

    __slots__ = (
        "category", "cause", "code", "context", "errors", "hint", "message", "public_message",
        "retry_after", "retryable", "source", "timestamp",
    )  # fmt: skip

    def __init__(self, code: str, message: str, **context: object) -> None:
        self.code = code
        self.message = message
        self.category = ErrorCategory.VALIDATION
        self.source = None
        self.context = context
        self.cause = None
        self.errors = ()
        self.hint = None
        self.retryable = None
        self.retry_after = None
        self.public_message = None
        self.timestamp = time()


def _errors() -> Iterator[Measured]:
    costs = _compare(
        {
            "bare": lambda: QiError.validation("BAD_PORT", "bad port"),
            "full": lambda: QiError.validation("BAD_PORT", "bad port", port=1, host="x"),
            "slotted": lambda: _SlottedError("BAD_PORT", "bad port"),
            "slotted full": lambda: _SlottedError("BAD_PORT", "bad port", port=1, host="x"),
        }
    )
    bare, full = costs["bare"] / costs["slotted"], costs["full"] / costs["slotted full"]
    yield Measured("QiError, of a slotted exception's time", bare, 1.3, "x")
    yield Measured("QiError with context, of the same", full, 1.6, "x")


def _do() -> Iterator[Measured]:
    from qicore_core import unwrap

    async def step(number: int) -> Any:
        return success(number)

    @do
    async def ours() -> int:
        a = await unwrap(step(1))
        b = await unwrap(step(a))
        return await unwrap(step(b))

    async def by_hand() -> Any:
        a = await step(1)
        if not a:
            return a
        b = await step(a.value)
        if not b:
            return b
        c = await step(b.value)
        if not c:
            return c
        return success(c.value)

    costs = _compare({"ours": lambda: _drive(ours()), "by hand": lambda: _drive(by_hand())})
    yield Measured(
        "@do with 3 awaits, of hand-written checks", costs["ours"] / costs["by hand"], 1.6, "x"
    )


def _policy() -> Iterator[Measured]:
    from qicore_core import CircuitBreakerConfig

    async def nothing() -> Any:
        return success()

    guarded = Policy(retry=3, breaker=CircuitBreakerConfig())(nothing)
    costs = _compare({"ours": lambda: _drive(guarded()), "bare": lambda: _drive(nothing())})
    took = (costs["ours"] - costs["bare"]) / 1000
    yield Measured("retry, breaker and budget around a call", took, 3.0, " µs")


def _drive(coroutine: Any) -> object:
    """Run a coroutine that never waits, without a loop."""
    try:
        coroutine.send(None)
    except StopIteration as ended:
        return ended.value
    raise RuntimeError("a call that is measured must not wait")


def _compare(functions: Mapping[str, Callable[[], object]]) -> dict[str, float]:
    """Give the nanoseconds of CPU time that one call of each takes, less an empty function's."""
    jobs: list[tuple[str | None, Callable[[], object]]] = [(None, lambda: None), *functions.items()]
    best = dict.fromkeys((None, *functions), float("inf"))
    collects = gc.isenabled()
    gc.disable()
    try:
        for _ in range(_ROUNDS):
            shuffle(jobs)
            for name, function in jobs:
                began = thread_time_ns()
                for _ in repeat(None, _INNER):
                    function()
                best[name] = min(best[name], (thread_time_ns() - began) / _INNER)
    finally:
        if collects:
            gc.enable()
    return {name: max(best[name] - best[None], 0.1) for name in functions}


def _pairs(ok: Any) -> dict[str, Callable[[], object]]:
    def add(number: int) -> int:
        return number + 1

    ours, theirs = success(1), ok(1)
    return {
        "makes": lambda: success(1),
        "maps": lambda: ours.map(add),
        "their makes": lambda: ok(1),
        "their maps": lambda: theirs.map(add),
    }


def _peer(module: str, name: str) -> Any:
    try:
        return getattr(import_module(module), name)
    except ImportError:
        return None


def _cpu_of(program: str) -> float:
    quiet = [(os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0)]
    command = [sys.executable, "-I", "-c", program]
    child = os.posix_spawn(sys.executable, command, os.environ, file_actions=quiet)
    usage = os.wait4(child, 0)[2]
    return usage.ru_utime + usage.ru_stime


def _output_of(arguments: list[str]) -> str:
    import subprocess

    command = [sys.executable, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout  # noqa: S603
