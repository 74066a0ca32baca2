"""Result and QiError against their peers, `@do` against hand-written checks, and the import.

A statement stands many times in a row in a function of its own, so that the interpreter treats it
as it would in a program: in 3.11 the first calls of a function are slower than all others.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Coroutine
from time import time
from typing import Any

import koda
import result
import returns.result
import safe_result
from harness import Row, compare

from qicore_core.attempt import do
from qicore_core.error import ErrorCategory, QiError
from qicore_core.result import failure, success, unwrap

_TIMES = 50
_ERROR = QiError.internal("CODE", "said")
# How each library writes it: succeed, fail, then by method
_WRITTEN = {
    "ours": (success, failure, "map", "flat_map"),
    "result": (result.Ok, result.Err, "map", "and_then"),
    "koda": (koda.Ok, koda.Err, "map", "flat_map"),
    "safe-result": (safe_result.Ok, safe_result.Err, "map", "and_then"),
    "returns": (returns.result.Success, returns.result.Failure, "map", "bind"),
}
_BUDGETS = {"create": 1 / 1.2, "map": 1 / 1.4, "five steps": 1 / 1.2}
_RETURNS = 1 / 3.3


def measure() -> list[Row]:
    """Compare what DESIGN has a budget for."""
    return [*_peers(), *_do(), *_errors(), *_imports()]


def _peers() -> list[Row]:
    cases = {
        "create a success": ("ok(1)", "create"),
        "create a failure": ("err(E)", "create"),
        "map a success": ("r.{map}(inc)", "map"),
        "map a failure": ("f.{map}(inc)", None),
        "five steps, all succeed": ("ok(1)" + ".{bind}(step)" * 5, "five steps"),
        "five steps, the second fails": (
            "ok(1).{bind}(step).{bind}(fail)" + ".{bind}(step)" * 3,
            "five steps",
        ),
    }
    rows = []
    for name, (statement, budget) in cases.items():
        costs = _compare({peer: _of(peer, statement) for peer in _WRITTEN})
        ours = costs.pop("ours")
        for peer, cost in costs.items():
            limit = 1.1 if budget is None else _RETURNS if peer == "returns" else _BUDGETS[budget]
            rows.append(Row(name, peer, ours, cost, limit))
    return rows


def _of(peer: str, statement: str) -> Callable[[], object]:
    ok, err, map_name, bind_name = _WRITTEN[peer]
    names: dict[str, Any] = {"ok": ok, "err": err, "E": _ERROR, "r": ok(5), "f": err(_ERROR)}
    steps = "inc = lambda n: n + 1\ndef step(n): return ok(n + 1)\ndef fail(n): return err(E)"
    exec(steps, names)
    return _unrolled(statement.format(map=map_name, bind=bind_name), names)


def _unrolled(statement: str, names: dict[str, Any]) -> Callable[[], object]:
    lines = f"    {statement}\n" * _TIMES
    exec(f"def unrolled():\n{lines}", names)
    function: Callable[[], object] = names["unrolled"]
    for _ in range(20):
        function()  # until it is specialised
    return function


def _compare(functions: dict[str, Callable[[], object]], *, inner: int = 100) -> dict[str, float]:
    costs = compare(functions, rounds=40, inner=inner)
    return {name: cost / _TIMES for name, cost in costs.items()}


async def _gives(number: int) -> Any:
    return success(number)


async def _by_hand() -> Any:
    a = await _gives(1)
    if not a:
        return a
    b = await _gives(2)
    if not b:
        return b
    c = await _gives(3)
    if not c:
        return c
    return success(a.value + b.value + c.value)


@do
async def _unwrap_await() -> int:
    a = unwrap(await _gives(1))
    b = unwrap(await _gives(2))
    c = unwrap(await _gives(3))
    return a + b + c


@do
async def _await_unwrap() -> int:
    a = await unwrap(_gives(1))
    b = await unwrap(_gives(2))
    c = await unwrap(_gives(3))
    return a + b + c


def _run(coroutine: Coroutine[Any, Any, object]) -> None:
    try:
        coroutine.send(None)
    except StopIteration:
        return


def _do() -> list[Row]:
    ways = {
        "hand": _by_hand,
        "unwrap(await f())": _unwrap_await,
        "await unwrap(f())": _await_unwrap,
    }
    costs = _compare(
        {name: _unrolled("run(way())", {"run": _run, "way": way}) for name, way in ways.items()},
        inner=20,
    )
    hand = costs.pop("hand")
    return [Row(f"@do, 3 times {way}", "by hand", costs[way], hand, 1.6) for way in costs]


class _Slotted(Exception):  # noqa: N818  # a peer, not an error of ours
    """What one would write by hand: the same fields in slots."""

    __slots__ = (
        "cause", "code", "context", "errors", "hint", "message", "category", "public_message",
        "retry_after", "retryable", "source", "timestamp",
    )  # fmt: skip

    def __init__(
        self,
        code: str,
        message: str,
        category: ErrorCategory,
        *,
        cause: BaseException | None = None,
        hint: str | None = None,
        retryable: bool | None = None,
        retry_after: float | None = None,
        public_message: str | None = None,
        source: str | None = None,
        **context: object,
    ) -> None:
        self.code = code
        self.message = message
        self.category = category
        self.cause = cause
        self.hint = hint
        self.retryable = retryable
        self.retry_after = retry_after
        self.public_message = public_message
        self.source = source
        self.context = context
        self.errors = ()
        self.timestamp = time()


def _errors() -> list[Row]:
    rows = []
    for name, fields, budget in (
        ("create a QiError", "", 1.3),
        ("create a QiError with two fields", ", field='port', value=7", 1.6),
    ):
        names = {"QiError": QiError, "Slotted": _Slotted, "C": ErrorCategory.VALIDATION}
        costs = _compare(
            {
                "ours": _unrolled(f"QiError.validation('CODE', 'said'{fields})", dict(names)),
                "peer": _unrolled(f"Slotted('CODE', 'said', C{fields})", dict(names)),
            },
            inner=50,
        )
        rows.append(Row(name, "slotted exception", costs["ours"], costs["peer"], budget))
    return rows


def _imports() -> list[Row]:
    """Compare with the five milliseconds of CPU that the budget grants."""
    bare = _cpu("pass")
    modules = ("qicore_core", "qicore_core.result", "qicore_core.error")
    return [
        Row(f"import {module}", "5 ms of CPU", _cpu(f"import {module}") - bare, 5e6, 1.0)
        for module in modules
    ]


def _cpu(statement: str) -> float:
    code = f"{statement}\nimport time; print(time.process_time_ns())"
    command = [sys.executable, "-I", "-c", code]
    return min(float(subprocess.check_output(command, timeout=60)) for _ in range(20))
